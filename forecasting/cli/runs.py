"""The commands about runs: start one, continue it, work on what is queued."""

import json
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from forecasting.cli.arguments import AsJson, content_of, text_of
from forecasting.cli.progress import name_of, watch
from forecasting.cli.shared import OWNER, DatabaseUrl, Slots, open_store, refusals, working
from forecasting.cli.tables import print_scores, score_lines
from forecasting.data import describe, floor_of, load
from forecasting.doctor import report
from forecasting.evaluation.fits import ensembles_of, joins
from forecasting.evaluation.windows import combine, with_filled
from forecasting.experiment import BadInput, WindowFit
from forecasting.experiment.formats import FORMAT, read_experiment
from forecasting.models import MODELS, resolve
from forecasting.panels import read_panel
from forecasting.runs.archive import read_archive
from forecasting.runs.budget import allotted
from forecasting.runs.database import without_password
from forecasting.runs.forecasts import forecast_of
from forecasting.runs.store import Store
from forecasting.runs.take_away import files_of, zipped
from forecasting.runs.views import FitView, RunView
from forecasting.settings import Settings
from forecasting.studies.recipes import RECIPES
from forecasting.studies.recipes import experiment as experiment_by


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


def models() -> None:
    """List the models and their parameters."""
    for model in MODELS.values():
        print(f"{model.name}: {model.title}. {model.description}")
        for name, field in model.model_fields.items():
            default = json.dumps(field.get_default(), default=list)
            print(f"    {name} = {default}  ({field.title}) {field.description}")


def run(
    experiment: Annotated[Path, typer.Argument(help="A file as `example` prints it; - for standard input.")],
    as_json: AsJson = False,
    database: DatabaseUrl = None,
    slots: Slots = None,
) -> None:
    """Run an experiment with the workers and the database of the dashboard; exit status 0 only if every fit finished."""
    with refusals():
        wanted = read_experiment(text_of(experiment))
        settings, store = open_store(database)
        run_id = store.start_run(allotted(wanted, store.read_upload), OWNER)
        _carry_out(store, run_id, settings, slots, as_json)


def go_on(
    run_id: Annotated[str, typer.Argument(help="The id of a run, as its address or `run` tells it.")],
    epochs: Annotated[int, typer.Option(min=1, help="How many further epochs.")] = 20,
    as_json: AsJson = False,
    database: DatabaseUrl = None,
    slots: Slots = None,
) -> None:
    """Train the networks of a run for further epochs, from where they ended, as a new run."""
    with refusals():
        settings, store = open_store(database)
        new_id = store.continue_run(run_id, epochs, OWNER)
        _carry_out(store, new_id, settings, slots, as_json)


def work(database: DatabaseUrl = None, slots: Slots = None) -> None:
    """Work on whatever is queued in a database, as a second machine beside a dashboard, until SIGTERM or Ctrl-C."""
    with refusals(), suppress(KeyboardInterrupt):
        settings, store = open_store(database, quiet=False)
        with working(store, settings, slots):
            url, n_slots = without_password(database or settings.database_url), slots or settings.n_slots
            print(f"Works on {url} (slots: {n_slots}). Ctrl-C ends it and gives back what it is at.", file=sys.stderr)
            threading.Event().wait()


def _carry_out(store: Store, run_id: str, settings: Settings, slots: int | None, as_json: bool) -> None:
    """Work on a run until all its fits have ended, print them, and end with the status that says how."""
    with working(store, settings, slots, [run_id]):
        done = watch(store, run_id)
    if done.experiment.plan is not None:
        _print_backtest(done, store, as_json)
    else:
        _print_scores(done, store, as_json)
    raise typer.Exit(0 if all(fit.status == "finished" for fit in done.fits) else 1)


def _print_backtest(done: RunView, store: Store, as_json: bool) -> None:
    """The scores of a run that forecasts whole series."""
    tested = forecast_of(done, read_panel(done.experiment.source, store.read_upload), store).tested
    lines = score_lines(tested, (80.0, 95.0))
    if as_json:
        best = {"run": done.id, "best": tested.best()}
        print(json.dumps(best | {"models": lines, "left_out": tested.left_out}, indent=2))
    else:
        print_scores(lines, tested)


def export(
    run: Annotated[str, typer.Argument(help="Its id, as in `?run=`.")],
    to: Annotated[Path, typer.Option(help="A folder, or a file whose name ends in .zip.")],
    database: DatabaseUrl = None,
) -> None:
    """Write down what one takes home of a run: settings, scores, curves, forecasts, a report, networks, scripts."""
    with refusals():
        files = files_of(open_store(database)[1], run)
        try:
            if to.suffix == ".zip":
                to.write_bytes(zipped(files))
            else:
                for name, content in files.items():
                    (to / name).parent.mkdir(parents=True, exist_ok=True)
                    (to / name).write_bytes(content)
        except OSError as error:
            raise BadInput(f"{to} cannot be written ({error.strerror}): name another place.") from None
    print(f"{to}: {', '.join(name for name in files if not name.startswith('restore/'))}")


def bring(
    archive: Annotated[
        Path, typer.Argument(help="What `export --to FILE.zip` wrote, or a run's page; - for standard input.")
    ],
    database: DatabaseUrl = None,
) -> None:
    """Restore a run from an archive; print its id. What it brings serves no other run."""
    with refusals():
        read = read_archive(content_of(archive))
        print(open_store(database)[1].bring_run(read, OWNER))


def _print_scores(done: RunView, store: Store, as_json: bool) -> None:
    floor = floor_of(done.experiment.source)
    ensembles = _ensembles(done, store)
    if as_json:
        fits = [_row(fit) for fit in done.fits]
        print(json.dumps({"run": done.id, "noise_floor": floor, "fits": fits, "ensembles": ensembles}, indent=2))
    else:
        _print_table(done, ensembles, floor)


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
        rows.append(row | {"members": [{"model": name_of(fit), "share": share} for fit, share in shares]})
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


def doctor() -> None:
    """Say what is right and wrong on this machine; exit status 0 only if nothing is wrong."""
    raise typer.Exit(0 if report(print) else 1)
