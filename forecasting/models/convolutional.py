"""Networks with convolutions over time."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from forecasting.data.windows import Split
from forecasting.experiment import BadInput, Options, Range
from forecasting.models.base import Drawing, NetworkModel
from forecasting.models.learning import Control, Learned, Shape
from forecasting.models.neural import Units, recurrent_parameters

if TYPE_CHECKING:
    from forecasting.models.networks.build import Network


class Convolutional(NetworkModel):
    """What they have in common."""

    group: ClassVar[str] = "convolutional"
    variable_length: ClassVar[bool] = True
    return_sequences: ClassVar[bool] = True
    searched: ClassVar[Mapping[str, Range | Options]] = {"filters": Range(low=8, high=64, log=True)}
    filters: int = Field(20, ge=1, le=256, title="Filters", description="Patterns that each convolution looks for.")

    @property
    def label(self) -> str:
        """Title, and what differs from the defaults, by its name."""
        others = self.model_dump(exclude_defaults=True)
        words = [
            str(value) if name == "strategy" else name if value is True else _named(name, value)
            for name, value in others.items()
        ]
        return ", ".join([self.title, *words])


def _named(name: str, value: object) -> str:
    shown = "–".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"{name.replace('_', ' ')} {shown}"


class ConvGRU(Convolutional):
    """A convolution before recurrent layers."""

    name: ClassVar[str] = "conv_gru"
    title: ClassVar[str] = "Conv1D + GRU"
    description: ClassVar[str] = (
        "A convolution looks for short patterns and halves the number of steps, and GRU layers read what it found. A longer "
        "past then costs less and is forgotten later."
    )
    formula: ClassVar[str] = (
        r"c_j = b + \sum_{i=0}^{w-1} W_i\, y_{sj+i}, \quad h_j = \mathrm{GRU}(c_j, h_{j-1}), \quad \hat y = V h_J + d"
    )
    drawing: ClassVar[Drawing] = Drawing("patterns", "GRU")
    searched: ClassVar[Mapping[str, Range | Options]] = {
        "filters": Range(low=8, high=64, log=True),
        "units": Range(low=8, high=64, log=True, layers=(1, 2)),
    }
    kernel_size: int = Field(4, ge=1, le=64, title="Kernel size", description="Steps that a pattern spans.")
    stride: int = Field(2, ge=1, le=64, title="Stride", description="Steps from one pattern to the next.")
    units: Units = Field(
        (20, 20), min_length=1, max_length=8, title="Units per layer", description="One number per layer, first to last."
    )

    def count(self, shape: Shape) -> int:
        """Convolution, GRU layers, output."""
        total, n_in = (self.kernel_size * shape.n_features + 1) * self.filters, self.filters
        for units in self.units:
            total += recurrent_parameters("gru", n_in, units)
            n_in = units
        return total + (n_in + 1) * shape.n_outputs

    def width(self, shape: Shape) -> int:
        """Filters, and units at every stride."""
        return -(-(self.filters + sum(self.units)) // self.stride)

    def learn(self, split: Split, control: Control) -> Learned:
        """Train the network, if a pattern fits into the look-back."""
        if split.train.x.shape[1] < self.kernel_size:
            raise BadInput(
                f"{self.title}: a pattern of {self.kernel_size} steps does not fit into a look-back of "
                f"{split.train.x.shape[1]}: lengthen the look-back or shorten the kernel."
            )
        return super().learn(split, control)

    def network(self, shape: Shape) -> "Network":
        """Build it."""
        from forecasting.models.networks.build import conv_gru

        return conv_gru(self, shape)


class WaveNet(Convolutional):
    """Dilated causal convolutions."""

    name: ClassVar[str] = "wavenet"
    title: ClassVar[str] = "WaveNet"
    description: ClassVar[str] = (
        "Convolutions that see the past alone, each layer reaching back twice as far as the one below: so a few layers see "
        "a long past. Gated, each layer also learns what to let through, and hands its findings past the layers above."
    )
    formula: ClassVar[str] = (
        r"z^{(l)}_i = \mathrm{relu}\!\left(A_l\, z^{(l-1)}_{i-d_l} + B_l\, z^{(l-1)}_i + b_l\right), "
        r"\quad d_l = 1, 2, 4, 8, \dots, \quad \hat y = V z^{(L)}_t + c"
    )
    drawing: ClassVar[Drawing] = Drawing("dilated")
    layers_per_block: int = Field(4, ge=1, le=10, title="Layers per block", description="Dilations 1, 2, 4 … in a block.")
    blocks: int = Field(2, ge=1, le=5, title="Blocks", description="Blocks on top of each other.")
    gated: bool = Field(False, title="Gated", description="Gates, residual and skip connections, as in WaveNet itself.")

    def count(self, shape: Shape) -> int:
        """All layers."""
        f, n_layers = self.filters, self.layers_per_block * self.blocks
        first = (2 * shape.n_features + 1) * f
        if self.gated:
            between = n_layers * (2 * (2 * f + 1) * f + (f + 1) * f) + (f + 1) * f
        else:
            between = (n_layers - 1) * (2 * f + 1) * f
        return first + between + (f + 1) * shape.n_outputs

    def width(self, shape: Shape) -> int:
        """All filters."""
        return self.filters * self.layers_per_block * self.blocks * (3 if self.gated else 1)

    def network(self, shape: Shape) -> "Network":
        """Build it."""
        from forecasting.models.networks.build import wavenet

        return wavenet(self, shape)
