"""A search over settings, from the form of a model to the best setting in the Lab."""

import re

import pytest
from playwright.sync_api import Browser, expect

from forecasting import Experiment, ModelChoice, Task, Training, Waves
from tests.browser.conftest import Dashboard, open_page, shoot
from tests.browser.test_main_path import button, link

SMALL = Experiment(
    source=Waves(n_series=200, seed=32),
    task=Task(input_size=12),
    models=(ModelChoice(name="linear"), ModelChoice(name="linear_sgd")),
    training=Training(epochs=6),
)


@pytest.mark.slow
def test_a_search_is_asked_for_in_a_models_form_and_its_best_opens_in_the_lab(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, link(dashboard, SMALL))
    page.get_by_text("Settings of each model", exact=True).click()
    page.get_by_text(re.compile(r"Linear, trained · \d+ parameters")).first.click()
    button(page, "Search its settings").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(re.compile("About .* on this server"))).to_be_visible()
    dialog.get_by_role("spinbutton", name="Trials").fill("8")
    dialog.get_by_role("spinbutton", name="Trials").press("Enter")
    shoot(page, "search-form-light-1440")
    button(page, "Start the search").click()
    page.wait_for_url(re.compile(r"/search\?run="))
    expect(page.get_by_text(re.compile("of 8 trials have ended")).first).to_be_visible()
    expect(page.get_by_text("ended", exact=True)).to_be_visible(timeout=120_000)
    expect(page.get_by_text(re.compile("8 of 8 trials have ended"))).to_be_visible()
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_timeout(700)
        shoot(page, f"search-light-{width}")

    dark = open_page(browser, page.url, "dark")
    expect(dark.get_by_text(re.compile("8 of 8 trials have ended"))).to_be_visible()
    expect(dark.get_by_role("button", name="Stop")).to_have_count(0)
    shoot(dark, "search-dark-1440")
    dark.close()

    button(page, "Open the best in the Lab").click()
    page.wait_for_url(re.compile(r"/\?e="))
    expect(page.get_by_role("button", name="Train", exact=False).first).to_be_visible()
    expect(page.get_by_text("Learning", exact=True)).to_be_visible()
