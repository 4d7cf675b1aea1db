"""The command line: `python -m forecasting --help`."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from forecasting import file_commands, logs
from forecasting.backtest import ByModel, assembled, by_cutoff
from forecasting.bench import MODELS as BENCH
from forecasting.bench import measure
from forecasting.budget import allotted
from forecasting.chapter import ROWS, SEEDS, Row, line_of
from forecasting.data import describe, floor_of, load, read_panel
from forecasting.doctor import report
from forecasting.experiment import BadInput, Experiment, SeriesFit, WindowFit
from forecasting.experiment.formats import FORMAT, read_experiment
from forecasting.file_commands import content_of
from forecasting.fit import combine, ensembles_of, joins, run_fit, window_fits, with_filled
from forecasting.models import MODELS, resolve
from forecasting.recipes import RECIPES
from forecasting.recipes import experiment as experiment_by
from forecasting.runs.database import Unavailable, without_password
from forecasting.runs.engine import Engine
from forecasting.runs.store import Store
from forecasting.runs.views import FitView, RunView
from forecasting.settings import Settings

app = typer.Typer(help="Train and compare forecasters without a browser.", no_args_is_help=True, add_completion=False)
LOOK_S = 0.2
OWNER = "command line"
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DatabaseUrl = Annotated[str | None, typer.Option(help="SQLAlchemy URL; FORECASTING_DATABASE_URL by default.")]
Slots = Annotated[int | None, typer.Option(min=1, help="Fits at the same time; FORECASTING_SLOTS by default.")]


@app.command()
def example(
    recipe: Annotated[str, typer.Option(help="`chapter`, or `tuned`: what the dashboard opens with.")] = "chapter",
) -> None:
    """Print an experiment on the chapter's series as JSON: a file to change and run."""
    if recipe not in RECIPES:
        print(f"There is no recipe {recipe!r}: choose from {', '.join(RECIPES)}.", file=sys.stderr)
        raise typer.Exit(2)
    experiment = experiment_by(recipe)
    titled = experiment.model_copy(update={"title": describe(experiment.source, experiment.task)})
    print(json.dumps({"format": FORMAT, **titled.model_dump(mode="json")}, indent=2))


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
    as_json: AsJson = False,
    database: DatabaseUrl = None,
    slots: Slots = None,
) -> None:
    """Run an experiment with the workers and the database of the dashboard; exit status 0 only if every fit finished."""
    with _refusals():
        wanted = read_experiment(_text(experiment))
        settings, store = _open(database)
        run_id = store.start_run(allotted(wanted, store.read_upload), OWNER)
        _see_through(store, run_id, settings, slots, as_json)


@app.command("continue")
def go_on(
    run_id: Annotated[str, typer.Argument(help="The id of a run, as its address or `run` tells it.")],
    epochs: Annotated[int, typer.Option(min=1, help="How many further epochs.")] = 20,
    as_json: AsJson = False,
    database: DatabaseUrl = None,
    slots: Slots = None,
) -> None:
    """Train the networks of a run for further epochs, from where they ended, as a new run."""
    with _refusals():
        settings, store = _open(database)
        new_id = store.continue_run(run_id, epochs, OWNER)
        _see_through(store, new_id, settings, slots, as_json)


@app.command()
def chapter(
    seeds: Annotated[int, typer.Option(min=1, max=20, help="How many seeds; the median is told.")] = len(SEEDS),
    as_json: AsJson = False,
    database: DatabaseUrl = None,
    slots: Slots = None,
) -> None:
    """Repeat the chapter's table: every model of it beside its figures; what departs from the text is said below."""
    with _refusals():
        settings, store = _open(database)
        runs: list[str] = []
        with _working(store, settings, slots, runs):
            table = [_line(row, seeds, store, runs) for row in ROWS]
    floor = floor_of(Experiment().source)
    if as_json:
        print(json.dumps({"noise_floor": floor, "rows": table}, indent=2))
    else:
        _print_chapter(table, floor)
    raise typer.Exit(0 if all(line["valid_mse"] is not None for line in table) else 1)


def _line(row: Row, seeds: int, store: Store, runs: list[str]) -> dict:
    """Measure one line of the chapter's table: over training seeds, or where there are none over data seeds.

    Args:
        row: the line.
        seeds: how many.
        store: where its fits are stored.
        runs: the runs that are worked on; that of this line is added.
    """
    if not MODELS[row.model].trained:
        return line_of(row, [run_fit(window_fits(e)[-1]).summary() for e in row.experiments_over_data(seeds)])
    runs.append(store.start_run(row.experiment(tuple(range(1, seeds + 1))), OWNER))
    done = _watch(store, runs[-1])
    return line_of(row, [fit.result for fit in done.fits if fit.fit.training and fit.result])


