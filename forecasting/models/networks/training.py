"""The training loop. Epochs are cut into blocks of about a quarter of a second, after each of which progress is reported
and a wish to stop is heard."""

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from forecasting.data.windows import Split, Windows
from forecasting.experiment import Training
from forecasting.models.learning import Control, Diverged, Learned, Progress, Shape, Stopped
from forecasting.models.networks.history import History
from forecasting.models.networks.program import Batches, Network, Program, Tensors, program_for
from forecasting.models.networks.schedule import rates

if TYPE_CHECKING:
    from forecasting.models.base import NetworkModel

BLOCK_S = 0.25
"""Aim for the length of a block of steps, in seconds."""


def train(model: "NetworkModel", split: Split, control: Control) -> Learned:
    """Train a network by gradient descent.

    Batches are drawn anew for every epoch from `numpy.random.default_rng(seed)`; the last, smaller batch counts with its
    own size. The same settings and seed give the same weights on the same machine, also when the fit goes on from a state
    that an earlier one of the same lineage has left, and however busy the machine is: blocks differ, and what they add up to
    does not.

    Args:
        model: which network.
        split: windows as it sees them; it learns from the training part, and the validation part chooses among epochs.
        control: training settings, seed, the state to go on from, and callbacks for progress and stop.

    Returns:
        The network with the weights to keep, and the state from which another fit can go on.

    Raises:
        Diverged: when a loss turns NaN or infinite; the message says what to change.
        Stopped: when it was stopped before its first epoch had ended.
    """
    program = program_for(model, Shape.of(split), control.training, len(split.train))
    loop = _Loop(program, split, control)
    try:
        loop.run()
    except Stopped:
        loop.history.ended_early = "stopped"
    history = loop.history
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


class _Loop:
    """One fit: epoch after epoch, until its history says that it is over."""

    def __init__(self, program: Program, split: Split, control: Control) -> None:
        self.program, self.split, self.control = program, split, control
        self.history = History(control)
        self.data = Tensors.of(split.train, program.device)
        self.rng = np.random.default_rng(control.seed)

    def run(self) -> None:
        """Train until the end."""
        history, seed = self.history, self.control.seed
        self.program.reset(seed)
        self.control.on_stage("compiling")
        if history.epochs:
            self.program.go_on(history.last, history.optimizer)
            for _ in range(history.epochs):
                self.rng.permutation(len(self.split.train))  # what the epochs before have drawn
        while not history.is_over():
            self._epoch()

    def _epoch(self) -> None:
        """Train and validate one epoch, and tell of it."""
        began, program, history = time.monotonic(), self.program, self.history
        loss = self._train_epoch()
        valid_loss = _mse(program, self.split.valid, self.control)
        progress = Progress(history.epochs + 1, loss, valid_loss, history.elapsed_s)
        self.control.on_epoch(progress)
        _refuse_divergence(progress, history.training)
        history.add(progress, program.network.get_weights(), program.memory, time.monotonic() - began)
        self.control.on_state(history.state)

    def _train_epoch(self) -> float:
        """Train one epoch in blocks; return its mean squared error."""
        history, error, done = self.history, 0.0, 0
        groups = self._dealt(history.epochs + 1)
        n_batches = sum(len(batches) for batches in groups)
        for batches in groups:
            tensors = batches.tensors()
            for first, last in _blocks(len(batches), to_compile=history.compile_s is None):
                if self.control.should_stop():
                    raise Stopped
                began = time.monotonic()
                error = self.program.steps(self.data, tensors, first, last, error)
                done += last - first
                if history.compile_s is None:
                    history.compile_s = time.monotonic() - began
                    self.control.on_stage("training")
                if done < n_batches:
                    self.control.on_fraction(history.epochs + 1, done / n_batches)
        return error / len(self.split.train)

    def _dealt(self, epoch: int) -> list[Batches]:
        """Deal the windows into batches. The last, smaller one is filled up with windows that do not count; where that would
        change what the network makes of the others, it is a group of its own."""
        n = len(self.split.train)
        order, size = self.rng.permutation(n).astype("int32"), min(self.history.training.batch_size, n)
        n_batches = -(-n // size)
        rate = rates(self.history.training, epoch, n_batches)
        whole = n // size if self.program.mixes_windows else n_batches
        cut = whole * size
        room = np.zeros(cut - min(n, cut))
        first = Batches(
            rows=np.append(order[:cut], room).astype("int32").reshape(whole, size),
            weights=np.append(np.ones(min(n, cut)), room).astype("float32").reshape(whole, size),
            counts=np.array([min(size, n - i * size) for i in range(whole)], "float32"),
            rates=rate[:whole],
        )
        if whole == n_batches:
            return [first]
        ones = np.ones((1, n - cut), "float32")
        return [first, Batches(order[None, cut:], ones, np.array([n - cut], "float32"), rate[whole:])]


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


def _mse(program: Program, part: Windows, control: Control) -> float:
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
