"""Recurrent networks, against loops written from their formulas."""

from typing import get_args

import keras
import numpy as np
import pytest

from forecasting.experiment import ModelChoice
from forecasting.models import Control, Shape, resolve
from forecasting.models.neural import REACHES, Activation

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 9, 1)).astype("float32")


def random_weights(*shapes):
    """Weights unlike any initial ones, biases not zero."""
    return [RNG.normal(0, 0.6, shape).astype("float32") for shape in shapes]


def forecast(name, weights, x, n_outputs=1, **params):
    """What the package forecasts with these weights; built for a look-back of 9, whatever `x` has."""
    model = resolve(ModelChoice(name=name, params=params))
    shape = Shape(9, x.shape[2], n_outputs)
    assert model.n_parameters(shape) == sum(part.size for part in weights)
    return model.load(weights, shape, Control()).predict(x)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def simple_layer(x, kernel, recurrent, bias, activation=np.tanh):
    """h[t] = activation(x[t] · kernel + h[t - 1] · recurrent + bias), from h = 0."""
    h, states = np.zeros((len(x), len(bias))), []
    for t in range(x.shape[1]):
        h = activation(x[:, t].astype("float64") @ kernel + h @ recurrent + bias)
        states.append(h)
    return np.stack(states, axis=1)


def lstm_layer(x, kernel, recurrent, bias):
    """Gates in the order input, forget, candidate, output."""
    n = len(recurrent)
    h, c, states = np.zeros((len(x), n)), np.zeros((len(x), n)), []
    for t in range(x.shape[1]):
        z = x[:, t].astype("float64") @ kernel + h @ recurrent + bias
        i, f, o = sigmoid(z[:, :n]), sigmoid(z[:, n : 2 * n]), sigmoid(z[:, 3 * n :])
        c = f * c + i * np.tanh(z[:, 2 * n : 3 * n])
        h = o * np.tanh(c)
        states.append(h)
    return np.stack(states, axis=1)


def gru_layer(x, kernel, recurrent, bias):
    """Gates in the order update, reset, candidate; the reset gate acts after the recurrent product and its bias."""
    n = len(recurrent)
    h, states = np.zeros((len(x), n)), []
    for t in range(x.shape[1]):
        seen = x[:, t].astype("float64") @ kernel + bias[0]
        kept = h @ recurrent + bias[1]
        update = sigmoid(seen[:, :n] + kept[:, :n])
        reset = sigmoid(seen[:, n : 2 * n] + kept[:, n : 2 * n])
        candidate = np.tanh(seen[:, 2 * n :] + reset * kept[:, 2 * n :])
        h = update * h + (1 - update) * candidate
        states.append(h)
    return np.stack(states, axis=1)


def test_the_simplest_rnn_is_one_tanh_whose_state_starts_at_zero_and_is_the_forecast():
    weights = random_weights((1, 1), (1, 1), (1,))
    (w,), (u,), b = weights[0][0], weights[1][0], weights[2][0]
    y_hat = forecast("simple_rnn", weights, X)
    for i in range(5):
        state = 0.0
        for t in range(9):
            state = np.tanh(w * X[i, t, 0] + u * state + b)
        assert np.isclose(y_hat[i, 0], state, atol=1e-6)


def test_the_deep_rnn_is_a_stack_whose_last_layer_gives_its_last_state():
    shapes = [(1, 4), (4, 4), (4,), (4, 3), (3, 3), (3,), (3, 2), (2, 2), (2,)]
    weights = random_weights(*shapes)
    states = X
    for layer in range(3):
        states = simple_layer(states, *weights[3 * layer : 3 * layer + 3])
    y_hat = forecast("deep_rnn", weights, X, n_outputs=2, units=[4, 3])
    np.testing.assert_allclose(y_hat, states[:, -1], atol=1e-6)


