"""What a fit by gradient descent remembers from epoch to epoch: its weights, its best ones, its time, and its state."""

import math
import time
from statistics import median

import numpy as np

from forecasting.experiment import BadInput
from forecasting.models.base import Arrays, Control, Progress

Weights = list[np.ndarray]
MARGIN = 1.05
"""An epoch that would end later than this multiple of the time budget is broken off, and does not count."""
PLANNED = 0.9
"""Share of what is left of a time budget that epochs are planned for: the others on the machine want their part too."""


class Stopped(Exception):
    """Somebody asked the fit to end."""


class BudgetSpent(Exception):
    """The time budget is spent in the middle of an epoch."""


class History:
    """The epochs of a fit. A state, as `state()` returns it, lets another fit go on as if it had never ended.

    Args:
        control: settings, start of the clock, and the state to go on from.
    """

    def __init__(self, control: Control) -> None:
        self.training, self._started, self._began = control.training, control.started, time.monotonic()
        self._planned = False
        self.compile_s: float | None = None
        self.ended_early: str | None = None
        self._seconds: list[float] = []
        self._scoring_s = 0.0
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

    def add(self, progress: Progress, weights: Weights, optimizer: Weights, seconds: float, scoring_s: float) -> None:
        """Take in a finished epoch: its losses, the weights and the optimiser's variables after it, and its duration."""
        self.epochs, self.last, self.optimizer = progress.epoch, weights, optimizer
        self._seconds.append(seconds)
        self._scoring_s = scoring_s
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

    # ---------------------------------------------------------------------------------------------------------- ends

    def plan(self, epoch_s: float) -> None:
        """Turn the time budget into a number of epochs that take so many seconds each."""
        left = PLANNED * ((self.training.budget_s or 0.0) - (time.monotonic() - self._started))
        self.training = self.training.model_copy(update={"epochs": max(1, int(left / max(epoch_s, 1e-6)))})
        self._planned = True

    @property
    def most_epochs(self) -> int:
        """Epochs after which the fit ends at the latest."""
        return self.training.epochs if self._planned else self.training.most_epochs

    def is_over(self) -> bool:
        """Whether no further epoch is wanted: all are done, patience is over, or the budget leaves no room for one."""
        patience, budget = self.training.patience, self.training.budget_s
        if self.epochs >= self.most_epochs:
            return True
        if patience is not None and self.epochs - self.best_epoch >= patience:
            return True
        if budget is None or not self._seconds:
            return False
        spent = self._spent_s()
        room = not self._planned and spent + self.epoch_s / 2 > budget
        return room or spent + self.epoch_s > MARGIN * budget

    def check_budget(self) -> None:
        """Break off an epoch when the budget is spent in the middle of it.

        Raises:
            BudgetSpent: so that the epochs before it are kept.
            BadInput: when it was the first epoch.
        """
        budget = self.training.budget_s
        if budget is None or self._spent_s() <= MARGIN * budget:
            return
        if self.epochs:
            raise BudgetSpent
        raise BadInput(
            f"The time budget of {budget:g} s was spent before the first epoch had ended: raise it, or take fewer series, "
            "steps or units."
        )

    def _spent_s(self) -> float:
        """Seconds since the fit began, and those that scoring validation and test will take in the end."""
        return time.monotonic() - self._started + 2 * self._scoring_s


def numbered(arrays: Arrays, name: str) -> Weights:
    """The arrays `name/0`, `name/1` … in their order."""
    found = {int(key.removeprefix(f"{name}/")): value for key, value in arrays.items() if key.startswith(f"{name}/")}
    return [found[i] for i in sorted(found)]
