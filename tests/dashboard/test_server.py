"""The server beside its page: a real one answers `/ready`, sets headers, and works on the queue before anybody has come."""

import logging
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path

import pytest

from dashboard import service
from forecasting.runs.store import Store
from tests.browser.conftest import Dashboard

ROOT = Path(__file__).parents[2]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Dashboard]]:
    """Start a server with these variables of the environment; it is ended behind the test."""
    server = Dashboard(tmp_path)

    def start(base: str = "", **environment: str) -> Dashboard:
        server.url += base
        server.environment |= {"FORECASTING_SLOTS": "1"} | environment
        server.start()
        return server

    yield start
    server.stop()
    log = (tmp_path / "server.log").read_text()
    assert "Traceback" not in log, log[-4000:]


def get(url: str) -> tuple[int, str, Message]:
    """Status, text and headers of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


def readiness(server: Dashboard) -> tuple[int, str]:
    return get(f"{server.url}/ready")[:2]


@pytest.mark.parametrize("base", ["", "/lab"])
def test_a_server_tells_when_it_is_ready_and_every_answer_has_the_headers_below_a_base_path_too(served, eventually, base):
    server = served(base, STREAMLIT_SERVER_BASE_URL_PATH=base)
    eventually(lambda: readiness(server) == (200, "ok"))
    for path in ("/", "/ready", "/_stcore/health", "/forecast", "/_stcore/upload_file/nobody/nothing"):
        _, _, headers = get(server.url + path)
        assert headers.get_all("X-Content-Type-Options") == ["nosniff"], path
        assert headers.get_all("Referrer-Policy") == ["same-origin"], path
        assert headers.get_all("Content-Security-Policy") == ["frame-ancestors 'self'"], path
    if base:
        assert get(f"{server.url.removesuffix(base)}/ready")[0] == 404


def test_an_origin_that_is_trusted_may_show_the_page_in_a_frame(served):
    server = served(STREAMLIT_SERVER_CORS_ALLOWED_ORIGINS="https://huggingface.co https://example.org")
    _, _, headers = get(server.url)
    assert headers["Content-Security-Policy"] == "frame-ancestors 'self' https://huggingface.co https://example.org"


def test_a_wrong_setting_does_not_end_the_server_which_says_that_it_is_not_ready(served):
    server = served(FORECASTING_MAX_FIT_S="soon")
    status, why = readiness(server)
    assert status == 503 and why.startswith("FORECASTING_MAX_FIT_S is 'soon': ") and why.endswith(".")
    assert get(f"{server.url}/")[0] == get(f"{server.url}/_stcore/health")[0] == 200
    assert why in (server.folder / "server.log").read_text()


def test_a_server_whose_database_cannot_be_opened_yet_is_ready_as_soon_as_it_can(served, tmp_path):
    in_the_way = tmp_path / "data"
    in_the_way.touch()
    server = served(FORECASTING_DATABASE_URL=f"sqlite:///{in_the_way / 'lab.db'}")
    status, why = readiness(server)
    assert status == 503 and "cannot be opened" in why and why.endswith(".")
    in_the_way.unlink()
    assert readiness(server) == (200, "ok")


@pytest.mark.slow
def test_the_queue_is_worked_on_before_anybody_has_come_and_the_end_of_the_server_gives_back_what_is_left(
    served, small, eventually
):
    server = served()
    store = Store(server.database)
    done = store.start_run(small("naive", "simple_rnn"), "somebody")
    eventually(lambda: store.run(done).ended)
    long = store.start_run(small("simple_rnn", waves={"n_series": 10_000}, epochs=300, batch_size=2), "somebody")
    eventually(lambda: store.run(long).fits[-1].epochs)
    server.stop()
    assert [fit.status for fit in store.run(done).fits] == ["finished", "finished"]
    assert store.run(long).fits[-1].status == "queued"
    assert store.lease("another").attempt == 1, "what was given back in an orderly manner is no failed attempt"


def test_a_server_whose_engine_has_ended_is_not_ready(tmp_path, monkeypatch):
    monkeypatch.setenv("FORECASTING_DATABASE_URL", f"sqlite:///{tmp_path / 'lab.db'}")
    for opened in ("_store", "_engine"):
        monkeypatch.setattr(service, opened, None)
    log = logging.getLogger("forecasting")
    for how in ("handlers", "propagate", "level"):  # so that they are put back; the engine's start sets them
        monkeypatch.setattr(log, how, getattr(log, how))
    service.settings.cache_clear()
    try:
        assert service.trouble() == ""
        service.close()
        assert service.trouble() == "The engine has ended, and no fit is worked on: start the server again."
    finally:
        service.settings.cache_clear()


def test_the_server_answers_before_numpy_is_there_and_numpy_gets_one_thread():
    code = "import os, sys, streamlit.web.cli, app; print('numpy' in sys.modules, os.environ['OPENBLAS_NUM_THREADS'])"
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "dashboard",
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "1"]
