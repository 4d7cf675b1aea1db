"""What the calendar says is said of the steps that are to be forecast."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.experiment import Plan, Task, Upload
from forecasting.panels import read_panel
from forecasting.panels.backtest import backtest
from forecasting.panels.covariates import FutureCovariates, features
from forecasting.panels.cutting import ends_of, split_of
from forecasting.panels.panel import Panel
from tests.whole_series import asked, made_by


def panel(*values: np.ndarray) -> Panel:
    times = [pd.date_range("2024-01-01", periods=len(y), freq="D") for y in values]
    return Panel([f"s{i}" for i in range(len(values))], times, list(values), "D")


def test_hours_weekdays_and_times_of_year_are_turns_and_what_never_changes_is_left_out():
    hourly = features(pd.date_range("2024-01-01", periods=24 * 15, freq="h"))
    assert hourly.shape == (360, 6)
    np.testing.assert_allclose(hourly[:336, :2], np.tile(hourly[:24, :2], (14, 1)), atol=1e-6)
    np.testing.assert_allclose(hourly[:168, 2:4], hourly[168:336, 2:4], atol=1e-6)
    np.testing.assert_allclose(np.hypot(hourly[:, 0], hourly[:, 1]), 1, rtol=1e-6)
    assert features(pd.date_range("2024-01-01", periods=30, freq="D")).shape == (30, 4)
    assert features(pd.date_range("2000-01-01", periods=30, freq="YS")).shape == (30, 2)  # the weekday alone changes
    assert features(pd.DatetimeIndex(["2024-01-01"] * 3)).shape == (3, 0)


@pytest.mark.parametrize("back", [0, 9])
def test_the_last_steps_of_a_look_back_show_what_is_to_be_forecast(back):
    series, task = panel(np.arange(40.0), np.arange(25.0)), Task(input_size=6, target="all_h", h=3)
    shown = FutureCovariates(series, 3, calendar=True).windows(ends_of(series, task, back))
    assert shown.x.shape[:2] == (2, 6)
    for i in range(2):
        np.testing.assert_allclose(shown.x[i, -3:, 1:], features(_around(series, i, back))[-3:], atol=1e-6)
    every = FutureCovariates(series, 3, calendar=True).windows(split_of(series, task, back).train)
    for k in (0, 5):
        first = series.ds[int(every.unique_id[k])][int(every.ds[k])]
        days = pd.date_range(first, periods=3)
        np.testing.assert_allclose(every.x[k, -3:, 1], np.sin(2 * np.pi * days.dayofweek / 7), atol=1e-6)


def _around(series: Panel, i: int, back: int) -> pd.DatetimeIndex:
    """A long calendar that ends with the steps to be forecast."""
    ahead = series.times_after(i, back, 3)
    return pd.date_range(ahead[-1] - pd.Timedelta(days=60), ahead[-1])


def test_a_network_that_sees_the_calendar_knows_the_weekday_where_nothing_else_tells():
    days = pd.date_range("2024-01-01", periods=500, freq="D")
    rng = np.random.default_rng(6)
    values = [10 + 5.0 * (days.dayofweek == 4) + rng.normal(0, 0.2, 500) for _ in range(4)]
    plan = Plan(h=3, input_size=5, n_windows=3)
    plans = {calendar: plan.model_copy(update={"calendar": calendar}) for calendar in (False, True)}
    tested = {calendar: backtest(panel(*values), asked(one, ("linear_sgd",))) for calendar, one in plans.items()}
    scores = {calendar: one.scores()["linear_sgd"]["mae"] for calendar, one in tested.items()}
    assert scores[True] < 0.7 * scores[False]


@pytest.mark.long
def test_a_column_of_a_file_that_is_known_in_advance_foretells_what_nothing_else_does():
    rng = np.random.default_rng(8)
    days = pd.date_range("2024-01-01", periods=420, freq="D")
    offer = (rng.random(420) < 0.3).astype(int)
    sales = 20 + 8 * offer + rng.normal(0, 0.3, 420)
    rows = [f"{day:%Y-%m-%d},{'' if k >= 415 else f'{sales[k]:.2f}'},{offer[k]}" for k, day in enumerate(days)]
    content = "\n".join(["date,sales,offer", *rows]).encode()
    upload = Upload(upload_id="a" * 20, value=("sales",), future_covariates=("offer",))
    series = read_panel(upload, lambda _: content)
    assert len(series.y[0]) == 415 and series.future_covariates is not None and series.future_covariates[0].shape == (420, 1)
    plan = Plan(h=5, input_size=8, n_windows=3)
    made = made_by(series, plan, "gru")
    blind = made_by(replace(series, future_covariates=None), plan, "gru")
    truth = np.stack([series.after(back, 5) for back in plan.cutoff_offsets()])
    assert np.abs(made.y_hat - truth).mean() < 0.5 * np.abs(blind.y_hat - truth).mean()
    assert np.abs(made.ahead[0] - sales[415:]).mean() < 2
    with pytest.raises(ValueError, match="go with one column"):
        Upload(upload_id="a" * 20, every_value=True, future_covariates=("offer",))


@pytest.mark.parametrize("input_size", [2, 5, 8, 24, 30])
def test_all_steps_to_be_forecast_are_shown_however_short_the_look_back_is(input_size):
    h, n = 24, 60
    ahead = np.arange(n + h, dtype=float)
    series = replace(panel(np.arange(float(n))), future_covariates=[ahead[:, None]])
    task = Task(input_size=input_size, target="all_h", h=h)
    shown = FutureCovariates(series, h, calendar=False).windows(ends_of(series, task, 0)).x[0, :, 1:]
    expected = (ahead[-h:] - ahead.mean()) / ahead.std()
    assert (np.abs(shown.ravel()[:, None] - expected).min(axis=0) < 1e-4).all()


def test_a_column_that_stays_the_same_within_a_series_is_seen_at_every_step_of_it():
    sizes = (1.0, 5.0, 9.0)
    frame = pd.concat(
        pd.DataFrame(
            {"unique_id": f"s{i}", "ds": pd.date_range("2024-01-01", periods=20), "y": np.arange(20.0), "size": size}
        )
        for i, size in enumerate(sizes)
    )
    static = Panel.of(frame, "D", future_covariates=("size",))
    shown = FutureCovariates(static, 3, calendar=False).windows(ends_of(static, Task(input_size=6, target="all_h", h=3), 0))
    scaled = (np.array(sizes) - np.mean(sizes)) / np.std(sizes)
    np.testing.assert_allclose(shown.x[:, :, 1], np.repeat(scaled[:, None], 6, axis=1), rtol=1e-6)
