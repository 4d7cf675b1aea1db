"""What the columns of a table mean: times, values, and the keys that tell series apart."""

import re

import numpy as np
import pandas as pd

from forecasting.data.reading.frequency import infer_frequency, is_even
from forecasting.data.reading.layout import Table
from forecasting.data.reading.numbers import decimal_of, is_missing, parse_numbers, suspicious
from forecasting.data.reading.result import Reading, ReadOptions
from forecasting.data.reading.times import DayOrMonth, parse_clock, parse_times
from forecasting.experiment import BadInput

MAX_SERIES = 100_000
FOOTER_ROWS = 5
"""Rows at the end that may hold totals or notes instead of a time."""
WHEN = re.compile(
    r"(?i)(^|[^a-z])(ds|date|datum|day|tag|time|zeit|uhrzeit|timestamp|ts|epoch|month|monat|year|jahr|quarter|week|woche|period|when)"
)
PARTS = ("year", "month", "day", "hour", "minute", "second")
KEY = re.compile(
    r"(?i)(^|[^a-z])(id|key|code|nr|no|store|shop|item|sku|series|name|region|country|station|site|group|meter|location|product|category)"
)
ROW_NUMBER = re.compile(r"(?i)(no|nr|#|index|id|row|obs|column 1|unnamed.*|)\.?")


