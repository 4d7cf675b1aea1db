"""The baselines: rules of thumb that a model has to beat. Naive is in every comparison."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from forecasting.data.windows import Split
from forecasting.experiment import BadInput
from forecasting.models.base import Drawing, Model
from forecasting.models.learning import Control, Learned, Shape


@dataclass(frozen=True)
class Rule:
    """A fitted baseline: what it does with a look-back of one channel, and the weights that it has learned, if any."""

    forecast: Callable[[np.ndarray], np.ndarray]
    n_targets: int
    weights: list[np.ndarray] = field(default_factory=list)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Forecast each channel from itself: `(n_windows, n_outputs)`."""
        return np.stack([self.forecast(x[:, :, i]) for i in range(self.n_targets)], axis=2).reshape(len(x), -1)


class Baseline(Model):
    """A rule without weights; subclasses say what it forecasts."""

    group: ClassVar[str] = "baselines"
    variable_length: ClassVar[bool] = True

    def n_parameters(self, shape: Shape) -> int:
        """None."""
        return 0

    def fit(self, split: Split, control: Control) -> Learned:
        """Nothing to learn."""
        return Learned(self.load([], Shape.of(split), control))

    def load(self, weights: list[np.ndarray], shape: Shape, control: Control) -> Rule:
        """The rule for these sizes."""
        return Rule(lambda x: self.forecast(x, np.array(shape.steps)), shape.n_targets)

    def forecast(self, x: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Forecast the given steps ahead, `(n_steps,)`, from look-backs `(n_windows, input_size)`."""
        raise NotImplementedError


class Naive(Baseline):
    """Repeat the last value."""

    name: ClassVar[str] = "naive"
    title: ClassVar[str] = "Naive"
    description: ClassVar[str] = (
        "Repeats the last value that it sees. A model that does worse has learned nothing that is worth having."
    )
    formula: ClassVar[str] = r"\hat y_{t+k} = y_t"
    drawing: ClassVar[Drawing] = Drawing("rule", "copy", (-1,))
    in_default_comparison: ClassVar[bool] = True
    in_fast_comparison: ClassVar[bool] = True

    def forecast(self, x: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The last value, at every step."""
        return np.repeat(x[:, -1:], len(steps), axis=1)


class SeasonalNaive(Baseline):
    """Repeat the last season."""

    name: ClassVar[str] = "seasonal_naive"
    title: ClassVar[str] = "Seasonal naive"
    description: ClassVar[str] = (
        "Repeats the value one season earlier. Where a series has a strong season, it is the baseline to beat."
    )
    formula: ClassVar[str] = r"\hat y_{t+k} = y_{t+k-m\lceil k/m\rceil}, \quad m\ \text{steps in a season}"
    drawing: ClassVar[Drawing] = Drawing("rule", "copy", (-5,))
    in_default_comparison: ClassVar[bool] = True
    in_fast_comparison: ClassVar[bool] = True
    season_length: int = Field(12, ge=1, le=2_000, title="Season length", description="Steps until the season repeats.")

    def forecast(self, x: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The value of the same phase in the last season that is seen."""
        if x.shape[1] < self.season_length:
            raise BadInput(
                f"Seasonal naive needs a whole season in the look-back: {self.season_length} steps, and it has "
                f"{x.shape[1]}. Lengthen the look-back or shorten the season."
            )
        return x[:, x.shape[1] - self.season_length + (steps - 1) % self.season_length]


class Drift(Baseline):
    """Go on along the line from the first to the last value."""

    name: ClassVar[str] = "drift"
    title: ClassVar[str] = "Drift"
    description: ClassVar[str] = (
        "Draws a line from the first to the last value of the look-back and follows it. It is naive with a trend."
    )
    formula: ClassVar[str] = r"\hat y_{t+k} = y_t + k\,\frac{y_t - y_{t-n+1}}{n-1}, \quad n\ \text{steps seen}"
    drawing: ClassVar[Drawing] = Drawing("rule", "line", (-5, -1))
    in_default_comparison: ClassVar[bool] = True

    def forecast(self, x: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The line, at the steps ahead; with a single value there is none, and it stays level."""
        slope = (x[:, -1:] - x[:, :1]) / max(1, x.shape[1] - 1)
        return x[:, -1:] + slope * steps.astype(x.dtype)


class MovingAverage(Baseline):
    """The mean of the last values."""

    name: ClassVar[str] = "moving_average"
    title: ClassVar[str] = "Moving average"
    description: ClassVar[str] = (
        "Forecasts the mean of the last few values, at every step. It is calmer than naive where the noise is strong."
    )
    formula: ClassVar[str] = r"\hat y_{t+k} = \frac1w \sum_{i=0}^{w-1} y_{t-i}"
    drawing: ClassVar[Drawing] = Drawing("rule", "mean", (-3, -2, -1))
    window: int = Field(3, ge=1, le=2_000, title="Window", description="Values that are averaged, the last ones.")

    def forecast(self, x: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The mean of the last values, as many as there are at most."""
        return np.repeat(x[:, -self.window :].mean(axis=1, keepdims=True), len(steps), axis=1)


Weight = Annotated[float, Field(ge=-1_000, le=1_000, allow_inf_nan=False)]


class WeightedAverage(Baseline):
    """A weighted mean of the last values."""

    name: ClassVar[str] = "weighted_average"
    title: ClassVar[str] = "Weighted average"
    description: ClassVar[str] = (
        "Forecasts a weighted mean of the last few values, at every step. The weights are given, or learned by least "
        "squares; they add up to one."
    )
    formula: ClassVar[str] = r"\hat y_{t+k} = \sum_{i=0}^{w-1} w_i\, y_{t-i}, \quad \textstyle\sum_i w_i = 1"
    drawing: ClassVar[Drawing] = Drawing("rule", "mean", (-5, -4, -3, -2, -1))
    learns_from_windows: ClassVar[bool] = True
    window: int = Field(5, ge=1, le=2_000, title="Window", description="Values that are weighed, when weights are learned.")
    weights: tuple[Weight, ...] = Field(
        (), max_length=2_000, title="Weights", description="The oldest first, brought to a sum of one; empty: learned."
    )

    def n_parameters(self, shape: Shape) -> int:
        """One per value, where they are learned."""
        return 0 if self.weights else min(self.window, shape.input_size)

    def fit(self, split: Split, control: Control) -> Learned:
        """Take the weights that were given, or learn those that sum to one with the smallest squared error on training.

        With y' = y - y_t and x' = x - y_t the sum drops out, and ordinary least squares is left for all but the last weight.
        """
        if self.weights:
            return Learned(self.load([], Shape.of(split), control))
        n_targets = split.train.n_targets
        seen = np.concatenate([split.train.x[:, -self.window :, i] for i in range(n_targets)]).astype("float64")
        y = np.concatenate([split.train.y[:, i::n_targets] for i in range(n_targets)])
        apart = seen[:, :-1] - seen[:, -1:]
        wanted = (y - seen[:, -1:]).mean(axis=1)
        others = np.linalg.lstsq(apart, wanted, rcond=None)[0]
        return Learned(self.load([np.append(others, 1 - others.sum())], Shape.of(split), control))

    def load(self, weights: list[np.ndarray], shape: Shape, control: Control) -> Rule:
        """The weighted mean, repeated."""
        chosen = np.array(self.weights) / _total(self.weights) if self.weights else weights[0]

        def weigh(x: np.ndarray) -> np.ndarray:
            if x.shape[1] < len(chosen):
                raise BadInput(f"{len(chosen)} weights need as many values, and the look-back has {x.shape[1]}.")
            return np.repeat(x[:, -len(chosen) :] @ chosen[:, None], shape.n_steps, axis=1)

        return Rule(weigh, shape.n_targets, [] if self.weights else [chosen])


def _total(weights: tuple[float, ...]) -> float:
    total = sum(weights)
    if abs(total) < 1e-9:
        raise BadInput("The weights add up to zero, so they make no mean: change one of them.")
    return total
