"""Cells and layers that Keras does not bring: normalised cells, a decoder that is fed its own output, causal convolution."""

from typing import Any

import tensorflow as tf
from keras import layers

Tensor = Any
CELLS = {"simple": layers.SimpleRNNCell, "lstm": layers.LSTMCell, "gru": layers.GRUCell}


def cell_of(cell: str, units: int, activation: str) -> layers.Layer:
    """A recurrent cell of Keras'.

    Args:
        cell: simple, lstm or gru.
        units: the size of its state.
        activation: by Keras' name.
    """
    return CELLS[cell](units, activation=activation)


class _Normalised:
    """Layer normalisation of the state that a gated cell shows and hands on (Ba, Kiros and Hinton, 2016)."""

    def build(self, input_shape: Any) -> None:
        """Make the weights."""
        super().build(input_shape)  # type: ignore[misc]
        self.norm = layers.LayerNormalization()
        self.norm.build((None, self.units))  # type: ignore[attr-defined]

    def call(self, inputs: Tensor, states: Tensor, training: bool = False) -> tuple[Tensor, list[Tensor]]:
        """One step.

        Args:
            inputs: of one step, `(batch, n_inputs)`.
            states: those of the step before, `(batch, units)` each.
            training: whether dropout applies.

        Returns:
            What the cell shows, `(batch, units)`, and its states after the step.
        """
        _, after = super().call(inputs, states, training=training)  # type: ignore[misc]
        after = list(after) if isinstance(after, list | tuple) else [after]
        shown = self.norm(after[0])
        return shown, [shown, *after[1:]]


class NormalisedLSTMCell(_Normalised, layers.LSTMCell):
    """An LSTM whose short-term state is normalised."""


class NormalisedGRUCell(_Normalised, layers.GRUCell):
    """A GRU whose state is normalised."""


class NormalisedSimpleCell(_Normalised, layers.SimpleRNNCell):
    """A simple cell that normalises what it sums up, before its activation: `activation(norm(x · W + h · U + b))`."""

    def __init__(self, units: int, activation: str, **options: Any) -> None:
        super().__init__(units, activation="linear", **options)
        self.shown = layers.Activation(activation)

    def call(self, inputs: Tensor, states: Tensor, training: bool = False) -> tuple[Tensor, list[Tensor]]:
        """One step."""
        normalised, _ = super().call(inputs, states, training=training)
        shown = self.shown(normalised)
        return shown, [shown]


def normalised_cell(cell: str, units: int, activation: str, **dropout: float) -> layers.Layer:
    """A recurrent cell with layer normalisation inside.

    Args:
        cell, units, activation: as in `cell_of`.
        dropout: `dropout` and `recurrent_dropout`, shares from 0 to 1 of inputs and of state.
    """
    classes = {"simple": NormalisedSimpleCell, "lstm": NormalisedLSTMCell, "gru": NormalisedGRUCell}
    return classes[cell](units, activation=activation, **dropout)


class DecoderCell(layers.Layer):
    """Cells that are fed their own last output: states are that value, and those of the cells.

    Args:
        cells: of the layers, from the bottom.
        output: the layer that makes a forecast of what the top cell shows.
        n_targets: values that are forecast per step.
    """

    def __init__(self, cells: layers.StackedRNNCells, output: layers.Layer, n_targets: int) -> None:
        super().__init__()
        self.cells, self.output_layer = cells, output
        self.sizes = [len(size) if isinstance(size, list | tuple) else 1 for size in cells.state_size]
        flat = [n for size in cells.state_size for n in (size if isinstance(size, list | tuple) else [size])]
        self.state_size = [n_targets, *flat]
        self.output_size = n_targets

    def build(self, input_shape: Any) -> None:
        """Make the weights of cells and output."""
        self.cells.build((None, self.output_size))
        self.output_layer.build((None, self.state_size[-1]))

    def call(self, inputs: Tensor, states: Tensor, training: bool = False) -> tuple[Tensor, list[Tensor]]:  # noqa: ARG002
        """One step.

        Args:
            inputs: not read; there is one for each step to be forecast.
            states: the last value, `(batch, n_targets)`, and those of the cells one after the other, `(batch, units)` each.
            training: whether dropout applies in the cells.

        Returns:
            The next value, `(batch, n_targets)`, and the states after the step.
        """
        value, *flat = states
        nested, rest = [], iter(flat)
        for size in self.sizes:
            nested.append([next(rest) for _ in range(size)])
        shown, after = self.cells(value, nested, training=training)
        following = self.output_layer(shown)
        flat = [state for states in after for state in (states if isinstance(states, list | tuple) else [states])]
        return following, [following, *flat]


class CausalConvolution(layers.Layer):
    """A convolution of width two over the past: `activation(x[t - dilation] · A + x[t] · B + b)`, zeros before the start.

    The same as Keras' Conv1D with kernel size 2 and causal padding, whose weights it takes; written as one product of
    matrices, for XLA makes little of dilated convolutions on a processor.

    Args:
        filters: channels of the output.
        dilation: steps between the two values that are joined.
        activation: by Keras' name.
    """

    def __init__(self, filters: int, dilation: int, activation: str) -> None:
        super().__init__()
        self.filters, self.dilation = filters, dilation
        self.shown = layers.Activation(activation)

    def build(self, input_shape: Any) -> None:
        """Make kernel `(2, n_features, filters)` and bias, as Conv1D does."""
        self.kernel = self.add_weight(name="kernel", shape=(2, input_shape[-1], self.filters), initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x: Tensor) -> Tensor:
        """Convolve `(n, n_steps, n_features)` into `(n, n_steps, filters)`."""
        n = tf.shape(x)[1] if x.shape[1] is None else x.shape[1]
        earlier = tf.pad(x, [[0, 0], [self.dilation, 0], [0, 0]])[:, :n]
        both = tf.concat([earlier, x], axis=-1)
        return self.shown(both @ tf.reshape(self.kernel, (-1, self.filters)) + self.bias)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        """As long as the input."""
        return (*input_shape[:-1], self.filters)
