"""Where series come from."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from forecasting.experiment.values import Value

Frequencies = tuple[Annotated[float, Field(ge=0, le=100)], Annotated[float, Field(ge=0, le=100)]]


class Waves(Value):
    """Synthetic series: two sine waves with random frequency and phase, plus noise; trend and season if wanted."""

    kind: Literal["waves"] = "waves"
    n_series: int = Field(
        10_000,
        ge=10,
        le=300_000,
        title="Number of series",
        description="How many series are made.",
        json_schema_extra={
            "offered": [100, 200, 500, 1_000, 2_000, 3_000, 5_000, 7_000, 10_000, 20_000, 50_000, 100_000, 300_000]
        },
    )
    amplitude_1: float = Field(0.5, ge=0, le=2, title="Wave 1 amplitude", description="Height of the slow wave.")
    frequency_1: Frequencies = Field(
        (10.0, 20.0),
        title="Wave 1 frequency",
        description="Each series draws its frequency from this range, in radians over the whole grid.",
    )
    amplitude_2: float = Field(0.2, ge=0, le=2, title="Wave 2 amplitude", description="Height of the fast wave.")
    frequency_2: Frequencies = Field(
        (20.0, 40.0),
        title="Wave 2 frequency",
        description="Each series draws its frequency from this range, in radians over the whole grid.",
    )
    noise_width: float = Field(
        0.1,
        ge=0,
        le=2,
        title="Noise width",
        description="Uniform noise of this width is added to every value. Its variance, width² / 12, bounds every model.",
    )
    level: float = Field(0.0, ge=-100, le=100, title="Level", description="A constant that is added to the waves.")
    trend: Literal["none", "linear", "exponential"] = Field("none", title="Trend", description="How the level moves.")
    trend_change: float = Field(
        0.1,
        ge=-5,
        le=5,
        title="Trend change",
        description="Linear: added every so many steps. Exponential: share gained every so many steps (0.1 is 10 %).",
    )
    trend_every: int = Field(50, ge=1, le=10_000, title="… every (steps)", description="Steps that the change takes.")
    season: Literal["none", "additive", "multiplicative"] = Field(
        "none", title="Season", description="A repeating pattern, added to the series or multiplied with it."
    )
    season_amplitude: float = Field(
        0.5, ge=0, le=10, title="Season amplitude", description="Height of the season (multiplicative: as a share)."
    )
    season_length: int = Field(12, ge=2, le=1_000, title="Season length", description="Steps until it repeats.")
    n_channels: int = Field(
        1, ge=1, le=8, title="Channels", description="Values per step: with more than one the series are multivariate."
    )
    coupling: float = Field(
        0.5, ge=0, le=1, title="Coupling", description="Share of a channel's waves that it takes from the next channel."
    )
    delay: int = Field(
        5, ge=0, le=100, title="Delay", description="Steps after which it follows: the next channel tells what comes."
    )
    n_steps: int | None = Field(
        None,
        ge=2,
        le=2_000,
        title="Grid length",
        description="Points over which time runs from 0 to 1. Unless fixed it is look-back plus horizon; "
        "another grid stretches the waves and makes other series.",
    )
    train_n_steps: int | None = Field(
        None,
        ge=2,
        le=2_000,
        title="Other grid for training",
        description="Points of the training series' grid, where they are to lie on another one than those that are scored. "
        "The chapter's iterated forecast learns on 51 points and is scored on 60.",
    )
    unit_steps: int | None = Field(
        None,
        ge=2,
        le=2_000,
        title="Steps of a unit of time",
        description="Steps in which time runs from 0 to 1, so that a longer look-back sees further back; without, the whole "
        "grid, and a longer look-back sees the same curve more finely.",
    )
    seed: int = Field(42, ge=0, le=2**31 - 1, title="Data seed", description="Another seed draws other series.")

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a field that came later while it is not set: fits that are known keep their ids."""
        return {name: value for name, value in handler(self).items() if name != "unit_steps" or value is not None}

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        for name in ("frequency_1", "frequency_2"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"The range of {name} runs from {low:g} to {high:g}: put the smaller number first.")
        if self.trend == "exponential" and self.trend_change <= -1:
            raise ValueError("An exponential trend cannot lose 100 % or more: give a trend change above -1.")
        return self


