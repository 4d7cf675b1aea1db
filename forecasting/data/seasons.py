"""The seasons of series: those that their frequency makes likely, and those that the series themselves show."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

LONGEST = 2_000
"""Steps of a season, at most."""
CYCLES = 2.2
"""So many of a season a series must hold to tell anything of it."""
MOST_SERIES = 200
"""Series that are looked at, spread evenly."""
SHARE = 0.2
"""Share of the series that must show a season."""
GAIN = 0.02
"""What a season must take away of their changes, as a logarithm: 2 %."""
UNTOLD = 31
"""The longest season that series have for their frequency alone, where they are too short to tell."""
SECONDS = {"s": 1, "min": 60, "h": 3_600, "D": 86_400}
PER_YEAR = {"YS": 1, "YE": 1, "QS": 4, "QE": 4, "MS": 12, "ME": 12, "W": 52, "B": 261}
"""Steps in a year, of steps that are no fixed number of seconds, or of which a year is no whole number."""
DAY = 86_400
AROUND = {"s": (60, 3_600), "min": (3_600, DAY, 7 * DAY), "h": (DAY, 7 * DAY), "D": (7 * DAY, 365.25 * DAY)}
"""What repeats around a step of each unit, in seconds: minute and hour; hour, day and week; day and week; week and year."""


def candidates(frequency: str | None) -> tuple[int, ...]:
    """The seasons that a frequency makes likely, in steps, the shortest first; none without a frequency.

    Args:
        frequency: pandas' alias of the step, such as `h`, `15min`, `W-SUN` or `3MS`.
    """
    each, unit = _parts(frequency)
    if unit in PER_YEAR:
        week = (5.0,) if (unit, each) == ("B", 1) else ()
        return _whole([*week, PER_YEAR[unit] / each])
    return _whole([seconds / each / SECONDS[unit] for seconds in AROUND.get(unit, ())])


def season_of(frequency: str | None) -> int:
    """The usual season of a frequency, in steps: the day, where a step is shorter, or else the shortest; 1 where there is
    none."""
    each, unit = _parts(frequency)
    likely = candidates(frequency)
    day = DAY / each / SECONDS[unit] if unit in ("min", "h") else 0
    return round(day) if day in likely else next(iter(likely), 1)


def seconds_of(frequency: str | None) -> int | None:
    """Seconds of a step; None where it is no fixed number of them, or there is none."""
    each, unit = _parts(frequency)
    return each * SECONDS[unit] if unit in SECONDS else None


def _parts(frequency: str | None) -> tuple[int, str]:
    """How many units a step has, and the unit."""
    alias = (frequency or "").split("-")[0]
    unit = alias.lstrip("0123456789")
    return int(alias.removesuffix(unit) or 1), unit


def _whole(lengths: Sequence[float]) -> tuple[int, ...]:
    """Lengths of a whole number of steps; long ones are rounded, for a year of 365.25 days."""
    return tuple(round(n) for n in lengths if 2 <= n <= LONGEST and (n == round(n) or n > 100))


def seasons_of(series: Sequence[np.ndarray], likely: Sequence[int]) -> tuple[int, ...]:
    """Of likely seasons those that enough of the series show, the shortest first.

    A season shows in a series when the changes of each cycle are smaller once the other cycles have told what is usual at
    its phases. Longer seasons must do so beside the shorter ones. Series
    that are too short to tell say nothing; where all of them are, a short season is taken for likely.

    Args:
        series: `(n,)` each; what is missing is NaN.
        likely: lengths in steps, such as `candidates` gives.
    """
    places = np.linspace(0, len(series) - 1, min(MOST_SERIES, len(series))).round().astype(int)
    left = [_filled(series[i]) for i in dict.fromkeys(places.tolist())]
    found = []
    for length in sorted(set(likely)):
        gains = [gain(y, length) for y in left]
        told = [one for one in gains if one is not None]
        if np.mean([one > GAIN for one in told]) >= SHARE if told else length <= UNTOLD and length <= max(map(len, left)):
            found.append(length)
            left = [y if one is None else without_season(y, length) for y, one in zip(left, gains, strict=True)]
    return tuple(found)


def gains_of(y: np.ndarray, seasons: Sequence[int]) -> list[float | None]:
    """What each of some seasons, the shortest first, takes away of the changes of a series, beside the shorter ones that
    take away something; see `gain`."""
    left, gains = _filled(y), []
    for length in seasons:
        gains.append(gain(left, length))
        if (gains[-1] or 0.0) > 0:
            left = without_season(left, length)
    return gains


def gain(y: np.ndarray, length: int) -> float | None:
    """What knowing the phase of a season takes away of the mean absolute change of a series, as a logarithm; None where it
    is too short to tell.

    From every change the mean of those at the same phase in the other cycles is subtracted, drawn to zero as if there were
    one cycle more that shows nothing. Changes are looked at over a step, a quarter and half of a season.

    Args:
        y: `(n,)`, without gaps.
        length: of the season, in steps.
    """
    if len(y) < CYCLES * length:
        return None
    before = after = 0.0
    for lag in {1, max(1, length // 4), max(1, length // 2)}:
        change = y[lag:] - y[:-lag]
        change = change - change.mean()
        phases = np.arange(len(change)) % length
        total, times = np.bincount(phases, change, length), np.bincount(phases, minlength=length)
        before += float(np.abs(change).mean())
        after += float(np.abs(change - (total[phases] - change) / times[phases]).mean())
    return float(np.log(before / after)) if before > 0 and after > 0 else 0.0


def without_season(y: np.ndarray, length: int) -> np.ndarray:
    """A series without the mean of each step of a season beside its trend, a moving mean over one season, `(n,)`."""
    sums = np.concatenate([[0.0], np.cumsum(y)])
    trend, first = (sums[length:] - sums[:-length]) / length, length // 2
    if length % 2 == 0:
        trend = (trend[1:] + trend[:-1]) / 2
    apart = y[first : first + len(trend)] - trend
    phases = (first + np.arange(len(apart))) % length
    season = np.bincount(phases, apart, length) / np.maximum(np.bincount(phases, minlength=length), 1)
    return y - (season - season.mean())[np.arange(len(y)) % length]


def _filled(y: np.ndarray) -> np.ndarray:
    return pd.Series(y, dtype="float64").interpolate(limit_direction="both").to_numpy()
