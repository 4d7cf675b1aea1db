"""Nights and Sundays at which series never have a value."""

import numpy as np
import pandas as pd
import pytest

import forecasting
from forecasting.data.opening import opening_of
from forecasting.panels.panel import Panel


def shop(weeks: int, frequency: str = "h", seed: int = 0) -> pd.DataFrame:
    """A shop that is open from 9 to 19 hours, and not on Sundays, on the grid of all hours."""
    times = pd.date_range("2024-01-01", periods=weeks * 7 * 24 if frequency == "h" else weeks * 7, freq=frequency)
    y = 50 + 5 * np.sin(times.hour) + 10 * times.dayofweek + np.random.default_rng(seed).normal(size=len(times))
    closed = (times.dayofweek == 6) | ((frequency == "h") & ((times.hour < 9) | (times.hour >= 19)))
    return pd.DataFrame({"unique_id": "shop", "ds": times, "y": np.where(closed, np.nan, y)})


def opening(frame: pd.DataFrame, frequency: str | None):
    return opening_of(pd.DatetimeIndex(frame["ds"]), frame["y"].notna().to_numpy(), frequency)


def test_hours_and_days_without_values_are_found_with_the_seasons_of_what_is_left():
    found = opening(shop(6), "h")
    assert sum(found.is_open) == 60 and found.seasons == (10, 60)
    assert found.in_words == "108 of the 168 steps of a week never have a value: they are left out, and not forecast."
    next_times = found.after(pd.Timestamp("2024-02-10 17:00"), 3)  # a Saturday
    assert [f"{time:%a %H}" for time in next_times] == ["Sat 18", "Mon 09", "Mon 10"]
    days = opening(shop(8, "D"), "D")
    assert days.is_open == (True,) * 6 + (False,) and days.seasons == (6,)
    assert [f"{time:%a}" for time in days.after(pd.Timestamp("2024-02-09"), 3)] == ["Sat", "Mon", "Tue"]


def test_of_some_days_the_nights_are_found():
    found = opening(shop(1), "h")
    assert found.span_s == 86_400 and sum(found.is_open) == 10 and found.seasons == (10, 70)


@pytest.mark.parametrize("frequency", [None, "MS", "7h"])
def test_there_is_nothing_to_tell_without_steps_that_divide_a_day(frequency):
    assert opening(shop(6), frequency) is None


def test_gaps_and_values_that_are_seldom_close_nothing():
    frame, rng = shop(6), np.random.default_rng(1)
    whole = frame.assign(y=1.0)
    assert opening(whole, "h") is None
    assert opening(whole.assign(y=whole["y"].mask(rng.random(len(frame)) < 0.3)), "h") is None
    seldom = whole.assign(y=whole["y"].where(np.arange(len(frame)) % 171 == 0))
    assert opening(seldom, "h") is None


def test_a_panel_leaves_closed_steps_out_and_forecasts_go_on_when_it_opens():
    frame = pd.concat([shop(8), shop(8, seed=1).assign(unique_id="other")], ignore_index=True)
    panel = Panel.of(frame, "h", season_length=24)
    assert panel.season_length == 10 and panel.likely_seasons == (10, 60) and not np.isnan(panel.y[0]).any()
    made = forecasting.forecast(frame.dropna(), 15, ["naive", "seasonal_naive", "theta"], freq="h").frame
    of_shop = made[made["unique_id"] == "shop"]
    assert [f"{time:%a %H}" for time in of_shop["ds"].iloc[[0, 9, 10]]] == ["Mon 09", "Mon 18", "Tue 09"]
    monday = shop(9)["y"].iloc[8 * 168 + 9 : 8 * 168 + 19]
    assert np.abs(of_shop["theta"].iloc[:10].to_numpy() - monday).mean() < 12


def test_covariates_that_are_known_in_advance_stand_at_the_steps_that_are_left():
    frame = shop(8).assign(hour=lambda one: one["ds"].dt.hour.astype(float))
    later = pd.DataFrame({"unique_id": "shop", "ds": pd.date_range("2024-02-26", periods=48, freq="h"), "y": np.nan})
    later["hour"] = later["ds"].dt.hour.astype(float)
    panel = Panel.of(pd.concat([frame, later], ignore_index=True), "h", future_covariates=("hour",))
    n = len(panel.y[0])
    ahead = panel.future_covariates[0][n : n + 12, 0]
    np.testing.assert_array_equal(ahead, panel.times_after(0, 0, 12).hour)
