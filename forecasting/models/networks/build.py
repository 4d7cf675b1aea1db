"""The networks, built with Keras. Loaded in workers alone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
from keras import layers

from forecasting.models.learning import Shape
from forecasting.models.networks.cells import CausalConvolution, DecoderCell, cell_of, normalised_cell
from forecasting.models.networks.recurrent import Stack

if TYPE_CHECKING:
    from forecasting.models.convolutional import ConvGRU, WaveNet
    from forecasting.models.dense import MLP, NBEATS
    from forecasting.models.imputing import Imputer
    from forecasting.models.neural import RecurrentStack, SimpleRNN1
    from forecasting.models.sequences import EncoderDecoder, VectorToSequence

Tensor = Any
LAYERS = {"simple": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}


@dataclass(frozen=True)
class Network:
    """A network as it is trained and as it forecasts, on the same weights.

    Attributes:
        training_model: gives what the loss compares: the forecast, `(n, n_outputs)`; with `return_sequences` one at each
            of these steps of the look-back, `(n, n_steps, n_outputs)`.
        prediction_model: gives the forecast, `(n, n_outputs)`.
        return_sequences: the steps of the look-back after which the training model forecasts; None for its end alone.
        forced: the training model is given the true values ahead beside the look-back.
    """

    training_model: keras.Model
    prediction_model: keras.Model
    return_sequences: slice | None = None
    forced: bool = False

    def inputs(self, x: Tensor, y_path: Tensor) -> Tensor:
        """What the training model takes."""
        return (x, y_path) if self.forced else x

    def targets(self, x: Tensor, y: Tensor, y_path: Tensor, shape: Shape) -> Tensor:
        """What the training model's output is compared with: the values ahead of each of its steps.

        Args:
            x: look-backs, `(n, input_size, n_features)`.
            y: what is asked, `(n, n_outputs)`.
            y_path: all values ahead, `(n, h, n_features)`.
            shape: which steps ahead and how many features are forecast.

        Returns:
            `(n, n_outputs)`; with `return_sequences` `(n, n_steps, n_outputs)`, for those steps of the look-back.
        """
        if self.return_sequences is None:
            return y
        n, whole = x.shape[1], tf.concat([x, y_path], axis=1)[:, :, : shape.n_targets]
        return tf.concat([whole[:, step : step + n] for step in shape.steps], axis=-1)[:, self.return_sequences]


def alone(network: keras.Model) -> Network:
    """A network that is trained as it forecasts."""
    return Network(network, network)


def flat_dense(shape: Shape) -> Network:
    """Flatten the look-back into one row, and weigh it."""
    rows = keras.Input((shape.input_size, shape.n_features))
    return alone(keras.Model(rows, layers.Dense(shape.n_outputs)(layers.Flatten()(rows))))


def mlp(model: "MLP", shape: Shape) -> Network:
    """The flattened look-back through dense layers."""
    rows = keras.Input((shape.input_size, shape.n_features))
    out = layers.Flatten()(rows)
    for units in model.units:
        out = layers.Dense(units, activation="relu")(out)
    return alone(keras.Model(rows, layers.Dense(shape.n_outputs)(out)))


def nbeats(model: "NBEATS", shape: Shape) -> Network:
    """Blocks that forecast, and take from the look-back what they explain of it."""
    rows = keras.Input((shape.input_size, shape.n_features))
    left, forecasts = layers.Flatten()(rows), []
    for block in range(model.blocks):
        out = left
        for _ in range(model.layers_per_block):
            out = layers.Dense(model.units, activation="relu")(out)
        forecasts.append(layers.Dense(shape.n_outputs)(out))
        if block < model.blocks - 1:
            left = layers.Subtract()([left, layers.Dense(shape.input_size * shape.n_features)(out)])
    return alone(keras.Model(rows, layers.Add()(forecasts) if len(forecasts) > 1 else forecasts[0]))


def simple_rnn(model: "SimpleRNN1", shape: Shape) -> Network:
    """One recurrent neuron per output; time is open."""
    rows = keras.Input((None, shape.n_features))
    neurons = Stack([layers.SimpleRNN(shape.n_outputs, activation=model.activation)], whole_sequence=False)
    return alone(keras.Model(rows, neurons(rows)))


def recurrent_stack(model: "RecurrentStack", shape: Shape) -> Network:
    """Recurrent layers, each giving its whole sequence to the next, and an output at the last step or at every one."""
    every = model.return_sequences
    recurrent_output = model.output == "recurrent"
    rows = keras.Input((None, shape.n_features))
    if model.normalisation != "none" or model.dropout or model.recurrent_dropout:
        out = _one_after_the_other(model, rows, shape)
    else:
        stacked = [LAYERS[model.cell](units, activation=model.activation) for units in model.units]
        stacked += [layers.SimpleRNN(shape.n_outputs)] if recurrent_output else []
        out = Stack(stacked, whole_sequence=every)(rows)
    if not recurrent_output:
        out = layers.Dense(shape.n_outputs, activation=getattr(model, "output_activation", "linear"))(out)
    if not every:
        return alone(keras.Model(rows, out))
    return _last_of(rows, out, slice(-model.loss_last if model.loss_last else None, None))


def _one_after_the_other(model: "RecurrentStack", rows: Tensor, shape: Shape) -> Tensor:
    """The layers of a stack with normalisation or dropout, each giving its whole sequence to the next."""
    every, recurrent_output, states = model.return_sequences, model.output == "recurrent", rows
    for i, units in enumerate(model.units):
        whole_sequence = every or recurrent_output or i < len(model.units) - 1
        states = _recurrent(model, units, whole_sequence)(states)
        if model.normalisation == "batch":
            states = layers.BatchNormalization()(states)
    return layers.SimpleRNN(shape.n_outputs, return_sequences=every)(states) if recurrent_output else states


def _last_of(rows: Tensor, out: Tensor, return_sequences: slice) -> Network:
    """Train on the outputs of some steps, forecast with that of the last."""
    return Network(keras.Model(rows, out[:, return_sequences]), keras.Model(rows, out[:, -1]), return_sequences)


def _recurrent(model: "RecurrentStack", units: int, whole_sequence: bool) -> layers.Layer:
    dropout = {"dropout": model.dropout, "recurrent_dropout": model.recurrent_dropout}
    if model.normalisation == "layer":
        return layers.RNN(normalised_cell(model.cell, units, model.activation, **dropout), return_sequences=whole_sequence)
    how: dict[str, Any] = {"activation": model.activation, "return_sequences": whole_sequence, **dropout}
    # XLA cannot compile the cuDNN kernels that Keras would choose by itself.
    return LAYERS[model.cell](units, **how, **({} if model.cell == "simple" else {"use_cudnn": False}))


def vector_to_sequence(model: "VectorToSequence", shape: Shape) -> Network:
    """The flattened look-back, through a dense layer, is given to every step of a recurrent decoder."""
    rows = keras.Input((shape.input_size, shape.n_features))
    vector = layers.Dense(model.vector, activation=model.activation)(layers.Flatten()(rows))
    states = layers.RepeatVector(shape.h)(vector)
    for units in model.units:
        states = layers.RNN(cell_of(model.cell, units, model.activation), return_sequences=True)(states)
    return alone(keras.Model(rows, layers.Flatten()(layers.Dense(shape.n_targets)(states)[:, -shape.n_steps :])))


def encoder_decoder(model: "EncoderDecoder", shape: Shape) -> Network:
    """One stack of cells reads the look-back, another goes on from its states and is fed what it has forecast.

    With teacher forcing it is fed the true values while it learns.
    """
    rows = keras.Input((None, shape.n_features))
    states: Any = rows
    handed: list[Tensor] = []
    for units in model.units:
        states, *last = layers.RNN(cell_of(model.cell, units, model.activation), return_sequences=True, return_state=True)(
            states
        )
        handed += last
    cells = [cell_of(model.cell, units, model.activation) for units in model.units]
    decoder, output, n_targets = layers.StackedRNNCells(cells), layers.Dense(shape.n_targets), shape.n_targets
    last_seen = rows[:, -1, :n_targets]
    free = layers.RNN(DecoderCell(decoder, output, n_targets), return_sequences=True)
    ahead = free(layers.RepeatVector(shape.h)(last_seen), initial_state=[last_seen, *handed])
    prediction_model = keras.Model(rows, layers.Flatten()(ahead[:, -shape.n_steps :]))
    if not model.teacher_forcing:
        return alone(prediction_model)
    y_path = keras.Input((shape.h, shape.n_features))
    fed = rows[:, -1:, :n_targets]
    if shape.h > 1:
        fed = layers.Concatenate(axis=1)([fed, y_path[:, :-1, :n_targets]])
    shown = layers.RNN(decoder, return_sequences=True)(fed, initial_state=_nested(handed, decoder.state_size))
    taught = layers.Flatten()(output(shown)[:, -shape.n_steps :])
    return Network(keras.Model([rows, y_path], taught), prediction_model, forced=True)


def _nested(states: list[Tensor], sizes: Any) -> list[Any]:
    """States in the order of their cells, nested as a stack of cells wants them."""
    rest = iter(states)
    return [next(rest) if isinstance(size, int) else [next(rest) for _ in size] for size in sizes]


def conv_gru(model: "ConvGRU", shape: Shape) -> Network:
    """A convolution shortens the look-back, GRU layers read what it found; trained at every step of theirs."""
    rows = keras.Input((None, shape.n_features))
    states = layers.Conv1D(model.filters, model.kernel_size, strides=model.stride, padding="valid")(rows)
    states = Stack([layers.GRU(units) for units in model.units], whole_sequence=True)(states)
    out = layers.Dense(shape.n_outputs)(states)
    return_sequences = slice(model.kernel_size - 1, None, model.stride)
    return Network(keras.Model(rows, out), keras.Model(rows, out[:, -1]), return_sequences)


def wavenet(model: "WaveNet", shape: Shape) -> Network:
    """Causal convolutions, each looking twice as far back as the one below; trained at every step."""
    rows = keras.Input((None, shape.n_features))
    dilations = [2**i for i in range(model.layers_per_block)] * model.blocks
    states = _gated(model, rows, dilations) if model.gated else _plain(model, rows, dilations)
    return _last_of(rows, layers.Dense(shape.n_outputs)(states), slice(None))


def _plain(model: "WaveNet", states: Tensor, dilations: list[int]) -> Tensor:
    for dilation in dilations:
        states = CausalConvolution(model.filters, dilation, "relu")(states)
    return states


def _gated(model: "WaveNet", rows: Tensor, dilations: list[int]) -> Tensor:
    """Gates as in an LSTM, residual connections, and a way around all layers above (van den Oord and others, 2016)."""
    states, skipped = CausalConvolution(model.filters, 1, "linear")(rows), []
    for dilation in dilations:
        shown = CausalConvolution(model.filters, dilation, "tanh")(states)
        gate = CausalConvolution(model.filters, dilation, "sigmoid")(states)
        found = layers.Dense(model.filters)(layers.Multiply()([shown, gate]))
        skipped.append(found)
        states = layers.Add()([states, found])
    total = layers.Add()(skipped) if len(skipped) > 1 else skipped[0]
    return layers.Dense(model.filters, activation="relu")(layers.Activation("relu")(total))


def imputer(model: "Imputer", shape: Shape) -> Network:
    """Read the look-back in both directions, and correct the values that are asked for."""
    rows = keras.Input((shape.input_size, shape.n_features))
    n_values = shape.n_features // 3
    values, asked = rows[:, :, :n_values], rows[:, :, 2 * n_values :]
    both = layers.Bidirectional(layers.GRU(model.units, return_sequences=True, use_cudnn=False))
    correction = layers.Dense(n_values)(both(rows[:, :, : 2 * n_values]))
    filled = layers.Multiply()([layers.Add()([values, correction]), asked])
    return alone(keras.Model(rows, layers.Flatten()(filled)))
