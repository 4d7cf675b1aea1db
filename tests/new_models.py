"""Two models that nobody knows: what a contributor writes, and no more."""

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from forecasting.models import MODELS
from forecasting.models.base import NetworkModel
from forecasting.models.learning import Shape
from forecasting.models.statistical import Statistical


class HistoricAverage(Statistical):
    """The mean of all that is known."""

    name: ClassVar[str] = "historic_average"
    title: ClassVar[str] = "Historic average"
    description: ClassVar[str] = "The mean of the look-back."
    formula: ClassVar[str] = r"\hat y_{t+k} = \bar y"

    def work_of_one(self, n_values: int) -> float:
        """Next to nothing."""
        return 1.0 * n_values

    def of_one_series(self, seen: np.ndarray) -> tuple[Any, ...]:  # noqa: ARG002
        """The library's own."""
        from statsforecast.models import HistoricAverage as Theirs

        return (Theirs(),)


class OneHiddenLayer(NetworkModel):
    """A dense network."""

    name: ClassVar[str] = "one_hidden_layer"
    title: ClassVar[str] = "One hidden layer"
    group: ClassVar[str] = "dense"
    description: ClassVar[str] = "A dense layer between look-back and forecast."
    formula: ClassVar[str] = r"\hat y = V \tanh(W y + b) + c"
    units: int = Field(8, ge=1, le=256, title="Units", description="Of the hidden layer.")

    def count(self, shape: Shape) -> int:
        """Two dense layers."""
        return (shape.input_size * shape.n_features + 1) * self.units + (self.units + 1) * shape.n_outputs

    def width(self, shape: Shape) -> int:  # noqa: ARG002
        """Of the hidden layer."""
        return self.units

    def network(self, shape: Shape) -> Any:
        """Flatten, dense, dense."""
        import keras
        from keras import layers

        from forecasting.models.networks.build import alone

        rows = keras.Input((shape.input_size, shape.n_features))
        hidden = layers.Dense(self.units, activation="tanh")(layers.Flatten()(rows))
        return alone(keras.Model(rows, layers.Dense(shape.n_outputs)(hidden)))


NEW: dict[str, Any] = {model.name: model for model in (HistoricAverage, OneHiddenLayer)}


def register() -> None:
    """Put them into the list, at its end."""
    MODELS.update(NEW)
