"""The commands that measure: the chapter's table, and training against Keras' own."""

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from forecasting.cli.arguments import AsJson
from forecasting.cli.progress import watch
from forecasting.cli.shared import OWNER, DatabaseUrl, Slots, open_store, refusals, working
from forecasting.data import floor_of
from forecasting.evaluation.fits import window_fits
from forecasting.evaluation.windows import run_fit
from forecasting.experiment import Experiment
from forecasting.models import MODELS
from forecasting.runs.store import Store
from forecasting.studies.bench import MODELS as BENCH
from forecasting.studies.bench import measure
from forecasting.studies.chapter import LINES, SEEDS, Line, line_of


def chapter(
    seeds: Annotated[int, typer.Option(min=1, max=20, help="How many seeds; the median is told.")] = len(SEEDS),
    as_json: AsJson = False,
    database: DatabaseUrl = None,
    slots: Slots = None,
) -> None:
    """Repeat the chapter's table: every model of it beside its figures; what departs from the text is said below."""
    with refusals():
        settings, store = open_store(database)
        runs: list[str] = []
        with working(store, settings, slots, runs):
            table = [_line(row, seeds, store, runs) for row in LINES]
    floor = floor_of(Experiment().source)
    if as_json:
        print(json.dumps({"noise_floor": floor, "rows": table}, indent=2))
    else:
        _print_chapter(table, floor)
    raise typer.Exit(0 if all(line["valid_mse"] is not None for line in table) else 1)


def _line(row: Line, seeds: int, store: Store, runs: list[str]) -> dict:
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
    done = watch(store, runs[-1])
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
    for row in LINES:
        if row.remark:
            console.print(f"{row.title}: {row.remark}")


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
