"""Times as people write them: which way a whole column is meant, and what it says."""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from forecasting.data.reading.frequency import is_even
from forecasting.data.reading.numbers import Question, all_match, distinct
from forecasting.data.reading.spellings import (
    FISCAL,
    MONTH_OF,
    full_years,
    is_date_and_hour,
    is_spelled,
    parse_spelled,
    parsed,
    plain,
    rewritten,
)
from forecasting.experiment import BadInput

DAY_MONTH = re.compile(
    r"(\d{1,2})([/.\-])(\d{1,2})[/.\-](\d{4}|\d{2})(?:[ T,]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:\.\d+)?)?\s*([AaPp][Mm])?)?"
)
CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:\.\d+)?)?\s*([AaPp][Mm])?")
SPAN = r"(\d{1,2}[./-]\d{1,2}[./-]\d{2,4})\s*(?:-|–|—|to|bis|/)\s*\d{1,2}[./-]\d{1,2}[./-]\d{2,4}"
"""From one day to another: the first is the time."""
OFFSET = r":.*(?:Z|[+-]\d\d:?\d\d)$"
MOST_YEARS, SAMPLE = 800, 20
EARLIEST, LATEST = 1500, 2200
"""Years that a bare number may mean."""


Parser = Callable[[pd.Series], pd.Series]


@dataclass(frozen=True)
class Kind:
    """A way to write times.

    Attributes:
        pattern: what every cell looks like.
        parse: makes times of such cells.
        needs_name: a bare number, which is a time only where the column's name says so.
    """

    pattern: re.Pattern[str]
    parse: Parser
    needs_name: bool = False


def _iso(text: pd.Series) -> pd.Series:
    """ISO 8601; with offsets, in universal time."""
    if pyarrow.compute.any(pyarrow.compute.match_substring_regex(pa.array(text, pa.string()), OFFSET)).as_py():
        return pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce").dt.tz_localize(None)
    return pd.to_datetime(text, format="ISO8601", errors="coerce")


def _by(form: str) -> Parser:
    return lambda text: pd.to_datetime(text, format=form, errors="coerce")


def _first_of(text: pd.Series) -> pd.Series:
    """The first day of an interval."""
    return _iso(text.str.extract(r"^(.*?)\s*(?:/|–|—| - )\s*\d", expand=False))


def _quarters(text: pd.Series) -> pd.Series:
    year, quarter = text.str.extract(r"(\d{4})", expand=False), text.str.extract(r"[Qq]\s*([1-4])", expand=False)
    return pd.to_datetime(year + "-" + (3 * quarter.astype(int) - 2).astype(str) + "-01", format="%Y-%m-%d")


def _months(text: pd.Series) -> pd.Series:
    return pd.to_datetime(
        text.str.replace(r"^(\d{4})[ \-]?[Mm](\d{1,2})$", r"\1-\2-01", regex=True), format="%Y-%m-%d", errors="coerce"
    )


def _weeks(text: pd.Series) -> pd.Series:
    return pd.to_datetime(
        text.str.replace(r"^(\d{4})[ \-]?[Ww](\d{1,2})$", r"\1-W\2-1", regex=True), format="%G-W%V-%u", errors="coerce"
    )


def _epoch(unit: str) -> Parser:
    def parse(text: pd.Series) -> pd.Series:
        if is_date_and_hour(text):
            return pd.Series(pd.NaT, index=text.index)
        return pd.to_datetime(pd.to_numeric(text, errors="coerce"), unit=unit, errors="coerce")  # type: ignore[call-overload]

    return parse


def _years(text: pd.Series) -> pd.Series:
    years = pd.to_numeric(text.str.replace(r"\.0$", "", regex=True), errors="coerce")
    return pd.to_datetime(text.where(years.between(EARLIEST, LATEST)).str[:4], format="%Y", errors="coerce")


KINDS = (
    Kind(re.compile(r"\d{4}-\d{2}(-\d{2}([ T]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s?(Z|[+-]\d{2}:?\d{2})?)?)?"), _iso),
    Kind(
        re.compile(r"\d{4}/\d{1,2}/\d{1,2}( \d{1,2}:\d{2}(:\d{2})?)?"),
        lambda t: pd.to_datetime(t, format="mixed", yearfirst=True, errors="coerce"),
    ),
    Kind(re.compile(r"\d{4}-\d{2}-\d{2}\s*(/|–|—| - )\s*\d{4}-\d{2}-\d{2}"), _first_of),
    Kind(re.compile(r"(\d{4}[ \-]?[Qq][1-4])|([Qq][1-4][ \-/]?\d{4})"), _quarters),
    Kind(re.compile(r"\d{4}[ \-]?[Mm]\d{1,2}"), _months),
    Kind(re.compile(r"\d{4}[ \-]?[Ww]\d{1,2}"), _weeks),
    Kind(re.compile(r"(15|16|17|18|19|20|21)\d{2}(0[1-9]|1[0-2])([0-2]\d|3[01])"), _by("%Y%m%d")),
    Kind(re.compile(r"[1-4]?\d{9}"), _epoch("s"), needs_name=True),
    Kind(re.compile(r"[1-4]?\d{12}"), _epoch("ms"), needs_name=True),
    Kind(re.compile(r"(1[5-9]|2[01])\d{2}(\.0)?"), _years, needs_name=True),
)