def _print_chapter(table: list[dict], floor: float | None) -> None:
    shown = Table(title="The chapter's table, repeated: validation MSE")
    for column in ("task", "model", "text", "notebook", "median here", "± SD", "seeds", "parameters", "seconds per fit"):
        shown.add_column(column, justify="left" if column in ("task", "model") else "right")
    names = ("text_mse", "notebook_mse", "valid_mse", "valid_mse_std", "seeds", "parameters", "fit_s")
    for line in table:
        numbers = [
            "–" if line[name] is None else f"{line[name]:,}" if name == "parameters" else f"{line[name]:.3g}"
            for name in names
        ]
        shown.add_row(line["task"], line["model"], *numbers)
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(shown)
    console.print(f"Noise floor: {floor:.3g}. Next step on 51 points, ten steps on 60; time is stretched over [0, 1].")
    for row in ROWS:
        if row.remark:
            console.print(f"{row.title}: {row.remark}")


@app.command()
def work(database: DatabaseUrl = None, slots: Slots = None) -> None:
    """Work on whatever is queued in a database, as a second machine beside a dashboard, until SIGTERM or Ctrl-C."""
    with _refusals(), suppress(KeyboardInterrupt):
        settings, store = _open(database, quiet=False)
        with _working(store, settings, slots):
            url, n_slots = without_password(database or settings.database_url), slots or settings.n_slots
            print(f"Works on {url} (slots: {n_slots}). Ctrl-C ends it and gives back what it is at.", file=sys.stderr)
            threading.Event().wait()


