"""The command that searches over settings."""

import json
import math
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from forecasting.cli.arguments import AsJson, text_of
from forecasting.cli.shared import OWNER, DatabaseUrl, Slots, open_store, refusals, working
from forecasting.evaluation.search import Trial, best_of, usual_search, with_settings
from forecasting.experiment import MOST_TRIALS, BadInput, Experiment
from forecasting.experiment.formats import FORMAT, read_experiment
from forecasting.runs.store import Store
from forecasting.runs.views import RunView

POLL_S = 0.5


def search(
    experiment: Annotated[Path, typer.Argument(help="A file as `example` prints it; - for standard input.")],
    model: Annotated[str | None, typer.Option(help="The model to search; the last that is trained by default.")] = None,
    trials: Annotated[int | None, typer.Option(min=2, max=MOST_TRIALS, help="Settings that are tried, at most.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Time of one core that they take together, at most, about.")] = None,
    to: Annotated[Path | None, typer.Option(help="A file for the experiment with the best settings.")] = None,
    as_json: AsJson = False,
    database: DatabaseUrl = None,
    slots: Slots = None,
) -> None:
    """Search over settings: those that `search` in the file names with their ranges, or else what usually matters."""
    with refusals():
        wanted = searched(read_experiment(text_of(experiment)), model, trials, minutes)
        settings, store = open_store(database)
        run_id = store.start_run(wanted, OWNER)
        with working(store, settings, slots, [run_id]):
            done = _watch(store, run_id)
        tried = store.trials(run_id)
        best = best_of(tried)
        found = None if best is None else with_settings(done.experiment, best.settings)
        if to is not None and found is not None:
            _write(to, found)
    if as_json:
        print(json.dumps(_told(done, tried, best, found), indent=2))
    else:
        _print(done, tried, best)
    raise typer.Exit(0 if best is not None else 1)


def searched(wanted: Experiment, model: str | None, trials: int | None, minutes: float | None) -> Experiment:
    """The experiment with a search: its own, or over what usually matters; options have the last word.

    Raises:
        BadInput: when there is nothing to search.
    """
    search = wanted.search if wanted.search is not None and model is None else usual_search(wanted, model)
    if minutes is not None and not 0 < minutes <= 10_000:
        raise BadInput("minutes: more than 0 and at most 10000 are needed.")
    given = {"trials": trials, "minutes": minutes}
    search = search.model_copy(update={name: value for name, value in given.items() if value is not None})
    return wanted.model_copy(update={"search": search})


def _watch(store: Store, run_id: str) -> RunView:
    """Draw a progress bar on standard error until the search has ended; an interruption stops it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, TextColumn("{task.fields[best]}"), console=Console(stderr=True)) as bars:
            bar = bars.add_task("trials", best="")
            while True:
                time.sleep(POLL_S)
                run = store.run(run_id)
                if run is None or run.experiment.search is None:
                    raise BadInput(f"Run {run_id} was deleted while it ran.")
                tried = store.trials(run_id)
                best = best_of(tried)
                told = "" if best is None or best.value is None else f"best {best.value:.3g}, trial {best.number}"
                ended = sum(trial.state != "open" for trial in tried)
                bars.update(bar, total=run.experiment.search.trials, completed=ended, best=told)
                if run.ended:
                    return run
    except KeyboardInterrupt:
        store.stop(run_id)
        raise


def _told(done: RunView, tried: list[Trial], best: Trial | None, found: Experiment | None) -> dict:
    columns = ("number", "settings", "fit_id", "state", "value")
    rows = [{name: getattr(trial, name) for name in columns} | {"epochs": len(trial.curve)} for trial in tried]
    experiment = None if found is None else {"format": FORMAT, **found.model_dump(mode="json")}
    return {"run": done.id, "best": None if best is None else best.number, "experiment": experiment, "trials": rows}


def _print(done: RunView, tried: list[Trial], best: Trial | None) -> None:
    names = list(dict.fromkeys(name for trial in tried for name in trial.settings))
    table = Table(title=f"{done.title or 'Search'} · run {done.id}")
    for column in ("trial", *names, "state", "epochs", "valid MSE"):
        table.add_column(column, justify="left" if column == "state" else "right")
    order = sorted(tried, key=lambda trial: (math.inf if trial.value is None else trial.value, trial.number))
    for trial in order:
        values = ["as given" if not trial.settings else str(trial.settings.get(name, "–")) for name in names]
        value = "–" if trial.value is None else f"{trial.value:.3g}"
        table.add_row(str(trial.number), *values, trial.state, str(len(trial.curve)), value)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    if best is not None:
        console.print("Chosen by validation among so many trials, its error there is a little too low: test is the judge.")


def _write(to: Path, found: Experiment) -> None:
    try:
        to.write_text(json.dumps({"format": FORMAT, **found.model_dump(mode="json")}, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise BadInput(f"{to} cannot be written ({error.strerror}): name another place.") from None
