"""What the columns of a table mean: times, values, and the keys that tell series apart."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecasting.data.reading.frequency import in_words, infer_frequency, is_even, snapped
from forecasting.data.reading.layout import Table
from forecasting.data.reading.numbers import decimal_of, is_missing, parse_numbers, suspicious
from forecasting.data.reading.result import Reading, ReadOptions
from forecasting.data.reading.spellings import MONTH_OF, plain
from forecasting.data.reading.times import looks_like_time, parse_times
from forecasting.data.reading.timing import Timing
from forecasting.experiment import BadInput

MAX_SERIES = 100_000
SHORTEST = 3
LOOKED_AT = 2_000
HEAD_ROWS, HEAD_COLUMNS, HEAD_LETTERS = 5, 50, 60
FAR_AWAY, TEN_YEARS_S = 10, 315_360_000
"""A time is no slip unless it is so many times as far from the others as these lie apart, and at least ten years."""
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
        self.odd: dict[str, Mapping[str, int]] = {}
        self.decimal = options.decimal or decimal_of((self.cells[name] for name in self.names), table.delimiter)

    # ------------------------------------------------------------------------------------------------------- long

    def long(self) -> Reading:
        """A row per time, or per time and series."""
        times, used = self._times()
        numbers = {name: self._numbers(name) for name in self.names if name not in used}
        numeric = {name: values for name, values in numbers.items() if values is not None}
        keys = self._keys(times, numbers, list(numeric))
        values = self._values(numeric, keys, times)
        self._say_odd(values)
        alone = pd.Categorical.from_codes(np.zeros(len(self.cells), int), ["series"])
        ids = _joined(self.cells[keys]) if keys else pd.Series(alone, index=self.cells.index)
        frame = pd.DataFrame({"unique_id": ids, "ds": times, **{name: numeric[name] for name in values}})
        return self._reading(frame, used, values, keys)

    def _times(self) -> tuple[pd.Series, list[str]]:
        """The times, and the columns that they are in."""
        timing = Timing(self.cells, self.options, lambda: any(self._numbers(name) is not None for name in self.names))
        times, used, *_ = timing.find()
        self.cells = timing.cells
        self.warnings += timing.warnings
        return self._plausible(times), used

    def _plausible(self, times: pd.Series) -> pd.Series:
        """The times without a few that lie far from all others, as by a slip of a digit; these rows are left out."""
        order = times.sort_values()
        if len(order) < 10:
            return times
        stamps = order.to_numpy().astype("datetime64[s]").astype("int64")
        few = max(1, len(stamps) // 50)
        for end, rest in ((slice(-few, None), stamps[:-few]), (slice(None, few), stamps[few:])):
            away = np.minimum(np.abs(stamps[end] - rest[0]), np.abs(stamps[end] - rest[-1]))
            far = order.iloc[end][away > max(FAR_AWAY * (rest[-1] - rest[0]), TEN_YEARS_S)]
            if len(far):
                place = self.cells.index.get_loc(far.index[0]) + 1
                rows = "1 row" if len(far) == 1 else f"{len(far)} rows"
                self.warnings.append(
                    f"{rows} left out: {far.iloc[0]:%Y-%m-%d} (row {place} of the values) lies far from all others."
                )
                self.cells = self.cells.drop(index=far.index)
                times = times.drop(index=far.index)
        return times

    def _numbers(self, name: str) -> pd.Series | None:
        found = parse_numbers(self.cells[name], self.decimal)
        if found is None:
            return None
        self.odd[name] = found.odd
        return found.values if not self.options.missing else found.values.mask(found.values.isin(self.options.missing))

    def _numbers_or_none_at_all(self, name: str) -> pd.Series | None:
        """Numbers of a column, which may all be missing."""
        if is_missing(self.cells[name]).all():
            return pd.Series(np.nan, index=self.cells.index)
        return self._numbers(name)

    def _say_odd(self, names: list[str]) -> None:
        """Say which cells of the columns that are used are no numbers, and so missing."""
        for name in names:
            odd = self.odd.get(name)
            if odd:
                n, texts = sum(odd.values()), list(odd)
                also = (
                    f" and {len(odd) - 1} other texts" if len(odd) > 2 else f" and {texts[1]!r:.30}" if len(odd) == 2 else ""
                )
                cells = "1 cell is no number" if n == 1 else f"{n:,} cells are no numbers"
                where = self._line_of(name, texts[0])
                self.warnings.append(f"{name}: {cells}, as {texts[0]!r:.30}{also} ({where}): taken as missing.")

    def _line_of(self, name: str, cell: str) -> str:
        """Where a cell stands first, counted as in the file, the header included."""
        return f"row {int((self.cells[name] == cell).to_numpy().argmax()) + 1} of the values"

    def _keys(self, times: pd.Series, numbers: dict[str, pd.Series | None], numeric: list[str]) -> list[str]:
        """The columns that tell series apart: where times are doubled columns of text, and of numbers as many as that asks
        for; where they are not, a column of text that parts them into series with a step of their own."""
        if self.options.id is not None:
            return list(self.options.id)
        wanted = self.options.value or ()
        text = [name for name in numbers if name not in numeric]
        self._carry_down(text)
        doubled = int(times.duplicated().sum())
        if not doubled:
            parting = [name for name in text if self._parts(name, times)][:1]
            self._say_left_out([name for name in text if name not in parting])
            return parting
        keys: list[str] = []
        named = [name for name in numeric if KEY.search(name) and name not in wanted]
        for name in sorted((*named, *text), key=self.names.index):
            tried = pd.concat([times.rename("ds"), self.cells[[*keys, name]]], axis=1).duplicated().sum()
            if tried < doubled and self.cells[name].nunique() > 1:
                keys, doubled = [*keys, name], int(tried)
            if not doubled:
                break
        more = [name for name in text if name not in keys and keys and self._tells_nothing_more(keys, name)]
        self._say_left_out([name for name in text if name not in (*keys, *more)])
        return sorted((*keys, *more), key=self.names.index)

    def _carry_down(self, names: list[str]) -> None:
        """Cells that are empty below a name stand for the same name, as cells that were merged do."""
        for name in names:
            empty = pd.Series(self.cells[name].eq("").to_numpy(dtype=bool, na_value=True), index=self.cells.index)
            if 0.3 < empty.mean() < 1 and not empty.iloc[0] and self.cells[name].nunique() - 1 <= len(empty) / 3:
                self.cells = self.cells.assign(**{name: self.cells[name].astype(object).mask(empty).ffill()})
                self.warnings.append(f"{name}: empty cells stand for the name above them.")

    def _parts(self, name: str, times: pd.Series) -> bool:
        """Whether a column of text parts times that never double into series: each with a regular step, and together with
        none; or each a block of its own, of a column that is named so."""
        codes, texts = pd.factorize(self.cells[name])
        sizes = np.bincount(codes[codes >= 0], minlength=len(texts))
        if not 1 < len(texts) <= len(codes) / 3 or sizes.min() < 3 or any(looks_like_time(str(text)) for text in texts):
            return False
        groups = [times[codes == code].sort_values() for code in range(min(len(texts), 50))]
        if not all(is_even(group) for group in groups):
            return False
        in_blocks = int((np.diff(codes) != 0).sum()) == len(texts) - 1
        together = times.sort_values()
        if bool(KEY.search(name)) and in_blocks and not is_even(together):
            return True
        return infer_frequency(together) is None

    def _tells_nothing_more(self, keys: list[str], name: str) -> bool:
        """Whether a column is a further name of the same series."""
        with_it, without = (len(self.cells[names].drop_duplicates()) for names in ([*keys, name], keys))
        return self.cells[name].nunique() > 1 and with_it == without

    def _say_left_out(self, names: list[str]) -> None:
        if names:
            self.warnings.append(f"{'Column' if len(names) == 1 else 'Columns'} {', '.join(names)[:100]} left out: text.")

    def _values(self, numeric: dict[str, pd.Series], keys: list[str], times: pd.Series) -> list[str]:
        if self.options.value is not None:
            lacking = [name for name in self.options.value if name not in numeric]
            if lacking:
                raise BadInput(f"The column {lacking[0]!r:.60} holds cells that are no numbers, or none: it cannot be used.")
            names = list(self.options.value)
        else:
            names = self._measures({name: values for name, values in numeric.items() if name not in keys}, times)
        taken = [name for name in names if name in ("unique_id", "ds")]
        if taken:
            raise BadInput(f"A column of values is called {taken[0]!r}, as ids or times are here: call it otherwise.")
        if not names:
            raise BadInput("The file has no column of numbers beside its times: there is nothing to forecast.")
        return names

    def _measures(self, numeric: dict[str, pd.Series], times: pd.Series) -> list[str]:
        """Columns of numbers that measure something, those with two values only at the end: the first is what is forecast.

        Left out are numbers of rows, what the calendar says, and, beside others, what never changes.
        """
        names = [name for name, values in numeric.items() if not _counts_rows(name, values)]
        free = [name for name in names if not _is_of_calendar(numeric[name], times) and not _numbers_rows(numeric[name])]
        varied = [name for name in free if numeric[name].nunique() > 1]
        kept = varied or free or names
        left = [name for name in names if name not in kept]
        if left:
            what = "they never change, number the rows, or say what the calendar does"
            self.warnings.append(f"{'Column' if len(left) == 1 else 'Columns'} {', '.join(left)[:100]} left out: {what}.")
        return sorted(kept, key=lambda name: set(numeric[name].dropna().unique()) <= {0.0, 1.0})

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
        columns = [self._numbers_or_none_at_all(name) for name in dates]
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

    def wide_by_month(self, months: list[str]) -> Reading | None:
        """A row per year and a column per month; None where no column holds the years."""
        others = [name for name in self.names if name not in months]
        year = next((name for name in others if _are_years(self.cells[name])), None)
        if year is None:
            return None
        numbers = [month_number(name) for name in months]
        columns = [self._numbers_or_none_at_all(name) for name in months]
        if any(values is None for values in columns):
            return None
        years = pd.to_numeric(self.cells[year]).astype(int).to_numpy()
        text = [name for name in others if name != year and self._numbers(name) is None and self.cells[name].nunique() > 1]
        keys = list(self.options.id) if self.options.id is not None else text
        ids = _joined(self.cells[keys]).to_numpy() if keys else np.full(len(years), "series", dtype=object)
        frame = pd.DataFrame(
            {
                "unique_id": np.repeat(ids, len(months)),
                "ds": pd.to_datetime(
                    {"year": np.repeat(years, len(months)), "month": np.tile(numbers, len(years)), "day": 1}
                ).to_numpy(),
                "value": np.column_stack([values.to_numpy() for values in columns if values is not None]).ravel(),
            }
        )
        known = frame["value"].notna()
        last = known[::-1].idxmax() if known.any() else len(frame) - 1  # months that have not come yet
        left = [name for name in others if name not in (year, *keys)]
        self._say_left_out(left)
        return self._reading(frame.iloc[: last + 1], [year], ["value"], keys)

    # ------------------------------------------------------------------------------------------------------- both

    def _reading(self, frame: pd.DataFrame, times: list[str], values: list[str], keys: list[str]) -> Reading:
        frame = self._long_enough(frame, values)
        n_series = frame["unique_id"].nunique()
        if n_series > MAX_SERIES:
            raise BadInput(f"The file holds {n_series:,} series; at most {MAX_SERIES:,} are read.")
        ids = pd.Categorical(frame["unique_id"], np.asarray(frame["unique_id"].unique()), ordered=True)
        frame = _sorted(frame.assign(unique_id=ids))
        longest = frame[frame["unique_id"] == frame["unique_id"].value_counts().idxmax()]["ds"]
        frequency = infer_frequency(longest[longest != longest.shift()])
        near = snapped(longest[longest != longest.shift()]) if frequency is None else None
        if near is not None:
            frame = _sorted(frame.assign(ds=frame["ds"].dt.round(near[0])))
            frequency = infer_frequency(frame.loc[longest.index, "ds"].drop_duplicates())
            self.warnings.append(f"Times are put on a grid, {in_words(frequency)}: {near[1]}.")
        elif frequency is None and len(longest) > 2:
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
            self.table.sheets,
            self._head(),
        )
        self._add_warnings(reading)
        return reading

    def _head(self) -> list[list[str]]:
        """The first rows as they stand in the file, as far as somebody can look at them."""
        first = self.table.columns.iloc[:HEAD_ROWS, :HEAD_COLUMNS].astype(object).fillna("")
        return first.map(lambda cell: str(cell)[:HEAD_LETTERS]).to_numpy().tolist()

    def _long_enough(self, frame: pd.DataFrame, values: list[str]) -> pd.DataFrame:
        """The rows of series with three times and a value at least, where some have; the others are left out by name."""
        ids = frame["unique_id"]
        known = frame[values].notna().any(axis=1).groupby(ids, sort=False, observed=True).sum()
        sizes = frame["ds"].groupby(ids, sort=False, observed=True).nunique()
        for what, few in (
            (f"without a value of {values[0]!r:.40}", known == 0),
            ("with fewer than 3 times", sizes < SHORTEST),
        ):
            gone = set(known.index[few])
            if gone and len(gone) < ids.nunique():
                names = ", ".join(map(str, list(gone)[:3])) + (f" and {len(gone) - 3:,} more" if len(gone) > 3 else "")
                self.warnings.append(f"Series {what} left out: {names[:200]}.")
                frame = frame[~ids.isin(gone)]
                ids = frame["unique_id"]
        return frame

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


def _numbers_rows(values: pd.Series) -> bool:
    """Whether whole numbers rise by one from nearly every row to the next: an index, of which some rows may be gone."""
    if len(values) < 10 or values.isna().any() or (values % 1 != 0).any() or values.iloc[0] not in (0, 1):
        return False
    steps = values.diff().iloc[1:]
    return bool((steps > 0).all() and (steps == 1).mean() > 0.8)


def _is_of_calendar(values: pd.Series, times: pd.Series) -> bool:
    """Whether numbers are a part of the time that they belong to: its year, month, day, hour, weekday, or a decimal year."""
    if len(values) < 10 or values.isna().any() or values.nunique() < 2:
        return False
    if len(values) > 2 * LOOKED_AT:  # what no part of the time is on a few rows is none on all
        some = slice(None, LOOKED_AT)
        if not _is_of_calendar(values.iloc[some], times.iloc[some]):
            return False
    when = times.dt
    parts = (when.year, when.month, when.day, when.hour, when.dayofweek, when.quarter, when.dayofyear)
    for part in parts:
        away = values - part
        if away.nunique() == 1 and abs(away.iloc[0]) <= 1:
            return True
    weekday = (values - (when.dayofweek + 1) % 7).nunique() == 1
    return weekday or bool((values - (when.year + (when.dayofyear - 1) / 365.25)).abs().max() < 0.12)


def month_number(name: str) -> int:
    """The month that the name of a column says, as `Jan` or `1`; 0 for none."""
    text = plain(name).rstrip(".")
    return MONTH_OF.get(text, int(text) if text.isdigit() and 1 <= int(text) <= 12 else 0)


def _are_years(cells: pd.Series) -> bool:
    """Whether a column holds years, each after the one before."""
    if not cells.str.fullmatch(r"(1[6-9]|2[0-2])\d{2}(\.0)?").all():
        return False
    return bool((pd.to_numeric(cells.drop_duplicates()).diff().iloc[1:] != 0).all())


def _joined(cells: pd.DataFrame) -> pd.Series:
    if cells.shape[1] == 1:
        return cells.iloc[:, 0]
    codes, rows = pd.factorize(pd.MultiIndex.from_frame(cells))
    return pd.Series(pd.Categorical.from_codes(codes, [" · ".join(map(str, row)) for row in rows]), index=cells.index)