class Columns:
    """What the columns of a table mean."""

    def __init__(self, table: Table, options: ReadOptions) -> None:
        self.table, self.options, self.warnings = table, options, list(table.warnings)
        self.cells = table.columns
        self.names = [str(name) for name in self.cells]
        self.decimal = decimal_of((self.cells[name] for name in self.names), table.delimiter)

    # ------------------------------------------------------------------------------------------------------- long

    def long(self) -> Reading:
        """A row per time, or per time and series."""
        times, used = self._times()
        numbers = {name: self._numbers(name) for name in self.names if name not in used}
        numeric = {name: values for name, values in numbers.items() if values is not None}
        keys = self._keys(times, numbers, list(numeric))
        values = self._values(numeric, keys)
        alone = pd.Categorical.from_codes(np.zeros(len(self.cells), int), ["series"])
        ids = _joined(self.cells[keys]) if keys else pd.Series(alone, index=self.cells.index)
        frame = pd.DataFrame({"unique_id": ids, "ds": times, **{name: numeric[name] for name in values}})
        return self._reading(frame, used, values, keys)

    def _times(self) -> tuple[pd.Series, list[str]]:
        """The times, and the columns that they are in."""
        if self.options.time is not None:
            chosen = list(self.options.time)
            found = self._in_parts(chosen) if len(chosen) > 1 else self._in_column(chosen[0], named=True)
            if found is None:
                shown = self.cells[chosen[0]].iloc[0]
                raise BadInput(f"The column {chosen[0]!r:.60} holds no times that can be read, such as {shown!r:.40}.")
            return found
        parts = self._named_parts()
        if len(parts) > 1 and (found := self._in_parts(parts)) is not None:
            return found
        for name in sorted(self.names, key=lambda name: not WHEN.search(name)):
            if (found := self._in_column(name, bool(WHEN.search(name)))) is not None:
                return found
        raise self._no_times()

    def _in_column(self, name: str, named: bool) -> tuple[pd.Series, list[str]] | None:
        """Times in one column, or in one and a clock beside it. Where the day and the month cannot be told apart in the
        dates, the way is taken that is evenly spaced with the clock, if it is only one."""
        try:
            return self._with_clock(name, named, self.options.day_first)
        except DayOrMonth:
            found = [self._with_clock(name, named, way) for way in (True, False)]
            even = [each for each in found if each is not None and is_even(each[0])]
            if len(even) != 1:
                raise
            return even[0]

    def _with_clock(self, name: str, named: bool, day_first: bool | None) -> tuple[pd.Series, list[str]] | None:
        times = self._without_footer(name, named, day_first)
        if times is None:
            return None
        clock = self._clock_beside(name, times)
        return (times, [name]) if clock is None else (times + clock[1], [name, clock[0]])

    def _without_footer(self, name: str, named: bool, day_first: bool | None) -> pd.Series | None:
        """Times of a column; rows of totals and notes at the end are left out."""
        cells = self.cells[name]
        for n in range(min(FOOTER_ROWS, len(cells) // 4) + 1):
            some = cells.iloc[: len(cells) - n]
            if is_missing(some).any():
                continue
            times = parse_times(some, named, day_first)
            if times is not None:
                if n:
                    lines = "line" if n == 1 else f"{n} lines"
                    self.warnings.append(f"The last {lines} left out: {cells.iloc[-n]!r:.40} is no time.")
                    self.cells = self.cells.iloc[:-n]
                return times
        return None

    def _named_parts(self) -> list[str]:
        """Columns named year, month, day, hour … in this order."""
        by_name = {name.lower().strip(): name for name in self.names}
        parts = [by_name[part] for part in PARTS if part in by_name]
        return parts if parts and parts[0].lower().strip() == "year" else []

    def _in_parts(self, names: list[str]) -> tuple[pd.Series, list[str]] | None:
        """Times in several columns: a date and a time of the day, or year, month, day, hour."""
        lower = [name.lower().strip() for name in names]
        if not set(lower) <= set(PARTS):
            found = self._in_column(names[0], named=True)
            return found if found is not None and found[1] == names else None
        parts = {part: pd.to_numeric(self.cells[name], errors="coerce") for part, name in zip(lower, names, strict=True)}
        if any(values.isna().any() for values in parts.values()):
            return None
        whole = {"year": parts["year"], "month": parts.get("month", 1), "day": parts.get("day", 1)}
        times = pd.to_datetime(pd.DataFrame(whole, index=self.cells.index), errors="coerce")
        for part, seconds in (("hour", 3_600), ("minute", 60), ("second", 1)):
            times = times + pd.to_timedelta(parts[part] * seconds, unit="s") if part in parts else times
        return None if times.isna().any() else (times, names)

    def _clock_beside(self, name: str, times: pd.Series) -> tuple[str, pd.Series] | None:
        """A column with the time of the day, where the times themselves have none."""
        if (times != times.dt.normalize()).any():
            return None
        for other in self.names:
            if other != name and re.search(r"(?i)time|hour|zeit|stunde|^hr$", other):
                clock = parse_clock(self.cells[other].loc[times.index])
                if clock is not None and clock.nunique() > 1:
                    return other, clock
        return None

    def _no_times(self) -> BadInput:
        shown = ", ".join(f"{name} ({self.cells[name].iloc[0]!r:.20})" for name in self.names[:6])
        if all(self._numbers(name) is None for name in self.names):
            return BadInput(f"The file has no column of numbers and none of times: it has {shown}.")
        return BadInput(f"No column holds times in one way throughout: there are {shown}. A time is needed for every value.")

    def _numbers(self, name: str) -> pd.Series | None:
        values = parse_numbers(self.cells[name], self.decimal)
        return values if values is None or not self.options.missing else values.mask(values.isin(self.options.missing))

    def _keys(self, times: pd.Series, numbers: dict[str, pd.Series | None], numeric: list[str]) -> list[str]:
        """The columns that tell series apart: columns of text that vary, and of numbers as many as doubled times ask for."""
        if self.options.id is not None:
            return list(self.options.id)
        wanted = self.options.value or ()
        in_order = bool((np.diff(times.to_numpy()) > np.timedelta64(0)).all())
        if in_order or not times.duplicated().any():
            self._say_left_out([name for name in numbers if name not in numeric])
            return []
        keys: list[str] = []
        text = [name for name in numbers if name not in numeric]
        named = [name for name in numeric if KEY.search(name) and name not in wanted]
        doubled = int(times.duplicated().sum())
        for name in sorted((*named, *text), key=self.names.index):
            tried = pd.concat([times.rename("ds"), self.cells[[*keys, name]]], axis=1).duplicated().sum()
            if tried < doubled and self.cells[name].nunique() > 1:
                keys, doubled = [*keys, name], int(tried)
            if not doubled:
                break
        more = [name for name in text if name not in keys and keys and self._tells_nothing_more(keys, name)]
        self._say_left_out([name for name in text if name not in (*keys, *more)])
        return sorted((*keys, *more), key=self.names.index)

    def _tells_nothing_more(self, keys: list[str], name: str) -> bool:
        """Whether a column is a further name of the same series."""
        with_it, without = (len(self.cells[names].drop_duplicates()) for names in ([*keys, name], keys))
        return self.cells[name].nunique() > 1 and with_it == without

    def _say_left_out(self, names: list[str]) -> None:
        if names:
            self.warnings.append(f"{'Column' if len(names) == 1 else 'Columns'} {', '.join(names)[:100]} left out: text.")

    def _values(self, numeric: dict[str, pd.Series], keys: list[str]) -> list[str]:
        if self.options.value is not None:
            lacking = [name for name in self.options.value if name not in numeric]
            if lacking:
                raise BadInput(f"The column {lacking[0]!r:.60} holds cells that are no numbers, or none: it cannot be used.")
            names = list(self.options.value)
        else:
            names = [name for name in numeric if name not in keys and not _counts_rows(name, numeric[name])]
        taken = [name for name in names if name in ("unique_id", "ds")]
        if taken:
            raise BadInput(f"A column of values is called {taken[0]!r}, as ids or times are here: call it otherwise.")
        if not names:
            raise BadInput("The file has no column of numbers beside its times: there is nothing to forecast.")
        return names

    # ---------------------------------------------------------------------------------------------- wide by date

    def wide_by_date(self, dates: list[str]) -> Reading:
        """A column per time: the names of columns are times, and a row is a series."""
        times = parse_times(pd.Series(dates, dtype=object), True, self.options.day_first)
        if times is None:
            raise BadInput(
                f"The names of the columns are times in several ways, as {dates[0]!r} and {dates[-1]!r}: write them in one."
            )
        others = [name for name in self.names if name not in dates]
        keys = list(self.options.id) if self.options.id is not None else [n for n in others if self._numbers(n) is None]
        ids = _joined(self.cells[keys]) if keys else pd.Series([f"series {i}" for i in range(1, len(self.cells) + 1)])
        columns = [self._numbers(name) for name in dates]
        broken = next((name for name, values in zip(dates, columns, strict=True) if values is None), None)
        if broken is not None:
            raise BadInput(f"The column {broken!r} holds cells that are no numbers.")
        values = np.column_stack([values.to_numpy() for values in columns if values is not None])
        frame = pd.DataFrame(
            {
                "unique_id": np.repeat(ids.to_numpy(), len(dates)),
                "ds": np.tile(times.to_numpy(), len(ids)),
                "value": values.ravel(),
            }
        )
        return self._reading(frame, [], ["value"], keys)

    # ------------------------------------------------------------------------------------------------------- both

    def _reading(self, frame: pd.DataFrame, times: list[str], values: list[str], keys: list[str]) -> Reading:
        n_series = frame["unique_id"].nunique()
        if n_series > MAX_SERIES:
            raise BadInput(f"The file holds {n_series:,} series; at most {MAX_SERIES:,} are read.")
        ids = pd.Categorical(frame["unique_id"], np.asarray(frame["unique_id"].unique()), ordered=True)
        frame = _sorted(frame.assign(unique_id=ids))
        longest = frame[frame["unique_id"] == frame["unique_id"].value_counts().idxmax()]["ds"]
        frequency = infer_frequency(longest[longest != longest.shift()])
        if frequency is None and len(longest) > 2:
            self.warnings.append("The times follow no frequency that is known: they are taken one after the other.")
        reading = Reading(
            frame,
            self.table.format,
            self.table.encoding,
            self.table.delimiter,
            self.decimal,
            times,
            values,
            keys,
            self.names,
            frequency,
            self.warnings,
        )
        self._add_warnings(reading)
        return reading

    def _add_warnings(self, reading: Reading) -> None:
        """Say what deserves a look."""
        doubled = reading.frame[reading.repeated]
        if len(doubled):
            when = doubled["ds"].iloc[0]
            hourly = reading.frequency is not None and when != when.normalize() and when.month in (10, 11) and when.hour <= 3
            clocks = ", as local time does when the clocks go back" if hourly else ""
            self.warnings.append(
                f"{len(doubled):,} {'row' if len(doubled) == 1 else 'rows'} repeat a time: {when} comes twice{clocks}."
            )
        value = suspicious(reading.frame[reading.value_columns[0]])
        if value is not None:
            n = int((reading.frame[reading.value_columns[0]] == value).sum())
            self.warnings.append(f"{value:g} occurs {n:,} times, far from all other values: perhaps it means a missing one.")


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows by series and time; what is in order already is not sorted again."""
    series, times = np.diff(frame["unique_id"].cat.codes), np.diff(frame["ds"].to_numpy())
    if ((series > 0) | ((series == 0) & (times >= np.timedelta64(0)))).all():
        return frame.reset_index(drop=True)
    return frame.sort_values(["unique_id", "ds"], kind="stable", ignore_index=True)


def _counts_rows(name: str, values: pd.Series) -> bool:
    """Whether a column just numbers the rows."""
    return bool(ROW_NUMBER.fullmatch(name.strip())) and len(values) > 2 and bool((values.diff().iloc[1:] == 1).all())


def _joined(cells: pd.DataFrame) -> pd.Series:
    if cells.shape[1] == 1:
        return cells.iloc[:, 0]
    codes, rows = pd.factorize(pd.MultiIndex.from_frame(cells))
    return pd.Series(pd.Categorical.from_codes(codes, [" · ".join(map(str, row)) for row in rows]), index=cells.index)
