"""The commands about a visitor's file: how well it can be forecast, its forecast, and that against what came."""

import json
import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from forecasting.cli.arguments import AsJson, File, ReadArguments, Seen, content_of, source_of, taking_values
from forecasting.cli.progress import watch
from forecasting.cli.shared import OWNER, Slots, open_store, refusals, working
from forecasting.cli.tables import print_scores, score_lines
from forecasting.data import read_file, series_of_file
from forecasting.data.reading import read
from forecasting.experiment import BadInput, Experiment, ModelChoice, Upload
from forecasting.frames import experiment_on
from forecasting.models import MODELS
from forecasting.panels import Panel, panel_of
from forecasting.panels.actuals import against_actuals
from forecasting.panels.backtest import CHOICES, backtest
from forecasting.panels.export import SUFFIXES, read_table, written
from forecasting.panels.fits import plan_of
from forecasting.panels.forecast import Forecast, forecast
from forecasting.runs.forecasts import forecast_of
from forecasting.runs.machine import memory_mb
from forecasting.settings import Settings

Horizon = Annotated[int, typer.Option("--h", min=1, max=1_000, help="Steps ahead.")]
Level = Annotated[str, typer.Option(help="Levels of intervals in percent, with commas between.")]


HERE_S = 10.0
"""Seconds of one core up to which a forecast is made in this process: workers take as long to start."""


@dataclass(frozen=True)
class Asked:
    """What is asked of the models; the names of `Plan`."""

    models: Annotated[
        str, typer.Option(help="Names with commas between, as `models` lists them; or `default`, or `fast` for many series.")
    ] = "default"
    transform: Annotated[str, typer.Option(help="What models that learn see of the values: none, log, box_cox.")] = "none"
    detrend: Annotated[bool, typer.Option("--detrend", help="A straight line is subtracted beforehand.")] = False
    deseasonalize: Annotated[
        bool, typer.Option("--deseasonalize", help="The mean of each step of the season is subtracted beforehand.")
    ] = False
    differencing: Annotated[
        str,
        typer.Option(help="Changes that models learn: by_model, fitting, none, first, seasonal, both, last_season."),
    ] = "by_model"
    input_size: Annotated[int | None, typer.Option(min=2, max=2_000, help="Steps that models see.")] = None
    calendar: Annotated[bool, typer.Option("--calendar", help="Networks see hour, weekday and time of year.")] = False
    season: Annotated[
        list[int] | None,
        typer.Option(
            min=1, max=2_000, help="Steps of a season, 1: none; may be given again. Found in the series unless given."
        ),
    ] = None
    seconds: Annotated[float, typer.Option(min=5, help="What all models may take together, about.")] = 240

    def experiment(self, panel: Panel, source: Upload, h: int, **cutoffs: Any) -> Experiment:
        """The settings, and what the time comes to; the panel has been read already.

        Args:
            panel: the series.
            source: where they come from.
            h: steps ahead.
            cutoffs: fields of `Plan` about the backtest; what fits the series unless given.

        Raises:
            BadInput: when a value is out of range, or no model has one of the names.
        """
        names = ("transform", "detrend", "deseasonalize", "differencing", "input_size", "calendar")
        settings = {name: getattr(self, name) for name in names} | cutoffs
        if self.season:
            shortest, *longer = sorted(set(self.season) - {1}) or [1]
            settings |= {"season_length": shortest, "longer_seasons": longer}
        models = [ModelChoice(name=name) for name in CHOICES.get(self.models) or _names(self.models)]
        return experiment_on(panel, h, models, settings, self.seconds, source=source)


@taking_values
def evaluate_command(
    file: File,
    h: Horizon,
    said: ReadArguments,
    seen: Seen,
    asked: Asked,
    n_windows: Annotated[int, typer.Option(min=1, max=100, help="Backtest windows: cutoffs to forecast from.")] = 4,
    step_size: Annotated[int | None, typer.Option(min=1, help="Steps between cutoffs; h by default.")] = None,
    refit: Annotated[bool, typer.Option("--refit", help="Learn anew at every cutoff, and not at the first alone.")] = False,
    level: Level = "80,95",
    as_json: AsJson = False,
) -> None:
    """Let models forecast a file's series from cutoffs in the past, and print their scores."""
    with refusals():
        source = source_of(said, seen)
        panel = _panel(content_of(file), source)
        experiment = asked.experiment(panel, source, h, n_windows=n_windows, step_size=step_size, refit=refit)
        _as_a_worker(experiment)
        tested = backtest(panel, experiment, _say)
        lines = score_lines(tested, _levels(level))
    if as_json:
        season = plan_of(experiment).season_length
        found = {"h": h, "season_length": season, "frequency": panel.frequency, "series": len(panel.ids)}
        found |= {"n_windows": n_windows, "best": tested.best() if tested.y_hat else None}
        print(json.dumps(found | {"models": lines, "left_out": tested.left_out}, indent=2))
    else:
        print_scores(lines, tested)
    raise typer.Exit(0 if lines else 1)


