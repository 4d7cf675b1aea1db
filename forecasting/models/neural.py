"""Recurrent networks and their parameters. The networks themselves are built in `networks/build.py`, inside a worker."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from forecasting.experiment import Options, Range
from forecasting.models.base import Drawing, NetworkModel
from forecasting.models.learning import Shape

if TYPE_CHECKING:
    from forecasting.models.networks.build import Network

Activation = Literal["tanh", "relu", "elu", "selu", "sigmoid", "linear"]
Cell = Literal["simple", "lstm", "gru"]
Units = tuple[Annotated[int, Field(ge=1, le=256)], ...]

OUTPUT_RANGES: dict[str, tuple[float, float]] = {
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

    Args:
        cell: simple, lstm or gru.
        n_in: values that it is given per step.
        units: the size of its state.
    """
    one = n_in * units + units * units + units
    return {"simple": one, "lstm": 4 * one, "gru": 3 * (one + units)}[cell]


def sizes(units: Units) -> str:
    """Layers in short: `2 × 32`, or `8–4`."""
    same = len(set(units)) == 1
    return f"{len(units)} × {units[0]}" if same else "–".join(str(n) for n in units)


class RecurrentStack(NetworkModel):
    """Recurrent layers over the look-back, and an output layer that reads the last state."""

    cell: ClassVar[Cell] = "simple"
    output: ClassVar[Literal["dense", "recurrent"]] = "dense"
    group: ClassVar[str] = "recurrent"
    drawing: ClassVar[Drawing] = Drawing("layers")
    variable_length: ClassVar[bool] = True
    only_with: ClassVar[Mapping[str, tuple[str, Any]]] = {"loss_last": ("sequence_to", "sequence")}
    tuned: ClassVar[Mapping[str, Any]] = {"units": (32, 32), "sequence_to": "sequence", "loss_last": 20}
    searched: ClassVar[Mapping[str, Range | Options]] = {
        "units": Range(low=8, high=64, log=True, layers=(1, 3)),
        "sequence_to": Options(values=("vector", "sequence")),
        "loss_last": Options(values=(0, 10, 20)),
    }
    units: Units = Field(
        (20, 20),
        min_length=1,
        max_length=8,
        title="Units per layer",
        description="One number per layer, first to last.",
    )
    activation: Activation = Field("tanh", title="Activation", description="Of the hidden layers.")
    sequence_to: Literal["vector", "sequence"] = Field(
        "vector",
        title="Sequence to",
        description="Vector: the network forecasts after the last step alone. Sequence: it forecasts after every step while "
        "it learns, so that errors flow back from every step; only its last forecast is scored.",
    )
    loss_last: int = Field(
        0,
        ge=0,
        le=2_000,
        title="Loss on the last",
        description="Sequence to sequence: steps that the loss counts; 0 for all.",
    )
    normalisation: Literal["none", "batch", "layer"] = Field(
        "none",
        title="Normalisation",
        description="Batch: after every recurrent layer, over the batch. Layer: inside the cell, over its units, at every "
        "step.",
    )
    dropout: float = Field(
        0.0,
        ge=0,
        le=0.9,
        title="Input dropout",
        description="Share of each layer's inputs that is set to zero during training.",
    )
    recurrent_dropout: float = Field(
        0.0,
        ge=0,
        le=0.9,
        title="Recurrent dropout",
        description="Share of each layer's state that is set to zero during training.",
    )

    @property
    def return_sequences(self) -> bool:  # type: ignore[override]  # a class says it of all its models, a stack by its parameter
        """Whether it goes from sequence to sequence."""
        return self.sequence_to == "sequence"

    @property
    def label(self) -> str:
        """Title, sizes and what else is not default: `GRU 2 × 32, relu`; the set of tuned ones is one word."""
        if self.model_dump(exclude_defaults=True) == self.tuned:
            return f"{self.title}, tuned"
        title = self.title if self.units == (20, 20) else f"{self.title} {sizes(self.units)}"
        others = self.model_dump(exclude_defaults=True, exclude={"units"})
        return ", ".join([title, *(_worded(name, value) for name, value in others.items())])

    def count(self, shape: Shape) -> int:
        """The sum over the layers; it does not depend on the look-back, for all steps share the weights."""
        total, n_in = 0, shape.n_features
        for units in self.units:
            total += recurrent_parameters(self.cell, n_in, units)
            total += {"none": 0, "batch": 4, "layer": 2}[self.normalisation] * units
            n_in = units
        if self.output == "recurrent":
            return total + recurrent_parameters("simple", n_in, shape.n_outputs)
        return total + (n_in + 1) * shape.n_outputs

    def width(self, shape: Shape) -> int:
        """The units of all layers."""
        return sum(self.units) + (shape.n_outputs if self.output == "recurrent" else 0)

    def network(self, shape: Shape) -> "Network":
        """Build the stack."""
        from forecasting.models.networks.build import recurrent_stack

        return recurrent_stack(self, shape)

    def keras_layers(self, shape: Shape) -> list[str] | None:
        """The recurrent layers, each giving its whole sequence to the next, and the output."""
        plain = self.normalisation == "none" and not self.dropout and not self.recurrent_dropout
        if not plain or self.return_sequences or self.strategy != "direct":
            return None
        kind = {"simple": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}[self.cell]
        how = "" if self.activation == "tanh" else f', activation="{self.activation}"'
        lines = [f"{kind}({units}{how}, return_sequences=True)" for units in self.units]
        if self.output == "recurrent":
            return [*lines, f"SimpleRNN({shape.n_outputs})"]
        activation = getattr(self, "output_activation", "linear")
        ending = "" if activation == "linear" else f', activation="{activation}"'
        return [*lines[:-1], f"{kind}({self.units[-1]}{how})", f"Dense({shape.n_outputs}{ending})"]


