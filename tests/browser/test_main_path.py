"""The main path in a real browser: open, move a slider, train, stop, reload, send the link."""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.state import OPENING, encode
from dashboard.words import digits
from forecasting import Experiment, ModelChoice, Sample, Task, Training, Waves
from forecasting.runs.store import Store
from tests.browser.conftest import ROOT, Dashboard, open_page, shoot


def link(dashboard: Dashboard, experiment: Experiment) -> str:
    return f"{dashboard.url}/?e={encode(experiment)}"


def run_id(page: Page) -> str:
    page.wait_for_url(re.compile(r"run="))
    return parse_qs(urlparse(page.url).query)["run"][0]


def button(page: Page, name: str):
    return page.get_by_role("button", name=re.compile(rf"^{re.escape(name)}( Shortcut .+)?$"))


def plot(page: Page, name: str):
    return page.locator(f".st-key-chart-{name} .js-plotly-plot").first


QUICK = Experiment(source=Waves(n_series=400), training=Training(epochs=3))
LONG = Experiment(source=Waves(n_series=2_000), models=(ModelChoice(name="deep_rnn"),), training=Training(epochs=500))


def test_the_first_screen_shows_series_and_baselines_and_one_thing_to_press(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, dashboard.url)
    expect(page.get_by_role("heading", name="Sum of two sines, next step")).to_be_visible()
    expect(plot(page, "series")).to_be_visible()
    expect(plot(page, "mse")).to_contain_text("Linear, least squares")
    expect(plot(page, "mse")).to_contain_text("0.00298")
    expect(button(page, "Train")).to_be_enabled()
    expect(page.get_by_text("Test MSE")).to_have_count(0)
    shoot(page, "first-light-1440")


@pytest.mark.slow
def test_moving_a_slider_changes_the_picture_and_the_address_restores_it(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, dashboard.url)
    expect(plot(page, "series")).to_be_visible()
    slider = page.locator("[class*=st-key-noise_width] input[type=range]")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    expect(page.get_by_text("Noise floor 0.00333: no model can do better.")).to_be_visible()
    page.wait_for_url(link(dashboard, OPENING.model_copy(update={"source": Waves(noise_width=0.2)})))
    other = open_page(browser, page.url)
    expect(other.get_by_text("Noise floor 0.00333: no model can do better.")).to_be_visible()


@pytest.mark.slow
def test_a_slider_that_is_moved_again_and_again_never_falls_back(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, dashboard.url)
    expect(plot(page, "series")).to_be_visible()
    slider = page.locator("[class*=st-key-noise_width] input[type=range]")
    slider.focus()
    for presses in range(1, 7):
        slider.press("ArrowRight")
        floor = digits((0.1 + 0.02 * presses) ** 2 / 12)
        expect(page.get_by_text(f"Noise floor {floor}: no model can do better.")).to_be_visible()


@pytest.mark.slow
def test_going_back_undoes_each_change_and_going_forward_redoes_it(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, link(dashboard, QUICK))
    slider = page.locator("[class*=st-key-noise_width] input[type=range]")
    slider.focus()
    widths, addresses = [0.1], [page.url]
    for _ in range(8):
        slider.press("ArrowRight")
        widths.append(round(widths[-1] + 0.02, 2))
        source = QUICK.source.model_copy(update={"noise_width": widths[-1]})
        addresses.append(link(dashboard, QUICK.model_copy(update={"source": source})))
        page.wait_for_url(addresses[-1])
    steps = list(zip(widths, addresses, strict=True))
    for go, there in ((page.go_back, steps[-2::-1]), (page.go_forward, steps[1:5])):
        for width, address in there:
            go()
            expect(page.get_by_text(f"Noise floor {digits(width**2 / 12)}: no model can do better.")).to_be_visible()
            assert page.url == address


@pytest.mark.slow
def test_a_slider_that_is_dragged_makes_few_entries_in_the_history(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, dashboard.url)
    slider = page.locator("[class*=st-key-noise_width] input[type=range]")
    slider.focus()
    before = page.evaluate("history.length")
    for _ in range(10):
        slider.press("ArrowRight")
        page.wait_for_timeout(300)
    page.wait_for_url(link(dashboard, OPENING.model_copy(update={"source": Waves(noise_width=0.3)})))
    assert page.evaluate("history.length") <= before + 4, "and on an idle machine one"


