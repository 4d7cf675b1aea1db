"""A recurrent cell's step forward, and its step backward; `recurrent.py` goes along the steps.

A gate is a sigmoid, and a sigmoid is a tangent: σ(x) = (1 + tanh(x / 2)) / 2. So the weights of gates are halved, gates are
kept as tangents, from -1 to 1, and one call computes all of a cell.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import layers

Tensor = Any
Tensors = tuple[Tensor, ...]
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent as a quotient of polynomials, exact to 32 bits but for a unit or two in the last place.

    Eigen's coefficients. XLA has the same, and takes twice as long to handle what is very small or very large.
    """
    x = tf.clip_by_value(x, -7.90531110763549805, 7.90531110763549805)
    z = x * x
    odd, even = tf.zeros_like(z), tf.zeros_like(z)
    for c in (-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08):
        odd = odd * z + c
    for c in (1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03):
        odd = odd * z + c
    for c in (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03):
        even = even * z + c
    return x * odd / even


ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "linear": (tf.identity, tf.ones_like),
    "tanh": (tanh, lambda y: 1 - y * y),
    "sigmoid": (lambda x: 0.5 + 0.5 * tanh(0.5 * x), lambda y: y * (1 - y)),
    "relu": (tf.nn.relu, lambda y: tf.cast(y > 0, y.dtype)),
    "elu": (tf.nn.elu, lambda y: tf.where(y > 0, 1.0, y + 1)),
    "selu": (tf.nn.selu, lambda y: tf.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA)),
}
"""Activations, and their slopes where their values are y."""


