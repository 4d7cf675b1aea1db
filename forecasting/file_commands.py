"""The commands about a visitor's file: how it is read, how well it can be forecast, and its forecast."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from forecasting.backtest import DEFAULT, Backtest, backtest, default_plan, forecast
from forecasting.budget import allotted
from forecasting.data import read_file, series_of_file
from forecasting.data.panel import Panel
from forecasting.data.reading import SUMMARY, read
from forecasting.experiment import BadInput, Experiment, ModelChoice, Plan, Upload, plain
from forecasting.export import WRITERS
from forecasting.models import MODELS
from forecasting.recipes import RECIPES

File = Annotated[Path, typer.Argument(help="CSV, text, Excel or Parquet, compressed or not; - for standard input.")]
Horizon = Annotated[int, typer.Option("--h", min=1, max=1_000, help="Steps ahead.")]
Models = Annotated[str | None, typer.Option(help="Names with commas between, as `models` lists them.")]
Season = Annotated[int | None, typer.Option(min=1, max=2_000, help="Steps of a season; the frequency's own by default.")]
Frequency = Annotated[str | None, typer.Option(help="A coarser frequency to aggregate to, by the mean; pandas' alias.")]
Seconds = Annotated[float, typer.Option(min=5, help="What all models may take together, about.")]
Columns = Annotated[list[str] | None, typer.Option(help="A column of the file; may be given again.")]
DayFirst = Annotated[bool | None, typer.Option("--day-first/--month-first", help="Of dates like 03/04/2024.")]
Missing = Annotated[list[float] | None, typer.Option(help="A number that stands for a missing value.")]
Together = Annotated[bool, typer.Option("--together", help="Several columns of values are seen at once, as channels.")]
Beside = Annotated[list[str] | None, typer.Option(help="A column that is seen, and not forecast; may be given again.")]
Known = Annotated[list[str] | None, typer.Option(help="A column that is known in advance; may be given again.")]
Repair = Annotated[str, typer.Option(help="Missing values: leave, forward, interpolation, seasonal_line, network.")]
Power = Annotated[str, typer.Option(help="What models that learn see of the values: none, log, box_cox.")]
TakeOut = Annotated[str, typer.Option(help="What is taken out beforehand: nothing, trend, season, both.")]
Differencing = Annotated[str, typer.Option(help="Changes that models learn: fitting, none, first, seasonal, both.")]
LookBack = Annotated[int | None, typer.Option("--input-size", min=2, max=2_000, help="Steps that models see.")]
ByCalendar = Annotated[bool, typer.Option("--calendar", help="Networks see hour, weekday and time of year.")]
Chosen = list[str] | None
NOT_STORED = "0" * 16
"""The id of a file that is no upload."""
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
SHOWN = ("mase", "rmsse", "smape", "mae", "rmse", "mse", "bias", "skill")


def read_command(
    file: File,
    time: Columns = None,
    value: Columns = None,
    id: Columns = None,
    day_first: DayFirst = None,
    missing: Missing = None,
    as_json: AsJson = False,
) -> None:
    """Say how a file of series is read: columns, times, frequency, what is missing; exit status 1 when it is refused."""
    try:
        summary = read_file(_file(time, value, id, day_first, missing), content_of(file)).summary()
    except BadInput as error:
        summary = dict.fromkeys(SUMMARY) | {"warnings": [], "error": str(error)}
    if as_json:
        print(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        for name, found in summary.items():
            if found not in (None, [], ""):
                print(f"{name.replace('_', ' ')}: {', '.join(map(str, found)) if isinstance(found, list) else found}")
    raise typer.Exit(1 if summary["error"] else 0)


def evaluate_command(
    file: File,
    h: Horizon,
    n_windows: Annotated[int, typer.Option(min=1, max=100, help="Cutoffs.")] = 4,
    step_size: Annotated[int | None, typer.Option(min=1, help="Steps between cutoffs; h by default.")] = None,
    refit: Annotated[bool, typer.Option("--refit", help="Learn anew at every cutoff, and not at the first alone.")] = False,
    models: Models = None,
    level: Annotated[str, typer.Option(help="Levels of intervals in percent, with commas between.")] = "80,95",
    time: Columns = None,
    value: Columns = None,
    id: Columns = None,
    day_first: DayFirst = None,
    missing: Missing = None,
    together: Together = False,
    beside: Beside = None,
    known: Known = None,
    repair: Repair = "leave",
    power: Power = "none",
    take_out: TakeOut = "nothing",
    differencing: Differencing = "fitting",
    input_size: LookBack = None,
    calendar: ByCalendar = False,
    season: Season = None,
    freq: Frequency = None,
    seconds: Seconds = 120,
    as_json: AsJson = False,
) -> None:
    """Let models forecast a file's series from cutoffs in the past, and print their scores."""
    with refusals():
        more = {"together": together, "beside": beside, "known": known, "repair": repair, "frequency": freq}
        panel = _panel(file, _file(time, value, id, day_first, missing, **more))
        cutoffs = {"n_windows": n_windows, "step_size": step_size, "refit": refit}
        shown = {"power": power, "take_out": take_out, "calendar": calendar}
        shown |= {"differencing": differencing, "input_size": input_size}
        plan = _plan(h=h, season_length=season or panel.season_length, **cutoffs, **shown)
        tested = backtest(panel, _experiment(panel, plan, models, seconds), _say)
        lines = score_lines(tested, _levels(level))
    if as_json:
        found = {"h": h, "season_length": plan.season_length, "frequency": panel.frequency, "series": len(panel.ids)}
        found |= {"n_windows": n_windows, "best": tested.best() if tested.y_hat else None}
        print(json.dumps(found | {"models": lines, "left_out": tested.left_out}, indent=2))
    else:
        print_scores(lines, tested)
    raise typer.Exit(0 if lines else 1)


