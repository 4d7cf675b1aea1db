"""What is asked: of windows, and of whole series."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from forecasting.experiment.values import Value, without

Target = Literal["next", "at_h", "all_h"]
LOOK_BACKS = [*range(1, 60), *range(60, 120, 4), *range(120, 241, 12), 250, 300, 365, 400, 500, 730, 1_000, 1_500, 2_000]
"""Look-backs at which a slider stops."""


SeasonLength = Annotated[int, Field(ge=2, le=2_000)]


def lags_of(differencing: str, season_length: int) -> tuple[int, ...]:
    """The steps from which differences are taken, one after the other."""
    return {"none": (), "first": (1,), "seasonal": (season_length,), "both": (season_length, 1)}.get(differencing, ())


class Task(Value):
    """What is asked of the series: how much is seen, what is forecast, how the data are split and scaled."""

    input_size: int = Field(
        50,
        ge=1,
        le=2_000,
        title="Look-back",
        description="Steps that a model sees (`input_size`).",
        json_schema_extra={"offered": LOOK_BACKS},
    )
    target: Target = Field("next", title="Forecast", description="Which of the coming values is asked for.")
    h: int = Field(
        1,
        ge=1,
        le=1_000,
        title="Horizon",
        description="Steps ahead (`h`).",
        json_schema_extra={"offered": [*range(1, 49), *range(50, 101, 5), 120, 150, 168, 200]},
    )
    channels: Literal["one", "all"] = Field(
        "one",
        title="Channels to forecast",
        description="Of multivariate series: the first, with the others to go by, or all of them.",
    )
    train: float = Field(0.7, ge=0, le=1, title="Training share", description="Share that models learn from.")
    valid: float = Field(0.2, ge=0, le=1, title="Validation share", description="Share by which models are chosen.")
    scaling: Literal["none", "standard", "window", "level"] = Field(
        "none",
        title="Scaling",
        description="Standard: subtract mean and divide by standard deviation, both learned on the training part alone. "
        "Window: those of each look-back, for series that grow beyond what was seen, or of very different size. Level: its "
        "last value, and the mean size of its values.",
    )
    differencing: Literal["none", "first", "seasonal", "both", "last_season"] = Field(
        "none",
        title="Differencing",
        description="Linear models and networks learn changes, since the last step, since a season ago, or both, and the "
        "forecast is put together from them again. It removes trend and season; baselines see the series itself. Last "
        "season: they see the series, and learn by how much it will differ from its last season, repeated.",
    )
    transform: Literal["none", "log", "box_cox"] = Field(
        "none",
        title="Transform",
        description="What models see of the values, for series that swing more the higher they are; forecasts are turned "
        "back. Box–Cox finds the power that makes the training values most nearly normal. Both need values above 0.",
    )
    season_length: int = Field(12, ge=2, le=2_000, title="Season length", description="Steps until the season repeats.")
    masked: float = Field(
        0.0,
        ge=0,
        le=0.8,
        title="Masked share",
        description="So much of every look-back is masked, as if it were missing, and filled in before models see it.",
    )
    masking: Literal["random", "gaps"] = Field(
        "random", title="Masking", description="Values one by one at random, or several steps in a row."
    )
    gap_length: int = Field(10, ge=4, le=50, title="Gap length", description="Steps of a gap, on average.")
    fill: Literal["forward", "interpolation", "network"] = Field(
        "interpolation",
        title="Filled in by",
        description="The last known value, a straight line between the known ones, or a recurrent network that reads the "
        "look-back in both directions and has learned to fill in by having further values masked.",
    )

    @model_validator(mode="before")
    @classmethod
    def _next_step_is_h_1(cls, data: Any) -> Any:
        return {**data, "h": 1} if isinstance(data, dict) and data.get("target", "next") == "next" else data

    @model_validator(mode="before")
    @classmethod
    def _nothing_masked_needs_no_filling(cls, data: Any) -> Any:
        return data if not isinstance(data, dict) or data.get("masked") else without(data, "masking", "gap_length", "fill")

    @model_validator(mode="after")
    def _parts_not_empty(self) -> Self:
        for name, share in (("training", self.train), ("validation", self.valid)):
            if share < 0.0001:
                raise ValueError(f"The {name} part is empty: give it a share above 0 %.")
        if self.train + self.valid >= 0.9999:
            total = f"{self.train:.0%} training and {self.valid:.0%} validation"
            raise ValueError(f"{total} leave nothing for the test part: lower one of them.")
        return self

    @model_validator(mode="after")
    def _differences_can_be_taken(self) -> Self:
        if self.differencing != "none" and self.target == "at_h":
            raise ValueError(
                "Differences are put together again step by step, so all values up to the horizon are needed: forecast all "
                "h, or switch differencing off."
            )
        if self.differencing == "last_season" and self.season_length > self.input_size:
            raise ValueError(f"A season has {self.season_length} values, and the look-back {self.input_size}: lengthen it.")
        if sum(self.lags) >= self.input_size:
            raise ValueError(
                f"Differencing takes {sum(self.lags)} values of a look-back of {self.input_size} and leaves none: lengthen "
                "it."
            )
        return self

    @property
    def scales_each_window(self) -> bool:
        """Whether each window is scaled by itself, and not by what the training part holds."""
        return self.scaling in ("window", "level")

    @property
    def lags(self) -> tuple[int, ...]:
        """The steps from which differences are taken, one after the other."""
        return lags_of(self.differencing, self.season_length)

    @model_validator(mode="after")
    def _scale_does_not_tell(self) -> Self:
        if self.masked and self.scales_each_window:
            raise ValueError(
                "Scaling by each window would reveal the masked values: choose another scaling, or mask nothing."
            )
        return self

    @property
    def asks_network(self) -> bool:
        """Whether a network fills in what is masked."""
        return self.masked > 0 and self.fill == "network"

    def n_targets(self, n_features: int) -> int:
        """How many of the values of a step are forecast."""
        return n_features if self.channels == "all" else 1

    @property
    def steps(self) -> list[int]:
        """The steps ahead that are forecast, counted from 1."""
        return list(range(1, self.h + 1)) if self.target == "all_h" else [self.h]


class SeriesTask(Value):
    """What is asked of whole series, seen from one moment: how much is seen, and how; how far ahead is forecast."""

    h: int = Field(12, ge=1, le=1_000, title="Horizon", description="Steps ahead (`h`).")
    season_length: int = Field(1, ge=1, le=2_000, title="Season length", description="Steps until it repeats; 1: none.")
    longer_seasons: tuple[SeasonLength, ...] = Field(
        (), max_length=4, title="Longer seasons", description="Seasons around it, as the week is around the day."
    )
    input_size: int | None = Field(
        None,
        ge=2,
        le=2_000,
        title="Look-back",
        description="Steps that models see; unless it is given four seasons, or nine days, as far as the series are long.",
    )
    transform: Literal["none", "log", "box_cox"] = Field(
        "none",
        title="Transform",
        description="What models that learn see instead of the values, for series that swing more the higher they are; the "
        "forecast is turned back. Box–Cox finds the power that makes values most nearly normal. Both need values above 0.",
    )
    detrend: bool = Field(
        False,
        title="Detrend",
        description="A straight line, learned before the first cutoff, is subtracted: models that learn forecast what is "
        "left, and the line is added again.",
    )
    deseasonalize: bool = Field(
        False,
        title="Deseasonalize",
        description="The mean of each step of the season, learned before the first cutoff, is subtracted, and added again "
        "to the forecast.",
    )
    differencing: Literal["by_model", "fitting", "none", "first", "seasonal", "both", "last_season"] = Field(
        "by_model",
        title="Differencing",
        description="Linear models and networks learn changes: since the last step, since a season ago, or both; or by how "
        "much a series will differ from its last season, repeated. As fits: since a season ago where the series hold two, "
        "since the last step otherwise. By model: networks on one channel the last season, others as fits.",
    )
    calendar: bool = Field(
        False,
        title="Calendar",
        description="Networks also see hour, weekday and time of year of the steps to be forecast, as sines and cosines.",
    )

    @model_validator(mode="after")
    def _seasons_ascend(self) -> Self:
        if list(self.seasons) != sorted(set(self.seasons)) or (self.longer_seasons and self.season_length == 1):
            raise ValueError("Seasons are given the shortest first, each once.")
        return self

    @property
    def seasons(self) -> tuple[int, ...]:
        """All seasons, the shortest first; none where the season length is 1."""
        return (self.season_length, *self.longer_seasons) if self.season_length > 1 else self.longer_seasons


class Plan(SeriesTask):
    """What is asked of whole series: the values after their end, and how well models would have forecast the past."""

    n_windows: int = Field(
        4,
        ge=1,
        le=100,
        title="Backtest windows",
        description="Moments in the past from which models forecast, to be judged by them.",
    )
    step_size: int | None = Field(
        None, ge=1, le=10_000, title="Steps between windows", description="As many as are forecast, unless it is given."
    )
    refit: bool = Field(
        False, title="Learn anew at every window", description="Or else once, from what was known at the first of them."
    )
    selection: Literal["ensemble_first", "lowest_error"] = Field(
        "ensemble_first",
        title="Selection",
        description="Ensemble first: it is chosen unless another model is better by more than chance, and its members suit "
        "the series. Lowest error: the model that has it, and all that have learned are members.",
    )
    members: Literal["single", "by_season"] = Field(
        "single",
        title="Members",
        description="By season: of networks that learn differences to the last season repeated there is one for each season "
        "and one without; a series has the mean of those whose seasons it shows.",
    )
    n_judged: int = Field(
        250,
        ge=10,
        le=1_000_000,
        title="Series to judge by",
        description="Of more series so many, spread evenly, are forecast from the cutoffs, and models judged by them.",
    )

    def cutoff_offsets(self) -> list[int]:
        """How many steps before the end each cutoff lies, the earliest first."""
        step = self.step_size or self.h
        return [self.h + step * k for k in reversed(range(self.n_windows))]

    def fits(self) -> list[tuple[int, ...]]:
        """The cutoffs of each fit of a model, which learns at the first of them: those of the backtest, and the end (0)."""
        offsets = self.cutoff_offsets()
        tested: list[tuple[int, ...]] = [(back,) for back in offsets] if self.refit else [tuple(offsets)]
        return [*tested, (0,)]

    @property
    def task(self) -> SeriesTask:
        """What is asked at each cutoff."""
        return SeriesTask.model_validate(self.model_dump(include=set(SeriesTask.model_fields)))
