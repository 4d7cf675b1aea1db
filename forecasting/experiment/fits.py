"""Fits: the units of work, of caching and of the queue, a kind for each job, each named by its content."""

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from forecasting.experiment.sources import Source, Waves, repaired_by_network
from forecasting.experiment.tasks import SeriesTask, Task
from forecasting.experiment.training import Training
from forecasting.experiment.values import Value, without

NUMERICS = 9
"""Version of everything that computes. Raise it when a change moves results, or when a default changes: it is part of every
fit's id, beside the settings that differ from their defaults."""
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class ModelChoice(Value):
    """A model by name with the parameters that differ from its defaults; `forecasting.models.resolve` validates it."""

    name: str = Field(max_length=40)
    params: dict[str, Any] = Field(default_factory=dict, max_length=30)


class _Learning(Value):
    """A fit that may be trained by gradient descent; `training` and `seed` are None for models that are not.

    Fits with the same lineage have identical weights after every common epoch, so a longer one resumes from a shorter one.
    """

    source: Source
    model: ModelChoice
    training: Training | None = None
    seed: Seed | None = None

    @property
    def id(self) -> str:
        """A hash of everything that decides the result."""
        return _hash(self)

    @property
    def asks_network(self) -> bool:
        """Whether a network fills in what is missing before the model sees it."""
        return repaired_by_network(self.source)

    @property
    def needs_networks(self) -> bool:
        """Whether a network has a part in it, and so TensorFlow."""
        return self.training is not None or self.asks_network

    @property
    def lineage(self) -> str:
        """A hash of everything that decides the result of each epoch."""
        return self.lineages[0][0]

    @property
    def lineages(self) -> list[tuple[str, int]]:
        """Lineage keys of this fit and its ancestors, each with the last epoch they share.

        With a constant learning rate the number of epochs decides nothing. Where the rate changes until the end, a longer
        fit has other weights from the first epoch on, unless it continues a shorter one: then its first epochs are those.
        """
        training = self.training
        if training is None or not training.changes_rate:
            endless = training and Training.model_validate(without(training.model_dump(), "epochs"))
            return [(_hash(self._with(endless)), training.epochs if training else 0)]
        ends = (*training.restarts, training.epochs)
        paths = [training.model_copy(update={"epochs": end, "restarts": ends[:i]}) for i, end in enumerate(ends)]
        return [(_hash(self._with(path)), path.epochs) for path in reversed(paths)]

    def _with(self, training: Training | None) -> Self:
        return self.model_copy(update={"training": training})

    def _how(self) -> str:
        """What of the training decides which compiled program is needed."""
        training = self.training or Training()
        return f"{training.batch_size} {training.optimizer} {training.clip_norm} {training.loss} {training.device}"

    def _shapes(self) -> str:
        return str(self.source.n_series) if isinstance(self.source, Waves) else self.source.canonical()


class WindowFit(_Learning):
    """A model on the windows of a task, scored on validation and test."""

    kind: Literal["windows"] = "windows"
    task: Task

    @property
    def asks_network(self) -> bool:
        """Whether a network fills in what is masked or missing before the model sees it."""
        return self.task.asks_network or repaired_by_network(self.source)

    @property
    def compile_key(self) -> str:
        """What decides which compiled program the fit needs: model, task, shapes of the data, batch, optimiser, device."""
        return " ".join((self.model.canonical(), self.task.canonical(), self._shapes(), self._how()))


class LookBackFit(Value):
    """A finished fit on windows, scored on the same targets at another look-back: its weights are needed, and nothing is
    trained."""

    kind: Literal["look_back"] = "look_back"
    parent: WindowFit
    look_back: int = Field(ge=1, le=2_000)

    @property
    def id(self) -> str:
        """A hash of everything that decides the result."""
        return _hash(self)

    @property
    def source(self) -> Source:
        """The parent's."""
        return self.parent.source

    @property
    def model(self) -> ModelChoice:
        """The parent's."""
        return self.parent.model

    @property
    def seed(self) -> int | None:
        """The parent's."""
        return self.parent.seed

    @property
    def training(self) -> None:
        """None: nothing is trained."""
        return None

    @property
    def needs_networks(self) -> bool:
        """Whether a network has a part in it: always, for only networks take other look-backs."""
        return True

    @property
    def asks_network(self) -> bool:
        """Whether a network fills in what is masked or missing before the model sees it."""
        return self.parent.asks_network

    @property
    def lineage(self) -> str:
        """Nobody goes on from here."""
        return self.id

    @property
    def compile_key(self) -> str:
        """What decides which compiled program the fit needs."""
        return f"{self.parent.compile_key} {self.look_back}"


class SeriesFit(_Learning):
    """A model on whole series: it learns what was known at one cutoff, and forecasts from this and from later ones."""

    kind: Literal["series"] = "series"
    task: SeriesTask
    cutoff_offsets: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1, max_length=101)
    """How many steps before the end each cutoff lies, the earliest, at which it learns, first; 0: the end itself."""
    max_windows: int | None = Field(None, ge=1)
    """Windows that a network learns from at most, drawn evenly; None: all."""
    chunk: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1, le=1_000)]] | None = None
    """Which of how many equal parts of the series are forecast, counted from 0; None: all."""
    n_judged: int | None = Field(None, ge=10)
    """Series that are forecast at most, spread evenly, to judge the model by them; None: all."""

    @property
    def forecasts_the_future(self) -> bool:
        """Whether it forecasts what nobody knows yet, and not the past."""
        return self.cutoff_offsets[-1] == 0

    @property
    def compile_key(self) -> str:
        """What decides which compiled program the fit needs."""
        size = f"{self.cutoff_offsets[0]} {self.max_windows}"
        return " ".join((self.model.canonical(), self.task.canonical(), self._shapes(), self._how(), size))


Fit = Annotated[WindowFit | LookBackFit | SeriesFit, Field(discriminator="kind")]
"""A fit of any kind."""


def _hash(fit: Value) -> str:
    """The hash of all settings that differ from the defaults, of the kinds of source and fit, and of NUMERICS."""
    kinds = [fit.model_dump(include={"kind"}), fit.model_dump(include={"source": {"kind"}, "parent": {"source": {"kind"}}})]
    content = [NUMERICS, kinds, fit.model_dump(mode="json", exclude_defaults=True)]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:24]