def forecast_command(
    file: File,
    h: Horizon,
    out: Annotated[Path, typer.Option(help="Where the forecast goes: a .csv, an .xlsx or a .parquet.")],
    models: Models = None,
    level: Annotated[str, typer.Option(help="Levels of intervals in percent, with commas between.")] = "80,95",
    time: Columns = None,
    value: Columns = None,
    id: Columns = None,
    day_first: DayFirst = None,
    missing: Missing = None,
    together: Together = False,
    beside: Beside = None,
    known: Known = None,
    repair: Repair = "leave",
    power: Power = "none",
    take_out: TakeOut = "nothing",
    differencing: Differencing = "fitting",
    input_size: LookBack = None,
    calendar: ByCalendar = False,
    season: Season = None,
    freq: Frequency = None,
    seconds: Seconds = 120,
) -> None:
    """Forecast a file's series with intervals; without models, by the one that backtests choose, named `best`."""
    with refusals():
        if out.suffix not in WRITERS:
            raise BadInput(f"The forecast is written as {', '.join(WRITERS)}, and not as {out.name!r:.60}.")
        more = {"together": together, "beside": beside, "known": known, "repair": repair, "frequency": freq}
        levels, panel = _levels(level), _panel(file, _file(time, value, id, day_first, missing, **more))
        usual = default_plan(panel, season or panel.season_length, h).model_dump()
        shown = {"power": power, "take_out": take_out, "calendar": calendar}
        shown |= {"differencing": differencing, "input_size": input_size}
        asked = _experiment(panel, _plan(**usual | shown), models, seconds)
        made = forecast(panel, asked, _say, only_best=not models)
    table = made.frame({name: name for name in made.tested.y_hat} if models else {made.chosen: "best"}, levels)
    out.write_bytes(WRITERS[out.suffix](table))
    print(made.why, file=sys.stderr)
    for name, why in made.tested.left_out.items():
        print(f"{name} was left out: {why}", file=sys.stderr)


# ------------------------------------------------------------------------------------------------------------- shared


@contextmanager
def refusals() -> Iterator[None]:
    """Print what cannot be used to standard error, and end with status 2."""
    try:
        yield
    except BadInput as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None