class RecurrentCell:
    """`h = activation(total)`.

    Args:
        layer: Keras' layer, which says the activation and how many units there are.
    """

    n_states = 1
    """Vectors that a step hands to the next; the first is what the cell shows."""
    n_blocks = 1
    """Vectors in the total, one per gate."""
    kept: tuple[int, ...] = (1,)
    """Vectors that are kept of each step for the way back."""

    def __init__(self, layer: Any) -> None:
        self.activation, self.slope = ACTIVATIONS[layer.activation.__name__]
        self.units = layer.units

    def joined(self, kernel: Tensor, recurrent: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """`[W U]ᵀ` and `b` of the layer's weights: `(n_inputs + units, n_blocks × units)` and `(n_blocks × units, 1)`.

        Args:
            kernel, recurrent: of Keras' layer, `(n_inputs, k × units)` and `(units, k × units)`; k is 1, of an LSTM 4, of a
                GRU 3.
            bias: likewise, `(k × units,)`; of a GRU `(2, 3 × units)`.
        """
        return tf.concat([kernel, recurrent], axis=0), bias[:, None]

    def parted(self, joined: Tensor, bias: Tensor, n_inputs: int) -> list[Tensor]:
        """The gradients of the layer's weights, from those of `[W U]ᵀ` and `b`.

        Args:
            joined: the gradient of `[W U]ᵀ`, `(n_inputs + units, n_blocks × units)`.
            bias: the gradient of `b`, `(n_blocks × units,)`.
            n_inputs: rows of `joined` that belong to the kernel.

        Returns:
            Those of kernel, recurrent kernel and bias, in the shapes of the arguments of `joined`.
        """
        return [joined[:n_inputs], joined[n_inputs:], bias]

    def step(self, total: Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
        """The states after a step, and what is kept of it."""
        h = self.activation(total)
        return (h,), (h,)

    def shown(self, kept: Tensors) -> Tensor:
        """What the cell showed after each step."""
        return kept[-1]

    def slopes(self, kept: Tensors) -> Tensors:
        """Local derivatives of all steps at once, by which gradients are multiplied on the way back."""
        return (self.slope(kept[0]),)

    def back(self, errors: Tensors, slopes: Tensors) -> tuple[Tensor, Tensors]:
        """The gradient of the total, and those of the earlier states past it; None where there is none."""
        return errors[0] * slopes[0], (None,)


class LSTM(RecurrentCell):
    """`c = f ⊙ c + i ⊙ g, h = o ⊙ activation(c)` (Hochreiter and Schmidhuber, 1997)."""

    n_states, n_blocks, kept = 2, 4, (3, 1, 1)

    def joined(self, kernel: Tensor, recurrent: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The three gates first, halved, and then g."""
        weights, bias = (self._gates_first(w) for w in (tf.concat([kernel, recurrent], axis=0), bias[None]))
        halves = _halves(3, 4, self.units)
        return weights * halves, tf.transpose(bias * halves)

    def parted(self, joined: Tensor, bias: Tensor, n_inputs: int) -> list[Tensor]:
        """The gradients of kernel, recurrent kernel and bias, in Keras' order."""
        halves = _halves(3, 4, self.units)
        weights, bias = self._gates_first(joined * halves), self._gates_first(bias[None] * halves)[0]
        return [weights[:n_inputs], weights[n_inputs:], bias]

    def step(self, total: Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
        """The states h and c; the gates, g and c are kept."""
        u = self.units
        gates, g = tanh(total[: 3 * u]), self.activation(total[3 * u :])
        i, f, o = gates[:u], gates[u : 2 * u], gates[2 * u :]
        c = 0.5 * ((1 + f) * states[1] + (1 + i) * g)
        return (0.5 * (1 + o) * self.activation(c), c), (gates, g, c)

    def shown(self, kept: Tensors) -> Tensor:
        """What passed the output gate."""
        return 0.5 * (1 + kept[0][:, 2 * self.units :]) * self.activation(kept[2])

    def slopes(self, kept: Tensors) -> Tensors:
        """Of the blocks of the total, of c by h, and of c by the later c."""
        gates, g, c = kept
        i, f, o = tf.split(gates, 3, axis=1)
        shown = self.activation(c)
        return (
            0.5 * g * (1 - i * i),
            0.5 * earlier(c) * (1 - f * f),
            0.5 * shown * (1 - o * o),
            0.5 * (1 + i) * self.slope(g),
            0.5 * (1 + o) * self.slope(shown),
            0.5 * (1 + f),
        )

    def back(self, errors: Tensors, slopes: Tensors) -> tuple[Tensor, Tensors]:
        """Through the output gate to c, and on to the gates and to the earlier c."""
        of_i, of_f, of_o, of_g, of_shown, of_past = slopes
        of_c = errors[1] + errors[0] * of_shown
        blocks = [of_c * of_i, of_c * of_f, errors[0] * of_o, of_c * of_g]
        return tf.concat(blocks, axis=0), (None, of_c * of_past)

    @staticmethod
    def _gates_first(weights: Tensor) -> Tensor:
        """Change i, f, g, o into i, f, o, g, or back."""
        first, second, third, fourth = tf.split(weights, 4, axis=1)
        return tf.concat([first, second, fourth, third], axis=1)


class GRU(RecurrentCell):
    """`h = z ⊙ h + (1 - z) ⊙ activation(g + r ⊙ gₕ)` (Cho and others, 2014).

    The reset gate r stands between the candidate's share of x, g, and its share of h, gₕ: so these are blocks of their own.
    """

    n_blocks, kept = 4, (2, 1, 1, 1)

    def joined(self, kernel: Tensor, recurrent: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The two gates, halved, and then one block of the candidate for x alone and one for h alone."""
        u = self.units
        of_x = tf.concat([kernel, tf.zeros((kernel.shape[0], u))], axis=1)
        of_h = tf.concat([recurrent[:, : 2 * u], tf.zeros((u, u)), recurrent[:, 2 * u :]], axis=1)
        biases = tf.concat([bias[0, : 2 * u] + bias[1, : 2 * u], bias[0, 2 * u :], bias[1, 2 * u :]], axis=0)
        halves = _halves(2, 4, u)
        return tf.concat([of_x, of_h], axis=0) * halves, (biases * halves)[:, None]

    def parted(self, joined: Tensor, bias: Tensor, n_inputs: int) -> list[Tensor]:
        """The gradients of kernel, recurrent kernel, and the two biases."""
        u, halves = self.units, _halves(2, 4, self.units)
        joined, bias = joined * halves, bias * halves
        of_h = tf.concat([joined[n_inputs:, : 2 * u], joined[n_inputs:, 3 * u :]], axis=1)
        biases = tf.stack([bias[: 3 * u], tf.concat([bias[: 2 * u], bias[3 * u :]], axis=0)])
        return [joined[:n_inputs, : 3 * u], of_h, biases]

    def step(self, total: Tensor, states: Tensors) -> tuple[Tensors, Tensors]:
        """The state; the gates, the candidate, its share of h, and the state are kept."""
        u = self.units
        gates, g_h = tanh(total[: 2 * u]), total[3 * u :]
        z, r = gates[:u], gates[u:]
        g = self.activation(total[2 * u : 3 * u] + 0.5 * (1 + r) * g_h)
        h = g + 0.5 * (1 + z) * (states[0] - g)
        return (h,), (gates, g, g_h, h)

    def slopes(self, kept: Tensors) -> Tensors:
        """Of the blocks of the total, and of the state by the earlier one."""
        gates, g, g_h, h = kept
        z, r = tf.split(gates, 2, axis=1)
        of_g, passed = 0.5 * (1 - z) * self.slope(g), 0.5 * (1 + r)
        of_gates = 0.5 * (earlier(h) - g) * (1 - z * z), 0.5 * of_g * g_h * (1 - r * r)
        return *of_gates, of_g, of_g * passed, 0.5 * (1 + z)

    def back(self, errors: Tensors, slopes: Tensors) -> tuple[Tensor, Tensors]:
        """To both gates and the candidate, and past them to the earlier state."""
        *of_blocks, of_past = slopes
        return tf.concat([errors[0] * slope for slope in of_blocks], axis=0), (errors[0] * of_past,)


CELLS: dict[type, type[RecurrentCell]] = {layers.SimpleRNN: RecurrentCell, layers.LSTM: LSTM, layers.GRU: GRU}


def _halves(n: int, n_blocks: int, units: int) -> Tensor:
    """A half for each column of the first blocks, and one for those of the others."""
    return tf.concat([tf.fill((n * units,), 0.5), tf.ones(((n_blocks - n) * units,))], axis=0)


def earlier(values: Tensor) -> Tensor:
    """Of all steps the values one step earlier."""
    return tf.concat([tf.zeros_like(values[:1]), values[:-1]], axis=0)
