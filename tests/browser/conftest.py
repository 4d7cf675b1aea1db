"""A real dashboard in a process of its own, and a real Chromium."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
SHOTS = Path(__file__).parent / "screenshots"
expect.set_options(timeout=60_000)  # a machine under load is no fault
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
READY = "[data-testid=stApp][data-test-connection-state=CONNECTED]"


def chromium() -> str:
    """The browser's path; without one the tests are skipped, and fail under CI=true."""
    path = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
    if path is None:
        why = "No Chromium on this machine: install it (Debian: apt-get install chromium) to run the browser tests."
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return path


class Dashboard:
    """A server that can be ended and started again over the same database."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.process = folder, None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = f"sqlite:///{folder / 'lab.db'}"
        self.environment = {"FORECASTING_CACHE_DIR": str(folder / "programs")}

    def start(self) -> None:
        """Start it from another directory than the project's, as hosting services do."""
        options = ["--server.headless=true", f"--server.port={self.port}", "--server.address=127.0.0.1"]
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboard" / "app.py"), *options],
                cwd=self.folder,
                env={**os.environ, "FORECASTING_DATABASE_URL": self.database, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                    if answer.read() == b"ok":
                        return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"The dashboard did not start: {(self.folder / 'server.log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)
            self.process = None


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    server = Dashboard(tmp_path_factory.mktemp("dashboard"))
    server.start()
    yield server
    server.stop()
    log = (server.folder / "server.log").read_text()
    assert "Traceback" not in log, log[-4000:]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(autouse=True)
def closed_afterwards(request: pytest.FixtureRequest) -> Iterator[None]:
    """Pages that a test leaves open go on asking the server, and would slow down the tests after it."""
    yield
    if "browser" in request.fixturenames:
        for context in request.getfixturevalue("browser").contexts:
            context.close()


def open_page(browser: Browser, url: str, theme: str = "light", width: int = 1440) -> Page:
    """A page in a context of its own: no cache, no cookies."""
    page = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=theme).new_page()
    page.set_default_timeout(60_000)
    page.goto(url)
    page.wait_for_selector(READY)
    return page


def shoot(page: Page, name: str) -> None:
    """Leave a screenshot of the whole page for whoever wants to look at it."""
    SHOTS.mkdir(exist_ok=True)
    page.mouse.move(0, 0)  # a tooltip would stay
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
    size = page.viewport_size
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": int(height) + 20})
    page.wait_for_timeout(800)
    page.screenshot(path=SHOTS / f"{name}.png")
    page.set_viewport_size(size)
