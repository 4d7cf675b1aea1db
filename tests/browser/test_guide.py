"""The Guide, walked from the first to the last step in a real browser."""

import re

import pytest
from playwright.sync_api import Browser, expect

from dashboard.views.guide_steps import STEPS
from forecasting.studies.chapter import LINES
from tests.browser.conftest import Dashboard, open_page, shoot


@pytest.mark.slow
@pytest.mark.parametrize("first", [pytest.param(1, marks=pytest.mark.long), len(STEPS)], ids=["whole", "end"])
def test_a_newcomer_walks_through_the_chapter(dashboard: Dashboard, browser: Browser, first: int):
    page = open_page(browser, f"{dashboard.url}/guide?quick=1&step={first}")
    for number, step in list(enumerate(STEPS, 1))[first - 1 :]:
        expect(page.get_by_text(f"Step {number} of {len(STEPS)}")).to_be_visible()
        expect(page.get_by_role("heading", name=step.title)).to_be_visible()
        expect(page.get_by_text("You guessed")).to_have_count(0)  # first the guess, then the answer
        expect(page.locator("[data-testid=stImage] img").first).to_be_visible()
        page.get_by_role("radio", name="0.01", exact=True).click()
        page.get_by_role("button", name=re.compile("Run it")).click()
        expect(page.get_by_text("You guessed")).to_be_visible(timeout=240_000)
        if number in (2, len(STEPS)):
            shoot(page, f"guide-{number}")
        page.get_by_role("button", name="Next", exact=True).click()
    expect(page.get_by_role("heading", name="What the text leaves out")).to_be_visible()
    assert "step=11" in page.url and "quick=1" in page.url
    shoot(page, "guide-end")


@pytest.mark.slow
def test_a_step_opens_in_the_lab_with_its_settings_and_its_results(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, f"{dashboard.url}/guide?quick=1&step=2")
    page.get_by_role("radio", name="0.01", exact=True).click()
    page.get_by_role("button", name=re.compile("Run it")).click()
    expect(page.get_by_text("You guessed")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Open in the Lab").click()
    expect(page.get_by_text("140 windows to learn from")).to_be_visible()
    expect(page.get_by_role("heading", name="Learning", exact=True)).to_be_visible()
    expect(page.locator(".st-key-chart-learning .js-plotly-plot")).to_be_visible()


def test_every_line_of_the_chapters_table_is_on_the_way():
    assert {key for step in STEPS for key in step.rows} == {row.key for row in LINES}
