"""The values that describe an experiment: source, task, models, training settings, seeds.

Every value is frozen, validated and survives a round trip through JSON. Bounds, labels and help texts stand on its fields,
once: the sliders of the dashboard, the address of a page, the command line and the database all read them there. Those of
a model's parameters stand on its class, in `forecasting/models/`.
"""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from forecasting.experiment.fits import (
    NUMERICS,
    Fit,
    LookBackFit,
    ModelChoice,
    Seed,
    SeriesFit,
    WindowFit,
)
from forecasting.experiment.search import MOST_TRIALS, Options, Range, Search
from forecasting.experiment.sources import NOT_STORED, Sample, Source, Upload, Waves, repaired_by_network
from forecasting.experiment.tasks import Plan, SeriesTask, Task
from forecasting.experiment.training import MOST_EPOCHS, Training
from forecasting.experiment.values import BadInput, Value, plain, printable, without

__all__ = [
    "MOST_EPOCHS",
    "MOST_TRIALS",
    "NOT_STORED",
    "NUMERICS",
    "Allotment",
    "BadInput",
    "Experiment",
    "Fit",
    "LookBackFit",
    "ModelChoice",
    "Options",
    "Plan",
    "Range",
    "Sample",
    "Search",
    "SeriesFit",
    "SeriesTask",
    "Source",
    "Task",
    "Training",
    "Upload",
    "Value",
    "Waves",
    "WindowFit",
    "plain",
    "printable",
    "without",
]

CHAPTER_MODELS = ("naive", "linear", "simple_rnn", "deep_rnn")
"""The chapter's first four, the first that a visitor sees. They are written out, for this module knows no models, and
experiments that leave them out are stored."""


Chunks = Annotated[int, Field(ge=1, le=1_000)]


class Allotment(Value):
    """What a time budget came to for one model, by sizes and costs, before anything was trained (`runs.budget.allotted`)."""

    epochs: int | None = Field(None, ge=1, le=MOST_EPOCHS)
    """Passes over the training part, in the place of `Training.epochs`; None: as many as that says."""
    max_windows: int | None = Field(None, ge=1)
    """Windows that a network learns from at most; None: all."""
    left_out: str = Field("", max_length=400)
    """Why the model is not tried; empty where it is."""
    work_s: float | None = Field(None, ge=0)
    """Seconds of one core that all its fits take, about; None: it was not reckoned."""
    chunks: tuple[Chunks, Chunks] = (1, 1)
    """Fits of a statistical model to whole series, each to some of them: for a backtest, and for what comes."""


class Experiment(Value):
    """Source, task, models, training settings and seeds: all that decides a result. It is also the share link."""

    title: Annotated[str, AfterValidator(printable)] = Field("", max_length=120)
    source: Source = Waves()
    task: Task = Task()
    models: tuple[ModelChoice, ...] = Field(
        tuple(ModelChoice(name=name) for name in CHAPTER_MODELS),
        min_length=1,
        max_length=40,
    )
    training: Training = Training()
    seeds: tuple[Seed, ...] = Field((42,), min_length=1, max_length=20)
    plan: Plan | None = None
    """Given, the series are forecast beyond their end, and `task` says nothing."""
    budget_s: float | None = Field(
        None,
        ge=1,
        le=86_400,
        title="Time budget (s)",
        description="What it may take, about, by what models cost on a core of 2026: each network in the place of a number "
        "of epochs, or, of whole series, all models together. What it comes to is recorded before anything is trained, so "
        "that it does not depend on how busy the machine is.",
    )
    allotted: tuple[Allotment, ...] = Field((), max_length=40)
    """What the budget came to, for each of `models`; empty while nobody has looked."""
    search: Search | None = None
    """Given, further settings of one of the models are tried."""

    @property
    def asks_network(self) -> bool:
        """Whether a network fills in what is masked or missing before models see it."""
        return self.task.asks_network or repaired_by_network(self.source)

    @model_validator(mode="after")
    def _seeds_differ(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("A seed is listed twice: each seed may be given once.")
        if self.plan is not None and len(self.seeds) > 1:
            raise ValueError("Whole series are forecast with one seed: give one.")
        return self

    @model_validator(mode="after")
    def _search_is_of_one_of_the_models(self) -> Self:
        if self.search is None:
            return self
        if self.plan is not None or self.budget_s is not None:
            raise ValueError("A search is over windows, and has a budget of its own: give neither a plan nor a time budget.")
        if sum(choice.name == self.search.model for choice in self.models) != 1:
            raise ValueError(f"The model that is searched, {self.search.model}, has to be among the models, once.")
        return self

    @model_validator(mode="after")
    def _each_model_has_its_share(self) -> Self:
        if self.allotted and len(self.allotted) != len(self.models):
            raise ValueError("What a time budget came to is given for some of the models only: leave it out.")
        return self