def _worded(name: str, value: Any) -> str:
    """A parameter in a label."""
    return {
        "output_activation": f"{value} output",
        "sequence_to": "sequence to sequence",
        "loss_last": f"loss on the last {value}",
        "normalisation": f"{value} normalisation",
        "dropout": f"dropout {value}",
        "recurrent_dropout": f"recurrent dropout {value}",
    }.get(name, str(value))


class DenseOutputStack(RecurrentStack):
    """A stack whose output is a dense layer, with an activation of its own."""

    series_params: ClassVar[Mapping[str, Any]] = {"units": (32, 32)}

    output_activation: Activation = Field(
        "linear", title="Output activation", description="Of the dense output; only a linear one is unbounded."
    )

    def output_range(self) -> tuple[float, float]:
        """The range of the output's activation."""
        return OUTPUT_RANGES[self.output_activation]


class SimpleRNN1(NetworkModel):
    """The simplest recurrent network."""

    name: ClassVar[str] = "simple_rnn"
    title: ClassVar[str] = "SimpleRNN(1)"
    group: ClassVar[str] = "recurrent"
    drawing: ClassVar[Drawing] = Drawing("layers")
    description: ClassVar[str] = (
        "One recurrent neuron and 3 parameters: it reads the look-back step by step, and its state after the last step is "
        "the forecast. Forecasting several steps at once it has one neuron per step."
    )
    formula: ClassVar[str] = r"h_i = \tanh(w\, y_i + u\, h_{i-1} + b),\ h_0 = 0, \quad \hat y_{t+1} = h_t"
    variable_length: ClassVar[bool] = True
    activation: Activation = Field("tanh", title="Activation", description="Of the neuron, and so of the forecast.")

    def count(self, shape: Shape) -> int:
        """Input weight, recurrent weight, bias."""
        return recurrent_parameters("simple", shape.n_features, shape.n_outputs)

    def network(self, shape: Shape) -> "Network":
        """One SimpleRNN layer."""
        from forecasting.models.networks.build import simple_rnn

        return simple_rnn(self, shape)

    def keras_layers(self, shape: Shape) -> list[str] | None:
        """One SimpleRNN layer; several steps at once."""
        how = "" if self.activation == "tanh" else f', activation="{self.activation}"'
        return [f"SimpleRNN({shape.n_outputs}{how})"] if self.strategy == "direct" else None

    def output_range(self) -> tuple[float, float]:
        """The range of the activation."""
        return OUTPUT_RANGES[self.activation]


class DeepRNN(RecurrentStack):
    """The chapter's deep RNN."""

    name: ClassVar[str] = "deep_rnn"
    title: ClassVar[str] = "Deep RNN"
    description: ClassVar[str] = (
        "Simple recurrent layers on top of each other; the last layer is recurrent too and gives the forecast. Its tanh "
        "keeps forecasts within [-1, 1]."
    )
    formula: ClassVar[str] = (
        r"h^{(l)}_i = \tanh\!\left(W_l h^{(l-1)}_i + U_l h^{(l)}_{i-1} + b_l\right),\ h^{(0)}_i = y_i, \quad "
        r"\hat y = h^{(L)}_t"
    )
    output: ClassVar[Literal["dense", "recurrent"]] = "recurrent"

    def output_range(self) -> tuple[float, float]:
        """The output layer is a recurrent one with tanh, Keras' default, whatever the hidden layers use."""
        return OUTPUT_RANGES["tanh"]


class DeepRNNDense(DenseOutputStack):
    """The deep RNN with a dense output."""

    name: ClassVar[str] = "deep_rnn_dense"
    title: ClassVar[str] = "Deep RNN, dense output"
    description: ClassVar[str] = (
        "Simple recurrent layers, and a dense layer that reads the last state. It learns a little faster than a recurrent "
        "output, and its forecasts are not bounded."
    )
    formula: ClassVar[str] = (
        r"h^{(l)}_i = \tanh\!\left(W_l h^{(l-1)}_i + U_l h^{(l)}_{i-1} + b_l\right), \quad \hat y = V h^{(L)}_t + c"
    )


class LSTM(DenseOutputStack):
    """LSTM cells."""

    name: ClassVar[str] = "lstm"
    title: ClassVar[str] = "LSTM"
    description: ClassVar[str] = (
        "The same stack of LSTM cells: gates decide what a long-term state forgets, takes in and shows. Four times the "
        "weights of a simple layer."
    )
    formula: ClassVar[str] = (
        r"c_i = f_i \odot c_{i-1} + g_i \odot \tanh(W y_i + U h_{i-1} + b), \quad h_i = o_i \odot \tanh c_i, \quad "
        r"\hat y = V h_t + c"
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
    formula: ClassVar[str] = (
        r"h_i = z_i \odot h_{i-1} + (1 - z_i) \odot \tanh(W y_i + r_i \odot U h_{i-1} + b), \quad \hat y = V h_t + c"
    )
    cell: ClassVar[Cell] = "gru"
