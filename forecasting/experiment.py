"""The values that describe an experiment: source, task, models, training settings, seeds.

Every value is frozen, validated and survives a round trip through JSON. Bounds, labels and help texts stand here once:
the sliders of the dashboard, the address of a page, the command line and the database all read them from these classes.
"""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

NUMERICS = 4
"""Version of everything that computes. Raise it when a change moves results, or when a default changes: it is part of every
fit's id, beside the settings that differ from their defaults."""


class BadInput(ValueError):
    """Something a visitor gave cannot be used. The message says what to change and is shown as it stands."""


class Value(BaseModel):
    """A frozen, strict-about-its-keys settings object with a canonical JSON form."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def canonical(self) -> str:
        """Return the one JSON text of this value: sorted keys, no blanks."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


MOST_EPOCHS_IN_A_BUDGET = 100_000
MAX_TEXT = 100_000
"""Characters of an experiment's JSON: a multiple of what the largest needs, read within a fraction of a second."""


def without(data: dict[str, Any], *names: str) -> dict[str, Any]:
    """A copy of a mapping that lacks some of its keys."""
    return {key: value for key, value in data.items() if key not in names}


NEEDED = {kind: "a whole number is needed" for kind in ("int_parsing", "int_from_float", "int_type")}
NEEDED |= {kind: "a number is needed" for kind in ("float_parsing", "float_type")}
"""Complaints of pydantic's that a visitor would not understand."""


def plain(error: ValidationError) -> BadInput:
    """Turn pydantic's first complaint into one sentence for a visitor."""
    first = error.errors()[0]
    where = " ".join(" → ".join(str(part)[:60] for part in first["loc"]).split())[-80:] or "the input"
    if first["type"] == "value_error":
        return BadInput(str(first["ctx"]["error"]))
    given = first["input"]
    shown = f" (given: {str(given)[:50]!r:.60})" if not isinstance(given, dict | list) else ""
    message = NEEDED.get(first["type"], first["msg"][0].lower() + first["msg"][1:])
    if len(message) > 160:
        message = f"{message[:80]} … {message[-78:]}"
    return BadInput(printable(f"{where}: {message}{shown}."))


def printable(text: str) -> str:
    """A stranger's text on one line, without characters that would do something where it is shown or stored."""
    return "".join(c if c.isprintable() else " " for c in text)


# ---------------------------------------------------------------------------------------------------------- source

Frequencies = tuple[Annotated[float, Field(ge=0, le=100)], Annotated[float, Field(ge=0, le=100)]]


class Waves(Value):
    """Synthetic series: two sine waves with random frequency and phase, plus noise; trend and season if wanted."""

    kind: Literal["waves"] = "waves"
    n_series: int = Field(10_000, ge=10, le=300_000, title="Number of series", description="How many series are made.")
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
    seed: int = Field(42, ge=0, le=2**31 - 1, title="Data seed", description="Another seed draws other series.")

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


ColumnName = Annotated[str, Field(max_length=200)]


class Upload(Value):
    """A file that a visitor gave; the id is random and is the only way to it."""

    kind: Literal["upload"] = "upload"
    upload_id: str = Field(pattern=r"^[a-z0-9]{16,40}$", title="Upload")
    time: tuple[ColumnName, ...] = Field(
        (), max_length=6, title="Times", description="The column that holds them, or several; none chosen: found out."
    )
    value: ColumnName = Field("", title="Values", description="The column that is forecast; none chosen: the first.")
    every_value: bool = Field(
        False, title="Every column of values", description="Each is a series of its own, and models learn from all of them."
    )
    id: tuple[ColumnName, ...] = Field(
        (), max_length=6, title="Series", description="Columns that tell series apart; none chosen: found out."
    )
    known: tuple[ColumnName, ...] = Field(
        (),
        max_length=10,
        title="Known in advance",
        description="Columns of numbers that are known beforehand, as prices or holidays; rows behind the last value say "
        "what they will be. Networks on the Forecast page see them.",
    )
    day_first: bool | None = Field(None, title="Day first", description="Of dates like 03/04/2024.")
    missing: tuple[float, ...] = Field(
        (), max_length=10, title="Stand for missing", description="Numbers that say that a value is missing."
    )
    repair: Literal["leave", "forward", "interpolation", "seasonal_line"] = Field(
        "leave",
        title="Missing values and gaps",
        description="Leave: windows that hold one are left out. Or filled in by the last known value, by a line, or by one "
        "between values of the same step of the season.",
    )
    frequency: Annotated[str, Field(max_length=20)] = Field(
        "", title="Aggregate to", description="A coarser frequency, by pandas' alias: D, W, MS, QS …; empty: as it is."
    )
    aggregate: Literal["mean", "sum", "last"] = Field("mean", title="Aggregate by", description="What becomes of a step.")


