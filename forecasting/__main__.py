"""The command line: `python -m forecasting --help`."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from forecasting.data import describe, floor_of
from forecasting.experiment import BadInput, Experiment
from forecasting.models import MODELS
from forecasting.runs.engine import Engine
from forecasting.runs.store import Store
from forecasting.runs.views import FitView, RunView
from forecasting.settings import Settings

app = typer.Typer(help="Train and compare forecasters without a browser.", no_args_is_help=True, add_completion=False)
LOOK_S = 0.2
DatabaseUrl = Annotated[str | None, typer.Option(help="SQLAlchemy URL; FORECASTING_DATABASE_URL by default.")]


@app.command()
def example() -> None:
    """Print the chapter's experiment as JSON: a file to change and run."""
    experiment = Experiment()
    titled = experiment.model_copy(update={"title": describe(experiment.source, experiment.task)})
    print(titled.model_dump_json(indent=2))


@app.command()
def models() -> None:
    """List the models and their parameters."""
    for model in MODELS.values():
        print(f"{model.name}: {model.title}. {model.description}")
        for name, field in model.model_fields.items():
            default = json.dumps(field.get_default(), default=list)
            print(f"    {name} = {default}  ({field.title}) {field.description}")


@app.command()
def run(
    experiment: Annotated[Path, typer.Argument(help="A file as `example` prints it; - for standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    database: DatabaseUrl = None,
    slots: Annotated[int | None, typer.Option(min=1, help="Fits at the same time; FORECASTING_SLOTS by default.")] = None,
) -> None:
    """Run an experiment with the workers and the database of the dashboard; exit status 0 only if every fit finished."""
    try:
        wanted = Experiment.read(sys.stdin.read() if str(experiment) == "-" else _text(experiment))
        settings = Settings()
        store = _open(database or settings.database_url)
        run_id = store.start_run(wanted, owner="command line")
    except BadInput as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    engine = Engine(store, slots or settings.slots, only_run=run_id)
    engine.start()
    try:
        done = _watch(store, run_id)
    except KeyboardInterrupt:
        store.stop(run_id)
        raise
    finally:
        engine.close()
    floor = floor_of(wanted.source)
    if as_json:
        print(json.dumps({"run": run_id, "noise_floor": floor, "fits": [_row(fit) for fit in done.fits]}, indent=2))
    else:
        _print_table(done, floor)
    raise typer.Exit(0 if all(fit.status == "finished" for fit in done.fits) else 1)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}): give a file as `example` prints it.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text: give a file as `example` prints it.") from None


def _open(url: str) -> Store:
    try:
        return Store(url)
    except (OSError, SQLAlchemyError) as error:
        why = str(getattr(error, "orig", None) or getattr(error, "strerror", None) or error).splitlines()[0]
        raise BadInput(f"The database {url} cannot be opened ({why}): give a URL such as sqlite:///lab.db.") from None


def _watch(store: Store, run_id: str) -> RunView:
    """Draw progress bars on standard error until every fit has ended."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[status]}"), console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}
        while True:
            view = store.run(run_id)
            if view is None:
                raise BadInput(f"Run {run_id} was deleted while it ran.")
            for fit in view.fits:
                total = fit.fit.training.epochs if fit.fit.training else 1
                if fit.id not in tasks:
                    tasks[fit.id] = bars.add_task(_name(fit), total=total, status="")
                done = len(fit.epochs) if fit.fit.training else int(fit.status == "finished")
                bars.update(tasks[fit.id], completed=done, status=fit.stage or fit.status)
            if view.ended:
                return view
            time.sleep(LOOK_S)


def _name(fit: FitView) -> str:
    return fit.label if fit.fit.seed is None else f"{fit.label}, seed {fit.fit.seed}"


def _row(fit: FitView) -> dict:
    result = fit.result or {}
    keys = ("valid_mse", "test_mse", "valid_mse_per_step", "parameters", "epochs", "fit_s")
    row = {"model": fit.fit.model.name, "params": fit.fit.model.params, "seed": fit.fit.seed, "status": fit.status}
    return row | {key: result.get(key) for key in keys} | {"error": fit.reason}


def _print_table(view: RunView, floor: float | None) -> None:
    table = Table(title=f"{view.title or describe(view.experiment.source, view.experiment.task)} · run {view.id}")
    for column in ("model", "seed", "status", "valid MSE", "test MSE", "parameters", "epochs", "seconds"):
        table.add_column(column, justify="left" if column in ("model", "status") else "right")
    for fit in view.fits:
        row = _row(fit)
        numbers = [row["valid_mse"], row["test_mse"], row["parameters"], row["epochs"], row["fit_s"]]
        shown = ["–" if number is None else f"{number:.3g}" for number in numbers]
        shown[2] = "–" if row["parameters"] is None else f"{row['parameters']:,}"
        table.add_row(fit.label, "–" if fit.fit.seed is None else str(fit.fit.seed), fit.reason or fit.status, *shown)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    if floor is not None:
        console.print(f"Noise floor: {floor:.3g}. Models are chosen by validation; test is scored once.")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    app()
