"""Scores, against sums written out."""

import numpy as np
import pytest

from forecasting.evaluation.scores import mse, mse_per_output, skill, squared_errors

RNG = np.random.default_rng(0)
Y, Y_HAT = RNG.normal(size=(13, 4)).astype("float32"), RNG.normal(size=(13, 4)).astype("float32")


def test_mse_is_the_mean_over_windows_and_steps():
    total = 0.0
    for i in range(13):
        for k in range(4):
            total += (float(Y[i, k]) - float(Y_HAT[i, k])) ** 2
    assert np.isclose(mse(Y, Y_HAT), total / 52, rtol=1e-12)


def test_mse_per_output_is_the_mean_over_the_windows_of_each_step():
    for k, score in enumerate(mse_per_output(Y, Y_HAT)):
        assert np.isclose(score, sum((float(Y[i, k]) - float(Y_HAT[i, k])) ** 2 for i in range(13)) / 13, rtol=1e-12)
    assert len(mse_per_output(Y, Y_HAT)) == 4


def test_squares_are_taken_in_float64():
    large = np.array([[1e30]], "float32")
    assert squared_errors(large, -large).dtype == np.float64
    assert np.isclose(mse(large, -large), 4e60, rtol=1e-6)


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"\(13, 1\).*\(13,\)"):
        mse(Y[:, :1], Y_HAT[:, 0])


def test_a_forecast_that_is_not_a_number_is_not_hidden():
    assert np.isnan(mse(np.zeros((2, 1)), np.array([[np.nan], [0.0]])))


def test_skill_is_the_share_of_the_naive_error_that_is_taken_away():
    assert skill(0.0, 2.0) == 1 and skill(2.0, 2.0) == 0 and skill(0.5, 2.0) == 0.75 and skill(4.0, 2.0) == -1
    assert skill(1.0, 0.0) is None
