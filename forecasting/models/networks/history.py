"""What a fit by gradient descent remembers from epoch to epoch: its weights, its best ones, and its state."""

import math
import time
from statistics import median

import numpy as np

from forecasting.models.learning import Arrays, Control, Progress, Stopped

Weights = list[np.ndarray]


class History:
    """The epochs of a fit. A state, as `state()` returns it, lets another fit go on as if it had never ended.

    Args:
        control: training settings, and the state to go on from.
    """

    def __init__(self, control: Control) -> None:
        self.training, self._began = control.training, time.monotonic()
        self.compile_s: float | None = None
        self.ended_early: str | None = None
        self._seconds: list[float] = []
        state = dict(control.state or {})
        self.epochs, self.best_epoch = int(state.get("epoch", 0)), int(state.get("best_epoch", 0))
        self._best_loss = float(state.get("best_loss", math.inf))
        self.before_s = float(state.get("elapsed_s", 0.0))
        self._epoch_s_before = float(state.get("epoch_s", 0.0))
        self.last, self.optimizer, self._best = (numbered(state, name) for name in ("last", "optimizer", "best"))

    @property
    def elapsed_s(self) -> float:
        """Seconds spent on training, those before the state was taken included."""
        return self.before_s + time.monotonic() - self._began

    @property
    def epoch_s(self) -> float:
        """Seconds per epoch: the median, without the first, which compiles."""
        return median(self._seconds[1:] or self._seconds or [self._epoch_s_before])

    def add(self, progress: Progress, weights: Weights, optimizer: Weights, seconds: float) -> None:
        """Take in a finished epoch.

        Args:
            progress: its number, from 1, and its losses.
            weights: of the network after it.
            optimizer: the optimiser's variables after it, and the states of dropout's random numbers (`Program.memory`).
            seconds: its duration, validation included.
        """
        self.epochs, self.last, self.optimizer = progress.epoch, weights, optimizer
        self._seconds.append(seconds)
        if progress.valid_loss < self._best_loss:
            self._best_loss, self.best_epoch, self._best = progress.valid_loss, progress.epoch, weights

    def state(self) -> Arrays:
        """All that the next epoch depends on, as arrays; empty before the first epoch has ended."""
        if not self.epochs:
            return {}
        figures = {
            "epoch": self.epochs,
            "best_epoch": self.best_epoch,
            "best_loss": self._best_loss,
            "elapsed_s": self.elapsed_s,
            "epoch_s": self.epoch_s,
        }
        lists = {"last": self.last, "optimizer": self.optimizer, "best": self._best}
        arrays = {f"{name}/{i}": array for name, values in lists.items() for i, array in enumerate(values)}
        return {name: np.asarray(value) for name, value in figures.items()} | arrays

    def kept(self) -> Weights:
        """The weights to keep: the best ones wherever the fit ended early or asks for them, else the last ones.

        Raises:
            Stopped: when no epoch has ended.
        """
        if not self.epochs:
            raise Stopped
        best = self.training.keep == "best" or self.training.patience is not None or self.ended_early is not None
        return self._best if best else self.last

    def is_over(self) -> bool:
        """Whether no further epoch is wanted: all are done, or patience is over."""
        patience = self.training.patience
        return self.epochs >= self.training.epochs or (patience is not None and self.epochs - self.best_epoch >= patience)


def numbered(arrays: Arrays, name: str) -> Weights:
    """The arrays `name/0`, `name/1` … in their order."""
    found = {int(key.removeprefix(f"{name}/")): value for key, value in arrays.items() if key.startswith(f"{name}/")}
    return [found[i] for i in sorted(found)]
