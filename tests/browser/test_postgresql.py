"""One path through the pages over a PostgreSQL database: train, find, bring back, search."""

import re

import pytest
from playwright.sync_api import Browser, expect

from forecasting import Experiment, ModelChoice, Training, Waves
from forecasting.runs.store import Store
from tests.browser.conftest import Dashboard, open_page
from tests.browser.test_main_path import button, link, run_id
from tests.browser.test_runs import choose_first

SHORT = Experiment(
    source=Waves(n_series=200, seed=71), models=(ModelChoice(name="linear_sgd"),), training=Training(epochs=3)
)


@pytest.mark.slow
@pytest.mark.long
def test_a_run_is_trained_found_deleted_and_searched_over_postgresql(postgresql, tmp_path, browser: Browser):
    server = Dashboard(tmp_path)
    server.database = postgresql()
    server.start()
    try:
        page = open_page(browser, link(server, SHORT))
        button(page, "Train").click()
        expect(page.get_by_text("finished", exact=True).first).to_be_visible(timeout=90_000)
        name, store = run_id(page), Store(server.database)
        assert [fit.status for fit in store.run(name).fits] == ["finished", "finished"]
        guest = open_page(browser, page.url)
        expect(guest.get_by_text("finished", exact=True).first).to_be_visible()
        guest.close()

        page.get_by_text("Settings of each model", exact=True).click()
        page.get_by_text(re.compile(r"Linear, trained · \d+ parameters")).first.click()
        button(page, "Search its settings").click()
        page.get_by_role("dialog").get_by_role("spinbutton", name="Trials").fill("3")
        page.get_by_role("dialog").get_by_role("spinbutton", name="Trials").press("Enter")
        button(page, "Start the search").click()
        expect(page.get_by_text(re.compile("3 of 3 trials have ended"))).to_be_visible(timeout=90_000)

        page.get_by_test_id("stTopNav").get_by_role("link", name="Runs").click()
        expect(page.get_by_text("2 runs. Choose one or more")).to_be_visible()
        choose_first(page)
        button(page, "Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("1 run. Choose one or more")).to_be_visible()
        page.close()
    finally:
        server.stop()
    assert "Traceback" not in (tmp_path / "server.log").read_text()
