"""How fast the page feels: `python -m tests.browser.measure` prints seconds, measured in a real browser on this machine.

Nothing is asserted: clocks differ between machines. First content and first chart are taken with an empty browser cache on
a server that has just started; each figure is the median of the repetitions, with the lowest and the highest.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from dashboard.state import encode
from forecasting import Experiment, ModelChoice, Waves
from tests.browser.conftest import FLAGS, Dashboard, chromium

REPEAT = 3
CHART = ".st-key-chart-series .js-plotly-plot .trace"
EPOCH = "text=/epoch \\d+ of 20/"


def main() -> None:
    """Measure and print."""
    figures: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        figures.setdefault(name, []).append(seconds)

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for repetition in range(REPEAT):
            server = Dashboard(Path(folder))
            server.database = f"sqlite:///{folder}/lab-{repetition}.db"
            server.start()
            try:
                _one_round(server, browser, note, repetition)
            finally:
                server.stop()
    for name, values in figures.items():
        print(f"{name:58} {statistics.median(values):7.2f}  ({min(values):.2f} – {max(values):.2f})")


def _one_round(server: Dashboard, browser: Browser, note: Callable[[str, float], None], repetition: int) -> None:
    page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    page.set_default_timeout(60_000)
    began = time.monotonic()
    page.goto(server.url)
    page.wait_for_selector("text=Sum of two sines, next step")
    note("first content, empty cache, server just started (s)", time.monotonic() - began)
    page.wait_for_selector(CHART)
    note("first chart, empty cache, server just started (s)", time.monotonic() - began)
    page.wait_for_timeout(9_000)  # workers warm up
    fresh = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    began = time.monotonic()
    fresh.goto(server.url)
    fresh.wait_for_selector("text=Sum of two sines, next step")
    note("first content, empty cache, warm server (s)", time.monotonic() - began)
    fresh.wait_for_selector(CHART)
    note("first chart, empty cache, warm server (s)", time.monotonic() - began)
    _slider(fresh, note)
    for name, seed in (("new", 100 + repetition), ("compiled before", 200 + repetition)):
        _train(browser, server, seed, note, name)
    note("memory of the dashboard's process (MB)", psutil.Process(server.process.pid).memory_info().rss / 1e6)


def _slider(page: Page, note: Callable[[str, float], None]) -> None:
    slider = page.locator("[class*=st-key-noise_width] input[type=range]")
    slider.focus()
    for value in ("0.0012", "0.00163", "0.00213"):
        began = time.monotonic()
        slider.press("ArrowRight")
        page.wait_for_selector(f"text=Noise floor {value}")
        note("slider to its new numbers (s)", time.monotonic() - began)


def _train(browser: Browser, server: Dashboard, seed: int, note: Callable[[str, float], None], name: str) -> None:
    """Train the chapter's deep RNN on other series, of the same shapes."""
    experiment = Experiment(source=Waves(seed=seed), models=(ModelChoice(name="deep_rnn"),))
    page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    page.goto(f"{server.url}/?e={encode(experiment)}")
    page.wait_for_selector(CHART)
    page.wait_for_timeout(3_000)  # the page has settled
    began = time.monotonic()
    page.locator(".st-key-train button").first.click()
    page.wait_for_selector(EPOCH)
    note(f"Train to the first epoch on screen, shape {name} (s)", time.monotonic() - began)
    page.wait_for_selector("text=finished", timeout=90_000)


if __name__ == "__main__":
    main()
