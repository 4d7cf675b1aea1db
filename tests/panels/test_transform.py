"""What is done to series before they are forecast is undone, and learned from the past alone."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import boxcox

from forecasting.experiment import BadInput, Plan
from forecasting.panels.backtest import backtest
from forecasting.panels.panel import Panel
from forecasting.panels.transform import SeriesTransform
from tests.whole_series import asked

RNG = np.random.default_rng(4)
T = np.arange(140)


def panel(*values: np.ndarray) -> Panel:
    times = [pd.date_range("2024-01-01", periods=len(y), freq="D") for y in values]
    return Panel([f"s{i}" for i in range(len(values))], times, list(values), "D")


def growing(seed: int, n: int = 140) -> np.ndarray:
    """Growth by a share, with a season and noise that grow along."""
    noise = np.random.default_rng(seed).normal(0, 0.03, n)
    return np.exp(1 + 0.02 * T[:n] + 0.4 * np.sin(2 * np.pi * (T[:n] + seed) / 7) + noise)


@pytest.mark.parametrize("transform", ["none", "log", "box_cox"])
@pytest.mark.parametrize("detrend", [False, True])
@pytest.mark.parametrize("deseasonalize", [False, True])
@pytest.mark.parametrize("back", [0, 21])
def test_what_is_done_is_undone(transform, detrend, deseasonalize, back):
    series = panel(growing(1), growing(2, 100))
    plan = Plan(h=7, season_length=7, transform=transform, detrend=detrend, deseasonalize=deseasonalize)
    learned = SeriesTransform.learn(series, plan, 21)
    seen = learned.panel(series)
    ahead = seen.after(back, 7) if back else np.stack([y[-7:] for y in seen.y])
    truth = series.after(back, 7) if back else np.stack([y[-7:] for y in series.y])
    np.testing.assert_allclose(learned.undo(ahead, series, back or 7), truth)


def test_the_power_is_that_of_scipy_and_trend_and_season_are_those_put_in():
    y = RNG.lognormal(2, 0.5, 120)
    assert SeriesTransform.learn(panel(y), Plan(transform="box_cox"), 0).lmbda[0] == pytest.approx(boxcox(y)[1], abs=1e-3)
    season = np.array([0.0, 3, -1, -2])
    planted = 5 + 0.3 * T + season[T % 4]
    found = SeriesTransform.learn(panel(planted), Plan(season_length=4, detrend=True, deseasonalize=True), 0)
    np.testing.assert_allclose(found.season[0], season, atol=0.05)
    np.testing.assert_allclose(found.trend[0], [0.3, 5], atol=0.1)
    assert np.abs(found.panel(panel(planted)).y[0]).max() < 0.1


def test_what_comes_after_the_cutoff_teaches_nothing():
    calm, spiked = growing(3), growing(3)
    spiked[-10] *= 50
    plan = Plan(h=10, season_length=7, transform="box_cox", detrend=True, deseasonalize=True)
    one, other = (SeriesTransform.learn(panel(y), plan, 10) for y in (calm, spiked))
    for name in ("lmbda", "trend", "season"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_logarithm_and_trend_help_where_series_grow_by_a_share_and_baselines_stay_as_they_are():
    series = panel(*(growing(seed) for seed in range(4)))
    plain = Plan(h=14, season_length=7, n_windows=2)
    reshaped = plain.model_copy(update={"transform": "log", "detrend": True})
    names = ("seasonal_naive", "linear", "ets", "theta")
    before, after = (backtest(series, asked(plan, names)).scores() for plan in (plain, reshaped))
    for name in names[1:]:
        assert after[name]["mase"] < 0.95 * before[name]["mase"], name
    assert after["seasonal_naive"] == before["seasonal_naive"]


def test_values_without_a_logarithm_are_refused_in_a_sentence():
    with pytest.raises(BadInput, match="'s0' has values of 0 or below"):
        SeriesTransform.learn(panel(np.arange(20.0)), Plan(transform="log"), 0)
