"""Scores of backtests, against utilsforecast."""

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from forecasting.evaluation.metrics import METRICS, scales, score

RNG = np.random.default_rng(0)
N_CUTOFFS, N_SERIES, H, SEASON = 3, 4, 5, 7
HISTORY = RNG.normal(20, 3, (N_SERIES, 40))
Y, Y_HAT = RNG.normal(20, 3, (2, N_CUTOFFS, N_SERIES, H))
SCALE = np.array([[scales(known, SEASON) for known in HISTORY]] * N_CUTOFFS)


def by_utilsforecast(metric):
    """The mean over series and cutoffs; every cutoff is a frame of its own, as the scaled losses want their history."""
    ids = [f"s{i}" for i in range(N_SERIES)]
    train = pd.DataFrame({"unique_id": np.repeat(ids, 40), "ds": np.tile(range(40), N_SERIES), "y": HISTORY.ravel()})
    means = []
    for y, y_hat in zip(Y, Y_HAT, strict=True):
        table = pd.DataFrame({"unique_id": np.repeat(ids, H), "ds": np.tile(range(40, 40 + H), N_SERIES)})
        table = table.assign(y=y.ravel(), model=y_hat.ravel())
        more = {"seasonality": SEASON, "train_df": train} if metric in ("mase", "rmsse") else {}
        means.append(getattr(losses, metric)(table, models=["model"], **more)["model"].mean())
    return np.mean(means)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_what_utilsforecast_says(metric):
    assert score(Y, Y_HAT, SCALE)[metric] == pytest.approx(by_utilsforecast(metric), rel=1e-9)


def test_a_truth_that_is_missing_counts_nowhere():
    y, y_hat = Y.copy(), Y_HAT.copy()
    y[:, :, -1] = np.nan
    assert score(y, y_hat, SCALE) == pytest.approx(score(Y[:, :, :-1], Y_HAT[:, :, :-1], SCALE))


def test_a_score_that_is_not_defined_is_nan_and_never_zero():
    flat = np.array([[scales(np.full(30, 5.0), SEASON)] * N_SERIES] * N_CUTOFFS)
    found = score(Y, Y_HAT, flat)
    assert np.isnan(found["mase"]) and np.isnan(found["rmsse"]) and found["mae"] > 0
    assert np.isnan(scales(np.array([1.0]), SEASON)).all()
    assert all(np.isnan(value) for value in score(np.full_like(Y, np.nan), Y_HAT, SCALE).values())


def test_zeros_forecast_as_zeros_have_no_relative_error():
    zeros = np.zeros((1, 1, 3))
    assert score(zeros, zeros, np.ones((1, 1, 2)))["smape"] == 0


def test_scales_are_those_of_the_pairs_that_are_known():
    history = np.random.default_rng(2).normal(20, 3, 4_000)
    holed = np.where(np.random.default_rng(3).random(4_000) < 0.5, np.nan, history)
    steps = [holed[i] - holed[i - SEASON] for i in range(SEASON, 4_000) if np.isfinite(holed[i] - holed[i - SEASON])]
    assert scales(holed, SEASON) == pytest.approx((np.abs(steps).mean(), np.square(steps).mean()))
    assert scales(holed, SEASON) == pytest.approx(scales(history, SEASON), rel=0.1)
    assert np.isnan(scales(np.array([1.0, np.nan, 3.0, np.nan]), 1)).all()