def content_of(path: Path) -> bytes:
    """What a file holds; `-` is standard input.

    Raises:
        BadInput: when it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}): give a file that is there.") from None


def _file(
    time: Chosen, value: Chosen, id: Chosen, day_first: bool | None, missing: list[float] | None, **more: Any
) -> Upload:
    """What is said about a file."""
    given = {"time": time, "value": value, "id": id, "day_first": day_first, "missing": missing} | more
    try:
        return Upload.model_validate(
            {"upload_id": NOT_STORED} | {name: said for name, said in given.items() if said is not None}
        )
    except ValidationError as error:
        raise plain(error) from None


def _panel(path: Path, file: Upload) -> Panel:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    content = content_of(path)
    reader = lru_cache(maxsize=2)(read)
    reading = read_file(file, content, reader)
    for warning in reading.warnings:
        print(warning, file=sys.stderr)
    if not file.value and len(reading.value_columns) > 1:
        n, first = len(reading.value_columns), reading.value_columns[0]
        print(f"Of {n} columns of values {first!r} is taken: name others with --value.", file=sys.stderr)
    return series_of_file(file, content, reader).panel()


def _plan(**settings: Any) -> Plan:
    try:
        return Plan.model_validate(settings)
    except ValidationError as error:
        raise plain(error) from None


def _experiment(panel: Panel, plan: Plan, models: str | None, seconds: float) -> Experiment:
    """What is asked of a file's series, and what the time comes to; the panel has been read already."""
    names = _names(models) or DEFAULT
    asked = Experiment(
        source=Upload(upload_id=NOT_STORED),
        plan=plan,
        models=tuple(ModelChoice(name=name) for name in names),
        training=RECIPES["tuned"],
        seeds=(1,),
        budget_s=seconds,
    )
    return allotted(asked, panel=panel)


def _names(models: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (models or "").split(",") if name.strip())
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


def score_lines(tested: Backtest, levels: tuple[float, ...]) -> list[dict]:
    """A line of scores per model, the best first; what is not defined is None.

    With MASE by step ahead and by cutoff, and by how much the model lies behind the best: the 95 % confidence interval of
    the difference in MASE, and whether it means anything.
    """
    lines, best = [], tested.best() if tested.y_hat else ""
    for name, scores in tested.scores().items():
        line: dict = {"model": name} | {metric: _defined(scores[metric]) for metric in SHOWN}
        for level in levels:
            covered, width = tested.covered(name, level)
            line |= {f"coverage-{level:g}": _defined(covered), f"interval_score-{level:g}": _defined(width)}
        behind = tested.apart(best, name)
        line["behind_best"] = {
            **{part: _defined(getattr(behind, part)) for part in ("mean", "low", "high")},
            "means_something": behind.means_something,
        }
        line["mase_by_step"] = [_defined(value) for value in tested.mase_by_step(name)]
        line["mase_by_cutoff"] = [_defined(value) for value in tested.mase_by_cutoff(name)]
        lines.append(line)
    key = lambda line: (line["model"] != best, line["mase"] is None, line["mase"] or line["rmse"] or 0.0)  # noqa: E731
    return sorted(lines, key=key)


def _defined(value: float) -> float | None:
    return float(value) if value == value else None


def print_scores(lines: list[dict], tested: Backtest) -> None:
    """Print what `score_lines` gives as a table."""
    table = Table(title=f"{len(tested.backs)} cutoffs of {tested.y.shape[2]} steps, {tested.y.shape[1]} series")
    columns = [name for name, value in lines[0].items() if not isinstance(value, list | dict)] if lines else []
    for name in columns:
        table.add_column(name, justify="left" if name == "model" else "right")
    for values in ([line[name] for name in columns] for line in lines):
        table.add_row(*("undefined" if v is None else v if isinstance(v, str) else f"{v:.3g}" for v in values))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for name, why in tested.left_out.items():
        console.print(f"{name} was left out: {why}")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
