"""The fits of an experiment: which there are, and what is asked of each."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from forecasting.data import Split
from forecasting.experiment import (
    Allotment,
    BadInput,
    Experiment,
    Fit,
    ModelChoice,
    Plan,
    SeriesFit,
    SeriesTask,
    Training,
    WindowFit,
)
from forecasting.models import Control, Learner, Model, NetworkModel, Shape, resolve
from forecasting.models.naive import Naive

INSTANT_WORK = 500_000
"""Units of work, half a second, up to which the page computes a model by itself."""


def fits_of(experiment: Experiment) -> list[Fit]:
    """List the fits of an experiment: every model once, or once per seed where a seed matters, in their order; of whole
    series those first that take least.

    Naive is in every comparison: it is put first when it was not chosen. Parameters are left out where they are the default,
    so that a fit has one id however it was written down. Models that a time budget leaves out have none. Ensembles are none:
    see `ensembles_of`.

    Raises:
        BadInput: when a model or a parameter is unknown or out of range, or a time budget has not been looked at.
    """
    if experiment.budget_s is not None and not experiment.allotted:
        raise BadInput("What the time budget comes to is not known yet: see `forecasting.runs.budget.allotted`.")
    shares = list(experiment.allotted or [Allotment()] * len(experiment.models))
    chosen = list(zip(experiment.models, shares, strict=True))
    if all(choice.name != Naive.name for choice in experiment.models):
        chosen.insert(0, (ModelChoice(name=Naive.name), Allotment()))
    if experiment.plan is not None:
        chosen.sort(key=lambda one: one[1].work_s or 0.0)
    fits: dict[str, Fit] = {}
    for choice, share in chosen:
        model, shortest = _shortest(choice)
        if not model.combines and not share.left_out:
            fits |= {fit.id: fit for fit in _fits_of_one(experiment, model, shortest, share, choice.params)}
    return list(fits.values())


def window_fits(experiment: Experiment) -> list[WindowFit]:
    """The fits of an experiment without a plan."""
    return [fit for fit in fits_of(experiment) if isinstance(fit, WindowFit)]


def ensembles_of(experiment: Experiment) -> list[WindowFit]:
    """List the ensembles of an experiment in the form of fits, though nobody fits them: `combine` makes them of others."""
    source, task = experiment.source, experiment.task
    fits = [
        WindowFit(source=source, task=task, model=short)
        for model, short in map(_shortest, experiment.models)
        if model.combines
    ]
    return list({fit.id: fit for fit in fits}.values())


def _fits_of_one(
    experiment: Experiment, model: Model, shortest: ModelChoice, share: Allotment, params: Mapping[str, Any]
) -> list[Fit]:
    """The fits of one model; on whole series all parameters that were given count, also those at their defaults."""
    source, plan = experiment.source, experiment.plan
    epochs = {"epochs": share.epochs, "restarts": ()} if share.epochs else {}
    training = experiment.training.model_copy(update=epochs) if model.trained else None
    if plan is not None:
        seed, most = (experiment.seeds[0], share.max_windows) if model.trained else (None, None)
        given = ModelChoice(name=model.name, params=model.model_dump(mode="json", include=set(params)))
        how = {"source": source, "model": given, "training": training, "seed": seed}
        return [
            SeriesFit(
                **how,
                task=task,
                max_windows=most,
                cutoff_offsets=offsets,
                chunk=chunk,
                n_judged=plan.n_judged if offsets[-1] else None,
            )
            for offsets in plan.fits()
            for task in tasks_of(plan, model)
            for chunk in _chunks(share.chunks[offsets[-1] == 0])
        ]
    seeds = experiment.seeds if model.trained else (None,)
    return [WindowFit(source=source, task=experiment.task, model=shortest, training=training, seed=seed) for seed in seeds]


def _chunks(n: int) -> list[tuple[int, int] | None]:
    return [None] if n == 1 else [(nth, n) for nth in range(n)]


def tasks_of(plan: Plan, model: Model) -> list[SeriesTask]:
    """What is asked of a model on whole series, once for each of its members.

    Where a plan has members by season, networks that learn differences to the last season repeated have one without a season
    and one for each, unless the season is subtracted beforehand. Long seasons are known to statistical models alone.
    """
    if model.local:
        return [plan.task]
    several = plan.members == "by_season" and plan.differencing in ("by_model", "last_season") and not plan.deseasonalize
    several = several and isinstance(model, NetworkModel) and model.learns_ahead_alone
    seasons = (1, *plan.seasons) if several else (plan.season_length,)
    return [plan.task.model_copy(update={"season_length": m, "longer_seasons": ()}) for m in seasons]


def _shortest(choice: ModelChoice) -> tuple[Model, ModelChoice]:
    """A model, and its choice without the parameters that are at their defaults."""
    model = resolve(choice)
    return model, ModelChoice(name=choice.name, params=model.model_dump(mode="json", exclude_defaults=True))


def joins(fit: WindowFit) -> bool:
    """Whether ensembles are made of a fit's forecasts: its model has learned, and forecasts every window."""
    return isinstance(resolve(fit.model), Learner)


def is_instant(fit: WindowFit, split: Split) -> bool:
    """Whether a fit is so fast that the page does it while it is drawn; the others are done by a worker."""
    model = resolve(fit.model)
    if model.trained or model.local or fit.asks_network:
        return False
    return model.combines or model.work(Shape.of(split), len(split.train), Training()) <= INSTANT_WORK


def for_fit(fit: WindowFit | SeriesFit, control: Control | None) -> Control:
    """Callbacks with the training settings and the seed of a fit."""
    given = control or Control()
    return replace(given, training=fit.training or given.training, seed=fit.seed or 0)
