"""Progress bars of a run, on standard error."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from forecasting.experiment import BadInput, SeriesFit
from forecasting.runs.database import Unavailable
from forecasting.runs.store import Store
from forecasting.runs.views import FitView, RunView

POLL_S = 0.2


def watch(store: Store, run_id: str) -> RunView:
    """Draw progress bars on standard error until every fit has ended; an interruption stops the run."""
    try:
        return _progress(store, run_id)
    except KeyboardInterrupt:
        store.stop(run_id)
        raise


def _progress(store: Store, run_id: str) -> RunView:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[status]}"), console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}
        while True:
            time.sleep(POLL_S)
            try:
                view = store.run(run_id)
            except Unavailable as error:  # the workers try again too
                bars.console.print(error)
                continue
            if view is None:
                raise BadInput(f"Run {run_id} was deleted while it ran.")
            for fit in view.fits:
                if fit.id not in tasks:
                    tasks[fit.id] = bars.add_task(name_of(fit), total=_total(fit), status="")
                done = len(fit.epochs) if fit.fit.training else int(fit.status == "finished")
                bars.update(tasks[fit.id], completed=done, status=fit.stage or fit.status)
            if view.ended:
                return view


def _total(fit: FitView) -> int:
    """How many epochs a fit will do at most; 1 for one that is not trained."""
    return fit.fit.training.epochs if fit.fit.training else 1


def name_of(fit: FitView) -> str:
    """What a fit is called beside its bar: its model, and the seed; of whole series, whether it is the backtest or the
    forecast.
    """
    if isinstance(fit.fit, SeriesFit):
        return f"{fit.label}, {'forecast' if fit.fit.forecasts_the_future else 'backtest'}"
    return fit.label if fit.fit.seed is None else f"{fit.label}, seed {fit.fit.seed}"
