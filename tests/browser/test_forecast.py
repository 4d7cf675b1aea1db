"""From a messy file to a forecast that one takes along, in a real browser."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Dashboard, open_page, shoot


def messy_file(n: int = 110) -> bytes:
    """Daily sales of two shops: a title above, decimal commas, day first, newest first, a gap, a missing value, a total."""
    rng, lines = np.random.default_rng(2), []
    for shop, level in (("North", 100), ("South", 40)):
        for k, day in enumerate(pd.date_range("2024-01-01", periods=n)):
            value = level * (1 + 0.3 * np.sin(2 * np.pi * k / 7)) + rng.normal(0, level / 40)
            shown = "n/a" if k == 60 else f"{value:.2f}".replace(".", ",")
            if k not in (80, 81):
                lines.append(f"{day:%d.%m.%Y};{shop};{shown}")
    return ("Sales of our shops\n\nDate;Shop;Sales\n" + "\n".join(reversed(lines)) + "\nTotal;;99999,00\n").encode(
        "utf-8-sig"
    )


def plot(page: Page, name: str):
    return page.locator(f".st-key-chart-{name} .js-plotly-plot").first


def button(page: Page, name: str):
    return page.get_by_role("button", name=re.compile(rf"^{re.escape(name)}( Shortcut .+)?$"))


@pytest.mark.long
def test_a_messy_file_becomes_a_forecast_that_is_downloaded_and_found_again_by_its_link(
    dashboard: Dashboard, browser: Browser
):
    page = open_page(browser, f"{dashboard.url}/forecast")
    expect(plot(page, "history")).to_be_visible()
    page.get_by_text("Upload", exact=True).click()
    page.locator("input[type=file]").set_input_files({"name": "sales.csv", "mimeType": "text/csv", "buffer": messy_file()})
    expect(page.get_by_role("heading", name="sales: the next 7 days")).to_be_visible()
    expect(page.get_by_text("The series itself proposes a season of 7 steps; 7 are set.")).to_be_visible()
    button(page, "Forecast").click()
    expect(page.get_by_text("finished", exact=True).first).to_be_visible(timeout=120_000)
    expect(plot(page, "forecast")).to_be_visible()
    expect(page.get_by_text("Judged on 2 series")).to_be_visible()
    shoot(page, "forecast-light-1440")

    button(page, "CSV").first.click()  # a menu: decimals with a point, or with a comma
    taken = {}
    for word in ("CSV", "Excel", "Parquet"):
        with page.expect_download() as download:
            page.locator(f".st-key-take-{word} button").click()
        taken[word] = download.value.path().read_bytes()
    table = pd.read_csv(io.BytesIO(taken["CSV"]), parse_dates=["ds"])
    model = table.columns[2]
    assert list(table.columns) == [
        "unique_id",
        "ds",
        model,
        *(f"{model}-{side}-{n}" for n in (80, 95) for side in ("lo", "hi")),
    ]
    assert set(table["unique_id"]) == {"North", "South"} and len(table) == 14
    assert table["ds"].min() == pd.Timestamp("2024-04-20") and table["ds"].max() == pd.Timestamp("2024-04-26")
    k = np.arange(110, 117)
    for shop, level in (("North", 100), ("South", 40)):
        truth = level * (1 + 0.3 * np.sin(2 * np.pi * k / 7))
        rows = table[table["unique_id"] == shop]
        assert np.abs(rows[model].to_numpy() - truth).mean() < 0.06 * level
        assert ((rows[f"{model}-lo-95"] < rows[model]) & (rows[model] < rows[f"{model}-hi-95"])).all()
    for same in (
        pd.read_excel(io.BytesIO(taken["Excel"]), engine="calamine"),
        pd.read_parquet(io.BytesIO(taken["Parquet"])),
    ):
        pd.testing.assert_frame_equal(same, table, check_dtype=False)

    shown = page.get_by_text("Judged on 2 series").first.text_content()
    page.wait_for_url(re.compile("run="))
    guest = open_page(browser, page.url, theme="dark", width=390)
    expect(guest.get_by_text("Judged on 2 series").first).to_have_text(shown or "")
    shoot(guest, "forecast-dark-390")
    expect(guest.get_by_role("button", name="Delete file and its runs")).to_have_count(0)

    page.get_by_text("Compare with what came").click()
    newer = {"name": "later.csv", "mimeType": "text/csv", "buffer": messy_file(113)}
    page.locator(".st-key-newer-file input[type=file]").set_input_files(newer)
    expect(page.get_by_text(re.compile(r"on the mean of the 6 values that came; in the backtest by"))).to_be_visible()
    page.wait_for_url(re.compile("run=.*newer="))
    expect(plot(page, "forecast")).to_contain_text("what came")
    shoot(page, "forecast-against-actuals-light-1440")
    later = open_page(browser, page.url)
    expect(later.get_by_text("on the mean of the 6 values that came")).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize("start", ["/", pytest.param("/forecast", marks=pytest.mark.long)])
def test_pages_keep_what_they_show_while_one_looks_at_another(dashboard: Dashboard, browser: Browser, start: str):
    page = open_page(browser, dashboard.url + start)
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    if start == "/":
        slider = page.locator("[class*=st-key-noise_width] input[type=range]")
        slider.focus()
        slider.press("ArrowRight")
        mine = page.get_by_text("Noise floor 0.00120: no model can do better.")
    else:
        page.get_by_role("combobox", name=re.compile("Sample")).click()
        page.get_by_role("option", name=re.compile("Weekly CO")).click()
        mine = page.get_by_role("heading", name=re.compile("Weekly CO₂ on Mauna Loa, 1958–2001: the next"))
    expect(mine).to_be_visible()
    navigation = page.get_by_test_id("stTopNav")
    navigation.get_by_role("link", name="Guide").click()
    expect(page.get_by_text("Step 1 of 10")).to_be_visible()
    navigation.get_by_role("link", name="Lab" if start == "/" else "Forecast").click()
    expect(mine).to_be_visible()


@pytest.mark.slow
@pytest.mark.long
def test_going_back_brings_the_series_before_back(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, f"{dashboard.url}/forecast")
    before = page.get_by_role("heading", name="Sea surface temperature off Peru per month, 1950–2010: the next 12 months")
    expect(before).to_be_visible()
    page.get_by_role("combobox", name=re.compile("Sample")).click()
    page.get_by_role("option", name=re.compile("Weekly CO")).click()
    expect(page.get_by_role("heading", name=re.compile("Weekly CO₂ on Mauna Loa, 1958–2001: the next"))).to_be_visible()
    page.wait_for_timeout(6_000)  # what the page wrote in the last seconds counts as an echo of its own
    page.go_back()
    expect(before).to_be_visible()


@pytest.mark.slow
def test_dragging_over_a_stretch_shows_all_of_it_and_leads_back(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, f"{dashboard.url}/forecast")
    area = plot(page, "history").locator(".nsewdrag").first
    area.scroll_into_view_if_needed()
    expect(page.get_by_text("732 values")).to_be_visible()
    box = area.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 60, steps=5)
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 60, steps=5)
    page.mouse.up()
    shown = page.get_by_text(re.compile(r"^1[45]\d of 732 values\.$"))
    expect(shown).to_be_visible()
    button(page, "Whole series").click()
    expect(shown).to_have_count(0)
    expect(plot(page, "history")).to_be_visible()
