"""The values that describe an experiment: source, task, models, training settings, seeds.

Every value is frozen, validated and survives a round trip through JSON. Bounds, labels and help texts stand here once:
the sliders of the dashboard, the address of a page, the command line and the database all read them from these classes.
"""

import hashlib
import json
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from forecasting.experiment.sources import Sample, Source, Upload, Waves, repaired_by_network
from forecasting.experiment.tasks import Plan, Task
from forecasting.experiment.training import Training
from forecasting.experiment.values import BadInput, Value, plain, printable, without

__all__ = [
    "MAX_TEXT",
    "NUMERICS",
    "BadInput",
    "Experiment",
    "Fit",
    "ModelChoice",
    "Plan",
    "Sample",
    "Source",
    "Task",
    "Training",
    "Upload",
    "Value",
    "Waves",
    "plain",
    "printable",
    "without",
]

NUMERICS = 5
"""Version of everything that computes. Raise it when a change moves results, or when a default changes: it is part of every
fit's id, beside the settings that differ from their defaults."""
MAX_TEXT = 100_000
"""Characters of an experiment's JSON: a multiple of what the largest needs, read within a fraction of a second."""


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

    @property
    def asks_network(self) -> bool:
        """Whether a network fills in what is hidden or missing before models see it."""
        return self.task.asks_network or repaired_by_network(self.source)

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
    def asks_network(self) -> bool:
        """Whether a network fills in what is hidden or missing before the model sees it."""
        return self.task.asks_network or repaired_by_network(self.source)

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
