"""Looking after a search: what has ended is written down, and what is tried next is queued."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from forecasting.data import load
from forecasting.evaluation.search import Trial, fit_of, known_to, pruned_after, suggested
from forecasting.experiment import Experiment, Search, Source, Task, Training
from forecasting.models import Shape, resolve
from forecasting.runs.budget import WORK_PER_S
from forecasting.runs.store import Store
from forecasting.runs.views import FitView


def look_after(store: Store, run_id: str) -> None:
    """Take a search as far as what is known by now allows.

    Args:
        store: where it lies.
        run_id: of the run that searches.

    Raises:
        BadInput: when it cannot go on, as when its file was deleted.
    """
    run = store.run(run_id)
    if run is None or not run.searching or run.experiment.search is None:
        return
    experiment, search = run.experiment, run.experiment.search
    trials = _ended(store, run_id, experiment, store.trials(run_id))
    while not _enough(store, experiment, search, trials):
        if any(trial.state == "open" for trial in trials[: known_to(search, len(trials))]):
            return
        settings, fit = suggested(experiment, trials)
        store.try_next(run_id, len(trials), settings, fit, run.owner)
        trials.append(Trial(len(trials), settings, fit.id))
    if all(trial.state != "open" for trial in trials):
        store.end_search(run_id)


def _ended(store: Store, run_id: str, experiment: Experiment, trials: list[Trial]) -> list[Trial]:
    """The trials, after those that have ended by now are written down."""
    views = store.fits([trial.fit_id for trial in trials if trial.state == "open"])
    for trial in [trial for trial in trials if trial.state == "open"]:
        outcome = _outcome(experiment, trials, trial, views.get(trial.fit_id))
        if outcome.state != "open":
            store.tell(run_id, outcome)
            trials[trial.number] = outcome
    return trials


def _outcome(experiment: Experiment, trials: Sequence[Trial], trial: Trial, view: FitView | None) -> Trial:
    """A trial as it stands, by what is known of its fit."""
    if view is None:  # somebody has deleted it
        return replace(trial, state="failed")
    curve = tuple(point.valid_loss for point in view.epochs)
    pruned = pruned_after(experiment, trials, trial.number, curve)
    if pruned is not None:
        return replace(trial, state="pruned", curve=curve[:pruned])
    value = (view.result or {}).get("valid_mse")
    if view.status == "finished" and value is not None:
        return replace(trial, state="complete", value=value, curve=curve)
    return replace(trial, state="failed", curve=curve) if view.ended else trial


def _enough(store: Store, experiment: Experiment, search: Search, trials: Sequence[Trial]) -> bool:
    """Whether nothing further is tried: by number, or by the work that trials have taken, which no clock has measured."""
    if len(trials) >= search.trials:
        return True
    if search.minutes is None:
        return False
    known = known_to(search, len(trials))
    n_windows = _n_windows(store, experiment.source, experiment.task)
    spent = sum(_work(experiment, trial, n_windows, ended=trial.number < known) for trial in trials)
    return spent >= search.minutes * 60 * WORK_PER_S


def _work(experiment: Experiment, trial: Trial, n_windows: int, ended: bool) -> float:
    """What a trial takes, in units of work; one that has ended as far as it came."""
    fit = fit_of(experiment, trial.settings)
    model, training = resolve(fit.model), fit.training or Training()
    epochs = max(1, len(trial.curve)) if ended and fit.training else training.epochs
    asked = training.model_copy(update={"epochs": epochs, "restarts": ()})
    return model.work(Shape.asked(fit.source, fit.task, model), n_windows, asked)


@lru_cache(maxsize=32)
def _n_windows(store: Store, source: Source, task: Task) -> int:
    """How many windows there are to learn from."""
    return len(load(source, task, store.read_upload).train)
