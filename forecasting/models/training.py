"""The training loop: one compiled program does many gradient steps, and a program is kept for the next fit like it.

Keras' `fit` returns to Python after every step; for networks of some twenty units that costs about ten times the
arithmetic. Here the data lie in memory as tensors, and one XLA program walks over the shuffled batches by itself. It takes
the first and the last batch as arguments, so one compilation serves blocks of any length: long epochs are cut into blocks
of about a quarter of a second, after each of which progress is reported and a wish to stop is heard.
"""

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from forecasting.data.windows import Split, Windows
from forecasting.experiment import BadInput, Training
from forecasting.models.base import Control, Fitted, Learned, NetworkModel, Progress, Shape
from forecasting.models.history import BudgetSpent, History, Stopped

log = logging.getLogger(__name__)

BLOCK_S = 0.25
"""Aim for the length of a block of steps, in seconds."""
PREDICT_ROWS = 1024
"""Windows per call of the forecasting program."""
KEPT_PROGRAMS = 8

_programs: OrderedDict[tuple, "Program"] = OrderedDict()


class Diverged(ArithmeticError):
    """The loss left the real numbers."""


def devices() -> list[str]:
    """Name the devices that networks can be trained on: `CPU`, and `GPU:0` … where TensorFlow sees them."""
    return ["CPU"] + [f"GPU:{i}" for i in range(len(tf.config.list_physical_devices("GPU")))]


def _draws(network: keras.Model) -> list:
    """Where the random numbers of a network's dropout have got to."""
    weights = {id(variable) for variable in network.weights}
    return [variable for variable in network.variables if id(variable) not in weights]


class Program:
    """A network, its optimiser, and their compiled programs; weights are set anew for every fit."""

    def __init__(self, model: NetworkModel, shape: Shape, training: Training) -> None:
        self.model, self.shape = model, shape
        self.device = f"/{training.device}:0" if training.device == "CPU" else f"/{training.device}"
        with tf.device(self.device):
            self.pair = model.network(shape)
            self.network = self.pair.learner
            self.optimizer = keras.optimizers.get(training.optimizer)
            self.optimizer.build(self.network.trainable_variables)
        self._optimizer_start = [variable.numpy() for variable in self.optimizer.variables]
        # The loop is written out, so that nothing hangs on AutoGraph, which does not read the newest Pythons.
        self._steps = tf.function(self._take_steps, jit_compile=True, autograph=False)
        self._forward = tf.function(lambda x: self.pair.forecaster(x, training=False), jit_compile=True, autograph=False)

    def reset(self, seed: int, learning_rate: float) -> None:
        """Draw the weights that a fresh network of this seed has, and forget what the optimiser has seen."""
        keras.utils.set_random_seed(seed)
        with tf.device(self.device):
            fresh = self.model.network(self.shape).learner
        self.network.set_weights(fresh.get_weights())
        for variable, start in zip(_draws(self.network), _draws(fresh), strict=True):
            variable.assign(start)
        for variable, start in zip(self.optimizer.variables, self._optimizer_start, strict=True):
            variable.assign(start)
        self.optimizer.learning_rate.assign(learning_rate)

    def go_on(self, weights: list[np.ndarray], memory: list[np.ndarray]) -> None:
        """Take the place of a fit that ended with these weights and this memory."""
        self.network.set_weights(weights)
        for variable, value in zip(self._remembered, memory, strict=True):
            variable.assign(value)

    @property
    def memory(self) -> list[np.ndarray]:
        """What a fit remembers beside the weights: the optimiser's variables, and where dropout's random numbers are."""
        return [variable.numpy() for variable in self._remembered]

    @property
    def _remembered(self) -> list:
        return [*self.optimizer.variables, *_draws(self.network)]

    def steps(self, data: "Tensors", batches: tuple[tf.Tensor, tf.Tensor], first: int, last: int) -> float:
        """Take the gradient steps `first` … `last - 1` and return the sum of squared errors that they saw."""
        rows, weights = batches
        with tf.device(self.device):
            bounds = tf.constant(first), tf.constant(last)
            return float(self._steps(data.x, data.y, data.path, rows, weights, *bounds))

    def _take_steps(self, x, y, path, rows, weights, first, last):  # type: ignore[no-untyped-def]  # traced by TensorFlow
        def step(i, seen):  # type: ignore[no-untyped-def]
            xb, yb, pb = (tf.gather(part, rows[i]) for part in (x, y, path))
            weight = weights[i]
            targets = self.pair.targets(xb, yb, pb, self.shape)
            with tf.GradientTape() as tape:
                errors = tf.square(self.network(self.pair.inputs(xb, pb), training=True) - targets)
                squares = tf.reduce_mean(errors, axis=list(range(1, len(errors.shape))))
                error = tf.reduce_sum(weight * squares)
                loss = error / tf.reduce_sum(weight)
            gradients = tape.gradient(loss, self.network.trainable_variables)
            self.optimizer.apply(gradients, self.network.trainable_variables)
            return i + 1, seen + error

        # Not over tf.range: XLA would compile its bounds in, and so compile anew for every block.
        return tf.while_loop(lambda i, _: i < last, step, (first, tf.constant(0.0)))[1]

    def predict(self, x: np.ndarray, control: Control | None = None) -> np.ndarray:
        """Forecast `(n_windows, n_outputs)`, float32, in calls of one fixed size.

        Raises:
            Stopped: when `control` says so between two calls.
        """
        rows = PREDICT_ROWS
        y_hat = np.empty((len(x), self.shape.n_outputs), dtype="float32")
        for start in range(0, len(x), rows):
            if control is not None and control.should_stop():
                raise Stopped
            piece = x[start : start + rows]
            padded = np.concatenate([piece, np.zeros((rows - len(piece), *x.shape[1:]), "float32")])
            with tf.device(self.device):
                y_hat[start : start + rows] = self._forward(tf.constant(padded)).numpy()[: len(piece)]
        return y_hat


