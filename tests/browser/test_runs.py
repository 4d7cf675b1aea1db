"""Runs are found again, noted on, deleted and taken back by whoever has started them; a guest reads."""

import re
import zipfile

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.identity import COOKIE
from forecasting import Experiment, ModelChoice, Training, Waves
from forecasting.runs.store import Store
from tests.browser.conftest import Dashboard, open_page, shoot
from tests.browser.test_main_path import LONG, button, link, run_id

SHORT = Experiment(
    source=Waves(n_series=200, seed=31), models=(ModelChoice(name="linear_sgd"),), training=Training(epochs=2)
)


def choose_first(page: Page) -> None:
    """Choose the first line of the list: the table is a canvas, whose box for it lies in its upper left corner."""
    table, box = page.locator(".st-key-runs canvas").first, None
    while box is None or box != table.bounding_box():  # what is drawn above it moves it
        box = table.bounding_box()
        page.wait_for_timeout(400)
    page.mouse.click(box["x"] + 18, box["y"] + 52)


@pytest.mark.slow
def test_a_run_is_found_noted_on_deleted_and_taken_back_by_its_owner_alone(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, link(dashboard, SHORT))
    button(page, "Train").click()
    expect(page.get_by_text("finished", exact=True).first).to_be_visible(timeout=90_000)
    name, address = run_id(page), page.url
    (cookie,) = (cookie for cookie in page.context.cookies() if cookie["name"] == COOKIE)
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"

    page.get_by_test_id("stTopNav").get_by_role("link", name="Runs").click()
    expect(page.get_by_text("1 run. Choose one or more")).to_be_visible()
    choose_first(page)
    button(page, "Title, tags, note").click()
    page.get_by_role("textbox", name="Tags").fill("first try")
    button(page, "Keep").click()
    store = Store(dashboard.database)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("textbox", name="Search").fill("try")
    page.get_by_role("textbox", name="Search").press("Enter")
    expect(page.get_by_text("1 run. Choose one or more")).to_be_visible()
    shoot(page, "runs-light-1440")
    page.get_by_role("textbox", name="Search").fill("nothing of the kind")
    page.get_by_role("textbox", name="Search").press("Enter")
    expect(page.get_by_text("No run is found.")).to_be_visible()
    page.get_by_role("textbox", name="Search").fill("")
    page.get_by_role("textbox", name="Search").press("Enter")

    guest = open_page(browser, f"{dashboard.url}/runs")
    expect(guest.get_by_text("No run is found.")).to_be_visible()
    guest.get_by_role("radio", name="Everyone's").click()
    choose_first(guest)
    expect(button(guest, "Open the run")).to_be_visible()
    expect(guest.get_by_text("Only who has started a run can change or delete it")).to_be_visible()
    expect(button(guest, "Delete")).to_have_count(0)

    choose_first(page)
    button(page, "Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No run is found.")).to_be_visible()
    assert store.run(name) is None
    guest.goto(address)
    expect(guest.get_by_text("There is no run under this address")).to_be_visible()
    page.get_by_text("Deleted", exact=True).click()
    choose_first(page)
    button(page, "Take back").click()
    expect(page.get_by_text("No run is found.")).to_be_visible()
    page.get_by_text("Deleted", exact=True).click()
    choose_first(page)
    button(page, "Open the run").click()
    expect(page.get_by_text("finished", exact=True).first).to_be_visible()
    assert run_id(page) == name and page.url == address


@pytest.mark.slow
def test_runs_are_compared_under_an_address_of_their_own(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, link(dashboard, SHORT))
    names = []
    for seed in (SHORT, SHORT.model_copy(update={"training": Training(epochs=4)})):
        page.goto(link(dashboard, seed))
        button(page, "Train").click()
        expect(page.get_by_text("finished", exact=True).first).to_be_visible(timeout=90_000)
        names.append(run_id(page))
    page.goto(f"{dashboard.url}/runs?compare={','.join(names)}")
    expect(page.get_by_role("heading", name="What differs")).to_be_visible()
    scores = page.locator(".st-key-chart-compare-mse .js-plotly-plot")
    expect(scores).to_contain_text("Linear, trained · A")
    expect(scores).to_contain_text("Linear, trained · B")
    expect(scores).to_contain_text("Naive")
    expect(page.locator(".st-key-chart-compare-learning .js-plotly-plot")).to_be_visible()
    shoot(page, "compare-light-1440")
    page.goto(f"{dashboard.url}/runs?compare={names[0]},gone")
    expect(page.get_by_text("Two runs at least are needed")).to_be_visible()


@pytest.mark.slow
def test_a_guest_sees_a_run_under_way_and_cannot_stop_it(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, link(dashboard, LONG))
    button(page, "Train").click()
    expect(page.get_by_text(re.compile(r"epoch \d+ of 500"))).to_be_visible(timeout=60_000)
    guest = open_page(browser, page.url)
    expect(guest.get_by_text(re.compile(r"epoch \d+ of 500"))).to_be_visible()
    expect(guest.get_by_text("Started by somebody else, who alone can stop it.")).to_be_visible()
    expect(guest.get_by_role("button", name=re.compile("Stop"))).to_have_count(0)
    page.reload()  # the cookie says who is back
    page.locator(".st-key-stop-all button").first.click()
    expect(page.get_by_text(re.compile(r"Stopped: \d+ epochs were done"))).to_be_visible()


@pytest.mark.slow
def test_a_run_is_taken_away_and_brought_again(dashboard: Dashboard, browser: Browser, tmp_path):
    page = open_page(browser, link(dashboard, SHORT.model_copy(update={"source": Waves(n_series=200, seed=33)})))
    button(page, "Train").click()
    expect(page.get_by_text("finished", exact=True).first).to_be_visible(timeout=90_000)
    first = run_id(page)
    button(page, "Take away").click()
    expect(page.get_by_text("without the test part")).to_be_visible()
    page.wait_for_timeout(500)
    shoot(page, "take-away-light-1440")
    with page.expect_download(timeout=60_000) as report:
        page.get_by_role("button", name="Report").click()
    report.value.save_as(tmp_path / "report.html")
    with page.expect_download(timeout=90_000) as everything:
        page.get_by_role("button", name="Everything, as a zip").click()
    everything.value.save_as(tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        names = set(archive.namelist())
    assert {"report.html", "restore/run.json", "run.xlsx"} <= names and any(name.endswith("model.keras") for name in names)

    offline = browser.new_context(offline=True).new_page()
    said = []
    offline.on("pageerror", lambda error: said.append(str(error)))
    offline.goto(f"file://{tmp_path / 'report.html'}")
    expect(offline.locator(".plotly .main-svg").first).to_be_visible()
    with offline.expect_download() as picture:
        offline.get_by_role("button", name="Save the charts as PNG").click()
    assert picture.value.suggested_filename == f"run-{first}-scores.png" and not said
    offline.close()

    page.keyboard.press("Escape")
    page.get_by_test_id("stTopNav").get_by_role("link", name="Runs").click()
    button(page, "Bring a run").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "run.zip")
    button(page, "Restore it").click()
    page.wait_for_url(lambda url: "run=" in url and first not in url)
    expect(page.get_by_text("Computed by another server and brought here")).to_be_visible()
    expect(page.get_by_text("finished", exact=True).first).to_be_visible()
