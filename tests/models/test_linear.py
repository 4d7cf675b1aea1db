"""The solved linear model, against NumPy's own least squares on the whole table."""

import numpy as np
import pytest

from forecasting.data import load
from forecasting.experiment import ModelChoice, Task, Waves
from forecasting.models import Control, resolve
from forecasting.models.linear import least_squares


def solved_whole(x, y):
    """Kernel and bias by `lstsq` on all rows; the shortest where there are many."""
    flat = x.reshape(len(x), -1).astype("float64")
    solution = np.linalg.lstsq(np.column_stack([flat, np.ones(len(flat))]), y.astype("float64"), rcond=1e-10)[0]
    return solution[:-1], solution[-1]


@pytest.mark.parametrize("shape", [(200, 7, 1), (200, 5, 3), (9, 8, 1)], ids=["tall", "multivariate", "square"])
def test_it_is_the_least_squares_solution_of_random_data(shape):
    rng = np.random.default_rng(0)
    x, y = rng.normal(3, 1, shape), rng.normal(size=(shape[0], 2))
    fitted = least_squares(x, y)
    kernel, bias = solved_whole(x, y)
    np.testing.assert_allclose(fitted.kernel, kernel, atol=1e-8)
    np.testing.assert_allclose(fitted.bias, bias, atol=1e-8)
    by_hand = [[sum(x[i].ravel() * kernel[:, k]) + bias[k] for k in range(2)] for i in range(4)]
    np.testing.assert_allclose(fitted.predict(x[:4]), by_hand, atol=1e-8)


def test_it_finds_the_weights_that_made_the_data():
    rng = np.random.default_rng(1)
    x, kernel, bias = rng.normal(size=(100, 6, 1)), rng.normal(size=(6, 3)), rng.normal(size=3)
    fitted = least_squares(x, x[:, :, 0] @ kernel + bias)
    np.testing.assert_allclose(fitted.kernel, kernel, atol=1e-10)
    np.testing.assert_allclose(fitted.bias, bias, atol=1e-10)


@pytest.mark.parametrize("n_windows", [5, 50, 5_000])
@pytest.mark.parametrize("seed", range(3))
def test_of_many_solutions_it_takes_the_shortest(n_windows, seed):
    rng = np.random.default_rng(seed)
    basis, mixture = rng.normal(size=(n_windows, 3)), rng.normal(size=(3, 20))
    x = np.concatenate([basis @ mixture, np.full((n_windows, 4), 0.7)], axis=1)[:, :, None]
    y = basis @ rng.normal(size=(3, 2)) + 0.3
    fitted = least_squares(x, y)
    kernel, bias = solved_whole(x, y)
    np.testing.assert_allclose(fitted.kernel, kernel, atol=1e-8)
    np.testing.assert_allclose(fitted.bias, bias, atol=1e-8)


def test_series_that_never_change_are_forecast_without_error():
    flat = Waves(n_series=100, amplitude_1=0, amplitude_2=0, noise_width=0, level=3)
    split = load(flat, Task(input_size=8, target="all_h", h=4))
    fitted = resolve(ModelChoice(name="linear")).fit(split, Control()).fitted
    np.testing.assert_allclose(fitted.predict(split.test.x), np.full((10, 4), 3.0), rtol=1e-6)
    assert np.abs(fitted.kernel).max() < 1


def test_no_other_weights_have_a_smaller_error_on_the_training_part():
    split = load(Waves(n_series=300), Task(input_size=8))
    fitted = resolve(ModelChoice(name="linear")).fit(split, Control()).fitted
    x, y, rng = split.train.x[:, :, 0].astype("float64"), split.train.y, np.random.default_rng(0)
    best = np.mean((x @ fitted.kernel + fitted.bias - y) ** 2)
    for _ in range(50):
        nudged = fitted.kernel + rng.normal(0, 0.01, fitted.kernel.shape)
        assert np.mean((x @ nudged + fitted.bias - y) ** 2) > best
