"""Recurrent layers and backpropagation through time, written out here and differentiated automatically by Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from forecasting.models.networks.recurrent import Stack
from forecasting.models.networks.recurrent_cells import ACTIVATIONS, tanh

LAYERS = (layers.SimpleRNN, layers.LSTM, layers.GRU)
X = tf.constant(np.random.default_rng(0).normal(size=(7, 9, 3)).astype("float32"))


def both(kind, activation="tanh", whole_sequence=False, units=(5, 4)):
    """A stack, and a function that does the same by Keras' layers one after the other, on the same weights."""
    keras.utils.set_random_seed(1)
    stacked = [kind(n, activation=activation, return_sequences=True) for n in units[:-1]]
    stacked.append(kind(units[-1], activation=activation, return_sequences=whole_sequence))
    stack = Stack(stacked, whole_sequence)
    stack.build(X.shape)
    for variable in stack.trainable_variables:  # biases too, which begin at zero
        variable.assign(variable + 0.1 * keras.random.normal(variable.shape))

    def by_keras(x):
        for layer in stacked:
            x = layer(x)
        return x

    return stack, by_keras


def outcome(network, variables, loss_weights):
    """Output, and the gradients of a weighted sum of it with respect to the series and to all weights."""
    with tf.GradientTape() as tape:
        tape.watch(X)
        y = network(X)
        loss = tf.reduce_sum(y * loss_weights)
    return [y, *tape.gradient(loss, [X, *(variable.value for variable in variables)])]


@pytest.mark.parametrize("compiled", [False, True], ids=["step by step", "compiled"])
@pytest.mark.parametrize("whole_sequence", [False, True], ids=["last state", "all states"])
@pytest.mark.parametrize("kind", LAYERS)
def test_states_and_gradients_are_those_of_keras(kind, whole_sequence, compiled):
    stack, by_keras = both(kind, whole_sequence=whole_sequence)
    loss_weights = np.random.default_rng(2).normal(size=(7, 9, 4) if whole_sequence else (7, 4)).astype("float32")
    run = tf.function(lambda: outcome(stack, stack.trainable_variables, loss_weights), jit_compile=compiled, autograph=False)
    ours = run() if compiled else outcome(stack, stack.trainable_variables, loss_weights)
    for one, other in zip(ours, outcome(by_keras, stack.trainable_variables, loss_weights), strict=True):
        assert np.abs(one).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=0, atol=3e-6 * np.abs(other).max())


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", LAYERS)
def test_so_they_are_with_every_activation(kind, activation):
    stack, by_keras = both(kind, activation, units=(4,))
    loss_weights = np.ones((7, 4), "float32")
    ours, theirs = (outcome(network, stack.trainable_variables, loss_weights) for network in (stack, by_keras))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=3e-6 * max(np.abs(other).max(), 1e-3))


@pytest.mark.parametrize("kind", LAYERS)
def test_weights_go_over_to_keras_layers_and_back(kind):
    stack, _ = both(kind)
    theirs = keras.Sequential([keras.Input((None, 3)), kind(5, return_sequences=True), kind(4)])
    theirs.set_weights(stack.get_weights())
    np.testing.assert_allclose(stack(X), theirs(X), atol=1e-6)
    other = keras.Sequential([keras.Input((None, 3)), kind(5, return_sequences=True), kind(4)])
    stack.set_weights(other.get_weights())
    np.testing.assert_allclose(stack(X), other(X), atol=1e-6)


def test_the_tangent_is_exact_to_rounding_and_stays_within_one():
    x = np.linspace(-12, 12, 100_001).astype("float32")
    y = np.asarray(tanh(tf.constant(x)))
    np.testing.assert_allclose(y, np.tanh(x.astype("float64")), rtol=4e-7, atol=1e-12)
    assert np.abs(y).max() <= 1 + 2e-7 and np.array_equal(y, -y[::-1])
