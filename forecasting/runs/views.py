"""What the store tells about runs and fits: plain frozen values."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from forecasting.experiment import NUMERICS, BadInput, Experiment, Fit, Training, WindowFit, plain
from forecasting.experiment.formats import read_fit
from forecasting.models import Progress, resolve

ENDED = ("finished", "stopped", "cancelled", "failed", "lost")


@dataclass(frozen=True)
class FitView:
    """A fit as it stands.

    Attributes:
        id: as it is stored; a fit of an earlier version of this program has another id than it would have today.
        status: queued, running, finished, stopped (weights kept), cancelled (nothing kept), failed, lost.
        reason: why it ended as it did, in words; None when it finished.
        stage, fraction: what it is at while it runs, and how much of the present epoch is done.
        queue_place: its place among all that wait, from 1.
        result: `Result.summary()`, or None.
        epochs: the learning curve.
        epochs_before: how many of them it took over from the fit `parent_id` (or from its own, earlier attempt).
    """

    id: str
    fit: Fit
    status: str
    reason: str | None
    stage: str | None
    fraction: float | None
    queue_place: int | None
    result: dict[str, Any] | None
    epochs: list[Progress]
    started_at: float | None
    ended_at: float | None
    parent_id: str | None = None
    epochs_before: int = 0
    earlier: bool = False
    """Whether an earlier version of this program has computed it, which may have come to another result."""

    @property
    def label(self) -> str:
        """The model's name on charts."""
        return resolve(self.fit.model).label

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED


@dataclass(frozen=True)
class RunView:
    """A run as it stands."""

    id: str
    title: str
    experiment: Experiment
    created_at: float
    fits: list[FitView]
    withdrawn: frozenset[str] = frozenset()
    """Ids of fits that this run does not want any more and another run still wants: they go on without it."""
    owner: str = ""
    """Who started it, and may stop, change and delete it."""
    searching: bool = False
    """Whether it still tries further settings."""
    brought: bool = False
    """Whether another server has computed it: see `runs.archive`."""
    author: str = ""
    """What the owner is called; empty where that is not known."""
    private: bool = False
    """Whether it opens for its owner alone."""
    best: str = ""
    """Name of the best model so far; empty while none is known."""

    @property
    def earlier(self) -> bool:
        """Whether an earlier version of this program has computed some of it."""
        return any(fit.earlier for fit in self.fits)

    def kept(self, fit: WindowFit) -> FitView | None:
        """What an earlier version has computed of a fit, which has another id now: of the same model and seed."""
        alike = (view for view in self.fits if view.earlier and isinstance(view.fit, WindowFit))
        return next((view for view in alike if (view.fit.model, view.fit.seed) == (fit.model, fit.seed)), None)

    @property
    def ended(self) -> bool:
        """Whether this run waits for nothing any more."""
        return not self.searching and all(fit.ended or fit.id in self.withdrawn for fit in self.fits)

    def further(self, epochs: int) -> Experiment:
        """The experiment of this run with so many epochs more than its longest fit has done.

        Raises:
            BadInput: when none of its fits has learned anything, or there would be more epochs than a fit may have.
        """
        done = max((len(fit.epochs) for fit in self.fits), default=0)
        if not done:
            raise BadInput("No fit of this run has finished an epoch: there is nothing to go on from.")
        experiment, shares = self.experiment, {}
        settings = experiment.training.model_dump() | {"epochs": done + epochs}
        if experiment.training.changes_rate:
            planned = max(fit.fit.training.epochs for fit in self.fits if fit.fit.training)
            settings |= {"epochs": planned + epochs, "restarts": (*experiment.training.restarts, planned)}
        if experiment.plan is None:  # there the budget was a number of epochs
            shares = {"budget_s": None, "allotted": ()}
        try:
            training = Training.model_validate(settings)
        except ValidationError as error:
            raise plain(error) from None
        return experiment.model_copy(update={"training": training, **shares})


@dataclass(frozen=True)
class UploadView:
    """A file that was uploaded."""

    id: str
    owner: str
    name: str
    created_at: float
    private: bool = False
    """Whether its owner alone may use it."""


def fit_view(row: Any, epochs: list[Progress], queue_place: int | None) -> FitView:
    """Make the view from a database row.

    Args:
        row: of the table of fits.
        epochs: its learning curve, from the first epoch on.
        queue_place: its place among all that wait, from 1; None where it does not wait.

    Raises:
        BadInput: when another version has written it and it cannot be read any more.
    """
    result = json.loads(row.result) if row.result else None
    return FitView(
        id=row.id,
        fit=read_fit(row.settings, len(epochs) or None),
        status=row.status,
        reason=row.reason,
        stage=row.stage,
        fraction=row.fraction,
        queue_place=queue_place,
        result=result,
        epochs=epochs,
        started_at=row.started_at,
        ended_at=row.ended_at,
        parent_id=row.parent_id,
        epochs_before=row.epochs_before or 0,
        earlier=row.numerics != NUMERICS,
    )
