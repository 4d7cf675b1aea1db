"""What a model is: a name, its parameters, and a way to learn from windows and forecast."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import Field, model_validator

from forecasting.data import Split
from forecasting.experiment import BadInput, Options, Range, Training, Value, without
from forecasting.experiment.values import bounds
from forecasting.models.learning import Control, Fitted, Learned, Shape

if TYPE_CHECKING:
    from forecasting.models.networks.build import Network


@dataclass(frozen=True)
class Drawing:
    """How a model is drawn.

    Attributes:
        picture: its shape; `dashboard.drawings` has one function for each.
        word: what stands in its box.
        used: of a rule, the values of the look-back that it uses, counted from its end.
    """

    picture: Literal[
        "rule", "sum", "row", "two_lines", "mean", "layers", "vector_decoder", "recurrent_decoder", "dilated", "patterns"
    ]
    word: str = ""
    used: tuple[int, ...] = ()


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
    variable_length: ClassVar[bool] = False
    """Takes look-backs of any length once fitted."""
    return_sequences: ClassVar[bool] = False
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
    searched: ClassVar[Mapping[str, Range | Options]] = {}
    """The parameters that a search varies unless others are chosen, and within which bounds."""
    reference: ClassVar[bool] = False
    """Knows what no forecaster can know: it is shown beside the models, and never ranked with them."""

    drawing: ClassVar[Drawing] = Drawing("sum", "f(y)")
    in_default_comparison: ClassVar[bool] = False
    """Is among the models that forecast whole series where none were named."""
    in_fast_comparison: ClassVar[bool] = False
    """Is among those that forecast very many series, or give a first answer."""
    for_few_long_series: ClassVar[bool] = False
    """Joins the ensemble of whole series where these are few and long: of many, those that swing most decide what it learns,
    and of short ones it learns chance."""
    series_params: ClassVar[Mapping[str, Any]] = {}
    """The parameters that it has on whole series, where these are not the defaults."""

    @classmethod
    def for_series(cls, season_length: int, longer_seasons: tuple[int, ...] = ()) -> dict[str, Any]:
        """The parameters that it has on whole series of these seasons, unless others are chosen.

        A season that is longer than it takes is none to it.
        """
        field = cls.model_fields.get("season_length")
        taken = field is not None and season_length <= bounds(field)[1]
        seasons: dict[str, Any] = {"season_length": season_length} if taken else {}
        seasons |= {"longer_seasons": longer_seasons} if "longer_seasons" in cls.model_fields else {}
        return {**cls.series_params, **seasons}

    @classmethod
    def variant(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of another model of this class, to stand beside one: twice as large, or else of another word."""
        return cls._larger(params) or cls._of_another_word(params) or dict(params)

    @classmethod
    def _larger(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        """The first whole number, or list of them, that is not at its bound yet, doubled; nothing where there is none."""
        for name, value in params.items():
            many = value if isinstance(value, tuple | list) else (value,)
            if many and all(type(one) is int for one in many) and cls.applies(name, params):
                doubled = [min(2 * one, int(bounds(cls.model_fields[name])[1])) for one in many]
                if doubled != list(many):
                    return {**params, name: doubled if many is value else doubled[0]}
        return {}

    @classmethod
    def _of_another_word(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        """The last of those that are words, as the word after it; nothing where there is none."""
        for name in reversed(list(params)):
            words = get_args(cls.model_fields[name].annotation)
            if params[name] in words and cls.applies(name, params):
                return {**params, name: words[(words.index(params[name]) + 1) % len(words)]}
        return {}

    @classmethod
    def applies(cls, name: str, params: Mapping[str, Any]) -> bool:
        """Whether a parameter has an effect, given the others."""
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
        """How many numbers the model learns.

        Args:
            shape: of the windows that it sees.
        """
        raise NotImplementedError

    def sampled(self, n_windows: int) -> np.ndarray:
        """Which windows of a part it forecasts, and is scored on: all, unless it is fitted to each of them."""
        return np.arange(n_windows)

    def width(self, shape: Shape) -> int:
        """Units evaluated per time step (a cost estimate); 0 if not trained by gradient descent."""
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
        """Learn from the training part; the validation part only selects.

        Args:
            split: windows as the model sees them: scaled, and of differences where it takes these.
            control: training settings, seed, and callbacks for progress and stop.

        Raises:
            BadInput: when the model cannot learn from these windows.
            Diverged: when the loss of a network turns NaN or infinite.
            Stopped: when it was stopped, and there is nothing to keep.
        """
        raise NotImplementedError

    def load(self, weights: list[np.ndarray], shape: Shape, control: Control) -> Fitted:
        """Return the fitted model that `weights` came from; of a reference, which has learned nothing, there is none.

        Args:
            weights: `Fitted.weights` of the fit, in their order.
            shape: of the windows to be forecast; the look-back may be another one where the model has `variable_length`.
            control: of a network, the device and other settings that its compiled program depends on; of a model that is
                fitted to each window, callbacks for progress and stop.
        """
        raise NotImplementedError

    def output_range(self) -> tuple[float, float]:
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

    @classmethod
    def variant(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        """One of another form; where there are none, of another sample."""
        return cls._of_another_word(params) or cls._larger(params)

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

    @property
    def learns_ahead_alone(self) -> bool:
        """Whether it learns from the values after the look-back alone, and not after each step of it or one by one."""
        return self.strategy == "direct" and not self.return_sequences

    def n_parameters(self, shape: Shape) -> int:
        """How many numbers the model learns."""
        return self.count(self._learned(shape))

    def fit(self, split: Split, control: Control) -> Learned:
        """Learn what is asked for, or the next step alone."""
        if self.strategy == "direct":
            if split.train.y_path.shape[1] < split.valid.y_path.shape[1]:
                raise BadInput(
                    f"The training series end {split.train.y_path.shape[1]} step after the look-back, on a grid of their "
                    f"own: {self.title} can learn from them one step at a time alone (several steps ahead: iterated)."
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
        """Return what `learn` fitted.

        Args:
            weights, control: as in `load`.
            shape: of what `learn` was given: of the next step alone where the strategy is `iterated`.
        """
        raise NotImplementedError


class NetworkModel(Learner):
    """A model that is a Keras network, trained by gradient descent. Only a worker loads Keras."""

    trained: ClassVar[bool] = True
    drawing: ClassVar[Drawing] = Drawing("sum", "network")
    extra_seasons: ClassVar[int] = 1
    """Seasons of whole series that it sees beyond those that cover the horizon."""

    def width(self, shape: Shape) -> int:
        """One unit per output."""
        return shape.n_outputs

    def uses(self, shape: Shape) -> int:
        """How often each weight is used per window: at every step of the look-back."""
        return shape.input_size

    def work(self, shape: Shape, n_windows: int, training: Training) -> float:
        """Epochs × (a fixed cost per epoch + windows × the cost of one, by how many weights there are)."""
        learned = self._learned(shape)
        per_window = self.uses(learned) * (0.1 + 0.0004 * self.count(learned))
        return training.epochs * (5_000 + n_windows * per_window)

    def network(self, shape: Shape) -> "Network":
        """Build the network, freshly initialised."""
        raise NotImplementedError

    def keras_layers(self, shape: Shape) -> list[str] | None:  # noqa: ARG002  # of most there are none
        """Its layers as they stand in a `keras.Sequential`, as text; None where it is no such stack."""
        return None

    def learn(self, split: Split, control: Control) -> Learned:
        """Train the network."""
        from forecasting.models.networks.training import train

        return train(self, split, control)

    def restore(self, weights: list[np.ndarray], shape: Shape, control: Control) -> Fitted:
        """Build the network and give it the weights."""
        from forecasting.models.networks.program import load

        return load(self, weights, shape, control)
