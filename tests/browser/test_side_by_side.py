"""Two dashboards and a command line over one database: they share the work, show the same, and survive each other."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from dashboard.state import encode
from forecasting import Experiment, ModelChoice, Task, Training, Waves
from forecasting.runs.store import Store
from tests.browser.conftest import ROOT, Dashboard, open_page
from tests.browser.test_main_path import button, plot, run_id

LONG = Experiment(
    source=Waves(n_series=5_000, seed=5),
    task=Task(input_size=60),
    models=(ModelChoice(name="deep_rnn"),),
    training=Training(epochs=300, batch_size=16),
)
SMALL = Experiment(source=Waves(n_series=300, seed=6), task=Task(input_size=10), training=Training(epochs=3))
EPOCH = re.compile(r"epoch \d+ of 300")


@pytest.fixture
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Dashboard, Dashboard]]:
    """Two servers, each with one slot, over one database; the test starts them."""
    folder = tmp_path_factory.mktemp("two")
    servers = []
    for name in ("one", "other"):
        (folder / name).mkdir()
        server = Dashboard(folder / name)
        server.database = f"sqlite:///{folder / 'lab.db'}"
        server.environment["FORECASTING_SLOTS"] = "1"
        servers.append(server)
    yield servers[0], servers[1]
    for server in servers:
        server.stop()
        log = (server.folder / "server.log").read_text()
        assert "Traceback" not in log, log[-4000:]


def command_line(database: str, folder: Path) -> list[dict]:
    """Run a small experiment from the command line over the same database."""
    done = subprocess.run(
        [sys.executable, "-m", "forecasting", "run", "-", "--json", "--slots", "1", "--database", database],
        input=SMALL.canonical(),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["fits"]


@pytest.mark.long
def test_two_browsers_on_two_dashboards_see_one_run_live_while_a_command_line_works_beside_them(
    two: tuple[Dashboard, Dashboard], browser: Browser, tmp_path: Path, eventually: Callable
):
    one, other = two
    one.start()
    first = open_page(browser, f"{one.url}/?e={encode(LONG)}")
    button(first, "Train").click()
    expect(first.get_by_text(EPOCH)).to_be_visible(timeout=60_000)
    name = run_id(first)
    other.start()  # only now: slots work as soon as their server runs, and the fit is to be the first server's
    second = open_page(browser, f"{other.url}/?run={name}")
    expect(second.get_by_text(EPOCH)).to_be_visible(timeout=60_000)
    before = second.get_by_text(EPOCH).text_content() or ""
    expect(second.get_by_text(before)).to_have_count(0)  # the curve moves there too

    assert [fit["status"] for fit in command_line(one.database, tmp_path)] == ["finished"] * 4
    store = Store(one.database)
    fit = store.run(name).fits[-1]
    assert (fit.status, len(fit.epochs) > 0) == ("running", True), "the neighbours have let it go on"

    # The first server dies in mid-run; the other takes the fit up when the lease has expired, and goes on.
    assert one.process is not None
    os.kill(one.process.pid, signal.SIGKILL)
    one.process.wait()
    began = store.run(name).fits[-1].started_at
    eventually(lambda: store.run(name).fits[-1].started_at != began, 60)
    assert store.run(name).fits[0].status == "finished", "what was finished has stayed"
    eventually(lambda: store.run(name).fits[-1].stage == "training", 60)
    fit = store.run(name).fits[-1]
    assert fit.epochs_before > 0, "it goes on from the last state that the dead server has stored"
    expect(second.get_by_text(EPOCH)).to_be_visible(timeout=60_000)
    second.context.add_cookies(first.context.cookies())  # whoever has started the run owns it on every server
    second.reload()
    second.locator(".st-key-stop-all button").first.click()
    expect(second.get_by_text(re.compile(r"Stopped[:;]"))).to_be_visible()
    expect(plot(second, "learning")).to_contain_text("Deep RNN")
