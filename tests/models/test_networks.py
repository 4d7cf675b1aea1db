"""Recurrent networks, against loops written from their formulas."""

from typing import get_args

import keras
import numpy as np
import pytest

from forecasting.data import load
from forecasting.experiment import ModelChoice, Task, Waves
from forecasting.models import Control, Shape, resolve
from forecasting.models.networks.cells import CausalConvolution
from forecasting.models.neural import OUTPUT_RANGES, Activation

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
    assert resolve(ModelChoice(name=name, params=params)).output_range() == reach


@pytest.mark.parametrize("activation", get_args(Activation))
def test_every_activation_stays_within_the_range_that_is_given_for_it(activation):
    low, high = OUTPUT_RANGES[activation]
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


# ------------------------------------------------------------------------------------------------- normalisation


def normalised(values, gamma, beta, epsilon=1e-3):
    """Layer normalisation over the last axis."""
    apart = values - values.mean(-1, keepdims=True)
    return apart / np.sqrt((apart**2).mean(-1, keepdims=True) + epsilon) * gamma + beta


def test_a_simple_cell_is_normalised_before_its_activation():
    kernel, recurrent, bias, gamma, beta = weights = random_weights((1, 4), (4, 4), (4,), (4,), (4,))
    dense, offset = random_weights((4, 1), (1,))
    h = np.zeros((5, 4))
    for t in range(9):
        h = np.tanh(normalised(X[:, t] @ kernel + h @ recurrent + bias, gamma, beta))
    y_hat = forecast("deep_rnn_dense", [*weights, dense, offset], X, units=[4], normalisation="layer")
    np.testing.assert_allclose(y_hat, h @ dense + offset, atol=2e-6)


def test_a_gru_is_normalised_in_the_state_that_it_hands_on():
    kernel, recurrent, bias, gamma, beta = weights = random_weights((1, 12), (4, 12), (2, 12), (4,), (4,))
    dense, offset = random_weights((4, 1), (1,))
    h = np.zeros((5, 4))
    for t in range(9):
        seen, kept = X[:, t] @ kernel + bias[0], h @ recurrent + bias[1]
        update, reset = sigmoid(seen[:, :4] + kept[:, :4]), sigmoid(seen[:, 4:8] + kept[:, 4:8])
        candidate = np.tanh(seen[:, 8:] + reset * kept[:, 8:])
        h = normalised(update * h + (1 - update) * candidate, gamma, beta)
    y_hat = forecast("gru", [*weights, dense, offset], X, units=[4], normalisation="layer")
    np.testing.assert_allclose(y_hat, h @ dense + offset, atol=5e-6)


# --------------------------------------------------------------------------------------------- shapes of network


def pair_of(name, shape, **params):
    """The network as it is trained and as it forecasts."""
    return resolve(ModelChoice(name=name, params=params)).network(shape)


@pytest.mark.parametrize(
    ("name", "params", "ends"),
    [
        ("gru", {"sequence_to": "sequence"}, range(8)),
        ("gru", {"sequence_to": "sequence", "loss_last": 3}, range(5, 8)),
        ("conv_gru", {}, range(3, 8, 2)),
        ("wavenet", {}, range(8)),
    ],
)
@pytest.mark.parametrize("target", ["all_h", "at_h"])
def test_every_step_is_compared_with_what_follows_it(name, params, ends, target):
    task = Task(input_size=8, target=target, h=3)
    part = load(Waves(n_series=40), task).valid
    shape = Shape(8, 1, len(task.steps), 3)
    networks = pair_of(name, shape, **params)
    targets = networks.targets(part.x, part.y, part.y_path, shape).numpy()
    whole = np.concatenate([part.x, part.y_path], axis=1)[:, :, 0]
    for i in range(len(part)):
        expected = [[whole[i, end + step] for step in shape.steps] for end in ends]
        np.testing.assert_array_equal(targets[i], expected)
    assert networks.training_model(part.x).shape == targets.shape


@pytest.mark.parametrize("name", ["gru", "conv_gru", "wavenet"])
def test_the_last_of_the_forecasts_after_every_step_is_the_forecast(name):
    networks = pair_of(name, Shape(9, 1, 3), **({"sequence_to": "sequence"} if name == "gru" else {}))
    np.testing.assert_allclose(networks.training_model(X)[:, -1], networks.prediction_model(X), atol=1e-6)


def test_a_forecast_after_a_step_depends_on_nothing_that_comes_later():
    later = X.copy()
    later[:, 6:] += 1
    for name, params in (("lstm", {"sequence_to": "sequence"}), ("wavenet", {}), ("wavenet", {"gated": True})):
        networks = pair_of(name, Shape(9, 1, 2), **params)
        np.testing.assert_allclose(networks.training_model(X)[:, :6], networks.training_model(later)[:, :6], atol=1e-6)
        assert np.abs(networks.training_model(X)[:, 6:] - networks.training_model(later)[:, 6:]).max() > 1e-3


def test_a_decoder_goes_on_from_the_encoders_state_and_is_fed_what_it_wrote():
    shapes = [(1, 12), (4, 12), (2, 12)]
    encoder, decoder = random_weights(*shapes), random_weights(*shapes)
    dense, offset = random_weights((4, 1), (1,))
    state, value, expected = gru_layer(X, *encoder)[:, -1], X[:, -1].astype("float64"), []
    for _ in range(3):
        state = gru_step(value, state, *decoder)
        value = state @ dense + offset
        expected.append(value[:, 0])
    y_hat = forecast("encoder_decoder", [*encoder, *decoder, dense, offset], X, n_outputs=3, units=[4])
    np.testing.assert_allclose(y_hat, np.stack(expected, axis=1), atol=5e-6)


def gru_step(x, h, kernel, recurrent, bias):
    """One step of a GRU from a given state."""
    n = len(recurrent)
    seen, kept = x @ kernel + bias[0], h @ recurrent + bias[1]
    update, reset = sigmoid(seen[:, :n] + kept[:, :n]), sigmoid(seen[:, n : 2 * n] + kept[:, n : 2 * n])
    return update * h + (1 - update) * np.tanh(seen[:, 2 * n :] + reset * kept[:, 2 * n :])


@pytest.mark.parametrize("cell", ["simple", "lstm", "gru"])
def test_teacher_forcing_feeds_the_true_values_and_the_forecaster_its_own(cell):
    networks = pair_of("encoder_decoder", Shape(9, 1, 3), cell=cell, units=[4, 3], teacher_forcing=True)
    own = networks.prediction_model(X).numpy()
    np.testing.assert_allclose(networks.training_model((X, own[:, :, None])), own, atol=1e-6)
    taught = networks.training_model((X, own[:, :, None] + 1)).numpy()
    np.testing.assert_allclose(taught[:, 0], own[:, 0], atol=1e-6)
    assert np.abs(taught[:, 1:] - own[:, 1:]).max() > 1e-3
    assert {id(v) for v in networks.prediction_model.variables} == {id(v) for v in networks.training_model.variables}


@pytest.mark.parametrize("dilation", [1, 2, 4, 16])
def test_a_causal_convolution_is_that_of_keras(dilation):
    x = RNG.normal(size=(5, 9, 3)).astype("float32")
    ours = CausalConvolution(4, dilation, "relu")
    theirs = keras.layers.Conv1D(4, 2, padding="causal", dilation_rate=dilation, activation="relu")
    ours.build(x.shape), theirs.build(x.shape)
    weights = random_weights((2, 3, 4), (4,))
    ours.set_weights(weights), theirs.set_weights(weights)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-6)
