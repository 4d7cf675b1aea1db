"""Visitors sign in by OpenID Connect, at a provider that the test starts: whose runs are whose, and what is private."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.state import encode
from forecasting import Experiment, ModelChoice, Training, Upload, Waves
from forecasting.experiment import Plan
from forecasting.runs.records import Wanted
from forecasting.runs.store import Store
from tests.browser.conftest import Dashboard, open_page, shoot
from tests.browser.test_main_path import button, link, run_id

PEOPLE = {
    "ann": {"name": "Ann Example", "email": "ann@example.org", "email_verified": True},
    "ben": {"name": "Ben Example", "email": "ben@example.org", "email_verified": True},
    "root": {"name": "Rae Root", "email": "root@example.org", "email_verified": True},
    "false": {"name": "False Root", "email": "root@example.org", "email_verified": False},
}
SECRETS = """[auth]
redirect_uri = "{url}/oauth2callback"
cookie_secret = "a secret of this test alone, long enough for it"
client_id = "lab"
client_secret = "hidden"
server_metadata_url = "http://127.0.0.1:{port}/.well-known/openid-configuration"
"""
SHORT = Experiment(
    source=Waves(n_series=200, seed=61), models=(ModelChoice(name="linear_sgd"),), training=Training(epochs=2)
)
NOTHING_THERE = "There is no run under this address: it was deleted, or the link is incomplete."


@pytest.fixture(scope="module")
def provider() -> Iterator[int]:
    """The port of a provider that knows some people."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    people = [part for sub, claims in PEOPLE.items() for part in ("--user-claims", json.dumps({"sub": sub, **claims}))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *people]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/.well-known/openid-configuration", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        yield port
        process.terminate()


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, provider: int) -> Iterator[Dashboard]:
    """A server that lets visitors sign in."""
    server = Dashboard(tmp_path_factory.mktemp("sign-in"))
    (server.folder / ".streamlit").mkdir()
    (server.folder / ".streamlit" / "secrets.toml").write_text(SECRETS.format(url=server.url, port=provider))
    server.environment |= {"FORECASTING_ADMINISTRATORS": "Root@example.org"}
    server.start()
    yield server
    server.stop()
    log = (server.folder / "server.log").read_text()
    assert "Traceback" not in log, log[-4000:]


def signed_in(browser: Browser, dashboard: Dashboard, who: str) -> Page:
    page = open_page(browser, f"{dashboard.url}/runs")
    sign_in(page, who)
    return page


def sign_in(page: Page, who: str) -> None:
    button(page, "Sign in").click()
    page.locator("input[name=sub]").fill(who)
    page.get_by_role("button", name=re.compile("Authorize|Log ?in|Sign in", re.IGNORECASE)).first.click()
    expect(button(page, PEOPLE[who]["name"])).to_be_visible()


@pytest.mark.slow
def test_runs_belong_to_who_has_signed_in_and_private_ones_open_for_nobody_else(dashboard: Dashboard, browser: Browser):
    ann = open_page(browser, link(dashboard, SHORT))
    button(ann, "Train").click()
    expect(ann.get_by_text("finished", exact=True).first).to_be_visible(timeout=90_000)
    before, store = run_id(ann), Store(dashboard.database)
    sign_in(ann, "ann")
    button(ann, "Ann Example").click()
    shoot(ann, "account-light-1440")
    button(ann, "Take over 1 run of this browser").click()
    expect(button(ann, "Take over 1 run of this browser")).to_have_count(0)
    assert store.run(before).author == "Ann Example" and store.run(before).owner.startswith("user-")

    ann.goto(f"{dashboard.url}/?run={before}")
    button(ann, "Share").click()
    ann.get_by_text("Private", exact=True).click()
    address = ann.url
    for _ in range(50):
        if store.run(before).private:
            break
        ann.wait_for_timeout(100)
    assert store.run(before).private

    ben = signed_in(browser, dashboard, "ben")
    ben.goto(f"{dashboard.url}/runs")
    ben.get_by_role("radio", name="Everyone's").click()
    expect(ben.get_by_text("No run is found.")).to_be_visible()
    ben.goto(address)
    expect(ben.get_by_text(NOTHING_THERE)).to_be_visible()
    guest = open_page(browser, address)
    expect(guest.get_by_text(NOTHING_THERE)).to_be_visible()
    guest.goto(f"{dashboard.url}/?run=nothing23")
    expect(guest.get_by_text(NOTHING_THERE)).to_be_visible()

    again = signed_in(browser, dashboard, "ann")
    again.goto(address)
    expect(again.get_by_text("finished", exact=True).first).to_be_visible()
    again.close()

    false = signed_in(browser, dashboard, "false")
    false.goto(address)
    expect(false.get_by_text(NOTHING_THERE)).to_be_visible()
    root = signed_in(browser, dashboard, "root")
    root.goto(address)
    expect(root.get_by_text("finished", exact=True).first).to_be_visible()
    button(root, "Share").click()
    expect(root.get_by_text("Started by Ann Example")).to_be_visible()
    root.get_by_text("Private", exact=True).click()
    for _ in range(50):
        if not store.run(before).private:
            break
        root.wait_for_timeout(100)
    ben.goto(address)
    expect(ben.get_by_text("finished", exact=True).first).to_be_visible()
    for context in browser.contexts:
        context.close()


@pytest.mark.slow
def test_a_private_file_is_to_others_what_was_never_there(dashboard: Dashboard, browser: Browser):
    store = Store(dashboard.database)
    ann = signed_in(browser, dashboard, "ann")
    button(ann, "Ann Example").click()
    ann.get_by_text("What I start is private").click()
    ann.wait_for_timeout(500)
    ann.goto(f"{dashboard.url}/forecast")
    ann.get_by_text("Upload", exact=True).first.click()
    values = "ds,y\n" + "".join(
        f"2020-{1 + i % 12:02d}-01,{10 + i % 4}\n".replace("2020", str(2015 + i // 12)) for i in range(72)
    )
    ann.locator("input[type=file]").first.set_input_files(
        {"name": "secret.csv", "mimeType": "text/csv", "buffer": values.encode()}
    )
    expect(ann.get_by_text("secret.csv").first).to_be_visible()
    button(ann, "Forecast").click()
    ann.wait_for_url(re.compile("run="))
    (record,) = (one for one in store.listed(Wanted(owner="", only_own=False, of_everybody=True))[0] if one.private)
    run = store.run(record.id)
    assert isinstance(run.experiment.source, Upload) and store.upload(run.experiment.source.upload_id).private

    plan = Plan(h=2, season_length=4, n_windows=2)
    settings = Experiment(source=run.experiment.source, plan=plan, models=(ModelChoice(name="naive"),))
    nothing = settings.model_copy(update={"source": Upload(upload_id="nothing23" * 3)})
    guest = open_page(browser, f"{dashboard.url}/forecast?run={run.id}")
    expect(guest.get_by_text(NOTHING_THERE)).to_be_visible()
    said = []
    for one in (settings, nothing):
        guest.goto(f"{dashboard.url}/forecast?e={encode(one)}")
        refusal = guest.get_by_test_id("stAlert").first
        expect(refusal).to_be_visible()
        said.append(refusal.inner_text())
    assert said[0] == said[1] and "secret" not in guest.content()
    store.stop(run.id)
