"""How often a series has a value, and which times it lacks.

A frequency is pandas' alias. One is added that pandas lacks: `MS-15` is a month, dated on its fifteenth, and `MS-30` on its
thirtieth or its last day where it is shorter.
"""

import re
import warnings
from collections import Counter

import numpy as np
import pandas as pd

STEPS_LOOKED_AT = 12
"""Times in a row from which a frequency is proposed."""
MOST_PROPOSALS = 400
MONTHS_APART = (1, 2, 3, 4, 6, 12)
WORDS = {
    "YS": "yearly", "YE": "yearly", "QS": "quarterly", "QE": "quarterly", "MS": "monthly", "ME": "monthly", "W": "weekly",
    "D": "daily", "B": "on weekdays", "h": "hourly", "min": "every minute", "s": "every second",
}  # fmt: skip
UNITS = {
    "h": "hours", "min": "minutes", "s": "seconds", "D": "days", "W": "weeks", "MS": "months", "ME": "months",
    "QS": "quarters", "QE": "quarters", "YS": "years", "YE": "years", "B": "business days",
}  # fmt: skip


def in_words(frequency: str | None) -> str:
    """A frequency in words: daily, every 15 minutes."""
    if frequency is None:
        return "no frequency"
    alias = frequency.split("-")[0]
    number = alias[: len(alias) - len(alias.lstrip("0123456789"))]
    unit = alias[len(number) :]
    if number and unit in UNITS:
        return f"every {number} {UNITS[unit]}"
    return WORDS.get(alias, f"every {frequency}")


def ahead_in_words(h: int, frequency: str | None = None) -> str:
    """What is forecast, in words: next step, next 28 days; next 4 steps where a step has no name of its own.

    Args:
        h: how many steps.
        frequency: pandas' alias of the step; None where there is none.
    """
    unit = UNITS.get((frequency or "").split("-")[0], "steps")
    return f"next {unit.removesuffix('s')}" if h == 1 else f"next {h} {unit}"