class Sample(Value):
    """A real series that comes with an installed package; see `forecasting.data.samples`."""

    kind: Literal["sample"] = "sample"
    name: str = Field("sunspots", max_length=40, title="Sample")
    multivariate: bool = Field(
        False,
        title="Multivariate",
        description="Linear models and networks see all series at every step, as channels of one, and not one by one.",
    )


ColumnName = Annotated[str, Field(max_length=200)]


NOT_STORED = "0" * 16
"""The id of a file that no store keeps."""


class Upload(Value):
    """A file that a visitor gave; the id is random and is the only way to it."""

    kind: Literal["upload"] = "upload"
    upload_id: str = Field(pattern=r"^[a-z0-9]{16,40}$", title="Upload")
    sheet: str = Field("", max_length=100, title="Sheet", description="Of a workbook; empty: the first that holds times.")
    time: tuple[ColumnName, ...] = Field(
        (), max_length=6, title="Times", description="The column that holds them, or several; none chosen: detected."
    )
    value: tuple[ColumnName, ...] = Field(
        (), max_length=50, title="Values", description="Columns that are forecast, each a series; none chosen: the first."
    )
    every_value: bool = Field(
        False, title="Every column of values", description="Each is a series, and models learn from all of them."
    )
    multivariate: bool = Field(
        False,
        title="Multivariate",
        description="Linear models and networks see these columns at every step, as channels of one series, and not one by "
        "one.",
    )
    past_covariates: tuple[ColumnName, ...] = Field(
        (),
        max_length=20,
        title="Past covariates",
        description="Columns of numbers whose past may tell what comes, as the temperature of what is used: linear models "
        "and networks see them, and they are not forecast.",
    )
    id: tuple[ColumnName, ...] = Field(
        (), max_length=6, title="Series", description="Columns that tell series apart; none chosen: detected."
    )
    future_covariates: tuple[ColumnName, ...] = Field(
        (),
        max_length=10,
        title="Future covariates",
        description="Columns of numbers that are known beforehand, as prices or holidays; rows behind the last value say "
        "what they will be. Networks on the Forecast page see them.",
    )
    day_first: bool | None = Field(None, title="Day first", description="Of dates like 03/04/2024.")
    decimal: Literal["detected", "point", "comma"] = Field(
        "detected", title="Decimal sign", description="Whether 1.234 is a thousand and some, or one and a bit."
    )
    missing: tuple[float, ...] = Field(
        (), max_length=10, title="Treated as missing", description="Numbers that say that a value is missing."
    )
    repair: Literal["leave", "forward", "interpolation", "seasonal_line", "network"] = Field(
        "leave",
        title="Missing values and gaps",
        description="Leave: windows that hold one are left out. Or filled in by the last known value, by a line, by one "
        "between values of the same step of the season, or by a network that has learned to from what is known; where that "
        "is too little, by a line.",
    )
    frequency: Annotated[str, Field(max_length=20)] = Field(
        "", title="Aggregate to", description="A coarser frequency, by pandas' alias: D, W, MS, QS …; empty: as it is."
    )
    aggregate: Literal["mean", "sum", "last"] = Field(
        "mean",
        title="Aggregate by",
        description="What becomes of a step; the first and the last are left out where the file begins or ends within them.",
    )

    @model_validator(mode="after")
    def _columns_go_together(self) -> Self:
        if self.multivariate and (len(self.value) < 2 or self.every_value):
            raise ValueError("A multivariate series needs its columns named: choose two columns of values or more.")
        if (self.past_covariates or self.future_covariates) and (self.every_value or len(self.value) > 1):
            raise ValueError("Past and future covariates go with one column of values: choose it.")
        named = (*self.value, *self.past_covariates, *self.future_covariates)
        if len(set(named)) < len(named):
            raise ValueError("A column is named twice: it is forecast, a past covariate, or a future covariate.")
        return self


def repaired_by_network(source: "Source") -> bool:
    """Whether a network fills in what a source lacks."""
    return isinstance(source, Upload) and source.repair == "network"


Source = Annotated[Waves | Sample | Upload, Field(discriminator="kind")]