def test_a_run_trains_live_and_opens_in_another_browser_and_after_a_restart(dashboard: Dashboard, browser: Browser):
    experiment = QUICK.model_copy(update={"source": Waves(n_series=1_000), "training": Training(epochs=40)})
    page = open_page(browser, link(dashboard, experiment))  # long enough that nobody can miss the live chart
    button(page, "Train").click()
    expect(page.locator(".st-key-live-chart canvas").first).to_be_visible(timeout=90_000)
    expect(page.get_by_text("finished", exact=True).first).to_be_visible(timeout=180_000)  # workers are the last in line
    expect(plot(page, "mse")).to_contain_text("Deep RNN")
    expect(plot(page, "learning")).to_contain_text("SimpleRNN(1)")
    shown, permanent = plot(page, "mse").text_content(), page.url
    started = Store(dashboard.database).run(run_id(page))
    assert started is not None and {fit.status for fit in started.fits} == {"finished"}

    other = open_page(browser, permanent, theme="dark")
    expect(other.get_by_text("finished", exact=True).first).to_be_visible()
    expect(plot(other, "mse")).to_have_text(shown or "")
    shoot(other, "results-dark-1440")

    dashboard.stop()
    dashboard.start()
    later = open_page(browser, permanent, width=390)
    expect(plot(later, "mse")).to_have_text(shown or "", timeout=60_000)
    shoot(later, "results-light-390")
    again = Store(dashboard.database).run(run_id(later))
    assert again is not None
    assert [fit.started_at for fit in again.fits] == [fit.started_at for fit in started.fits], "nothing was trained anew"


@pytest.mark.slow
def test_stop_ends_a_fit_and_keeps_its_curve_and_reload_loses_and_repeats_nothing(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, link(dashboard, LONG))
    button(page, "Train").click()
    expect(page.get_by_text(re.compile(r"epoch \d+ of 500"))).to_be_visible(timeout=60_000)
    before = page.get_by_text(re.compile(r"epoch \d+ of 500")).text_content() or ""
    expect(page.get_by_text(before)).to_have_count(0, timeout=90_000)  # the curve moves, on a busy machine block by block
    expect(page).to_have_title(re.compile(r"^\d+% · Forecasting lab$"))
    shoot(page, "training-light-1440")

    same = run_id(page)
    page.reload()
    expect(page.get_by_text(re.compile(r"epoch \d+ of 500"))).to_be_visible()
    assert run_id(page) == same
    running = Store(dashboard.database).run(same)
    assert running is not None and sum(fit.status == "running" for fit in running.fits) == 1

    page.locator(".st-key-stop-all button").click()
    expect(page.get_by_text(re.compile(r"Stopped: \d+ epochs were done"))).to_be_visible()
    expect(page).to_have_title("Forecasting lab")
    expect(plot(page, "learning")).to_contain_text("Deep RNN")
    expect(plot(page, "mse")).to_contain_text("Deep RNN")
    expect(button(page, "Train")).to_be_enabled()


@pytest.mark.slow
def test_a_finished_run_is_continued_for_further_epochs_from_where_it_ended(
    dashboard: Dashboard, browser: Browser, eventually: Callable
):
    experiment = QUICK.model_copy(update={"source": Waves(n_series=400, seed=8)})
    page = open_page(browser, link(dashboard, experiment))
    button(page, "Train").click()
    button(page, "Continue").wait_for(timeout=90_000)
    first, address = run_id(page), page.url
    button(page, "Continue").click()
    page.wait_for_url(lambda url: url != address and "run=" in url)
    second = run_id(page)
    eventually(lambda: Store(dashboard.database).run(second).ended, 90)
    run, before = Store(dashboard.database).run(second), Store(dashboard.database).run(first)
    assert run is not None and before is not None
    assert [(len(fit.epochs), fit.epochs_before) for fit in run.fits[2:]] == [(23, 3), (23, 3)]
    assert [fit.epochs[:3] for fit in run.fits[2:]] == [fit.epochs for fit in before.fits[2:]]
    assert [fit.parent_id for fit in run.fits[2:]] == [fit.id for fit in before.fits[2:]]


@pytest.mark.slow
def test_a_change_of_settings_keeps_the_run_and_leads_back_to_it(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, link(dashboard, QUICK))
    button(page, "Train").click()
    expect(page.get_by_text("finished", exact=True).first).to_be_visible(timeout=60_000)
    permanent = page.url
    epochs = page.locator("[class*=st-key-epochs] input[type=range]")
    epochs.focus()
    epochs.press("ArrowRight")
    expect(page.get_by_text("The settings have changed since the last run")).to_be_visible()
    page.wait_for_timeout(6_000)  # the address of the changed settings is no longer a fresh one
    page.get_by_role("button", name="Recent").click()
    page.locator("[class*=st-key-recent-] button").first.click()
    expect(plot(page, "learning")).to_be_visible()
    page.wait_for_timeout(2_000)
    assert page.url == permanent


@pytest.mark.slow
def test_test_scores_are_covered_until_they_are_revealed(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, link(dashboard, QUICK))
    reveal = button(page, "Reveal test")
    reveal.click()
    expect(reveal).to_have_count(0)
    button(page, "CSV").click()
    with page.expect_download() as download:
        page.locator(".st-key-scores-csv button").click()
    assert "Test MSE" in download.value.path().read_text().splitlines()[0]


