"""Networks that write a sequence: vector to sequence, and encoder–decoder."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from forecasting.experiment import Options, Range
from forecasting.models.base import Drawing, NetworkModel
from forecasting.models.learning import Shape
from forecasting.models.neural import Activation, Cell, Units, recurrent_parameters, sizes

if TYPE_CHECKING:
    from forecasting.models.networks.build import Network


class Decoder(NetworkModel):
    """What the two have in common: a cell, its units, its activation."""

    group: ClassVar[str] = "encoder–decoder"
    searched: ClassVar[Mapping[str, Range | Options]] = {
        "cell": Options(values=("lstm", "gru")),
        "units": Range(low=8, high=64, log=True, layers=(1, 2)),
    }
    cell: Cell = Field("gru", title="Cell", description="Of the recurrent layers.")
    units: Units = Field(
        (20,), min_length=1, max_length=8, title="Units per layer", description="One number per layer, first to last."
    )
    activation: Activation = Field("tanh", title="Activation", description="Of the hidden layers.")

    @property
    def label(self) -> str:
        """Title, cell and what differs from the defaults."""
        cell = "" if self.cell == "gru" else f", {self.cell}"
        size = "" if self.units == (20,) else f" {sizes(self.units)}"
        others = self.model_dump(exclude_defaults=True, exclude={"units", "cell"})
        words = [name.replace("_", " ") if value is True else str(value) for name, value in others.items()]
        return ", ".join([f"{self.title}{size}{cell}", *words])

    def _stack(self, n_in: int) -> int:
        """Weights of the recurrent layers."""
        widths = (n_in, *self.units)
        return sum(recurrent_parameters(self.cell, a, b) for a, b in zip(widths, self.units, strict=False))


class VectorToSequence(Decoder):
    """The third of the chapter's four shapes."""

    name: ClassVar[str] = "vector_to_sequence"
    title: ClassVar[str] = "Vector to sequence"
    description: ClassVar[str] = (
        "A dense layer sums the whole look-back up in one vector, and a recurrent decoder reads that vector once per step "
        "ahead. The look-back has a fixed length, the forecast any."
    )
    formula: ClassVar[str] = (
        r"v = \tanh(W y_{t-n+1:t} + b), \quad h_k = \mathrm{cell}(v, h_{k-1}), \quad \hat y_{t+k} = u^\top h_k + c"
    )
    drawing: ClassVar[Drawing] = Drawing("vector_decoder")
    vector: int = Field(30, ge=1, le=256, title="Vector size", description="Units of the dense layer in between.")

    def count(self, shape: Shape) -> int:
        """Dense layer, decoder, output."""
        dense = (shape.input_size * shape.n_features + 1) * self.vector
        return dense + self._stack(self.vector) + (self.units[-1] + 1) * shape.n_targets

    def width(self, shape: Shape) -> int:
        """The decoder works once per step ahead, not per step of the look-back."""
        return self.vector + -(-sum(self.units) * shape.h // shape.input_size)

    def network(self, shape: Shape) -> "Network":
        """Build it."""
        from forecasting.models.networks.build import vector_to_sequence

        return vector_to_sequence(self, shape)


class EncoderDecoder(Decoder):
    """The last of the chapter's four shapes."""

    name: ClassVar[str] = "encoder_decoder"
    title: ClassVar[str] = "Encoder–decoder"
    description: ClassVar[str] = (
        "An encoder reads the look-back, and hands its last state to a decoder that writes the forecast step by step, fed "
        "with what it wrote last. With teacher forcing it is fed the true values while it learns."
    )
    formula: ClassVar[str] = (
        r"s_i = \mathrm{cell}_e(y_i, s_{i-1}), \quad d_k = \mathrm{cell}_d(\hat y_{t+k-1}, d_{k-1}),\ d_0 = s_t, \quad "
        r"\hat y_{t+k} = u^\top d_k + c"
    )
    drawing: ClassVar[Drawing] = Drawing("recurrent_decoder")
    variable_length: ClassVar[bool] = True
    teacher_forcing: bool = Field(
        False, title="Teacher forcing", description="Feed the decoder the true values, not its own, while it learns."
    )

    def count(self, shape: Shape) -> int:
        """Encoder, decoder, output."""
        return self._stack(shape.n_features) + self._stack(shape.n_targets) + (self.units[-1] + 1) * shape.n_targets

    def width(self, shape: Shape) -> int:
        """Both stacks."""
        return sum(self.units) + -(-sum(self.units) * shape.h // shape.input_size)

    def network(self, shape: Shape) -> "Network":
        """Build it."""
        from forecasting.models.networks.build import encoder_decoder

        return encoder_decoder(self, shape)