@app.command()
def bench(
    epochs: Annotated[int, typer.Option(min=2, max=100, help="Epochs of every fit.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Fits of each kind, in alternation.")] = 2,
    n_series: Annotated[int, typer.Option(min=100, max=50_000, help="Series, of which 70 % are trained on.")] = 10_000,
    model: Annotated[list[str] | None, typer.Option(help="Only this one; may be given again.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train the chapter's networks by Keras' own `fit` and here, in turns."""
    chosen = tuple(model or BENCH)
    if unknown := set(chosen) - set(BENCH):
        print(f"The bench has no {', '.join(sorted(unknown))}: choose from {', '.join(BENCH)}.", file=sys.stderr)
        raise typer.Exit(2)
    rows = []
    for row in measure(epochs, rounds, n_series, chosen):
        rows.append(row)
        print(f"{row['model']}: {row['ratio']:.1f} times as fast", file=sys.stderr)
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    shown = Table(title="Seconds per epoch, validation included, and validation MSE: Keras' fit, and here")
    for name in rows[0]:
        shown.add_column(name.replace("_", " "), justify="left" if name == "model" else "right")
    for row in rows:
        shown.add_row(*(value if isinstance(value, str) else f"{value:.3g}" for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 140).print(shown)


app.command("read")(file_commands.read_command)
app.command("evaluate")(file_commands.evaluate_command)
app.command("forecast")(file_commands.forecast_command)


@app.command()
def doctor() -> None:
    """Say what is right and wrong on this machine; exit status 0 only if nothing is wrong."""
    raise typer.Exit(0 if report(print) else 1)


@contextmanager
def _refusals() -> Iterator[None]:
    """Print what cannot be used to standard error, and end with status 2."""
    try:
        yield
    except (BadInput, Unavailable) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None


def _open(database: str | None, quiet: bool = True) -> tuple[Settings, Store]:
    settings = Settings.read()
    logs.set_up("WARNING" if quiet and settings.log_level == "INFO" else settings.log_level, settings.log_format)
    return settings, Store(database or settings.database_url)


@contextmanager
def _working(store: Store, settings: Settings, slots: int | None, only_runs: Sequence[str] | None = None) -> Iterator[None]:
    """Work on some runs alone, or on whatever waits; when it is interrupted, give back what it was at."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the first process of a container would not end by it
    engine = Engine(store, slots or settings.n_slots, only_runs, settings.guard)
    try:
        engine.start()
        yield
    finally:
        engine.close()


def _see_through(store: Store, run_id: str, settings: Settings, slots: int | None, as_json: bool) -> None:
    """Work on a run until all its fits have ended, print them, and end with the status that says how."""
    with _working(store, settings, slots, [run_id]):
        done = _watch(store, run_id)
    if done.experiment.plan is not None:
        _print_backtest(done, store, as_json)
    else:
        _print_scores(done, store, as_json)
    raise typer.Exit(0 if all(fit.status == "finished" for fit in done.fits) else 1)


def _print_backtest(done: RunView, store: Store, as_json: bool) -> None:
    """The scores of a run that forecasts whole series."""
    made: ByModel = {}
    for fit in done.fits:
        if isinstance(fit.fit, SeriesFit) and fit.status == "finished":
            made.setdefault(fit.fit.model.name, {}).update(by_cutoff(fit.fit.backs, store.arrays(fit.id, "forecasts")))
    left_out = {fit.fit.model.name: fit.reason or "" for fit in done.fits if fit.status != "finished"}
    tested = assembled(read_panel(done.experiment.source, store.read_upload), done.experiment, made, left_out).tested
    lines = file_commands.score_lines(tested, (80.0, 95.0))
    if as_json:
        best = {"run": done.id, "best": tested.best()}
        print(json.dumps(best | {"models": lines, "left_out": tested.left_out}, indent=2))
    else:
        file_commands.print_scores(lines, tested)


def _print_scores(done: RunView, store: Store, as_json: bool) -> None:
    floor = floor_of(done.experiment.source)
    ensembles = _ensembles(done, store)
    if as_json:
        fits = [_row(fit) for fit in done.fits]
        print(json.dumps({"run": done.id, "noise_floor": floor, "fits": fits, "ensembles": ensembles}, indent=2))
    else:
        _print_table(done, ensembles, floor)


def _text(path: Path) -> str:
    try:
        return content_of(path).decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text: give a file as `example` prints it.") from None


def _watch(store: Store, run_id: str) -> RunView:
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
            time.sleep(LOOK_S)
            try:
                view = store.run(run_id)
            except Unavailable as error:  # the workers try again too
                bars.console.print(error)
                continue
            if view is None:
                raise BadInput(f"Run {run_id} was deleted while it ran.")
            for fit in view.fits:
                if fit.id not in tasks:
                    tasks[fit.id] = bars.add_task(_name(fit), total=_total(fit), status="")
                done = len(fit.epochs) if fit.fit.training else int(fit.status == "finished")
                bars.update(tasks[fit.id], completed=done, status=fit.stage or fit.status)
            if view.ended:
                return view


def _total(fit: FitView) -> int:
    """How many epochs a fit will do at most; 1 for one that is not trained."""
    return fit.fit.training.epochs if fit.fit.training else 1


def _name(fit: FitView) -> str:
    if isinstance(fit.fit, SeriesFit):
        return f"{fit.label}, {'forecast' if fit.fit.forecasts_the_future else 'backtest'}"
    return fit.label if fit.fit.seed is None else f"{fit.label}, seed {fit.fit.seed}"


def _row(fit: FitView) -> dict:
    result = fit.result or {}
    keys = ("valid_mse", "test_mse", "valid_mse_per_step", "parameters", "epochs", "fit_s")
    row = {"model": fit.fit.model.name, "params": fit.fit.model.params, "seed": fit.fit.seed, "status": fit.status}
    return row | {key: result.get(key) for key in keys} | {"error": fit.reason}


def _ensembles(view: RunView, store: Store) -> list[dict]:
    """The ensembles of a run, mixed from what its fits have stored; nothing where fewer than two can be members."""
    source, task, made = view.experiment.source, view.experiment.task, ensembles_of(view.experiment)
    members = [fit for fit in view.fits if fit.result and isinstance(fit.fit, WindowFit) and joins(fit.fit)]
    if not made or len(members) < 2:
        return []
    forecasts, split = [store.arrays(fit.id, "forecasts") for fit in members], load(source, task, store.read_upload)
    split = with_filled(split, forecasts[0]["filled"]) if view.experiment.asks_network else split
    rows = []
    for ensemble in made:
        result = combine(ensemble, split, forecasts)
        shares = zip(members, result.weights[0].tolist(), strict=True)
        row = {"model": ensemble.model.name, "params": ensemble.model.params, "label": resolve(ensemble.model).label}
        row |= {name: result.summary()[name] for name in ("valid_mse", "test_mse", "valid_mse_per_step")}
        rows.append(row | {"members": [{"model": _name(fit), "share": share} for fit, share in shares]})
    return rows


def _print_table(view: RunView, ensembles: list[dict], floor: float | None) -> None:
    table = Table(title=f"{view.title or describe(view.experiment.source, view.experiment.task)} · run {view.id}")
    for column in ("model", "seed", "status", "valid MSE", "test MSE", "parameters", "epochs", "seconds"):
        table.add_column(column, justify="left" if column in ("model", "status") else "right")
    for fit in view.fits:
        row = _row(fit)
        numbers = [row["valid_mse"], row["test_mse"], row["parameters"], row["epochs"], row["fit_s"]]
        shown = ["–" if number is None else f"{number:.3g}" for number in numbers]
        shown[2] = "–" if row["parameters"] is None else f"{row['parameters']:,}"
        table.add_row(fit.label, "–" if fit.fit.seed is None else str(fit.fit.seed), fit.reason or fit.status, *shown)
    for row in ensembles:
        table.add_row(row["label"], "–", "mixed", f"{row['valid_mse']:.3g}", f"{row['test_mse']:.3g}", "–", "–", "–")
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    if floor is not None:
        console.print(f"Noise floor: {floor:.3g}. Models are chosen by validation; test is scored once.")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    app()