@pytest.mark.slow
def test_an_upload_is_drawn_and_its_owner_alone_deletes_it(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, dashboard.url)
    page.get_by_text("Upload", exact=True).click()
    file = {"name": "broken.csv", "mimeType": "text/csv", "buffer": b"ds,y\n2020-01-01,one\n2020-01-02,two\n"}
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("no column of numbers beside its times")).to_be_visible()
    steady = "ds,sold,price\n" + "".join(f"2021-01-{day:02d},{(day % 7) * 10},{day % 5}\n" for day in range(1, 32))
    daily = {"name": "daily.csv", "mimeType": "text/csv", "buffer": steady.encode()}
    page.locator("input[type=file]").set_input_files(daily)
    expect(plot(page, "series")).to_be_visible()
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("broken.csv: ")).to_be_visible()
    expect(plot(page, "series")).to_have_count(0)  # no charts of the file before
    page.locator("input[type=file]").set_input_files(daily)
    expect(page.get_by_role("heading", name="sold in daily, next 2 days")).to_be_visible()
    page.wait_for_url(re.compile(r"e="))

    guest = open_page(browser, page.url)
    expect(guest.get_by_text("Shared with you by its link.")).to_be_visible()
    expect(button(guest, "Delete file and its runs")).to_have_count(0)

    page.reload()  # the same browser is still the owner
    button(page, "Delete file and its runs").click()
    expect(page.get_by_text("daily.csv goes, with no run made of it")).to_be_visible()
    button(page, "Keep it").click()
    expect(page.get_by_role("heading", name="sold in daily, next 2 days")).to_be_visible()
    button(page, "Delete file and its runs").click()
    button(page, "Delete").click()
    expect(page.get_by_role("heading", name="Drop a file of series")).to_be_visible()
    guest.reload()
    expect(guest.get_by_text("was deleted by its owner: choose another series")).to_be_visible()
    expect(guest.locator(".js-plotly-plot")).to_have_count(0)


@pytest.mark.long
def test_a_click_in_the_table_of_a_file_changes_what_a_column_is(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, dashboard.url)
    page.get_by_text("Upload", exact=True).click()
    steady = "ds,sold,price\n" + "".join(f"2021-01-{day:02d},{(day % 7) * 10},{day % 5}\n" for day in range(1, 32))
    daily = {"name": "daily.csv", "mimeType": "text/csv", "buffer": steady.encode()}
    page.locator("input[type=file]").set_input_files(daily)
    expect(page.get_by_role("heading", name="sold in daily, next 2 days")).to_be_visible()
    for row, role in ((3, "Value"), (2, "Left out")):  # price is forecast, and sold is not
        cells, box = page.locator(".st-key-understood-columns canvas").first, None
        cells.scroll_into_view_if_needed()
        while box is None or box != cells.bounding_box():  # what is drawn above it moves it
            box = cells.bounding_box()
            page.wait_for_timeout(1_000)
        page.mouse.click(box["x"] + 250, box["y"] + 35 * row + 17)
        page.keyboard.press("Enter")
        page.get_by_role("option", name=role, exact=True).click()
        expect(page.get_by_text("1 of 2 columns of values is forecast")).to_have_count(0)
        expect(page.get_by_role("heading", name="price" if row == 2 else "daily, next 2 days")).to_be_visible()
    expect(page.get_by_role("heading", name="price in daily, next 2 days")).to_be_visible()


@pytest.mark.slow
def test_a_file_that_leaves_a_question_is_read_once_the_visitor_has_answered_it(dashboard: Dashboard, browser: Browser):
    page = open_page(browser, dashboard.url)
    page.get_by_text("Upload", exact=True).click()
    page.locator("input[type=file]").set_input_files(ROOT / "tests" / "data" / "traps" / "ambiguous.csv")
    expect(page.get_by_text("say which, day first or month first").first).to_be_visible()
    button(page, "The month comes first").click()
    read = page.get_by_text("12 rows; times: date; daily; 2024-01-01 to 2024-01-12")
    expect(read).to_be_visible(timeout=90_000)
    expect(page.get_by_text("say which, day first or month first")).to_have_count(0)
    page.wait_for_url(re.compile(r"e="))
    shared = open_page(browser, page.url)
    expect(shared.get_by_text("12 rows; times: date; daily; 2024-01-01 to 2024-01-12")).to_be_visible()


@pytest.mark.long
@pytest.mark.parametrize(("theme", "width"), [("dark", 1440), ("light", 1024), ("dark", 390)])
def test_pictures_of_a_real_series_in_both_themes_and_several_widths(
    dashboard: Dashboard, browser: Browser, theme: str, width: int
):
    sample = Experiment(
        source=Sample(name="sunspots"),
        task=Task(input_size=22, h=5, target="all_h", scaling="standard"),
        models=(ModelChoice(name="naive"), ModelChoice(name="linear"), ModelChoice(name="gru")),
        training=Training(epochs=5),
        seeds=(1, 2),
    )
    page = open_page(browser, link(dashboard, sample), theme=theme, width=width)
    expect(plot(page, "steps")).to_be_visible()
    if button(page, "Train").is_enabled():
        button(page, "Train").click()
        expect(page.get_by_text("finished", exact=True).first).to_be_visible(timeout=90_000)
    expect(plot(page, "learning")).to_contain_text("GRU")
    shoot(page, f"sample-{theme}-{width}")