def infer_frequency(times: pd.Series) -> str | None:
    """The frequency, by pandas' alias, of times that may lack some; None when they follow none.

    Runs of a few times propose frequencies; the proposal that is most frequent and on whose grid all times lie is taken.

    Args:
        times: distinct and sorted.
    """
    if len(times) < 3:
        return None
    whole = _alias(times) or _on_a_day_of_the_month(times)
    if whole is not None:
        return whole
    starts = np.unique(np.linspace(0, max(0, len(times) - STEPS_LOOKED_AT), MOST_PROPOSALS).astype(int))
    size = min(STEPS_LOOKED_AT, max(3, len(times) // 3))
    runs = (times.iloc[start : start + size] for start in starts)
    proposals = Counter(filter(None, (_alias(run) or _on_a_day_of_the_month(run) for run in runs)))
    for proposal, _ in proposals.most_common():
        if times.isin(grid(times.iloc[0], times.iloc[-1], proposal)).all():
            return proposal
    return None


def grid(first: pd.Timestamp, last: pd.Timestamp, frequency: str) -> pd.DatetimeIndex:
    """All times of a frequency from the first to the last.

    Args:
        first, last: the bounds; each is in the grid only where it is a time of the frequency.
        frequency: pandas' alias, or a month with its day.
    """
    day = _day_of(frequency)
    if day is None:
        return pd.date_range(first, last, freq=frequency)
    months = pd.date_range(first.replace(day=1), last, freq=frequency.split("-")[0])
    times = months + pd.to_timedelta(np.minimum(day, months.days_in_month) - 1, unit="D")
    return times[(times >= first) & (times <= last)]


def after(time: pd.Timestamp, n: int, frequency: str) -> pd.DatetimeIndex:
    """The times of a frequency that follow one of them.

    Args:
        time: one of the frequency.
        n: how many follow.
        frequency: as in `grid`.
    """
    if _day_of(frequency) is None:
        return pd.date_range(time, periods=n + 1, freq=frequency)[1:]
    return grid(time, time + (n + 1) * offset_of(frequency), frequency)[1 : n + 1]


def offset_of(frequency: str) -> pd.DateOffset:
    """A step of a frequency, as it is added to a time.

    Raises:
        ValueError: when there is no such frequency.
    """
    if _day_of(frequency) is None:
        return pd.tseries.frequencies.to_offset(frequency)
    return pd.DateOffset(months=int(frequency.split("MS")[0] or 1))


def _day_of(frequency: str) -> int | None:
    """The day of the month that months are dated on; None for pandas' own frequencies."""
    found = re.fullmatch(r"\d*MS-(\d+)", frequency)
    return int(found[1]) if found else None


WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def anchored(frequency: str, first: pd.Timestamp) -> str:
    """A frequency with the anchor of a series that begins at a time: its weekday, or whether months are dated at their
    beginning, at their end, or on a day between.

    Args:
        frequency: pandas' alias, with the anchor of any series.
        first: a time of the series.
    """
    alias = frequency.split("-")[0]
    unit = alias.lstrip("0123456789")
    number = alias.removesuffix(unit)
    if unit == "W":
        return f"{alias}-{WEEKDAYS[first.weekday()]}"
    if unit in ("MS", "ME") and first.day != min(_day_of(frequency) or 0, first.days_in_month):
        day = "MS" if first.is_month_start else "ME" if first.is_month_end else f"MS-{first.day}"
        return f"{number}{day}"
    return frequency


MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 720)
NICE_S = (1, 2, 5, 10, 15, 20, 30, *(60 * n for n in MINUTES), 86_400)
"""Steps, in seconds, to which times are rounded that are a little off."""
NEARLY_ALL, A_LITTLE = 0.95, 0.02
"""The share of times that has to lie so near to the grid, as a share of its step."""


def snapped(times: pd.Series) -> tuple[str, str] | None:
    """The step of a grid that times are a little off, as pandas' alias, and how they are off, in words; None where none is.

    Nearly all have to lie within a fiftieth of a step of the grid, or all at midnight of a place whose clocks change; and no
    two may come to the same time.

    Args:
        times: distinct and sorted.
    """
    if len(times) < 10:
        return None
    median = float(times.diff().dt.total_seconds().median())
    step = min(NICE_S, key=lambda nice: abs(nice - median))
    alias = (
        f"{step}s" if step < 60 else f"{step // 60}min" if step < 3_600 else f"{step // 3_600}h" if step < 86_400 else "D"
    )
    rounded = times.dt.round(alias)
    off = (times - rounded).dt.total_seconds().abs()
    if abs(step - median) > A_LITTLE * step or rounded.duplicated().any():
        return None
    if step == 86_400 and times.dt.time.nunique() == 2 and off.nunique() == 2 and off.max() - off.min() == 3_600:
        return alias, "they lie at midnight of a place whose clocks change"
    near = off <= A_LITTLE * step
    if near.mean() < NEARLY_ALL or not off.any():
        return None
    far = times[~near]
    if len(far):
        return alias, f"{far.iloc[0]} lies off" + (f", and {len(far) - 1} more" if len(far) > 1 else "")
    return alias, f"they are up to {off.max():g} s off"


def is_even(times: pd.Series) -> bool:
    """Whether times, in any order, are evenly spaced."""
    known = times.dropna().drop_duplicates().sort_values()
    return len(known) == len(times) and len(known) > 2 and _alias(known) is not None


def _alias(times: pd.Series) -> str | None:
    with warnings.catch_warnings():  # pandas 3 announces that it will return the frequency as another type
        warnings.simplefilter("ignore")
        try:
            found = pd.infer_freq(times)
        except ValueError:
            return None
    if found is None:
        return None
    return {
        "QS-JAN": "QS",
        "QS-OCT": "QS",
        "YS-JAN": "YS",
        "QE-DEC": "QE",
        "YE-DEC": "YE",
        "60min": "h",
        "24h": "D",
        "7D": "W",
    }.get(str(found), str(found))


def _on_a_day_of_the_month(times: pd.Series) -> str | None:
    """The frequency of times that lie on the same day of months as far apart, or on the last one of shorter months."""
    months = times.dt.year.to_numpy() * 12 + times.dt.month.to_numpy()
    apart = np.unique(np.diff(months))
    day = int(times.dt.day.max())
    same = (times.dt.day == np.minimum(day, times.dt.days_in_month)).all() and (times == times.dt.normalize()).all()
    if len(apart) != 1 or apart[0] not in MONTHS_APART or not same:
        return None
    return f"{apart[0] if apart[0] > 1 else ''}MS-{day}"