def looks_like_time(cell: str) -> bool:
    """Whether a cell can only be a time."""
    if not any(c.isdigit() for c in cell):
        return plain(cell).rstrip(".") in MONTH_OF
    named = any(kind.pattern.fullmatch(cell) for kind in KINDS if not kind.needs_name)
    return bool(named or DAY_MONTH.fullmatch(cell) or is_spelled(cell) or DAY_MONTH.fullmatch(rewritten(cell)))


def parse_times(text: pd.Series, named: bool, day_first: bool | None = None) -> pd.Series | None:
    """Read a column of times; None when it is none.

    The way in which it is written is chosen for the column as a whole, never by its first rows.

    Args:
        text: the cells, none of them missing.
        named: whether the column's name says that it holds times.
        day_first: of dates like 03/04/2024, where the visitor has said so.

    Raises:
        BadInput: when the day and the month cannot be told apart.
    """
    codes, cells = distinct(text)
    first = [str(cell) for cell in cells.iloc[:SAMPLE]]
    fiscal = parsed(FISCAL, cells) if len(cells) < MOST_YEARS else None
    if fiscal is not None:
        return _spread(fiscal, codes, text)
    for kind in KINDS:
        likely = (named or not kind.needs_name) and all(map(kind.pattern.fullmatch, first))
        if likely and all_match(cells, kind.pattern.pattern):
            with warnings.catch_warnings():  # pandas guesses formats of its own and says so
                warnings.simplefilter("ignore")
                times = kind.parse(cells.astype(object))
            if times.notna().all():
                return _spread(times, codes, text)
    if all(re.fullmatch(SPAN, cell) for cell in first) and all_match(cells, SPAN):
        first = pd.Series(cells.astype(object).str.extract(f"^{SPAN}$")[0].to_numpy()[codes], index=text.index)
        return parse_times(first, named, day_first)
    if all(map(DAY_MONTH.fullmatch, first)) and all_match(cells, DAY_MONTH.pattern):
        return _spread(_by_day_and_month(cells.astype(object), day_first), codes, text)
    spelled = parse_spelled(cells, named)
    if spelled is not None:
        return _spread(spelled, codes, text)
    if len(cells) and DAY_MONTH.fullmatch(rewritten(str(cells.iloc[0]))):
        written = cells.astype(object).map(rewritten)
        if all_match(written, DAY_MONTH.pattern):
            return _spread(_by_day_and_month(written, day_first), codes, text)
    return None


def _spread(times: pd.Series, codes: np.ndarray, like: pd.Series) -> pd.Series:
    return pd.Series(times.to_numpy()[codes], index=like.index)


def _by_day_and_month(cells: pd.Series, day_first: bool | None) -> pd.Series:
    parts = cells.str.extract(DAY_MONTH)
    one, other = parts[0].astype(int), parts[2].astype(int)
    if day_first is None:
        day_first = _day_first(parts, one, other)
    day, month = (one, other) if day_first else (other, one)
    year = full_years(parts[3])
    date = pd.to_datetime({"year": year, "month": month, "day": day}, errors="coerce")
    if date.isna().any():
        raise BadInput(
            f"The date {cells[date.isna()].iloc[0]!r} is none, whichever of its numbers is the day and the month."
        )
    return date + _clock(parts[4], parts[5], parts[6], parts[7])


def _day_first(parts: pd.DataFrame, one: pd.Series, other: pd.Series) -> bool:
    """Which number is the day: one beyond twelve tells; points between them do; or that only one way is evenly spaced."""
    if one.max() > 12 or other.max() > 12:
        return bool(one.max() > 12)
    if (parts[1] == ".").all():
        return True
    ways = [way for way in (True, False) if is_even(_dates(parts, one, other, way))]
    if len(ways) == 1:
        return ways[0]
    raise Question(
        "Whether the day or the month comes first in the dates cannot be told, for no number in them is beyond twelve: say "
        "which, day first or month first.",
        "day_first",
    )


def _dates(parts: pd.DataFrame, one: pd.Series, other: pd.Series, day_first: bool) -> pd.Series:
    day, month = (one, other) if day_first else (other, one)
    return pd.to_datetime({"year": parts[3].astype(int) % 10_000, "month": month, "day": day}, errors="coerce")


def _clock(hour: pd.Series, minute: pd.Series, second: pd.Series, half: pd.Series) -> pd.Series:
    hours = pd.to_numeric(hour).fillna(0)
    afternoon, twelve = half.str.lower().eq("pm"), hours.eq(12)
    hours = hours.where(~(afternoon & ~twelve), hours + 12).where(~(half.str.lower().eq("am") & twelve), 0)
    seconds = 3600 * hours + 60 * pd.to_numeric(minute).fillna(0) + pd.to_numeric(second).fillna(0)
    return pd.to_timedelta(seconds, unit="s")


def parse_clock(text: pd.Series) -> pd.Series | None:
    """Read a column of times of the day, as 18:00, 18.00.00, 6 pm or the hour alone; None when it is none."""
    codes, cells = distinct(text)
    cells = cells.astype(object)
    if cells.str.fullmatch(r"\d{1,2}(\.0)?").all():
        hours = pd.to_numeric(cells)
        return _spread(pd.to_timedelta(hours, unit="h"), codes, text) if hours.max() <= 24 else None
    if not cells.str.fullmatch(CLOCK).all():
        return None
    parts = cells.str.extract(CLOCK)
    return _spread(_clock(parts[0], parts[1], parts[2], parts[3]), codes, text)
