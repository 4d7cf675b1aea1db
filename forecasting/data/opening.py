"""Hours and days at which series never have a value, such as nights and Sundays: there is nothing to forecast."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.data.seasons import LONGEST, seconds_of

MONDAY = pd.Timestamp("1970-01-05")
FEWEST = 3
"""So often every step of a week, or of a day, must have been passed to tell which of them never have a value."""
MOSTLY = 0.5
"""Share of values that the other steps must have: a series that seldom has one is no business with hours."""
DAY, WEEK = 86_400, 604_800


@dataclass(frozen=True)
class Opening:
    """The steps of a week, or of a day, that have values.

    Attributes:
        frequency: pandas' alias of the step.
        span_s: a week or a day, in seconds.
        is_open: of each step of it, counted from Monday midnight.
    """

    frequency: str
    span_s: int
    is_open: tuple[bool, ...]

    def open_at(self, times: pd.DatetimeIndex) -> np.ndarray:
        """Which of some times have values, `(n,)`."""
        return np.array(self.is_open)[_steps(times, self.span_s, len(self.is_open))]

    def after(self, time: pd.Timestamp, h: int) -> pd.DatetimeIndex:
        """The next h times that have values."""
        n, shares = len(self.is_open), sum(self.is_open) / len(self.is_open)
        times = pd.date_range(time, periods=int(np.ceil(h / shares)) + 2 * n, freq=self.frequency)[1:]
        return times[self.open_at(times)][:h]

    @property
    def seasons(self) -> tuple[int, ...]:
        """A day, where all open days are equally long, and a week, in steps that have values."""
        steps = np.array(self.is_open).reshape(self.span_s // DAY, -1).sum(axis=1)
        lengths = set(steps[steps > 0].tolist())
        day = lengths if len(lengths) == 1 else set()
        week = int(steps.sum()) * (WEEK // self.span_s)
        return tuple(n for n in sorted({*day, week}) if 2 <= n <= LONGEST)

    @property
    def in_words(self) -> str:
        """How many steps have no values, in a sentence."""
        n, closed = len(self.is_open), len(self.is_open) - sum(self.is_open)
        span = "week" if self.span_s == WEEK else "day"
        return f"{closed:,} of the {n:,} steps of a {span} never have a value: they are left out, and not forecast."


def opening_of(times: pd.DatetimeIndex, has_value: np.ndarray, frequency: str | None) -> Opening | None:
    """The steps of a week that have values, or of a day; None where all have, or the series are too short to tell.

    Args:
        times: of all series, on the even grid of their frequency, `(n,)`.
        has_value: at which of them there is a value, `(n,)`.
        frequency: pandas' alias of the step; without one, or with one that does not divide a day, there is nothing to tell.
    """
    step = seconds_of(frequency)
    if frequency is None or step is None or DAY % step or has_value.all():
        return None
    for span in (WEEK, DAY):
        n = int(span // step)
        if n < 2:
            continue
        steps = _steps(times, span, n)
        passed, with_value = np.bincount(steps, minlength=n), np.bincount(steps, has_value, n)
        is_open = with_value > 0
        if passed.min() < FEWEST or is_open.all() or not is_open.any():
            continue
        if with_value.sum() >= MOSTLY * passed[is_open].sum():
            return Opening(frequency, span, tuple(is_open.tolist()))
    return None


def _steps(times: pd.DatetimeIndex, span_s: int, n: int) -> np.ndarray:
    """Which step of its span each time is."""
    return ((times - MONDAY) // pd.Timedelta(seconds=span_s / n)).to_numpy().astype("int64") % n
