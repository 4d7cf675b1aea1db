"""The Forecast page by Streamlit's own test harness: settings, links, the worker's numbers, what is refused."""

from collections.abc import Iterator
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import actions, service
from dashboard.forecast_state import ForecastState, forecast_state_of, scores_of
from dashboard.series_figures import mase_figure, side_by_side, whole_series_figure
from dashboard.state import encode
from dashboard.views.diagnostics import LOOKS
from dashboard.words import part_of
from forecasting import Experiment, ModelChoice, Sample
from forecasting.experiment import BadInput, Plan, Upload, Waves
from forecasting.models import MODELS
from forecasting.panels import read_panel
from forecasting.panels.backtest import backtest, default_plan
from forecasting.panels.forecast import Forecast, forecast
from forecasting.panels.panel import Panel
from forecasting.runs.views import FitView
from tests.whole_series import asked

RULES = ("naive", "seasonal_naive", "drift")
PLAN = Plan(h=2, season_length=4, n_windows=2)
SMALL = Experiment(
    source=Sample(name="gdp"),
    plan=PLAN,
    models=tuple(ModelChoice(name=name) for name in ("naive", "seasonal_naive", "linear", "theta", "gru", "ensemble")),
)


@pytest.fixture(scope="module", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One database and one engine with one worker, as a server has them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORECASTING_DATABASE_URL", f"sqlite:///{tmp_path_factory.mktemp('forecast') / 'lab.db'}")
        patch.setenv("FORECASTING_SLOTS", "1")
        patch.setattr(service, "_store", None)
        patch.setattr(service, "_engine", None)
        service.settings.cache_clear()
        yield
        service.engine().close()
        service.settings.cache_clear()


def open_page(**address: str) -> AppTest:
    def script() -> None:
        import streamlit as st

        from dashboard.views import forecast, lab

        st.session_state["pages"] = {"lab": st.Page(lab.page, title="Lab")}
        forecast.page()

    page = AppTest.from_function(script, default_timeout=60)
    for name, value in address.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def texts(page: AppTest) -> str:
    return " ".join(element.value for element in (*page.markdown, *page.caption, *page.subheader, *page.info, *page.error))


def test_the_page_opens_with_a_sample_and_a_plan_that_fits_it():
    page = open_page()
    assert "Sea surface temperature off Peru per month, 1950–2010: the next 12 months" in texts(page)
    assert "The series itself proposes a season of 12 steps; 12 are set." in texts(page)
    assert "These are rules of thumb. Press *Forecast*" in texts(page)
    assert "Networks see 36 steps, and learn differences to the last 12 repeated; linear models 48" in texts(page)
    assert next(slider for slider in page.slider if slider.label == "Epochs").value == 29, "as many as fit this series"
    panel = read_panel(Sample(name="elnino"))
    made = backtest(panel, asked(default_plan(panel, seasons=[12]), RULES))
    assert page.metric[0].value == "Seasonal naive"
    assert float(page.metric[1].value) == pytest.approx(made.headline("seasonal_naive")["mase"], abs=5e-3)
    other = page.selectbox(key=next(box.key for box in page.selectbox if box.label == "Sample")).set_value("gdp").run()
    assert not other.exception and "the next 6 quarters" in texts(other)
    assert "Seasons that the series show: none." in texts(other), "it is adjusted for its season"
    assert next(slider for slider in other.slider if slider.label == "Epochs").value == 40


@pytest.mark.parametrize("view", LOOKS)
def test_series_are_looked_at_from_every_side(view):
    page = open_page()
    page.session_state["look"] = view
    page.run()
    assert not page.exception
    assert len(page.get("plotly_chart")) == 4  # forecast, errors by step and by cutoff, the look


def test_a_run_gives_what_the_library_gives_and_its_link_opens_it(eventually):
    page = open_page(e=encode(SMALL))
    next(button for button in page.button if button.key == "forecast").click().run()
    run_id = str(np.atleast_1d(page.query_params["run"])[0])
    run = eventually(lambda: (run := service.store().run(run_id)) and run.ended and run, 120)
    models = ("naive", "seasonal_naive", "linear", "theta")
    expected = [(name, part, "finished") for name in models for part in ("backtest", "forecast")]
    assert [(fit.fit.model.name, part_of(fit.fit), fit.status) for fit in run.fits] == expected
    shared = open_page(run=run_id)
    assert "GRU was left out: " in texts(shared) and "are too few for a network to learn from" in texts(shared)
    names = (*models, "ensemble")
    alone = forecast(read_panel(SMALL.source), asked(PLAN, names))
    made = forecast_state_of(run.experiment).forecast
    assert made is not None and made.chosen == alone.chosen
    names = {name: name for name in alone.ahead}
    pd.testing.assert_frame_equal(made.frame(names, (80, 95)), alone.frame(names, (80, 95)))
    table = scores_of(forecast_state_of(run.experiment)).set_index("Model")
    assert shared.metric[0].value == MODELS[alone.chosen].title
    assert table.loc["Theta", "MASE"] == pytest.approx(alone.tested.scores()["theta"]["mase"])
    assert "error over one cutoff" in texts(shared) and "chance" in texts(shared)
    held_against_what_came(run_id, made)


def held_against_what_came(run_id: str, made: Forecast) -> None:
    """A newer file with the first of the two quarters that were forecast: the link shows how the forecast did on it."""
    past, chosen = made.panel.frame, made.ahead[made.chosen][0]
    quarter = made.panel.times_after(0, 0, 2)[0]
    rows = [*zip(past["ds"], past["y"], strict=True), (quarter, chosen[0] + 3.0)]
    content = "date,gdp\n" + "".join(f"{ds:%Y-%m-%d},{y}\n" for ds, y in rows)
    page = open_page(run=run_id, newer=actions.add_upload("ann", "newer.csv", content.encode()))
    assert f"**{MODELS[made.chosen].title}** was off by 3.00" in texts(page)
    table = next(found.value for found in page.dataframe if "In the backtest" in found.value).set_index("Model")
    assert table.loc[MODELS[made.chosen].title, "MAE"] == pytest.approx(3.0, abs=1e-4)
    backtested = made.tested.scores()["theta"]["mae"]
    assert table.loc["Theta", "In the backtest"] == pytest.approx(backtested) and set(table["Values"]) == {1}
    assert parse_qs(page.code[0].value.split("?")[1]).keys() == {"run", "newer"}
    unchanged = "".join(content.splitlines(keepends=True)[:-1])
    page = open_page(run=run_id, newer=actions.add_upload("ann", "same.csv", unchanged.encode()))
    assert "Nothing that was forecast has come yet" in texts(page)


@pytest.mark.slow
def test_stop_leaves_what_is_done_and_forecast_goes_on_with_the_rest(eventually):
    slow = Experiment(
        source=Sample(name="hourly"),
        plan=Plan(h=24, season_length=24, n_windows=2),
        models=tuple(ModelChoice(name=name) for name in ("naive", "linear", "gru")),
    )
    page = open_page(e=encode(slow))
    next(button for button in page.button if button.key == "forecast").click().run()
    run_id = str(np.atleast_1d(page.query_params["run"])[0])

    def fits() -> dict[tuple[str, str], FitView]:
        return {(fit.fit.model.name, part_of(fit.fit)): fit for fit in service.store().run(run_id).fits}

    backtest_of_gru = ("gru", "backtest, season 24")
    eventually(lambda: len(fits()[backtest_of_gru].epochs) >= 2, 120)
    page.run()
    assert next(button for button in page.button if button.key == f"stop-{fits()[backtest_of_gru].id}")
    assert "Done: Naive, Linear, least squares." in texts(page), "a line for each model that is not"
    next(button for button in page.button if button.key == "stop-all").click().run()
    eventually(lambda: service.store().run(run_id).ended, 60)
    stopped = fits()[backtest_of_gru]
    assert stopped.status == "stopped" and 2 <= len(stopped.epochs) < 20, stopped.reason
    assert fits()["gru", "forecast, season 24"].status == "cancelled" and fits()["linear", "forecast"].status == "finished"
    page.run()
    assert "GRU, backtest, season 24: Stopped" in texts(page) and page.metric[0].value == "Linear, least squares"
    assert any(chart for chart in page.get("plotly_chart") if "training" in chart.proto.spec), "its learning curve"
    again = next(button for button in page.button if button.key == "forecast")
    assert not again.disabled and again.help.startswith("2 of 6 fits to do")


@pytest.mark.parametrize(
    ("experiment", "said"),
    [
        (SMALL.model_copy(update={"plan": Plan(h=100, n_windows=8)}), "take a shorter horizon or fewer cutoffs"),
        (SMALL.model_copy(update={"source": Upload(upload_id="a" * 20)}), "was deleted by its owner"),
    ],
)
def test_what_cannot_be_forecast_is_refused_in_a_sentence(experiment, said):
    page = open_page(e=encode(experiment))
    assert all(button.disabled for button in page.button if button.key == "forecast")
    assert said in texts(page).replace("\\", "")


def test_a_baseline_that_cannot_forecast_the_series_is_left_out_and_keeps_nobody_back():
    plan = Plan(h=4, season_length=1, n_windows=2, differencing="both")
    names = tuple(ModelChoice(name=name) for name in ("naive", "weighted_average", "ets"))
    page = open_page(e=encode(Experiment(source=Sample(name="gdp"), plan=plan, models=names)))
    assert "Weighted average was left out: " in texts(page) and page.metric[0].value == "Naive"
    assert not next(button for button in page.button if button.key == "forecast").disabled


def test_a_horizon_of_ones_own_stays_with_the_next_series_and_the_usual_one_does_not():
    def horizon():
        return next(box for box in page.number_input if box.label == Plan.model_fields["h"].title)

    def choose(sample):
        next(box for box in page.selectbox if box.label == "Sample").set_value(sample).run()

    page = open_page()
    choose("elnino")
    assert horizon().value == 12
    choose("gdp")
    assert horizon().value != 12
    horizon().set_value(5).run()
    choose("elnino")
    assert not page.exception and horizon().value == 5


def test_a_series_that_is_too_short_to_be_judged_may_come_first():
    days = [("new", day) for day in pd.date_range("2024-02-25", periods=5)]
    days += [("old", day) for day in pd.date_range("2024-01-01", periods=60)]
    content = "id,date,y\n" + "".join(f"{name},{day:%Y-%m-%d},{day.day}\n" for name, day in days)
    source = Upload(upload_id=actions.add_upload("ann", "shops.csv", content.encode()))
    names = tuple(ModelChoice(name=name) for name in ("naive", "drift"))
    experiment = Experiment(source=source, plan=Plan(h=7, season_length=7, n_windows=3), models=names)
    page = open_page(e=encode(experiment))
    made = forecast_state_of(experiment).forecast
    by_cutoff, of_new = mase_figure(made, "cutoff"), whole_series_figure(made, 0, ["naive"], [80.0], 30, "value", True)
    small = side_by_side(made, 0, ["naive"], [80.0], 30, "value")
    assert [note.text for note in small.layout.annotations] == ["new", "old"]
    assert [trace.name for trace in small.data if trace.showlegend] == ["80 %", "series", "Naive"], "one legend for all"
    assert list(by_cutoff.data[0].x) == [pd.Timestamp("2024-02-29") - pd.Timedelta(days=back) for back in (21, 14, 7)]
    assert not any(trace.name == "from past cutoffs" for trace in of_new.data) and page.metric[0].value in ("Naive", "Drift")


def test_only_series_with_a_calendar_are_forecast():
    with pytest.raises(BadInput, match="choose a sample or upload a file"):
        read_panel(Waves())
    assert np.isfinite(read_panel(SMALL.source).y[0]).all()


def test_what_the_time_budget_leaves_out_stands_in_the_table_and_can_be_included():
    short = Experiment(
        source=Sample(name="hourly"),
        plan=Plan(h=24, season_length=24, n_windows=2),
        models=tuple(ModelChoice(name=name) for name in ("naive", "seasonal_naive", "ets")),
        budget_s=5,
    )
    page = open_page(e=encode(short))
    assert "ETS was left out: It would take about" in texts(page)
    table = next(shown.value for shown in page.dataframe if "State" in shown.value)
    assert table["State"].tolist() == ["done", "done", "left out"] and table["Model"].tolist()[-1] == "ETS"
    beside = dict(zip(table["Model"], table["Beside the choice"], strict=True))
    assert beside["Seasonal naive"] == "chosen" and beside["Naive"].endswith("worse, more than chance")
    include = next(button for button in page.button if button.key == "include-ets")
    assert include.label.startswith("Include it, about ") and include.label.endswith(" more")
    include.click().run()
    assert not page.exception and "was left out" not in texts(page)
    assert not any(button.key == "include-ets" for button in page.button)


def test_a_series_that_a_model_forecasts_without_an_error_has_a_table_too():
    line = Panel(["a"], [pd.date_range("2024-01-01", periods=60)], [np.arange(60.0)], "D")
    made = forecast(line, asked(Plan(h=3, n_windows=4), ("naive", "drift")))
    table = scores_of(ForecastState([], {}, made)).set_index("Model")
    assert table.loc["Drift", "MASE"] == 0 and table.loc["Drift", "Beside the choice"] == "chosen"
    assert table.loc["Naive", "Beside the choice"].startswith("worse, ")