@dataclass(frozen=True)
class Tensors:
    """The training part on its device."""

    x: tf.Tensor
    y: tf.Tensor
    path: tf.Tensor


@dataclass(frozen=True)
class Network:
    """A trained network: its weights, and the program that forecasts with them."""

    program: Program
    weights: list[np.ndarray]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Forecast: `(n_windows, n_outputs)`."""
        self.program.network.set_weights(self.weights)
        return self.program.predict(np.asarray(x, "float32"))


def program_for(model: NetworkModel, shape: Shape, training: Training, n_windows: int = 0) -> Program:
    """Return the kept program for this network and these shapes, or make it; the few last used are kept."""
    key = (model.name, model.canonical(), shape, training.optimizer, training.device, training.batch_size, n_windows)
    if key not in _programs:
        if training.device not in devices():
            raise BadInput(f"This machine has no {training.device}: choose one of {', '.join(devices())}.")
        _programs[key] = Program(model, shape, training)
    _programs.move_to_end(key)
    while len(_programs) > KEPT_PROGRAMS:
        _programs.popitem(last=False)
    return _programs[key]


def load(model: NetworkModel, weights: list[np.ndarray], shape: Shape, control: Control) -> Fitted:
    """Return the network with given weights, ready to forecast."""
    return Network(program_for(model, shape, control.training), weights)


def train(model: NetworkModel, split: Split, control: Control) -> Learned:
    """Train a network by gradient descent on the mean squared error.

    Batches are drawn anew for every epoch from `numpy.random.default_rng(seed)`; the last, smaller batch counts with its
    own size. The same settings and seed give the same weights on the same machine, also when the fit goes on from a state
    that an earlier one of the same trunk has left.

    Raises:
        Diverged: when a loss turns NaN or infinite; the message says what to change.
        Stopped: when it was stopped before its first epoch had ended.
    """
    shape, history = Shape.of(split), History(control)
    program = program_for(model, shape, control.training, len(split.train))
    program.reset(control.seed, control.training.learning_rate)
    rng = np.random.default_rng(control.seed)
    if history.epochs:
        program.go_on(history.last, history.optimizer)
        for _ in range(history.epochs):
            rng.permutation(len(split.train))  # what the epochs before have drawn
    with tf.device(program.device):
        data = Tensors(*(tf.constant(part) for part in (split.train.x, split.train.y, split.train.path)))
    control.on_stage("compiling")
    try:
        while not history.is_over():
            _one_epoch(program, data, split.valid, rng, control, history)
    except Stopped:
        history.ended_early = "stopped"
    except BudgetSpent:
        log.info("the budget was spent in the middle of epoch %d", history.epochs + 1)
    return Learned(
        fitted=Network(program, history.kept()),
        epochs=history.epochs,
        state=history.state(),
        before_s=history.before_s,
        best_epoch=history.best_epoch,
        epoch_s=history.epoch_s,
        compile_s=history.compile_s,
        ended_early=history.ended_early,
    )


def _one_epoch(
    program: Program, data: Tensors, valid: Windows, rng: np.random.Generator, control: Control, history: History
) -> None:
    """Train and validate one epoch, and tell of it."""
    began, epoch = time.monotonic(), history.epochs + 1
    loss = _train_epoch(program, data, rng, control, history)
    trained_at = time.monotonic()
    valid_loss = _loss(program, valid, control)
    ended_at = time.monotonic()
    progress = Progress(epoch, loss, valid_loss, history.elapsed_s)
    control.on_epoch(progress)
    _refuse_divergence(progress, control.training)
    history.add(progress, program.network.get_weights(), program.memory, ended_at - began, ended_at - trained_at)
    control.on_state(history.state)


def _train_epoch(program: Program, data: Tensors, rng: np.random.Generator, control: Control, history: History) -> float:
    """Train one epoch in blocks; return its training loss."""
    batches, n = _shuffled(rng, len(data.x), control.training.batch_size)
    n_batches, error = len(batches[0]), 0.0
    for first, last in _blocks(n_batches, to_compile=history.compile_s is None):
        if control.should_stop():
            raise Stopped
        history.check_budget()
        began = time.monotonic()
        error += program.steps(data, batches, first, last)
        if history.compile_s is None:
            history.compile_s = time.monotonic() - began
            control.on_stage("training")
        if last < n_batches:
            control.on_fraction(history.epochs + 1, last / n_batches)
    return error / n


def _shuffled(rng: np.random.Generator, n: int, batch_size: int) -> tuple[tuple[tf.Tensor, tf.Tensor], int]:
    """Deal the windows into batches: row numbers and weights, each `(n_batches, batch_size)`; weight 0 fills the last."""
    n_batches = -(-n // batch_size)
    rows = np.zeros(n_batches * batch_size, dtype="int32")
    weights = np.zeros(n_batches * batch_size, dtype="float32")
    rows[:n], weights[:n] = rng.permutation(n), 1.0
    shape = (n_batches, batch_size)
    return (tf.constant(rows.reshape(shape)), tf.constant(weights.reshape(shape))), n


def _blocks(n_batches: int, to_compile: bool) -> Iterator[tuple[int, int]]:
    """Cut an epoch into blocks of about `BLOCK_S`; the very first one is a single step, for it is spent compiling."""
    first, size = 0, 1 if to_compile else max(1, n_batches // 50)
    while first < n_batches:
        last = min(n_batches, first + size)
        began = time.monotonic()
        yield first, last
        took = time.monotonic() - began
        warm = not (to_compile and first == 0)
        size = max(1, min(int(size * BLOCK_S / max(took, 1e-6)), 8 * size)) if warm else 4
        first = last


def _loss(program: Program, part: Windows, control: Control) -> float:
    """Mean squared error on a part, in the scale that the network sees."""
    y_hat = program.predict(part.x, control)
    return float(np.mean(np.square(y_hat.astype("float64") - part.y)))


def _refuse_divergence(progress: Progress, training: Training) -> None:
    if math.isfinite(progress.loss) and math.isfinite(progress.valid_loss):
        return
    raise Diverged(
        f"The loss is no longer a number after epoch {progress.epoch}: the learning rate {training.learning_rate:g} is "
        f"too high for this network. Try {training.learning_rate / 10:g}."
    )