@taking_values
def forecast_command(
    file: File,
    h: Horizon,
    out: Annotated[Path, typer.Option(help="Where the forecast goes: a .csv, an .xlsx or a .parquet.")],
    said: ReadArguments,
    seen: Seen,
    asked: Asked,
    level: Level = "80,95",
    slots: Slots = None,
) -> None:
    """Forecast a file's series with intervals; without models, by the one that backtests choose, named `best`."""
    with refusals():
        if out.suffix not in SUFFIXES:
            raise BadInput(f"The forecast is written as {', '.join(SUFFIXES)}, and not as {out.name!r:.60}.")
        levels, content, source = _levels(level), content_of(file), source_of(said, seen)
        panel = _panel(content, source)
        experiment = asked.experiment(panel, source, h)
        if sum(share.work_s or 0.0 for share in experiment.allotted) <= HERE_S:
            _as_a_worker(experiment)
            made = forecast(panel, experiment, _say, only_best=asked.models in CHOICES)
        else:
            made = _by_workers(panel, experiment, content, slots)
        best = {made.chosen: "best"}
        names = best if asked.models in CHOICES else {name: name for name in _names(asked.models) if name in made.ahead}
    table = made.frame(names, levels)
    out.write_bytes(written(out.suffix, table, panel))
    print(made.why, file=sys.stderr)
    for name, why in made.tested.left_out.items():
        print(f"{name} was left out: {why}", file=sys.stderr)


@taking_values
def compare_command(
    forecast: Annotated[Path, typer.Argument(help="What `forecast` has written.")],
    newer: Annotated[Path, typer.Argument(help="A newer file of the same series; - for standard input.")],
    said: ReadArguments,
    as_json: AsJson = False,
) -> None:
    """Hold a forecast against the values that came: its errors, and how often its intervals held."""
    with refusals():
        made = read_table(content_of(forecast), forecast.suffix)
        found = against_actuals(made, _panel(content_of(newer), source_of(said)).frame)
    if as_json:
        how: dict[str, Any] = {"orient": "records", "date_format": "iso", "double_precision": 15}
        tables = {"models": found.scores, "values": found.frame}
        print(json.dumps({name: json.loads(table.to_json(**how)) for name, table in tables.items()}, indent=2))
    else:
        print(found.scores.to_string(index=False, float_format=lambda value: f"{value:.4g}"))


def _as_a_worker(experiment: Experiment) -> None:
    """Let networks sum on as many threads as a worker has: on others they come to other last digits, and so to others."""
    shares = zip(experiment.models, experiment.allotted, strict=True)
    if any(MODELS[choice.name].trained and not share.left_out for choice, share in shares):
        from forecasting.models.networks.runtime import use_threads

        use_threads(Settings.read().guard.threads)


def _by_workers(panel: Panel, experiment: Experiment, content: bytes, slots: int | None) -> Forecast:
    """Let as many workers as there are slots do the fits of an experiment, with a database that lasts as long."""
    with TemporaryDirectory() as folder:
        settings, store = open_store(f"sqlite:///{folder}/runs.db")
        n_slots = slots or settings.n_slots
        share = memory_mb() // (n_slots + 1)  # no visitors are beside this command: it may take what the machine has
        settings = settings.model_copy(update={"worker_mb": max(settings.worker_mb, share)})
        source = experiment.source.model_copy(update={"upload_id": store.add_upload(OWNER, "series", content)})
        run_id = store.start_run(experiment.model_copy(update={"source": source}), OWNER)
        with working(store, settings, n_slots, [run_id]):
            done = watch(store, run_id)
        return forecast_of(done, panel, store)


def _panel(content: bytes, file: Upload) -> Panel:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    reader = lru_cache(maxsize=2)(read)
    reading = read_file(file, content, reader)
    for warning in reading.warnings:
        print(warning, file=sys.stderr)
    if not file.value and len(reading.value_columns) > 1:
        n, first = len(reading.value_columns), reading.value_columns[0]
        print(f"Of {n} columns of values {first!r} is taken: name others with --value.", file=sys.stderr)
    panel = panel_of(series_of_file(file, content, reader))
    if panel.opening is not None:
        print(panel.opening.in_words, file=sys.stderr)
    return panel


def _names(models: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in models.split(",") if name.strip())
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        raise BadInput(f"There is no model {unknown[0]!r:.60}: `python -m forecasting models` lists those there are.")
    return names


def _levels(text: str) -> tuple[float, ...]:
    try:
        levels = tuple(float(part) for part in text.split(","))
    except ValueError:
        levels = ()
    if not levels or not all(0 < level < 100 for level in levels):
        raise BadInput(f"The levels are {text[:40]!r}: give numbers between 0 and 100 with commas between, such as 80,95.")
    return levels


def _say(text: str) -> None:
    print(text, file=sys.stderr)
