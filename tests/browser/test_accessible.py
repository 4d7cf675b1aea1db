"""What readers of the screen, of the keyboard and of weak colours need: no page has a serious fault that axe finds."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Dashboard, open_page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "theme"),
    [
        ("/", "dark"),
        ("/forecast", "light"),
        ("/guide", "dark"),
        *(
            pytest.param(*other, marks=pytest.mark.long)
            for other in (("/", "light"), ("/forecast", "dark"), ("/guide", "light"))
        ),
    ],
)
def test_axe_finds_nothing_serious(dashboard: Dashboard, browser: Browser, path: str, theme: str):
    page = open_page(browser, dashboard.url + path, theme)
    expect(page.locator(".js-plotly-plot" if path != "/guide" else "[data-testid=stHeading]").first).to_be_visible()
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0)
    faults = [fault for fault in Axe().run(page).response["violations"] if fault["impact"] in ("serious", "critical")]
    assert not faults, [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in faults]
