"""How much there is to do before models are trained, and about how long it takes."""

from dashboard import service
from dashboard.results import Outcome, Row
from dashboard.words import duration
from forecasting.experiment import Training
from forecasting.runs.budget import WORK_PER_S

COMPILE_S = 3.0
"""Seconds that a network takes to start, about, before its first epoch has ended."""


def waiting(rows: list[Row]) -> list[tuple[Row, Outcome]]:
    """The fits that a worker would have to do, with their models."""
    asked = [(row, outcome) for row in rows if not row.instant and not row.model.combines for outcome in row.outcomes]
    return [(row, o) for row, o in asked if o.status != "finished" or (o.view is not None and o.view.earlier)]


def in_words(rows: list[Row], n_windows: int) -> str:
    """How many fits a worker would have to do, and about how long all take on this server when nobody else asks.

    Args:
        rows: the models of an experiment, or of several.
        n_windows: windows that they learn from.
    """
    left = waiting(rows)
    work_s = sum(row.model.work(row.shape, n_windows, o.fit.training or Training()) for row, o in left) / WORK_PER_S
    work_s += COMPILE_S * sum(outcome.fit.training is not None for _, outcome in left)
    seconds = work_s / max(1, min(len(left), service.settings().n_slots))
    return f"{len(left)} {'fit' if len(left) == 1 else 'fits'}, about {duration(max(1.0, seconds))}"
