"""A network and its compiled programs, kept for the next fit like it.

Keras' `fit` returns to Python after every step; for networks of some twenty units that costs about ten times the
arithmetic. Here the data lie in memory as tensors, and one XLA program goes over the shuffled batches by itself. It takes
the first and the last batch as arguments, so one compilation serves blocks of any length.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from forecasting.data.windows import Windows
from forecasting.experiment import BadInput, Training
from forecasting.models.learning import Control, Fitted, Shape, Stopped
from forecasting.models.networks.runtime import devices

if TYPE_CHECKING:
    from forecasting.models.base import NetworkModel

PREDICT_ROWS = 1024
"""Windows per call of the forecasting program; fewer where look-backs are long, so that their states stay small."""
PREDICT_VALUES = 100 * PREDICT_ROWS
KEPT_PROGRAMS = 8

_programs: OrderedDict[tuple, "Program"] = OrderedDict()

LOSSES = {
    "mse": tf.square,
    "mae": tf.abs,
    "huber": lambda e: tf.where(tf.abs(e) <= 1, 0.5 * tf.square(e), tf.abs(e) - 0.5),
}
"""What is minimised, of an error."""


@dataclass(frozen=True)
class Tensors:
    """The training part on its device."""

    x: tf.Tensor
    y: tf.Tensor
    y_path: tf.Tensor

    @classmethod
    def of(cls, part: Windows, device: str) -> "Tensors":
        """Copy it there."""
        with tf.device(device):
            return cls(*(tf.constant(values) for values in (part.x, part.y, part.y_path)))


@dataclass(frozen=True)
class Batches:
    """Batches of one size: what an epoch, or a part of it, goes over.

    Attributes:
        rows: which windows, `(n_batches, batch_size)`, int32.
        weights: how much each counts, of the same shape; 0 for those that only fill up the last batch.
        counts: how many windows each batch has, `(n_batches,)`.
        rates: the learning rate of each batch, `(n_batches,)`.
    """

    rows: np.ndarray
    weights: np.ndarray
    counts: np.ndarray
    rates: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def tensors(self) -> tuple[tf.Tensor, ...]:
        """All four, as tensors."""
        return tuple(tf.constant(values) for values in (self.rows, self.weights, self.counts, self.rates))


class Program:
    """A network, its optimiser, and their compiled programs; weights are set anew for every fit.

    Args:
        model: which network.
        shape: of its windows.
        training: loss, optimiser, gradient clipping and device.
    """

    def __init__(self, model: "NetworkModel", shape: Shape, training: Training) -> None:
        self.model, self.shape, self.loss = model, shape, LOSSES[training.loss]
        self.device = f"/{training.device}:0" if training.device == "CPU" else f"/{training.device}"
        with tf.device(self.device):
            self.networks = model.network(shape)
            self.network = self.networks.training_model
            config = {"global_clipnorm": training.clip_norm}
            self.optimizer = keras.optimizers.get({"class_name": training.optimizer, "config": config})
            self.optimizer.build(self.network.trainable_variables)
        self._optimizer_start = [variable.numpy() for variable in self.optimizer.variables]
        # The loop is written out, so that nothing hangs on AutoGraph, which does not read the newest Pythons.
        self._steps = tf.function(self._take_steps, jit_compile=True, autograph=False)
        self._forward = tf.function(
            lambda x: self.networks.prediction_model(x, training=False), jit_compile=True, autograph=False
        )

    @property
    def mixes_windows(self) -> bool:
        """Whether a forecast depends on the rest of its batch (batch normalisation): then no batch may be padded."""
        layers = self.network._flatten_layers(include_self=False)
        return any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)

    def reset(self, seed: int) -> None:
        """Draw the weights that a fresh network of this seed has, and forget what the optimiser has seen."""
        keras.utils.set_random_seed(seed)
        with tf.device(self.device):
            fresh = self.model.network(self.shape).training_model
        self.network.set_weights(fresh.get_weights())
        for variable, start in zip(_draws(self.network), _draws(fresh), strict=True):
            variable.assign(start)
        for variable, start in zip(self.optimizer.variables, self._optimizer_start, strict=True):
            variable.assign(start)

    def go_on(self, weights: list[np.ndarray], memory: list[np.ndarray]) -> None:
        """Restore the weights of a fit, and its optimiser's state."""
        self.network.set_weights(weights)
        for variable, value in zip(self._remembered, memory, strict=True):
            variable.assign(value)

    @property
    def memory(self) -> list[np.ndarray]:
        """What a fit goes on with beside the weights: the optimiser's variables, the states of dropout's random numbers."""
        return [variable.numpy() for variable in self._remembered]

    @property
    def _remembered(self) -> list:
        return [*self.optimizer.variables, *_draws(self.network)]

    def steps(self, data: Tensors, batches: tuple[tf.Tensor, ...], first: int, last: int, seen: float = 0.0) -> float:
        """Take the gradient steps `first` … `last - 1` and return the weighted sum of squared errors that they saw.

        Args:
            data: the training part.
            batches: from `Batches.tensors`.
            first, last: the steps.
            seen: the sum so far; going on from it gives the same bits wherever an epoch is cut into blocks.
        """
        with tf.device(self.device):
            bounds = tf.constant(first), tf.constant(last), tf.constant(seen)
            return float(self._steps(data.x, data.y, data.y_path, *batches, *bounds))

    def _take_steps(self, x, y, y_path, rows, weights, counts, rates, first, last, seen):  # type: ignore[no-untyped-def]  # traced
        def step(i, seen):  # type: ignore[no-untyped-def]
            xb, yb, pb = (tf.gather(part, rows[i]) for part in (x, y, y_path))
            targets = self.networks.targets(xb, yb, pb, self.shape)
            with tf.GradientTape() as tape:
                errors = self.network(self.networks.inputs(xb, pb), training=True) - targets
                loss = tf.reduce_sum(weights[i] * _per_window(self.loss(errors))) / counts[i]
            gradients = tape.gradient(loss, self.network.trainable_variables)
            self.optimizer.learning_rate.assign(rates[i])
            self.optimizer.apply(gradients, self.network.trainable_variables)
            return i + 1, seen + tf.reduce_sum(weights[i] * _per_window(tf.square(errors)))

        # Not over tf.range: XLA would compile its bounds in, and so compile anew for every block.
        return tf.while_loop(lambda i, _: i < last, step, (first, seen))[1]

    def predict(self, x: np.ndarray, control: Control | None = None) -> np.ndarray:
        """Forecast `(n_windows, n_outputs)`, float32, in calls of a size that the look-back decides.

        Raises:
            Stopped: when `control` says so between two calls.
        """
        rows = max(32, min(PREDICT_ROWS, PREDICT_VALUES // x.shape[1]))
        y_hat = np.empty((len(x), self.shape.n_outputs), dtype="float32")
        for start in range(0, len(x), rows):
            if control is not None and control.should_stop():
                raise Stopped
            piece = x[start : start + rows]
            padded = np.concatenate([piece, np.zeros((rows - len(piece), *x.shape[1:]), "float32")])
            with tf.device(self.device):
                y_hat[start : start + rows] = self._forward(tf.constant(padded)).numpy()[: len(piece)]
        return y_hat


def _per_window(values: tf.Tensor) -> tf.Tensor:
    """The mean over all but the windows."""
    return tf.reduce_mean(values, axis=list(range(1, len(values.shape))))


def _draws(network: keras.Model) -> list:
    """The states of the random numbers of a network's dropout."""
    weights = {id(variable) for variable in network.weights}
    return [variable for variable in network.variables if id(variable) not in weights]


@dataclass(frozen=True)
class Network:
    """A trained network: its weights, and the program that forecasts with them."""

    program: Program
    weights: list[np.ndarray]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Forecast: `(n_windows, n_outputs)`."""
        self.program.network.set_weights(self.weights)
        return self.program.predict(np.asarray(x, "float32"))


def program_for(model: "NetworkModel", shape: Shape, training: Training, n_windows: int = 0) -> Program:
    """Return the kept program for this network and these shapes, or make it; the few last used are kept.

    Args:
        model: which network.
        shape: of its windows.
        training: of it optimiser, gradient clipping, loss, device and batch size decide which program is needed.
        n_windows: of the training part, which decides it too; 0 to forecast alone.

    Raises:
        BadInput: when the machine has no such device.
    """
    how = (training.optimizer, training.clip_norm, training.loss, training.device, training.batch_size)
    key = (model.name, model.canonical(), shape, *how, n_windows)
    if key not in _programs:
        if training.device not in devices():
            raise BadInput(f"This machine has no {training.device}: choose one of {', '.join(devices())}.")
        _programs[key] = Program(model, shape, training)
    _programs.move_to_end(key)
    while len(_programs) > KEPT_PROGRAMS:
        _programs.popitem(last=False)
    return _programs[key]


def load(model: "NetworkModel", weights: list[np.ndarray], shape: Shape, control: Control) -> Fitted:
    """Return the network with given weights, ready to forecast.

    Args:
        model: which network.
        weights: in the order of Keras' `get_weights`.
        shape: of the windows to be forecast.
        control: of it only the training settings are used, as in `program_for`.

    Raises:
        BadInput: when the machine has no such device.
    """
    return Network(program_for(model, shape, control.training), weights)