Source = Annotated[Waves | Sample | Upload, Field(discriminator="kind")]

# ------------------------------------------------------------------------------------------------------------ task

Target = Literal["next", "at_h", "all_h"]


class Task(Value):
    """What is asked of the series: how much is seen, what is forecast, how the data are split and scaled."""

    input_size: int = Field(50, ge=1, le=2_000, title="Look-back", description="Steps that a model sees (`input_size`).")
    target: Target = Field("next", title="Forecast", description="Which of the coming values is asked for.")
    h: int = Field(1, ge=1, le=200, title="Horizon", description="Steps ahead (`h`).")
    channels: Literal["one", "all"] = Field(
        "one",
        title="Channels to forecast",
        description="Of multivariate series: the first, with the others to go by, or all of them.",
    )
    train: float = Field(0.7, ge=0, le=1, title="Training share", description="Share that models learn from.")
    valid: float = Field(0.2, ge=0, le=1, title="Validation share", description="Share by which models are chosen.")
    scaling: Literal["none", "standard", "window"] = Field(
        "none",
        title="Scaling",
        description="Standard: subtract mean and divide by standard deviation, both learned on the training part alone. "
        "Window: those of each look-back, for series that grow beyond what was seen, or of very different size.",
    )
    differencing: Literal["none", "first", "seasonal", "both"] = Field(
        "none",
        title="Differencing",
        description="Linear models and networks learn changes, since the last step, since a season ago, or both, and the "
        "forecast is put together from them again. It takes trend and season out; baselines see the series itself.",
    )
    season_length: int = Field(12, ge=2, le=1_990, title="Season length", description="Steps until the season repeats.")
    hide: float = Field(
        0.0,
        ge=0,
        le=0.8,
        title="Hidden share",
        description="So much of every look-back is hidden, as if it were missing, and filled in before models see it.",
    )
    holes: Literal["random", "gaps"] = Field(
        "random", title="Hidden", description="Values one by one at random, or several steps in a row."
    )
    gap_length: int = Field(10, ge=4, le=50, title="Gap length", description="Steps of a gap, on average.")
    fill: Literal["forward", "interpolation", "network"] = Field(
        "interpolation",
        title="Filled in by",
        description="The last known value, a straight line between the known ones, or a recurrent network that reads the "
        "look-back in both directions and has learned to fill in by having further values hidden from it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _next_step_is_h_1(cls, data: Any) -> Any:
        return {**data, "h": 1} if isinstance(data, dict) and data.get("target", "next") == "next" else data

    @model_validator(mode="before")
    @classmethod
    def _nothing_hidden_needs_no_filling(cls, data: Any) -> Any:
        return data if not isinstance(data, dict) or data.get("hide") else without(data, "holes", "gap_length", "fill")

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
        if self.lags and self.target == "at_h":
            raise ValueError(
                "Differences are put together again step by step, so all values up to the horizon are needed: forecast all "
                "h, or switch differencing off."
            )
        if sum(self.lags) >= self.input_size:
            raise ValueError(
                f"Differencing takes {sum(self.lags)} values of a look-back of {self.input_size} and leaves none: lengthen "
                "it."
            )
        return self

    @property
    def lags(self) -> tuple[int, ...]:
        """The steps from which differences are taken, one after the other."""
        season = self.season_length
        return {"none": (), "first": (1,), "seasonal": (season,), "both": (season, 1)}[self.differencing]

    @model_validator(mode="after")
    def _scale_does_not_tell(self) -> Self:
        if self.hide and self.scaling == "window":
            raise ValueError("Scaling by each window would tell of its hidden values: choose another, or hide nothing.")
        return self

    @property
    def asks_network(self) -> bool:
        """Whether a network fills in what is hidden."""
        return self.hide > 0 and self.fill == "network"

    def n_targets(self, n_features: int) -> int:
        """How many of the values of a step are forecast."""
        return n_features if self.channels == "all" else 1

    @property
    def steps(self) -> list[int]:
        """The steps ahead that are forecast, counted from 1."""
        return list(range(1, self.h + 1)) if self.target == "all_h" else [self.h]


# -------------------------------------------------------------------------------------------------------- training


class Training(Value):
    """How the models that learn by gradient descent are trained."""

    epochs: int = Field(20, ge=1, le=500, title="Epochs", description="Passes over the training part.")
    budget_s: float | None = Field(
        None,
        ge=1,
        le=86_400,
        title="Time budget (s)",
        description="Train for so many seconds, compilation included, instead of a number of epochs. The whole epochs that "
        "it allows are recorded.",
    )
    batch_size: int = Field(32, ge=1, le=4_096, title="Batch size", description="Windows per gradient step.")
    learning_rate: float = Field(
        0.001, gt=0, le=10, title="Learning rate", description="Size of the steps. Lower it when a loss turns NaN."
    )
    schedule: Literal["constant", "cosine"] = Field(
        "constant",
        title="Rate over time",
        description="Constant, or a cosine: it rises at first, and falls to zero until the end, so that the last steps are "
        "small.",
    )
    warm_up: float = Field(
        0.1, ge=0, le=0.5, title="Warm-up", description="Share of the training in which a cosine rises, in a straight line."
    )
    restarts: tuple[Annotated[int, Field(ge=1, le=1_000)], ...] = Field(
        (),
        max_length=20,
        title="Restarts",
        description="Epochs after which a cosine began anew: a fit that was continued has them.",
    )
    clip_norm: float | None = Field(
        None,
        ge=0.001,
        le=1_000,
        title="Clip gradients",
        description="A gradient that is longer than this is shortened to it, so that one odd batch does no harm.",
    )
    loss: Literal["mse", "mae", "huber"] = Field(
        "mse",
        title="Loss",
        description="What is minimised: squared errors, absolute ones, or squared ones that are absolute beyond 1 (Huber). "
        "Curves show the mean squared error.",
    )
    optimizer: Literal["adam", "nadam", "rmsprop", "sgd"] = Field(
        "adam", title="Optimiser", description="The rule that turns gradients into steps, at Keras' defaults."
    )
    keep: Literal["last", "best"] = Field(
        "last", title="Weights kept", description="Those of the last epoch, or of the best one on validation."
    )
    patience: int | None = Field(
        None,
        ge=1,
        le=1_000,
        title="Early stopping",
        description="Stop after so many epochs without a better validation loss and keep the best weights.",
    )
    device: str = Field("CPU", pattern=r"^(CPU|GPU:\d{1,2})$", title="Device", description="Where the networks are trained.")

    @model_validator(mode="before")
    @classmethod
    def _one_way_to_end(cls, data: Any) -> Any:
        """A budget takes the place of epochs; `max_seconds` is in the first links, and became a limit of the server."""
        if not isinstance(data, dict):
            return data
        return without(data, "max_seconds", *(["epochs", "restarts"] if data.get("budget_s") is not None else []))

    @model_validator(mode="before")
    @classmethod
    def _constant_rate_has_no_shape(cls, data: Any) -> Any:
        constant = isinstance(data, dict) and data.get("schedule", "constant") == "constant"
        return without(data, "warm_up", "restarts") if constant else data

    @model_validator(mode="after")
    def _restarts_come_in_order(self) -> Self:
        if sorted({*self.restarts, self.epochs}) != [*self.restarts, self.epochs]:
            raise ValueError("Restarts are epochs in ascending order, the last before the end.")
        return self

    @property
    def changes_rate(self) -> bool:
        """Whether the learning rate depends on how long the training is."""
        return self.schedule != "constant"

    @property
    def most_epochs(self) -> int:
        """Epochs after which a fit ends at the latest."""
        return self.epochs if self.budget_s is None else MOST_EPOCHS_IN_A_BUDGET


# ------------------------------------------------------------------------------------------------------------ plan


class Plan(Value):
    """What is asked of whole series: the values after their end, and how well models would have forecast the past."""

    h: int = Field(12, ge=1, le=1_000, title="Horizon", description="Steps ahead (`h`).")
    season_length: int = Field(1, ge=1, le=2_000, title="Season length", description="Steps until it repeats; 1: none.")
    input_size: int | None = Field(
        None,
        ge=2,
        le=2_000,
        title="Look-back",
        description="Steps that models see; unless it is given four seasons, or nine days, as far as the series are long.",
    )
    power: Literal["none", "log", "box_cox"] = Field(
        "none",
        title="Transform",
        description="What models that learn see instead of the values, for series that swing more the higher they are; the "
        "forecast is turned back. Box–Cox finds the power that makes values most nearly normal. Both need values above 0.",
    )
    take_out: Literal["nothing", "trend", "season", "both"] = Field(
        "nothing",
        title="Take out beforehand",
        description="A straight line, and the mean of each step of the season, learned before the first cutoff; models that "
        "learn forecast what is left, and line and season are added again.",
    )
    calendar: bool = Field(
        False,
        title="Calendar",
        description="Networks also see hour, weekday and time of year of the steps to be forecast, as sines and cosines.",
    )
    n_windows: int = Field(
        4, ge=1, le=100, title="Cutoffs", description="Moments in the past from which models forecast, to be judged by them."
    )
    step_size: int | None = Field(
        None, ge=1, le=10_000, title="Steps between cutoffs", description="As many as are forecast, unless it is given."
    )
    refit: bool = Field(
        False, title="Learn anew at every cutoff", description="Or else once, from what was known at the first of them."
    )
    seconds: float = Field(
        120.0,
        ge=5,
        le=86_400,
        title="Time (s)",
        description="What all models may take together, about: networks see as many windows as they can learn from in it.",
    )
    seed: int = Field(1, ge=0, le=2**31 - 1, title="Seed", description="Of the networks.")

    def backs(self) -> list[int]:
        """How many steps before the end each cutoff lies, the earliest first."""
        step = self.step_size or self.h
        return [self.h + step * k for k in reversed(range(self.n_windows))]


# ------------------------------------------------------------------------------------------------- models, experiment


class ModelChoice(Value):
    """A model by name with the parameters that differ from its defaults; `forecasting.models.resolve` validates it."""

    name: str = Field(max_length=40)
    params: dict[str, Any] = Field(default_factory=dict, max_length=30)


Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Experiment(Value):
    """Source, task, models, training settings and seeds: all that decides a result. It is also the share link."""

    title: Annotated[str, AfterValidator(printable)] = Field("", max_length=120)
    source: Source = Waves()
    task: Task = Task()
    models: tuple[ModelChoice, ...] = Field(
        tuple(ModelChoice(name=name) for name in ("naive", "linear", "simple_rnn", "deep_rnn")),
        min_length=1,
        max_length=40,
    )
    training: Training = Training()
    seeds: tuple[Seed, ...] = Field((42,), min_length=1, max_length=20)
    plan: Plan | None = None
    """Given, the series are forecast beyond their end, and `task`, `training` and `seeds` say nothing."""

    @model_validator(mode="after")
    def _seeds_differ(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("A seed is listed twice: each seed may be given once.")
        return self

    @classmethod
    def read(cls, text: str) -> "Experiment":
        """Read an experiment from JSON.

        Raises:
            BadInput: in one sentence, when the text is no valid experiment.
        """
        if len(text) > MAX_TEXT:
            raise BadInput(f"The experiment has {len(text):,} characters; {MAX_TEXT:,} are allowed.")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise plain(error) from None


class Fit(Value):
    """One model on one source and task with one seed: the unit of work, of caching and of the queue.

    `training` and `seed` are None for models that do not depend on them. `look_back` asks for no training at all: the
    finished fit without it is scored once more, seeing that many steps. With a `plan` the model forecasts whole series.
    """

    source: Source
    task: Task
    model: ModelChoice
    training: Training | None = None
    seed: Seed | None = None
    look_back: int | None = Field(None, ge=1, le=2_000)
    plan: Plan | None = None

    @property
    def id(self) -> str:
        """A hash of everything that decides the result."""
        return self._hash(self.training)

    @property
    def trunk(self) -> str:
        """A hash of everything that decides the result of each epoch.

        Fits of one trunk walk the same way: the one with more epochs goes on from where the one with fewer ended.
        """
        return self.trunks[0][0]

    @property
    def trunks(self) -> list[tuple[str, int]]:
        """Its own trunk, and those that it has gone out from: of each the hash, and up to which epoch it walks along.

        With a constant learning rate the number of epochs decides nothing. Where the rate changes until the end, a longer
        fit walks another way, unless it is a shorter one that was continued: then its first epochs are those.
        """
        training = self.training
        if training is None or not training.changes_rate:
            endless = training and Training.model_validate(without(training.model_dump(), "epochs", "budget_s"))
            return [(self._hash(endless), training.epochs if training else 0)]
        ends = (*training.restarts, training.epochs)
        walks = [training.model_copy(update={"epochs": end, "restarts": ends[:i]}) for i, end in enumerate(ends)]
        return [(self._hash(walk), walk.epochs) for walk in reversed(walks)]

    def of_epochs(self, epochs: int) -> "Fit":
        """The same, with a number of epochs in the place of a time budget."""
        training = Training() if self.training is None else self.training
        return self.model_copy(update={"training": training.model_copy(update={"epochs": epochs, "budget_s": None})})

    def _hash(self, training: Training | None) -> str:
        content = self.model_copy(update={"training": training}).model_dump(mode="json", exclude_defaults=True)
        content["source"] = content.get("source", {}) | {"kind": self.source.kind}
        text = json.dumps([NUMERICS, content], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def program(self) -> str:
        """What decides which compiled program the fit needs: model, task, shapes of the data, batch, optimiser, device."""
        shapes = str(self.source.n_series) if isinstance(self.source, Waves) else self.source.canonical()
        training = self.training or Training()
        how = f"{training.batch_size} {training.optimizer} {training.clip_norm} {training.loss} {training.device}"
        return " ".join((self.model.canonical(), self.task.canonical(), shapes, how, str(self.look_back)))

    @property
    def parent(self) -> "Fit | None":
        """The fit whose weights this one needs."""
        return None if self.look_back is None else self.model_copy(update={"look_back": None})