def test_activations_are_those_that_were_chosen_and_a_recurrent_output_keeps_tanh():
    weights = random_weights((1, 4), (4, 4), (4,), (4, 1), (1, 1), (1,))
    hidden = simple_layer(X, *weights[:3], activation=lambda z: np.maximum(z, 0))
    expected = simple_layer(hidden, *weights[3:])[:, -1]
    np.testing.assert_allclose(forecast("deep_rnn", weights, X, units=[4], activation="relu"), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "layer", "kernels", "biases"),
    [("deep_rnn_dense", simple_layer, 1, ()), ("lstm", lstm_layer, 4, ()), ("gru", gru_layer, 3, (2,))],
    ids=["simple", "LSTM", "GRU"],
)
def test_stacks_with_a_dense_output_are_their_formulas_over_series_of_two_features(name, layer, kernels, biases):
    x = RNG.normal(size=(5, 9, 2)).astype("float32")
    weights = random_weights(
        *[(2, 4 * kernels), (4, 4 * kernels), (*biases, 4 * kernels)],
        *[(4, 3 * kernels), (3, 3 * kernels), (*biases, 3 * kernels)],
        *[(3, 2), (2,)],
    )
    top = layer(layer(x, *weights[:3]), *weights[3:6])[:, -1]
    by_hand = top @ weights[6] + weights[7]
    np.testing.assert_allclose(forecast(name, weights, x, n_outputs=2, units=[4, 3]), by_hand, atol=2e-6)
    bounded = forecast(name, weights, x, n_outputs=2, units=[4, 3], output_activation="sigmoid")
    np.testing.assert_allclose(bounded, sigmoid(by_hand), atol=2e-6)


@pytest.mark.parametrize("look_back", [1, 4, 15])
def test_time_is_open_for_a_network_built_for_another_look_back(look_back):
    x = RNG.normal(size=(5, look_back, 1)).astype("float32")
    weights = random_weights((1, 4), (4, 4), (4,), (4, 1), (1,))
    expected = simple_layer(x, *weights[:3])[:, -1] @ weights[3] + weights[4]
    np.testing.assert_allclose(forecast("deep_rnn_dense", weights, x, units=[4]), expected, atol=1e-6)


def test_more_windows_than_one_call_holds_are_forecast_one_by_one_alike():
    x = RNG.normal(size=(1_500, 9, 1)).astype("float32")
    weights = random_weights((1, 1), (1, 1), (1,))
    np.testing.assert_allclose(forecast("simple_rnn", weights, x), simple_layer(x, *weights)[:, -1], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "params", "reach"),
    [
        ("simple_rnn", {}, (-1, 1)),
        ("simple_rnn", {"activation": "relu"}, (0, np.inf)),
        ("deep_rnn", {"activation": "relu"}, (-1, 1)),
        ("deep_rnn_dense", {}, (-np.inf, np.inf)),
        ("lstm", {"output_activation": "tanh"}, (-1, 1)),
        ("gru", {"output_activation": "sigmoid"}, (0, 1)),
    ],
)
def test_networks_know_how_far_their_forecasts_can_reach(name, params, reach):
    assert resolve(ModelChoice(name=name, params=params)).reaches() == reach


@pytest.mark.parametrize("activation", get_args(Activation))
def test_every_activation_stays_within_the_range_that_is_given_for_it(activation):
    low, high = REACHES[activation]
    values = np.asarray(keras.activations.get(activation)(np.linspace(-50, 50, 2_001, dtype="float32")))
    assert values.min() >= low and values.max() <= high
    assert low == -np.inf or values.min() == pytest.approx(low, abs=1e-3)
    assert high == np.inf or values.max() == pytest.approx(high, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "params", "label"),
    [
        ("gru", {}, "GRU"),
        ("gru", {"units": [32, 32]}, "GRU 2 × 32"),
        ("deep_rnn", {"units": [3, 4], "activation": "relu"}, "Deep RNN 3–4, relu"),
        ("lstm", {"output_activation": "tanh"}, "LSTM, tanh output"),
        ("simple_rnn", {"activation": "elu"}, "SimpleRNN(1), elu"),
    ],
)
def test_a_label_tells_a_model_from_its_siblings(name, params, label):
    assert resolve(ModelChoice(name=name, params=params)).label == label
