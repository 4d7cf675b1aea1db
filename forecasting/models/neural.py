"""Recurrent networks and their parameters. The networks themselves are built in `networks.py`, inside a worker."""

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from forecasting.models.base import NetworkModel, Shape

if TYPE_CHECKING:
    import keras

Activation = Literal["tanh", "relu", "elu", "selu", "sigmoid", "linear"]
Cell = Literal["simple", "lstm", "gru"]
Units = tuple[Annotated[int, Field(ge=1, le=256)], ...]

REACHES: dict[str, tuple[float, float]] = {
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "relu": (0.0, math.inf),
    "elu": (-1.0, math.inf),
    "selu": (-1.7581, math.inf),
    "linear": (-math.inf, math.inf),
}
"""The lowest and highest value that each activation can take."""


def recurrent_parameters(cell: str, n_in: int, units: int) -> int:
    """Count the weights of one recurrent layer as Keras builds it.

    A simple cell has an input kernel, a recurrent kernel and a bias. An LSTM has four such sets; a GRU has three, and a
    second bias for its recurrent kernel (`reset_after=True`, Keras' default).
    """
    one = n_in * units + units * units + units
    return {"simple": one, "lstm": 4 * one, "gru": 3 * (one + units)}[cell]


class RecurrentStack(NetworkModel):
    """Recurrent layers over the look-back, and an output layer that reads the last state."""

    cell: ClassVar[Cell] = "simple"
    output: ClassVar[Literal["dense", "recurrent"]] = "dense"
    group: ClassVar[str] = "recurrent"
    open_time: ClassVar[bool] = True
    units: Units = Field(
        (20, 20),
        min_length=1,
        max_length=8,
        title="Units per layer",
        description="One number per layer, first to last.",
    )
    activation: Activation = Field("tanh", title="Activation", description="Of the hidden layers.")

    @property
    def label(self) -> str:
        """Title, sizes and activations as far as they are not default: `GRU 2 × 32, relu`."""
        title = self.title
        if self.units != (20, 20):
            same = len(set(self.units)) == 1
            title += f" {len(self.units)} × {self.units[0]}" if same else " " + "–".join(str(n) for n in self.units)
        others = self.model_dump(exclude_defaults=True, exclude={"units"})
        return ", ".join([title, *(f"{value} output" if "output" in name else value for name, value in others.items())])

    def n_parameters(self, shape: Shape) -> int:
        """The sum over the layers; it does not depend on the look-back, for all steps share the weights."""
        total, n_in = 0, shape.n_features
        for units in self.units:
            total += recurrent_parameters(self.cell, n_in, units)
            n_in = units
        if self.output == "recurrent":
            return total + recurrent_parameters("simple", n_in, shape.n_outputs)
        return total + (n_in + 1) * shape.n_outputs

    def width(self, shape: Shape) -> int:
        """The units of all layers."""
        return sum(self.units) + (shape.n_outputs if self.output == "recurrent" else 0)

    def network(self, shape: Shape) -> "keras.Model":
        """Build the stack."""
        from forecasting.models.networks import recurrent_stack

        return recurrent_stack(self, shape)


class DenseOutputStack(RecurrentStack):
    """A stack whose output is a dense layer, with an activation of its own."""

    output_activation: Activation = Field(
        "linear", title="Output activation", description="Of the dense output; only a linear one is unbounded."
    )

    def reaches(self) -> tuple[float, float]:
        """The range of the output's activation."""
        return REACHES[self.output_activation]


class SimpleRNN1(NetworkModel):
    """The simplest recurrent network."""

    name: ClassVar[str] = "simple_rnn"
    title: ClassVar[str] = "SimpleRNN(1)"
    group: ClassVar[str] = "recurrent"
    description: ClassVar[str] = (
        "One recurrent neuron and 3 parameters: it walks along the look-back, and its state after the last step is the "
        "forecast. Forecasting several steps at once it has one neuron per step."
    )
    open_time: ClassVar[bool] = True
    activation: Activation = Field("tanh", title="Activation", description="Of the neuron, and so of the forecast.")

    def n_parameters(self, shape: Shape) -> int:
        """Input weight, recurrent weight, bias."""
        return recurrent_parameters("simple", shape.n_features, shape.n_outputs)

    def network(self, shape: Shape) -> "keras.Model":
        """One SimpleRNN layer."""
        from forecasting.models.networks import simple_rnn

        return simple_rnn(self, shape)

    def reaches(self) -> tuple[float, float]:
        """The range of the activation."""
        return REACHES[self.activation]


class DeepRNN(RecurrentStack):
    """The chapter's deep RNN."""

    name: ClassVar[str] = "deep_rnn"
    title: ClassVar[str] = "Deep RNN"
    description: ClassVar[str] = (
        "Simple recurrent layers on top of each other; the last layer is recurrent too and gives the forecast. Its tanh "
        "keeps forecasts within [-1, 1]."
    )
    output: ClassVar[Literal["dense", "recurrent"]] = "recurrent"

    def reaches(self) -> tuple[float, float]:
        """The output layer is a recurrent one with tanh, Keras' default, whatever the hidden layers use."""
        return REACHES["tanh"]


class DeepRNNDense(DenseOutputStack):
    """The deep RNN with a dense output."""

    name: ClassVar[str] = "deep_rnn_dense"
    title: ClassVar[str] = "Deep RNN, dense output"
    description: ClassVar[str] = (
        "Simple recurrent layers, and a dense layer that reads the last state. It learns a little faster than a recurrent "
        "output, and its forecasts are not bounded."
    )


class LSTM(DenseOutputStack):
    """LSTM cells."""

    name: ClassVar[str] = "lstm"
    title: ClassVar[str] = "LSTM"
    description: ClassVar[str] = (
        "The same stack of LSTM cells: gates decide what a long-term state forgets, takes in and shows. Four times the "
        "weights of a simple layer."
    )
    cell: ClassVar[Cell] = "lstm"


class GRU(DenseOutputStack):
    """GRU cells."""

    name: ClassVar[str] = "gru"
    title: ClassVar[str] = "GRU"
    description: ClassVar[str] = (
        "The same stack of GRU cells: one gate mixes old state and new, another resets. Simpler than an LSTM, and often "
        "as good."
    )
    cell: ClassVar[Cell] = "gru"
