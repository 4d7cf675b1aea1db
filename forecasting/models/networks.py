"""The networks, built with Keras. Loaded in workers alone."""

from typing import TYPE_CHECKING

import keras
from keras import layers

from forecasting.models.base import Shape

if TYPE_CHECKING:
    from forecasting.models.neural import RecurrentStack, SimpleRNN1


def flat_dense(shape: Shape) -> keras.Model:
    """Flatten the look-back into one row, and weigh it."""
    return keras.Sequential(
        [keras.Input((shape.input_size, shape.n_features)), layers.Flatten(), layers.Dense(shape.n_outputs)]
    )


def simple_rnn(model: "SimpleRNN1", shape: Shape) -> keras.Model:
    """One recurrent neuron per output; time is open."""
    return keras.Sequential(
        [keras.Input((None, shape.n_features)), layers.SimpleRNN(shape.n_outputs, activation=model.activation)]
    )


def recurrent_stack(model: "RecurrentStack", shape: Shape) -> keras.Model:
    """Recurrent layers, each giving its whole sequence to the next, and an output; time is open."""
    recurrent_output = model.output == "recurrent"
    network = keras.Sequential([keras.Input((None, shape.n_features))])
    for i, units in enumerate(model.units):
        whole_sequence = recurrent_output or i < len(model.units) - 1
        network.add(_recurrent(model.cell, units, model.activation, whole_sequence))
    if recurrent_output:
        network.add(layers.SimpleRNN(shape.n_outputs))
    else:
        network.add(layers.Dense(shape.n_outputs, activation=getattr(model, "output_activation", "linear")))
    return network


def _recurrent(cell: str, units: int, activation: str, whole_sequence: bool) -> layers.Layer:
    if cell == "simple":
        return layers.SimpleRNN(units, activation=activation, return_sequences=whole_sequence)
    layer = {"lstm": layers.LSTM, "gru": layers.GRU}[cell]
    # XLA cannot compile the cuDNN kernels that Keras would choose by itself.
    return layer(units, activation=activation, return_sequences=whole_sequence, use_cudnn=False)
