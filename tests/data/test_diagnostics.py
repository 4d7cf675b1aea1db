"""The look at a series: its parts add up, its correlations are those of statsmodels, its season is found."""

import numpy as np
import pytest
from statsmodels.tsa.stattools import acf

from forecasting.data.diagnostics import autocorrelation, decomposition, proposed_season, spectrum
from forecasting.data.samples import read_sample

RNG = np.random.default_rng(11)
T = np.arange(300)


def test_autocorrelations_are_those_of_statsmodels():
    y = np.cumsum(RNG.normal(size=200))
    np.testing.assert_allclose(autocorrelation(y, 40), acf(y, nlags=40, fft=False), atol=1e-12)
    assert np.isnan(autocorrelation(np.full(20, 3.0), 5)).all()
    assert len(autocorrelation(y[:10], 40)) == 10


def test_the_parts_of_a_series_add_up_and_are_those_that_were_put_in():
    trend, season = 0.05 * T, 3 * np.sin(2 * np.pi * T / 12)
    parts = decomposition(trend + season + 0.1 * RNG.normal(size=300), 12)
    np.testing.assert_allclose(parts.trend[20:-20], trend[20:-20], atol=0.2)
    np.testing.assert_allclose(parts.season[20:-20], season[20:-20], atol=0.3)
    y = RNG.normal(size=30)
    for season_length in (1, 12, 20):
        short = decomposition(y, season_length)
        np.testing.assert_allclose(short.trend + short.season + short.rest, y)
    assert not decomposition(y, 20).season.any()


def test_the_spectrum_has_its_peak_at_the_period_and_its_shares_add_up():
    periods, share = spectrum(np.sin(2 * np.pi * T / 25) + 0.02 * T)
    assert periods[share.argmax()] == pytest.approx(25)
    assert share.sum() == pytest.approx(1) and (np.diff(periods) < 0).all()
    assert not spectrum(np.full(20, 3.0))[1].any()


@pytest.mark.parametrize("season", [4, 7, 12, 24, 52])
@pytest.mark.parametrize("shape", [np.sin, lambda x: np.maximum(0, np.sin(x)) ** 3])
def test_a_planted_season_is_proposed_whatever_trend_and_gaps_there_are(season, shape):
    t = np.arange(8 * season)
    y = 10 + 3 * shape(2 * np.pi * t / season) + 0.03 * t + RNG.normal(0, 0.3, len(t))
    y[5:8] = np.nan
    assert proposed_season(y) == season


def test_no_season_is_proposed_where_there_is_none():
    walks = [np.cumsum(np.random.default_rng(seed).normal(size=300)) for seed in range(20)]
    noises = [np.random.default_rng(seed).normal(size=300) for seed in range(20)]
    assert sum(proposed_season(y) > 1 for y in noises) == 0
    assert sum(proposed_season(y) > 1 for y in walks) <= 6
    assert proposed_season(np.full(30, 2.0)) == proposed_season(np.array([1.0, 2, 3])) == 1


@pytest.mark.parametrize(("name", "seasons"), [("sunspots", (10, 11)), ("co2", (52,)), ("elnino", (12,)), ("hourly", (24,))])
def test_the_samples_show_their_seasons(name, seasons):
    frame = read_sample(name)
    first = frame[frame["unique_id"] == frame["unique_id"].iloc[0]]["y"].to_numpy()
    assert proposed_season(first) in seasons
