"""Scores as tables and as lines of JSON."""

import sys

from rich.console import Console
from rich.table import Table

from forecasting.panels.judging import Backtest

SHOWN = ("mase", "rmsse", "smape", "mae", "rmse", "mse", "bias", "skill")


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


def print_scores(lines: list[dict], tested: Backtest) -> None:
    """Print what `score_lines` gives as a table."""
    table = Table(title=f"{len(tested.cutoff_offsets)} cutoffs of {tested.y.shape[2]} steps, {tested.y.shape[1]} series")
    columns = [name for name, value in lines[0].items() if not isinstance(value, list | dict)] if lines else []
    for name in columns:
        table.add_column(name, justify="left" if name == "model" else "right")
    for values in ([line[name] for name in columns] for line in lines):
        table.add_row(*("undefined" if v is None else v if isinstance(v, str) else f"{v:.3g}" for v in values))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for name, why in tested.left_out.items():
        console.print(f"{name} was left out: {why}")


def _defined(value: float) -> float | None:
    return float(value) if value == value else None
