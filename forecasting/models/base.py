"""What a model is: a name, its parameters, and a way to learn from windows and forecast."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from forecasting.data.windows import Split
from forecasting.experiment import Training, Value

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Shape:
    """The sizes that a network is built for; the look-back is open for recurrent networks."""

    input_size: int
    n_features: int
    n_outputs: int

    @classmethod
    def of(cls, split: Split) -> "Shape":
        """The shape of a split's windows."""
        return cls(split.train.x.shape[1], split.train.x.shape[2], split.train.y.shape[1])


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
        started: when the fit began, on the monotonic clock; a time budget counts from here.
    """

    training: Training = field(default_factory=Training)
    seed: int = 0
    state: Arrays | None = None
    started: float = field(default_factory=time.monotonic)
    on_stage: Callable[[str], None] = _nobody
    on_epoch: Callable[[Progress], None] = _nobody
    on_fraction: Callable[[int, float], None] = _nobody
    on_state: Callable[[Callable[[], Arrays]], None] = _nobody
    should_stop: Callable[[], bool] = lambda: False


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

    `before_s` are the seconds that the fit had spent whose state it went on from.
    """

    fitted: Fitted
    epochs: int = 0
    state: Arrays = field(default_factory=dict)
    before_s: float = 0.0
    best_epoch: int | None = None
    epoch_s: float | None = None
    compile_s: float | None = None
    ended_early: str | None = None


class Model(Value):
    """A named way to forecast. Its fields are its parameters; each subclass is registered in `MODELS`."""

    name: ClassVar[str]
    title: ClassVar[str]
    group: ClassVar[str]
    description: ClassVar[str]
    trained: ClassVar[bool] = False
    """Learns by gradient descent: depends on the training settings and on a seed."""
    open_time: ClassVar[bool] = False
    """Takes look-backs of any length once fitted."""

    @property
    def label(self) -> str:
        """The model's name on charts, with the parameters that tell it from its siblings: those that are not default."""
        return ", ".join([self.title, *(str(value) for value in self.model_dump(exclude_defaults=True).values())])

    def n_parameters(self, shape: Shape) -> int:
        """How many numbers the model learns."""
        raise NotImplementedError

    def width(self, shape: Shape) -> int:
        """How many units work at each step of the look-back: what an epoch costs; 0 without gradient descent."""
        return 0

    def fit(self, split: Split, control: Control) -> Learned:
        """Learn from the training part; the validation part only selects."""
        raise NotImplementedError

    def load(self, weights: list[np.ndarray], shape: Shape, control: Control) -> Fitted:
        """Return the fitted model that `weights` came from."""
        raise NotImplementedError

    def reaches(self) -> tuple[float, float]:
        """The lowest and the highest value that the output can take."""
        return -math.inf, math.inf


class NetworkModel(Model):
    """A model that is a Keras network, trained by gradient descent. Only a worker loads Keras."""

    trained: ClassVar[bool] = True

    def width(self, shape: Shape) -> int:
        """One unit per output."""
        return shape.n_outputs

    def network(self, shape: Shape) -> "keras.Model":
        """Build the network, freshly initialised."""
        raise NotImplementedError

    def fit(self, split: Split, control: Control) -> Learned:
        """Train the network."""
        from forecasting.models.training import train

        return train(self, split, control)

    def load(self, weights: list[np.ndarray], shape: Shape, control: Control) -> Fitted:
        """Build the network and give it the weights."""
        from forecasting.models.training import load

        return load(self, weights, shape, control)
