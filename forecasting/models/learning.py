"""What a fit is given and what comes of it: sizes, settings, progress, the fitted model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from forecasting.data import Split, n_features
from forecasting.experiment import Source, Task, Training

if TYPE_CHECKING:
    from forecasting.models.base import Model


@dataclass(frozen=True)
class Shape:
    """The sizes that a model is built for; the look-back is open for recurrent networks.

    A forecast holds `n_outputs` values: step after step, and of each step the first `n_targets` features. These are the last
    of `h` steps ahead; unless `h` is given, all.
    """

    input_size: int
    n_features: int
    n_outputs: int
    h: int = 0
    n_targets: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "h", self.h or self.n_steps)

    @classmethod
    def of(cls, split: Split) -> "Shape":
        """The shape of a split's windows."""
        part = split.valid
        return cls(part.x.shape[1], part.x.shape[2], part.y.shape[1], part.y_path.shape[1], part.n_targets)

    @classmethod
    def asked(cls, source: Source, task: Task, model: "Model") -> "Shape":
        """The shape of a task's windows, after differencing where the model learns from differences.

        Args:
            source: where the series come from; it says how many features a step has.
            task: look-back, horizon, channels to forecast and differencing.
            model: whether it learns from differences, which shorten the look-back.
        """
        taken, features = sum(task.lags) if model.takes_differences else 0, n_features(source)
        n_targets = task.n_targets(features)
        return cls(task.input_size - taken, features, len(task.steps) * n_targets, task.h, n_targets)

    @property
    def n_steps(self) -> int:
        """How many steps ahead are forecast."""
        return self.n_outputs // self.n_targets

    @property
    def steps(self) -> list[int]:
        """The steps ahead that are forecast, counted from 1."""
        return list(range(self.h - self.n_steps + 1, self.h + 1))

    @property
    def one_step(self) -> "Shape":
        """The shape of a model that forecasts the next value of every feature."""
        return replace(self, n_outputs=self.n_features, h=1, n_targets=self.n_features)


@dataclass(frozen=True)
class Progress:
    """One finished epoch: losses are mean squared errors in the scale that the model sees."""

    epoch: int
    loss: float
    valid_loss: float
    elapsed_s: float


def _nobody(*_: object) -> None:
    """The default callback: does nothing."""


Arrays = Mapping[str, np.ndarray]
"""Named arrays, as they are stored."""


@dataclass(frozen=True)
class Control:
    """Training settings, seed, and callbacks for progress and stop.

    Attributes:
        state: where an earlier fit of the same lineage has got to; the fit goes on from there.
        on_state: is given a function that returns where the fit has got to, after every epoch.
    """

    training: Training = field(default_factory=Training)
    seed: int = 0
    state: Arrays | None = None
    on_stage: Callable[[str], None] = _nobody
    on_epoch: Callable[[Progress], None] = _nobody
    on_fraction: Callable[[int, float], None] = _nobody
    on_state: Callable[[Callable[[], Arrays]], None] = _nobody
    should_stop: Callable[[], bool] = lambda: False


class Stopped(Exception):
    """Somebody asked the fit to end, and there is nothing worth keeping."""


class Diverged(ArithmeticError):
    """The loss left the real numbers."""


class Fitted(Protocol):
    """A model that has learned."""

    @property
    def weights(self) -> list[np.ndarray]:
        """All that was learned."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Forecast from look-backs `(n_windows, input_size, n_features)`: `(n_windows, n_outputs)`, scaled."""


@dataclass(frozen=True)
class Learned:
    """What `Model.fit` returns: the fitted model, how it came about, and where it has got to.

    `before_s` are the seconds that the fit had spent whose state it went on from; `ended_early` says what ended it before it
    was done.
    """

    fitted: Fitted
    epochs: int = 0
    state: Arrays = field(default_factory=dict)
    before_s: float = 0.0
    best_epoch: int | None = None
    epoch_s: float | None = None
    compile_s: float | None = None
    ended_early: str | None = None

    def whole(self) -> Fitted:
        """The fitted model, for whoever builds on it or keeps it.

        Raises:
            Stopped: when it ended before it was done.
        """
        if self.ended_early is not None:
            raise Stopped
        return self.fitted
