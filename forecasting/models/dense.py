"""Networks of dense layers: they see the whole look-back at once, and forecast all steps at once."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from forecasting.experiment import Options, Range
from forecasting.models.base import Drawing, NetworkModel
from forecasting.models.learning import Shape
from forecasting.models.neural import Units, sizes

if TYPE_CHECKING:
    from forecasting.models.networks.build import Network


class MLP(NetworkModel):
    """A multilayer perceptron."""

    name: ClassVar[str] = "mlp"
    title: ClassVar[str] = "MLP"
    group: ClassVar[str] = "dense"
    description: ClassVar[str] = (
        "Dense layers over the look-back, each value with a weight of its own. Learning from many series at once, it is as "
        "good as recurrent networks and much faster."
    )
    formula: ClassVar[str] = r"\hat y = W_3\,\mathrm{relu}\big(W_2\,\mathrm{relu}(W_1 y + b_1) + b_2\big) + b_3"
    drawing: ClassVar[Drawing] = Drawing("sum", "MLP")
    in_default_comparison: ClassVar[bool] = True
    in_fast_comparison: ClassVar[bool] = True
    series_params: ClassVar[dict[str, Any]] = {"units": (256, 256)}
    searched: ClassVar[Mapping[str, Range | Options]] = {"units": Range(low=16, high=256, log=True, layers=(1, 4))}
    units: Units = Field(
        (64, 64), min_length=1, max_length=8, title="Units per layer", description="One number per layer, first to last."
    )

    @property
    def label(self) -> str:
        """Its layers where they are not the default, and its strategy where it is iterated."""
        title = self.title if self.units == (64, 64) else f"{self.title} {sizes(self.units)}"
        return ", ".join([title, *([self.strategy] if self.strategy != "direct" else [])])

    def count(self, shape: Shape) -> int:
        """All dense layers."""
        widths = [shape.input_size * shape.n_features, *self.units, shape.n_outputs]
        return sum((n_in + 1) * n_out for n_in, n_out in zip(widths[:-1], widths[1:], strict=True))

    def width(self, shape: Shape) -> int:
        """All units, once per window."""
        return -(-sum(self.units) // shape.input_size)

    def uses(self, shape: Shape) -> int:
        """Each weight once per window."""
        return 1

    def network(self, shape: Shape) -> "Network":
        """Build it."""
        from forecasting.models.networks.build import mlp

        return mlp(self, shape)


class NBEATS(NetworkModel):
    """N-BEATS with generic blocks (Oreshkin, Carpov, Chapados and Bengio, 2020)."""

    name: ClassVar[str] = "nbeats"
    title: ClassVar[str] = "N-BEATS"
    group: ClassVar[str] = "dense"
    description: ClassVar[str] = (
        "Blocks of dense layers, one behind the other: each forecasts, and gives the next one what it could not explain of "
        "the look-back. The forecasts of all blocks add up."
    )
    formula: ClassVar[str] = r"x_{b+1} = x_b - \mathrm{backcast}_b(x_b), \quad \hat y = \sum_b \mathrm{forecast}_b(x_b)"
    drawing: ClassVar[Drawing] = Drawing("sum", "N-BEATS")
    in_default_comparison: ClassVar[bool] = True
    series_params: ClassVar[dict[str, Any]] = {"units": 128}
    searched: ClassVar[Mapping[str, Range | Options]] = {
        "blocks": Range(low=1, high=6),
        "units": Range(low=16, high=256, log=True),
    }
    extra_seasons: ClassVar[int] = 0
    blocks: int = Field(3, ge=1, le=12, title="Blocks", description="Blocks behind each other.")
    units: int = Field(64, ge=1, le=256, title="Units", description="Of each of the dense layers of a block.")
    layers_per_block: int = Field(2, ge=1, le=6, title="Layers per block", description="Dense layers of each block.")

    @property
    def label(self) -> str:
        """What differs from the defaults, by its name."""
        others = self.model_dump(exclude_defaults=True)
        words = [value if name == "strategy" else f"{name.replace('_', ' ')} {value}" for name, value in others.items()]
        return ", ".join([self.title, *words])

    def count(self, shape: Shape) -> int:
        """All blocks; the last gives no look-back on."""
        n_in, units = shape.input_size * shape.n_features, self.units
        block = (n_in + 1) * units + (self.layers_per_block - 1) * (units + 1) * units + (units + 1) * shape.n_outputs
        return self.blocks * block + (self.blocks - 1) * (units + 1) * n_in

    def width(self, shape: Shape) -> int:
        """All units, once per window."""
        return -(-self.blocks * self.layers_per_block * self.units // shape.input_size)

    def uses(self, shape: Shape) -> int:
        """Each weight once per window."""
        return 1

    def network(self, shape: Shape) -> "Network":
        """Build it."""
        from forecasting.models.networks.build import nbeats

        return nbeats(self, shape)
