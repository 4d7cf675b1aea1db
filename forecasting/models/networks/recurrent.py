"""Recurrent layers and backpropagation through time, written out.

Keras goes along the look-back once per layer, and has what it did differentiated automatically. Here one loop over time
carries the whole stack, and its gradient is one loop back. Whatever does not depend on the step before is left out of the
loops and done for all steps at once: the products of the weights with the series, the slopes of the gates, the gradients of
the weights. The weights are those of Keras' layers, and the numbers agree with theirs to rounding.

All cells have one form. A cell sees what stands below it at this step, x, and its own state of the step before, h. All
steps share the weights W and U:

    total = W · x + U · h + b,    states = step(total, states)

On the way back it is given the error of its state: what comes down from the cell above, and what comes back from the step
after. From it follows the error of its total, and from that those of x and h:

    δ = slopes · errors,    error of x = Wᵀ · δ,    error of h = Uᵀ · δ

The slopes are known as soon as the way forward is done, so that the way back only multiplies. As all steps share their
weights, the gradient is a sum over time: Σ δ · [x, h]ᵀ, one large product when the loop has ended (Werbos, "Backpropagation
through time: what it does and how to do it", 1990).

Arrays have the windows of the batch as their last axis, so that gates are whole blocks in memory: `(units, batch)`, and
`(steps, units, batch)` for all steps. `docs/performance.md` tells what that is good for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from keras import layers

from forecasting.models.networks.recurrent_cells import CELLS, RecurrentCell, Tensor, Tensors, earlier


@dataclass(frozen=True)
class Part:
    """A layer of the stack: its cell, its joined weights (`RecurrentCell.joined`), and how many inputs it has."""

    cell: RecurrentCell
    weights: Tensor
    bias: Tensor
    n_inputs: int


class Stack(layers.Layer):
    """Layers of Keras' (SimpleRNN, LSTM, GRU, without dropout) that run along the look-back together.

    Args:
        stacked: the layers, from the bottom; they make and keep the weights.
        whole_sequence: give the top state after every step, `(batch, steps, units)`, not after the last alone.
    """

    def __init__(self, stacked: Sequence[layers.RNN], whole_sequence: bool) -> None:
        super().__init__()
        self.stacked, self.whole_sequence = list(stacked), whole_sequence

    def build(self, shape: Any) -> None:
        """Let the layers make their weights."""
        for layer in self.stacked:
            layer.build(shape)
            shape = (*shape[:2], layer.units)

    def compute_output_shape(self, shape: Any) -> Any:
        """`(batch, steps, units)`, or `(batch, units)`."""
        units = self.stacked[-1].units
        return (*shape[:2], units) if self.whole_sequence else (shape[0], units)

    def call(self, x: Tensor) -> Tensor:
        """Walk along `x`, `(batch, steps, features)`."""

        @tf.custom_gradient
        def run(x: Tensor, *weights: Tensor) -> tuple[Tensor, Callable[[Tensor], list[Tensor]]]:
            series, parts = tf.transpose(x, (1, 2, 0)), self._parts(weights)
            last, kept = _forward(series, parts)
            top = last[-1][0]

            def gradient(error: Tensor) -> list[Tensor]:
                errors = tf.transpose(error, (1, 2, 0)) if self.whole_sequence else tf.transpose(error)
                of_series, *of_weights = _backward(series, parts, kept, errors)
                return [tf.transpose(of_series, (2, 0, 1)), *of_weights]

            if self.whole_sequence:
                return tf.transpose(parts[-1].cell.shown(kept[-1]), (2, 0, 1)), gradient
            return tf.transpose(top), gradient

        return run(x, *[tf.convert_to_tensor(weight) for layer in self.stacked for weight in layer.weights])

    def _parts(self, weights: Sequence[Tensor]) -> list[Part]:
        parts = []
        for i, layer in enumerate(self.stacked):
            cell, own = CELLS[type(layer)](layer), weights[3 * i : 3 * i + 3]
            parts.append(Part(cell, *cell.joined(*own), own[0].shape[0]))
        return parts


def _forward(x: Tensor, parts: list[Part]) -> tuple[list[Tensors], list[Tensors]]:
    """Walk from the first step to the last.

    Args:
        x: the series, `(steps, features, batch)`.

    Returns:
        Per layer its states after the last step, `(units, batch)`, and what was kept, each `(steps, size, batch)`.
    """
    n_steps, n_features, batch = _sizes(x)
    of_series = tf.einsum("tfb,fg->tgb", x, parts[0].weights[:n_features]) + parts[0].bias
    upwards = [tf.transpose(part.weights) for part in parts]
    upwards[0] = upwards[0][:, n_features:]

    def step(t: Tensor, before: list[Tensors], kept: list) -> tuple:
        after: list[Tensors] = []
        keeping = []
        for i, part in enumerate(parts):
            if i == 0:
                total = upwards[0] @ before[0][0] + of_series[t]
            else:
                total = upwards[i] @ tf.concat([after[-1][0], before[i][0]], axis=0) + part.bias
            new, keep = part.cell.step(total, before[i])
            after.append(new)
            keeping.append([tape.write(t, value) for tape, value in zip(kept[i], keep, strict=True)])
        return t + 1, after, keeping

    kept = [[_tape(n_steps, n * part.cell.units, batch) for n in part.cell.kept] for part in parts]
    loop = (0, _nothing(parts, batch), kept)
    _, last, kept = tf.while_loop(lambda t, *_: t < n_steps, step, loop, maximum_iterations=n_steps)
    return last, [tuple(tape.stack() for tape in layer) for layer in kept]


def _backward(x: Tensor, parts: list[Part], kept: list[Tensors], errors: Tensor) -> list[Tensor]:
    """Walk from the last step to the first, and then sum up over time.

    Args:
        errors: of the top state, after every step `(steps, units, batch)`, or only after the last, `(units, batch)`.

    Returns:
        The gradients of the series, `(steps, features, batch)`, and of all weights.
    """
    n_steps, n_features, batch = _sizes(x)
    at_every_step = len(errors.shape) == 3
    slopes = [part.cell.slopes(layer) for part, layer in zip(parts, kept, strict=True)]
    downwards = [part.weights for part in parts]
    downwards[0] = downwards[0][n_features:]
    start = _nothing(parts, batch)
    if not at_every_step:
        start[-1] = (errors, *start[-1][1:])

    def step(t: Tensor, after: list[Tensors], totals: list) -> tuple:
        come, before, written = errors[t] if at_every_step else None, list(after), list(totals)
        for i in reversed(range(len(parts))):
            part, now = parts[i], after[i] if come is None else (after[i][0] + come, *after[i][1:])
            total, past = part.cell.back(now, tuple(slope[t] for slope in slopes[i]))
            written[i] = totals[i].write(t, total)
            to_inputs = downwards[i] @ total
            come, to_state = (to_inputs[: part.n_inputs], to_inputs[part.n_inputs :]) if i else (None, to_inputs)
            before[i] = (to_state if past[0] is None else to_state + past[0], *past[1:])
        return t - 1, before, written

    loop = (n_steps - 1, start, [_tape(n_steps, part.cell.n_blocks * part.cell.units, batch) for part in parts])
    _, _, totals = tf.while_loop(lambda t, *_: t >= 0, step, loop, maximum_iterations=n_steps)
    totals = [tape.stack() for tape in totals]
    gradients = [tf.einsum("tgb,fg->tfb", totals[0], parts[0].weights[:n_features])]
    shown = [x, *(part.cell.shown(layer) for part, layer in zip(parts, kept, strict=True))]
    for i, part in enumerate(parts):
        seen = _all_steps(tf.concat([shown[i], earlier(shown[i + 1])], axis=1))
        error = _all_steps(totals[i])
        joined = tf.matmul(seen, error, transpose_b=True)
        gradients += part.cell.parted(joined, tf.reduce_sum(error, axis=1), part.n_inputs)
    return gradients


def _all_steps(values: Tensor) -> Tensor:
    """`(steps, size, batch)` as `(size, steps × batch)`."""
    return tf.reshape(tf.transpose(values, (1, 0, 2)), (values.shape[1], -1))


def _sizes(x: Tensor) -> list:
    """The shape, as numbers where they are known: compiled programs need them, and Keras' own `fit` leaves some open."""
    return [x.shape[i] or tf.shape(x)[i] for i in range(len(x.shape))]


def _nothing(parts: list[Part], batch: int) -> list[Tensors]:
    """The states before the first step, and their errors after the last."""
    return [tuple(tf.zeros((part.cell.units, batch)) for _ in range(part.cell.n_states)) for part in parts]


def _tape(n_steps: int, size: int, batch: int) -> tf.TensorArray:
    """Room for a value of every step."""
    return tf.TensorArray(tf.float32, n_steps, element_shape=(size, batch if isinstance(batch, int) else None))
