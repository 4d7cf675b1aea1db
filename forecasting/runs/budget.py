"""What a time budget comes to: how long networks are trained, how many windows they see, which models are tried.

It follows from sizes and from what models cost (`Model.work`), and is recorded in the experiment before anything is trained.
So the same settings give the same results on a busy machine and on an idle one; on a slower one they take longer.
"""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np

from forecasting.data import ReadUpload, Split, load, no_uploads
from forecasting.evaluation.fits import tasks_of
from forecasting.experiment import MOST_EPOCHS, Allotment, BadInput, Experiment, Plan, Training
from forecasting.models import MODELS, Model, Shape, resolve
from forecasting.panels import read_panel
from forecasting.panels.cutting import n_windows
from forecasting.panels.forecasters import (
    ENOUGH_WINDOWS,
    MOST_WINDOWS,
    history_of,
    judged_places,
    model_of,
    places_at,
    shape_of,
    too_few,
)
from forecasting.panels.panel import Panel
from forecasting.panels.tasks import task_of

WORK_PER_S = 1_000_000
"""Units of work to a second of one core."""
CHUNK = 250
"""Series to a fit of a statistical model, at least."""
MOST_CHUNKS = 16
"""Such fits at most: each takes the series' file with it."""
FOR_NETWORKS = 1 / 3
"""Share of a budget for whole series that networks have at least, where there are any."""


def allotted(
    experiment: Experiment, read_upload: ReadUpload = no_uploads, split: Split | None = None, panel: Panel | None = None
) -> Experiment:
    """The experiment with what its time budget comes to, and, of whole series, with the models left out that cannot forecast
    them; where that is known already, as it is.

    Args:
        experiment: the settings.
        read_upload: gives the content of an upload.
        split: its windows, where the caller has them already.
        panel: its whole series, likewise.

    Raises:
        BadInput: when source, task and models do not fit together.
    """
    if experiment.allotted or (experiment.budget_s is None and experiment.plan is None):
        return experiment
    if experiment.plan is None:
        windows = split or load(experiment.source, experiment.task, read_upload)
        shares = [_of_windows(experiment, resolve(choice), windows) for choice in experiment.models]
    else:
        shares = _of_series(experiment, experiment.plan, panel or read_panel(experiment.source, read_upload))
    return experiment.model_copy(update={"allotted": tuple(shares)})


def _of_windows(experiment: Experiment, model: Model, split: Split) -> Allotment:
    """As many epochs as a network does in the time; other models are not limited."""
    if not model.trained or experiment.budget_s is None:
        return Allotment()
    one_epoch = experiment.training.model_copy(update={"epochs": 1, "restarts": ()})
    work = model.work(Shape.asked(experiment.source, experiment.task, model), len(split.train), one_epoch)
    return Allotment(epochs=int(np.clip(experiment.budget_s * WORK_PER_S / work, 1, MOST_EPOCHS)))


# ------------------------------------------------------------------------------------------------------- whole series


@dataclass(frozen=True)
class _Asked:
    """One model of an experiment on whole series, and what it costs."""

    place: int
    model: Model
    work: float
    windows: int = 0
    chunks: tuple[int, int] = (1, 1)

    def share(self, max_windows: int | None = None) -> Allotment:
        """What it is given: all that it asks for, or so many windows at most."""
        return Allotment(max_windows=max_windows, work_s=round(self.work / WORK_PER_S, 3), chunks=self.chunks)


def _of_series(experiment: Experiment, plan: Plan, panel: Panel) -> list[Allotment]:
    """Models that are not trained are tried as long as there is time, the cheapest first; networks share what is left."""
    shares = [Allotment() for _ in experiment.models]
    asked: list[_Asked] = []
    for place, choice in enumerate(experiment.models):
        try:
            asked += _asked(place, model_of(choice, plan), plan, panel, experiment.training)
        except BadInput as error:
            shares[place] = Allotment(left_out=str(error)[:400])
    networks = [one for one in asked if one.model.trained]
    left = math.inf if experiment.budget_s is None else experiment.budget_s * WORK_PER_S
    kept = FOR_NETWORKS * left if networks and experiment.budget_s is not None else 0.0
    for one in sorted((one for one in asked if not one.model.trained), key=lambda one: one.work):
        if one.work > left - kept:
            why = _too_long(one.work, (left - kept) / WORK_PER_S)
            shares[one.place] = one.share().model_copy(update={"left_out": why})
        else:
            shares[one.place] = one.share()
            left -= one.work
    for i, one in enumerate(sorted(networks, key=lambda one: one.work)):
        share, most = left / (len(networks) - i), one.windows
        if one.work > share:
            most = max(ENOUGH_WINDOWS, int(one.windows * share / one.work))
        shares[one.place] = one.share(most if most < one.windows else None)
        left = max(0.0, left - min(one.work, share))
    return shares


def budget_with(experiment: Experiment, name: str) -> float:
    """The time budget, in seconds, that has room for a model that it leaves out, beside those that it does not.

    Args:
        experiment: with what its budget came to.
        name: of the model.
    """
    shares = list(zip(experiment.models, experiment.allotted, strict=True))
    tried = [(choice.name, share) for choice, share in shares if not share.left_out or choice.name == name]
    needed = sum(share.work_s or 0.0 for one, share in tried if not MODELS[one].trained)
    kept = FOR_NETWORKS if any(MODELS[one].trained for one, _ in tried) else 0.0
    return 10.0 * math.ceil(1.01 * needed / (1 - kept) / 10)


def _asked(place: int, model: Model, plan: Plan, panel: Panel, training: Training) -> list[_Asked]:
    """A model with the work of all of its fits; nothing for what is made of others.

    Raises:
        BadInput: when it cannot forecast these series.
    """
    if model.combines:
        return []
    if model.reference:
        raise BadInput(f"{model.title} cannot forecast the series of a file.")
    if not (model.trained or model.learns_from_windows):
        known = np.array([len(y) for y in panel.y])
        judged = known[judged_places(panel, np.arange(len(known)), plan.n_judged)]
        tested = [back for fit in plan.fits() for back in fit if back]
        lengths = np.concatenate([np.subtract.outer(judged, tested).ravel(), known])
        counted = _counted(np.clip(lengths, 1, history_of(plan)))
        work = sum(model.work(Shape(int(n), 1, plan.h), int(times), training) for n, times in counted)
        chunks = (_chunks(len(judged)), _chunks(len(known))) if model.local else (1, 1)
        return [_Asked(place, model, work, chunks=chunks)]
    work, most = 0.0, 0
    for offsets, task in product(plan.fits(), tasks_of(plan, model)):
        some = panel.some(places_at(panel, offsets[0]))
        windows = task_of(some, task, offsets[0], model)
        n = n_windows(some, windows, offsets[0])
        if model.trained and n < ENOUGH_WINDOWS:
            raise BadInput(too_few(n))
        n = min(n, MOST_WINDOWS)
        work += model.work(shape_of(model, some, task, windows), n, training)
        most = max(most, n)
    return [_Asked(place, model, work, most)]


def _chunks(n_series: int) -> int:
    return min(MOST_CHUNKS, -(-n_series // CHUNK))


def _counted(lengths: np.ndarray) -> list[tuple[int, int]]:
    """The lengths of histories, and how often there are such."""
    values, counts = np.unique(lengths, return_counts=True)
    return list(zip(values.tolist(), counts.tolist(), strict=True))


def _too_long(work: float, left_s: float) -> str:
    return (
        f"It would take about {max(1.0, work / WORK_PER_S):,.0f} s, and {max(0.0, left_s):,.0f} s of the time budget are "
        "left: raise it to include it."
    )
