"""The baseline that every comparison holds: the last value, repeated."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from forecasting.data.windows import Split
from forecasting.models.base import Control, Learned, Model, Shape


@dataclass(frozen=True)
class RepeatLast:
    """Forecasts the last value that is seen, at every step."""

    n_outputs: int

    @property
    def weights(self) -> list[np.ndarray]:
        """Nothing is learned."""
        return []

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Repeat the last value of the first feature: `(n_windows, n_outputs)`."""
        return np.repeat(x[:, -1, :1], self.n_outputs, axis=1)


class Naive(Model):
    """Repeat the last value."""

    name: ClassVar[str] = "naive"
    title: ClassVar[str] = "Naive"
    group: ClassVar[str] = "baselines"
    description: ClassVar[str] = (
        "Repeats the last value that it sees. A model that does worse has learned nothing that is worth having."
    )
    open_time: ClassVar[bool] = True

    def n_parameters(self, shape: Shape) -> int:
        """None."""
        return 0

    def fit(self, split: Split, control: Control) -> Learned:
        """Nothing to learn."""
        return Learned(RepeatLast(split.train.y.shape[1]))

    def load(self, weights: list[np.ndarray], shape: Shape, control: Control) -> RepeatLast:
        """Nothing to load."""
        return RepeatLast(shape.n_outputs)
