"""What a model is: a name, its parameters, and a way to learn from windows and forecast."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from annotated_types import Le
from pydantic import Field, model_validator

from forecasting.data import Split, n_features
from forecasting.experiment import BadInput, Source, Task, Training, Value, without

if TYPE_CHECKING:
    from forecasting.models.networks import Pair


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
        return cls(part.x.shape[1], part.x.shape[2], part.y.shape[1], part.path.shape[1], part.n_targets)

    @classmethod
    def asked(cls, source: Source, task: Task, model: "Model") -> "Shape":
        """The shape that a model sees of a task."""
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
    """Nobody listens."""


Arrays = Mapping[str, np.ndarray]
"""Named arrays, as they are stored."""


@dataclass(frozen=True)
class Control:
    """What a fit is given beside the data: settings, seed, and the lines to whoever waits for it.

    Attributes:
        state: where an earlier fit of the same trunk has got to; the fit goes on from there.
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


class Model(Value):
    """A named way to forecast. Its fields are its parameters; each subclass is registered in `MODELS`."""

    name: ClassVar[str]
    title: ClassVar[str]
    group: ClassVar[str]
    description: ClassVar[str]
    formula: ClassVar[str]
    """How it forecasts, in LaTeX."""
    trained: ClassVar[bool] = False
    """Learns by gradient descent: depends on the training settings and on a seed."""
    local: ClassVar[bool] = False
    """Is fitted anew to every window, and so forecasts a sample of them."""
    open_time: ClassVar[bool] = False
    """Takes look-backs of any length once fitted."""
    every_step: ClassVar[bool] = False
    """Learns from a forecast after every step of the look-back, though only its last one is scored."""
    combines: ClassVar[bool] = False
    """Is made of the forecasts of other models, and no fit of its own."""
    learns_from_windows: ClassVar[bool] = False
    """Learns weights from the training part, by gradient descent or at once."""
    takes_differences: ClassVar[bool] = False
    """Learns from differences, where the task asks for them."""
    only_with: ClassVar[Mapping[str, tuple[str, Any]]] = {}
    """Parameters that mean something only while another one has a certain value; otherwise they stay at their default."""
    tuned: ClassVar[Mapping[str, Any]] = {}
    """The parameters that measuring found best (docs/performance.md), where these are not the defaults."""
    reference: ClassVar[bool] = False
    """Knows what no forecaster can know: it is shown beside the models, and never ranked with them."""

    series_params: ClassVar[Mapping[str, Any]] = {}
    """The parameters that it has on whole series, where these are not the defaults."""

    @classmethod
    def for_series(cls, season_length: int) -> dict[str, Any]:
        """The parameters that it has on whole series of this season, unless others are chosen.

        A season that is longer than it takes is none to it.
        """
        field = cls.model_fields.get("season_length")
        bounds = [bound.le for bound in field.metadata if isinstance(bound, Le)] if field else []
        taken = any(season_length <= longest for longest in bounds)  # type: ignore[operator]  # they are numbers
        return {**cls.series_params, **({"season_length": season_length} if taken else {})}

    @classmethod
    def applies(cls, name: str, params: Mapping[str, Any]) -> bool:
        """Whether a parameter means something beside the others."""
        other, value = cls.only_with.get(name, (name, None))
        return other == name or params.get(other, cls.model_fields[other].get_default()) == value

    @model_validator(mode="before")
    @classmethod
    def _leave_what_means_nothing(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return without(data, *(name for name in cls.only_with if not cls.applies(name, data)))

    @property
    def label(self) -> str:
        """The model's name on charts, with the parameters that tell it from its siblings: those that are not default."""
        return ", ".join([self.title, *(str(value) for value in self.model_dump(exclude_defaults=True).values())])

    def n_parameters(self, shape: Shape) -> int:
        """How many numbers the model learns."""
        raise NotImplementedError

    def sampled(self, n_windows: int) -> np.ndarray:
        """Which windows of a part it forecasts, and is scored on: all, unless it is fitted to each of them."""
        return np.arange(n_windows)

    def width(self, shape: Shape) -> int:
        """How many units work at each step of the look-back: the size of a network; 0 without gradient descent."""
        return 0

    def work(self, shape: Shape, n_windows: int, training: Training) -> float:
        """What a fit costs, in units of work: about a microsecond of one core of 2026 each.

        A rough figure, calibrated once and never measured at run time: it decides what a time budget comes to, and what the
        page computes by itself.

        Args:
            shape: of the windows; for a model that is fitted to each of them `input_size` is the length of a history.
            n_windows: to learn from, or to be fitted to.
            training: epochs and batch size, for those that are trained.
        """
        return 0.02 * n_windows * shape.input_size

    def fit(self, split: Split, control: Control) -> Learned:
        """Learn from the training part; the validation part only selects."""
        raise NotImplementedError

    def load(self, weights: list[np.ndarray], shape: Shape, control: Control) -> Fitted:
        """Return the fitted model that `weights` came from; of a reference, which has learned nothing, there is none."""
        raise NotImplementedError

    def reaches(self) -> tuple[float, float]:
        """The lowest and the highest value that the output can take."""
        return -math.inf, math.inf


def sample_field(default: int) -> Any:
    """How many windows a model that is fitted to each of them takes."""
    return Field(
        default,
        ge=1,
        le=100_000,
        title="Windows",
        description="Windows of each part that are forecast and scored, spread evenly, as the model is fitted to every one.",
    )


class LocalModel(Model):
    """A model that is fitted anew to every window; nothing is learned from the training part."""

    local: ClassVar[bool] = True
    sample: int

    def sampled(self, n_windows: int) -> np.ndarray:
        """The windows of a part that are forecast."""
        return np.unique(np.linspace(0, n_windows - 1, min(self.sample, n_windows)).round().astype(int))

    def n_parameters(self, shape: Shape) -> int:
        """None that windows share."""
        return 0


class Learner(Model):
    """A model that learns weights, and goes several steps ahead directly or one step at a time."""

    learns_from_windows: ClassVar[bool] = True
    takes_differences: ClassVar[bool] = True

    strategy: Literal["direct", "iterated"] = Field(
        "direct",
        title="Several steps ahead",
        description="Direct: what is asked for is forecast at once. Iterated: the model learns the next step alone, and is "
        "fed its own forecasts.",
    )

    def n_parameters(self, shape: Shape) -> int:
        """How many numbers the model learns."""
        return self.count(self._learned(shape))

    def fit(self, split: Split, control: Control) -> Learned:
        """Learn what is asked for, or the next step alone."""
        if self.strategy == "direct":
            if split.train.path.shape[1] < split.valid.path.shape[1]:
                raise BadInput(
                    f"The training series end {split.train.path.shape[1]} step after the look-back, on a grid of their own: "
                    f"{self.title} can learn from them one step at a time alone (several steps ahead: iterated)."
                )
            return self.learn(split, control)
        learned = self.learn(split.next_step(), control)
        return replace(learned, fitted=self._ahead(learned.fitted, Shape.of(split)))

    def load(self, weights: list[np.ndarray], shape: Shape, control: Control) -> Fitted:
        """Return the fitted model that `weights` came from."""
        return self._ahead(self.restore(weights, self._learned(shape), control), shape)

    def _learned(self, shape: Shape) -> Shape:
        return shape if self.strategy == "direct" else shape.one_step

    def _ahead(self, fitted: Fitted, shape: Shape) -> Fitted:
        from forecasting.models.iterated import Iterated

        return fitted if self.strategy == "direct" else Iterated(fitted, shape)

    def count(self, shape: Shape) -> int:
        """How many numbers it learns for a shape."""
        raise NotImplementedError

    def learn(self, split: Split, control: Control) -> Learned:
        """Learn from the training part what it holds."""
        raise NotImplementedError

    def restore(self, weights: list[np.ndarray], shape: Shape, control: Control) -> Fitted:
        """Return what `learn` fitted."""
        raise NotImplementedError


class NetworkModel(Learner):
    """A model that is a Keras network, trained by gradient descent. Only a worker loads Keras."""

    trained: ClassVar[bool] = True

    def width(self, shape: Shape) -> int:
        """One unit per output."""
        return shape.n_outputs

    def uses(self, shape: Shape) -> int:
        """How often each weight is used per window: at every step of the look-back."""
        return shape.input_size

    def work(self, shape: Shape, n_windows: int, training: Training) -> float:
        """By the arithmetic of its weights, what a step costs however few they are, and what an epoch does."""
        learned = self._learned(shape)
        per_window = self.uses(learned) * (0.1 + 0.0004 * self.count(learned))
        return training.epochs * (5_000 + n_windows * per_window)

    def network(self, shape: Shape) -> "Pair":
        """Build the network, freshly initialised."""
        raise NotImplementedError

    def learn(self, split: Split, control: Control) -> Learned:
        """Train the network."""
        from forecasting.models.training import train

        return train(self, split, control)

    def restore(self, weights: list[np.ndarray], shape: Shape, control: Control) -> Fitted:
        """Build the network and give it the weights."""
        from forecasting.models.program import load

        return load(self, weights, shape, control)
