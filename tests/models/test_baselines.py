"""The baselines, against loops over single series."""

import numpy as np
import pytest

from forecasting.data import load
from forecasting.experiment import BadInput, ModelChoice, Task, Waves
from forecasting.models import Control, Shape, resolve

TEN = load(Waves(n_series=60), Task(input_size=8, target="all_h", h=10))


def forecast(name, split=TEN, **params):
    """Forecasts of the validation part."""
    return resolve(ModelChoice(name=name, params=params)).fit(split, Control()).fitted.predict(split.valid.x)


def test_seasonal_naive_repeats_the_last_season_again_and_again():
    y_hat = forecast("seasonal_naive", season_length=3)
    for seen, ahead in zip(TEN.valid.x[:, :, 0], y_hat, strict=True):
        assert ahead.tolist() == [seen[5 + k % 3] for k in range(10)]


def test_seasonal_naive_refuses_a_season_that_is_longer_than_the_look_back():
    with pytest.raises(BadInput, match="needs a whole season in the look-back: 9 steps, and it has 8"):
        forecast("seasonal_naive", season_length=9)


def test_drift_follows_the_line_from_the_first_to_the_last_value():
    for seen, ahead in zip(TEN.valid.x[:, :, 0].astype("float64"), forecast("drift"), strict=True):
        line = [seen[7] + k * (seen[7] - seen[0]) / 7 for k in range(1, 11)]
        np.testing.assert_allclose(ahead, line, atol=1e-6)


def test_the_value_h_steps_ahead_is_the_last_of_all_h():
    split = load(Waves(n_series=60), Task(input_size=8, target="at_h", h=10))
    for name, params in (("drift", {}), ("seasonal_naive", {"season_length": 3}), ("moving_average", {})):
        np.testing.assert_array_equal(forecast(name, split, **params)[:, 0], forecast(name, **params)[:, -1])


@pytest.mark.parametrize("window", [1, 3, 8, 300])
def test_a_moving_average_is_the_mean_of_the_last_values(window):
    for seen, ahead in zip(TEN.valid.x[:, :, 0], forecast("moving_average", window=window), strict=True):
        last = seen[-window:].tolist()
        np.testing.assert_allclose(ahead, [sum(last) / len(last)] * 10, atol=1e-6)


def test_given_weights_are_brought_to_a_sum_of_one():
    for seen, ahead in zip(TEN.valid.x[:, :, 0], forecast("weighted_average", weights=[1, 3]), strict=True):
        np.testing.assert_allclose(ahead, [0.25 * seen[6] + 0.75 * seen[7]] * 10, atol=1e-6)


def test_learned_weights_sum_to_one_and_no_others_of_that_sum_do_better_on_training():
    fitted = resolve(ModelChoice(name="weighted_average", params={"window": 4})).fit(TEN, Control()).fitted
    weights, seen, rng = fitted.weights[0], TEN.train.x[:, -4:, 0], np.random.default_rng(0)
    assert np.isclose(weights.sum(), 1)
    best = np.mean((fitted.predict(TEN.train.x) - TEN.train.y) ** 2)
    for _ in range(50):
        nudge = rng.normal(0, 0.02, 4)
        other = weights + nudge - nudge.mean()
        assert np.mean(((seen @ other)[:, None] - TEN.train.y) ** 2) > best


@pytest.mark.parametrize(("weights", "why"), [([1, -1], "add up to zero"), ([1] * 9, "9 weights need as many values")])
def test_weights_that_make_no_mean_are_refused(weights, why):
    with pytest.raises(BadInput, match=why):
        forecast("weighted_average", weights=weights)


def test_an_iterated_linear_model_walks_on_over_its_own_forecasts():
    y_hat = forecast("linear", strategy="iterated")
    one = load(Waves(n_series=60, n_steps=18), Task(input_size=8, target="next"))
    fitted = resolve(ModelChoice(name="linear")).fit(one, Control()).fitted
    for seen, ahead in zip(TEN.valid.x[:, :, 0].tolist(), y_hat, strict=True):
        for value in ahead:
            following = float(np.dot(seen[-8:], fitted.kernel[:, 0]) + fitted.bias[0])
            assert np.isclose(value, following, atol=1e-5)
            seen.append(following)


def test_an_iterated_model_has_the_parameters_of_the_next_step():
    model = resolve(ModelChoice(name="linear", params={"strategy": "iterated"}))
    assert model.n_parameters(Shape(50, 1, 10)) == 51 and model.label == "Linear, least squares, iterated"
