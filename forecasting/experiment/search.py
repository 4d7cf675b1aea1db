"""A search over the settings of one model: what may vary, within which bounds, and how much is tried."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from forecasting.experiment.values import Value

MOST_TRIALS = 500
Setting = str | int | float | bool | None


class Range(Value):
    """Numbers between two bounds; whole ones where the setting is a whole number."""

    low: float
    high: float
    log: bool = False
    """Whether it is searched by its order of magnitude."""
    layers: tuple[Annotated[int, Field(ge=1, le=8)], Annotated[int, Field(ge=1, le=8)]] = (1, 1)
    """Of a setting with a number per layer: the fewest layers and the most; all of them have the same number."""

    @model_validator(mode="after")
    def _bounds_come_in_order(self) -> Self:
        if self.low >= self.high or self.layers[0] > self.layers[1]:
            raise ValueError("A range begins below its end: give the lower bound first.")
        if self.log and self.low <= 0:
            raise ValueError("A range that is searched by order of magnitude begins above 0.")
        return self


class Options(Value):
    """A few values to choose from."""

    values: tuple[Setting, ...] = Field(min_length=2, max_length=50)


Varied = Range | Options


class Search(Value):
    """What a search over the settings of one model of an experiment tries.

    The first trial has the settings as they stand in the experiment. What is tried next depends on the trials that ended
    before and on the seed, and never on how fast they were: a search comes to the same trials on every machine.
    """

    model: str = Field(max_length=40)
    """Name of the model."""
    params: dict[Annotated[str, Field(max_length=40)], Varied] = Field(default_factory=dict, max_length=30)
    """Which of its parameters vary."""
    training: dict[Annotated[str, Field(max_length=40)], Varied] = Field(default_factory=dict, max_length=20)
    """Which settings of its training vary."""
    trials: int = Field(30, ge=2, le=MOST_TRIALS, title="Trials", description="Settings that are tried, at most.")
    minutes: float | None = Field(
        None,
        gt=0,
        le=10_000,
        title="Minutes",
        description="Time that the trials take together at most, about, by what models cost on a core of 2026.",
    )
    side_by_side: int = Field(
        3,
        ge=1,
        le=64,
        title="Side by side",
        description="Trials under way at the same time; each is chosen without knowing what comes of the others.",
    )
    seed: int = Field(1, ge=0, le=2**31 - 1)

    @model_validator(mode="after")
    def _something_varies(self) -> Self:
        if not (self.params or self.training):
            raise ValueError("Nothing varies in this search: choose at least one setting, and its range.")
        return self
