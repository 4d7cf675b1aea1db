"""Networks on whole series have a member for each season and one without; each series has the mean of those that suit it."""

import numpy as np
import pandas as pd
import pytest

from forecasting.evaluation.fits import tasks_of
from forecasting.experiment import ModelChoice, Plan, SeriesFit, SeriesTask, Upload
from forecasting.models import MODELS
from forecasting.panels.backtest import default_plan
from forecasting.panels.fits import series_fits
from forecasting.panels.members import by_model, weights_of
from forecasting.panels.panel import Panel
from tests.data.test_seasons import hourly
from tests.whole_series import asked

PLAN = Plan(h=24, season_length=24, longer_seasons=(168,), n_windows=2, members="by_season")


def panel(y: list[np.ndarray], frequency: str) -> Panel:
    times = [pd.date_range("2024-01-01", periods=len(values), freq=frequency) for values in y]
    return Panel([f"s{i}" for i in range(len(y))], times, y, frequency)


def seasons_of_fits(name: str, plan: Plan) -> set[tuple[int, tuple[int, ...]]]:
    fits = [fit for fit in series_fits(asked(plan, [name])) if fit.model.name == name]
    assert len(fits) == 2 * len(tasks_of(plan, MODELS[name]()))
    return {(fit.task.season_length, fit.task.longer_seasons) for fit in fits}


def test_networks_have_a_member_for_each_season_and_one_without():
    assert seasons_of_fits("mlp", PLAN) == {(1, ()), (24, ()), (168, ())}
    assert seasons_of_fits("mlp", PLAN.model_copy(update={"members": "single"})) == {(24, ())}
    for one in ({"differencing": "first"}, {"deseasonalize": True}):
        assert seasons_of_fits("mlp", PLAN.model_copy(update=one)) == {(24, ())}
    assert seasons_of_fits("seasonal_naive", PLAN) == {(24, ())}
    assert seasons_of_fits("ets", PLAN) == {(24, (168,))}, "a statistical model takes all seasons at once"


def test_a_member_is_the_same_fit_as_the_model_of_that_season_alone():
    """So a visitor who asks for one season finds what was computed for several."""
    alone = Plan(h=24, season_length=168, n_windows=2)
    of_alone, of_several = (
        {fit.id for fit in series_fits(asked(plan, ["mlp"])) if fit.model.name == "mlp"} for plan in (alone, PLAN)
    )
    assert of_alone < of_several


@pytest.mark.parametrize(
    ("day", "week", "noise", "weights"),
    [
        (0.0, 0.0, 1.0, (1, 0, 0)),  # none shows
        (0.6, 0.0, 0.6, (1, 1, 0)),  # the day shows, and not clearly
        (2.0, 0.0, 0.3, (0, 1, 0)),  # the day shows clearly
        (2.0, 0.4, 0.4, (0, 1, 1)),
        (2.0, 2.0, 0.3, (0, 0, 1)),
    ],
)
def test_a_series_has_the_mean_of_the_members_whose_season_it_shows(day, week, noise, weights):
    found = weights_of(hourly(800, day, week, noise, seed=3), (1, 24, 168))
    assert found == pytest.approx(np.array(weights) / sum(weights))


def test_forecasts_of_members_become_the_models():
    y = [hourly(800, 2.0, 2.0, 0.3, seed=1), hourly(800, 0.0, 0.0, 1.0, seed=2), hourly(800, 2.0, 0.0, 0.3, seed=3)]
    some = panel(y, "h")
    fits = [
        SeriesFit(
            source=Upload(upload_id="0" * 16),
            model=ModelChoice(name="mlp"),
            task=SeriesTask(h=2, season_length=m),
            cutoff_offsets=(48, 0),
        )
        for m in (1, 24, 168)
    ]
    made = [(fit, {back: np.full((3, 2), float(fit.task.season_length)) for back in (48, 0)}) for fit in fits]
    made[0][1][48][1] = made[1][1][48][1] = made[2][1][48][1] = np.nan  # not judged
    found = by_model(made, some)["mlp"]
    assert found[0][:, 0].tolist() == [168, 1, 24]
    assert found[48][0].tolist() == [168, 168] and np.isnan(found[48][1]).all()
    assert by_model(made[:1], some)["mlp"][0].tolist() == [[1, 1]] * 3, "a single member is the model"


def test_the_default_plan_has_the_seasons_that_the_series_show():
    plan = default_plan(panel([hourly(800, 1, 1, seed=i) for i in range(3)], "h"))
    assert (plan.season_length, plan.longer_seasons, plan.members) == (24, (168,), "by_season")
    assert default_plan(panel([hourly(800, 1, 1)], "h"), seasons=[24]).seasons == (24,)
    assert default_plan(panel([hourly(800, 1, 1)], "h"), seasons=[1]).seasons == ()
    weekly = np.random.default_rng(0).normal(size=260).cumsum()
    assert default_plan(panel([weekly], "W")).seasons == (), "a series is not seasonal because it is weekly"
