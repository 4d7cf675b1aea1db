"""Where the times of a table stand: in one column, or in several that go together."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecasting.data.reading.frequency import infer_frequency, is_even
from forecasting.data.reading.numbers import Question, distinct, is_missing
from forecasting.data.reading.result import ReadOptions
from forecasting.data.reading.spellings import MONTH_OF, full_years, plain
from forecasting.data.reading.times import parse_clock, parse_times
from forecasting.data.reading.untimed import no_times
from forecasting.experiment import BadInput

FOOTER_ROWS = 5
"""Rows at the end that may hold totals or notes instead of a time."""
WHEN = re.compile(
    r"(?i)(^|[^a-z])(ds|date|datum|day|tag|time|zeit|uhrzeit|timestamp|ts|epoch|month|monat|year|jahr|quarter|week|woche|period|when"
    r"|fecha|data|dato|datetime|stamp|mes|mois|mese|mês|maand|måned|månad|miesiąc|měsíc|ay|año|ano|année|annee|anno|rok|år|jaar|yıl"
    r"|semana|semaine|settimana|heure|hora|ora|trimestre|période|periodo|período|tarih|день|дата|год|месяц|время|неделя)"
    r"|日期|時間|时间|年|月|날짜|시간"
)
MADE = re.compile(r"(?i)generat|updat|creat|modif|publish|retriev|insert|download|import|run_?date|as_?of|vintage|release")
"""Names of times at which a row was written, and not of what it is about."""
TOTAL = r"(?i)\b(?:total|sub-?total|sum|annual|average|mean|gesamt|summe|jahr|mittel|año|total general|moyenne|annuel)\b"
PARTS = ("year", "month", "day", "hour", "minute", "second")
YEAR = re.compile(r"(?i)(fiscal |calendar )?(year|yr|yyyy|jahr|año|ano|année|annee|anno|rok|år|jaar|yıl|год)|年份?|연도|년")
PART_OF_YEAR = {
    "month": re.compile(r"(?i)(month|mon|mnth|mm|mo|monat|mois|mes|mese|mês|maand|ay|месяц|period|per)|月份?|월"),
    "quarter": re.compile(r"(?i)(quarter|qtr|qrtr|q|quartal|trimestre|trim|period|per)|季度?"),
    "week": re.compile(r"(?i)(iso ?)?(week|wk|kw|woche|semaine|semana|settimana|vecka|weekno|week_?num(ber)?)|周"),
    "day of year": re.compile(r"(?i)doy|yday|day_?of_?year|julian(_?day)?|yearday"),
}
PERIOD = re.compile(
    r"(?i)(^|[^a-z])(hour|hr|he|hours?ending|period|interval|sp|stunde|hora|heure|slot|block|ora|step)([^a-z]|$)"
)
"""Names of columns that number the hours or the half hours of a day."""
PERIODS = {24: "1h", 48: "30min", 96: "15min"}
ZONES = {"utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "cest": 2, "eet": 2, "eest": 3, "est": -5, "edt": -4}
ZONES |= {"cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
"""Hours ahead of universal time."""


class Found(NamedTuple):
    """Times, the columns that they are in, and how many rows at the end have none."""

    times: pd.Series
    used: list[str]
    footer: int = 0
    totals: int = 0
    """Rows with totals between the others, which `times` lacks."""


class Timing:
    """The times of a table.

    Args:
        cells: of the table.
        options: what the visitor has said.
        has_numbers: tells whether a column holds numbers, for the words of a refusal.

    Attributes:
        cells: the rows that have a time: totals and notes are left out.
        warnings: what was left out, in sentences.
    """

    def __init__(self, cells: pd.DataFrame, options: ReadOptions, has_numbers: Callable[[], bool]) -> None:
        self.cells, self.options, self._has_numbers = cells, options, has_numbers
        self.names = [str(name) for name in cells]
        self.warnings: list[str] = []

    def find(self) -> Found:
        """The times.

        Raises:
            BadInput: when there are none.
        """
        found = self._found()
        if found.footer:
            lines = "line" if found.footer == 1 else f"{found.footer} lines"
            first = self.cells[found.used[0]].iloc[-found.footer]
            self.warnings.append(f"The last {lines} left out: {first!r:.40} is no time.")
            self.cells = self.cells.iloc[: -found.footer]
        if found.totals:
            gone = self.cells.index.difference(found.times.index)
            first = self.cells[found.used[0]].loc[gone[0]]
            rows = "1 row" if found.totals == 1 else f"{found.totals} rows"
            self.warnings.append(f"{rows} of totals left out, as {first!r:.40}.")
            self.cells = self.cells.loc[found.times.index]
        return found

    def _found(self) -> Found:
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
        if (found := self._in_year_and_part()) is not None:
            return found
        candidates, refused = self._candidates()
        if candidates:
            return self._best(candidates)
        if (found := self._in_nameless_years()) is not None:
            return found
        raise refused or no_times(self.cells, self._has_numbers())

    # -------------------------------------------------------------------------------------------------- one column

    def _candidates(self) -> tuple[list[Found], BadInput | None]:
        """Columns of times, those first whose names say so; and why the first that nearly is one is none."""
        found, refused = [], None
        for name in sorted(self.names, key=lambda name: (not WHEN.search(name), bool(MADE.search(name)))):
            try:
                one = self._in_column(name, bool(WHEN.search(name)))
            except BadInput as error:
                refused = refused or error
            else:
                found += [] if one is None else [one]
        return found, refused

    @staticmethod
    def _best(candidates: Sequence[Found]) -> Found:
        """The times that vary, are about something, and are evenly spaced; the first of equals."""

        def merit(found: Found) -> tuple[bool, bool, bool, int]:
            several = found.times.nunique() > 1
            regular = several and _is_regular(found.times)
            return several, not MADE.search(found.used[0]), regular, -found.footer

        return max(candidates, key=merit) if len(candidates) > 1 else candidates[0]

    def _in_column(self, name: str, named: bool) -> Found | None:
        """Times in one column, or in one and a clock beside it. Where the day and the month cannot be told apart in the
        dates, the way is taken that is evenly spaced with the clock, if it is only one."""
        try:
            return self._with_clock(name, named, self.options.day_first)
        except Question:
            found = [self._with_clock(name, named, way) for way in (True, False)]
            even = [each for each in found if each is not None and is_even(each.times)]
            if len(even) != 1:
                raise
            return even[0]

    def _with_clock(self, name: str, named: bool, day_first: bool | None) -> Found | None:
        times = self._without_footer(name, named, day_first)
        if times is None:
            return self._without_totals(name, named, day_first)
        for beside in (self._clock_beside, self._period_beside, self._zone_beside):
            if (found := beside(name, times)) is not None:
                return found._replace(footer=len(self.cells) - len(times))
        return Found(times, [name], len(self.cells) - len(times))

    def _without_totals(self, name: str, named: bool, day_first: bool | None) -> Found | None:
        """Times of a column between whose rows some are totals, as `2018 Total`."""
        cells = self.cells[name]
        total = pd.Series(cells.str.contains(TOTAL, regex=True).to_numpy(dtype=bool, na_value=False), index=cells.index)
        if not 0 < total.mean() < 0.4 or is_missing(cells[~total]).any():
            return None
        times = parse_times(cells[~total], named, day_first)
        return None if times is None else Found(times, [name], totals=int(total.sum()))

    def _without_footer(self, name: str, named: bool, day_first: bool | None) -> pd.Series | None:
        """Times of a column; there may be rows of totals and notes at the end."""
        cells = self.cells[name]
        for n in range(min(FOOTER_ROWS, len(cells) // 4) + 1):
            some = cells.iloc[: len(cells) - n]
            if not is_missing(some).any() and (times := parse_times(some, named, day_first)) is not None:
                return times
        return None

    # ----------------------------------------------------------------------------------------------- several columns

    def _named_parts(self) -> list[str]:
        """Columns named year, month, day, hour … in this order."""
        by_name = {name.lower().strip(): name for name in self.names}
        parts = [by_name[part] for part in PARTS if part in by_name]
        return parts if parts and parts[0].lower().strip() == "year" else []

    def _in_parts(self, names: list[str]) -> Found | None:
        """Times in several columns: a date and a time of the day, or year, month, day, hour."""
        lower = [name.lower().strip() for name in names]
        if not set(lower) <= set(PARTS):
            found = self._in_column(names[0], named=True)
            return found if found is not None and found.used == names else None
        parts = {part: pd.to_numeric(self.cells[name], errors="coerce") for part, name in zip(lower, names, strict=True)}
        if any(values.isna().any() for values in parts.values()):
            return None
        whole = {"year": parts["year"], "month": parts.get("month", 1), "day": parts.get("day", 1)}
        times = pd.to_datetime(pd.DataFrame(whole, index=self.cells.index), errors="coerce")
        for part, seconds in (("hour", 3_600), ("minute", 60), ("second", 1)):
            times = times + pd.to_timedelta(parts[part] * seconds, unit="s") if part in parts else times
        return None if times.isna().any() else Found(times, names)

    def _clock_beside(self, name: str, times: pd.Series) -> Found | None:
        """A column with the time of the day, where the times themselves have none."""
        if _has_clock(times):
            return None
        for other in self.names:
            if other != name and re.search(r"(?i)time|hour|zeit|stunde|^hr$|hora|heure", other):
                cells = self.cells[other].loc[times.index]
                if cells.str.fullmatch(r"\d{1,2}(\.0)?").all() and pd.to_numeric(cells).min() > 0:
                    continue  # hours that are counted from 1: see `_period_beside`
                clock = parse_clock(cells)
                if clock is not None and clock.nunique() > 1:
                    return Found(times + clock, [name, other])
        return None

    def _period_beside(self, name: str, times: pd.Series) -> Found | None:
        """A column that numbers the hours, half hours or quarter hours of the day, from 0 or from 1."""
        if _has_clock(times) or not times.duplicated().any():
            return None
        for other in self.names:
            if other == name or not PERIOD.search(other):
                continue
            numbers = pd.to_numeric(self.cells[other].loc[times.index], errors="coerce")
            if numbers.isna().any() or (numbers % 1 != 0).any() or not 12 < numbers.max() <= 100:
                continue
            first = 1 if numbers.min() >= 1 else 0
            size = next(size for size in PERIODS if numbers.max() - first < size + 4)
            step = pd.Timedelta(PERIODS[size])
            return Found(times + (numbers - first) * step, [name, other])
        return None

    def _zone_beside(self, name: str, times: pd.Series) -> Found | None:
        """A column that says which hours are of summer time, and so tells a doubled hour apart."""
        if not _has_clock(times):
            return None
        for other in self.names:
            cells = self.cells[other].loc[times.index].str.lower() if other != name else None
            if cells is None or not re.search(r"(?i)zone|tz|dst", other) or not set(cells.unique()) <= ZONES.keys():
                continue
            ahead = cells.map(ZONES)
            if ahead.nunique() == 2:  # the clock of the earlier rows goes on: so hours follow one another
                return Found(times - pd.to_timedelta(ahead - ahead.iloc[0], unit="h"), [name, other])
        return None

    def _in_year_and_part(self) -> Found | None:
        """A year, and a month, quarter, week or day of it; totals of the year, as a thirteenth month, are left out."""
        for name in (name for name in self.names if YEAR.fullmatch(name.strip())):
            years = self._years_of(name)
            if years is None:
                continue
            for part, pattern in PART_OF_YEAR.items():
                for other in (other for other in self.names if other != name and pattern.fullmatch(other.strip())):
                    found = self._of_year(years, part, other, name)
                    if found is not None:
                        return found
        return None

    def _years_of(self, name: str) -> pd.Series | None:
        """Years of a column; below the first of each block there may be none."""
        cells = self.cells[name].mask(is_missing(self.cells[name]))
        if cells.isna().any() and not cells.isna().iloc[0]:
            cells = cells.ffill()
        years = pd.to_numeric(cells, errors="coerce")
        if years.isna().any() or not (years.between(1678, 2261) | years.between(0, 99)).all() or (years % 1 != 0).any():
            return None
        return years.astype(int) if (years >= 100).all() else full_years(years.astype(int).astype(str))

    def _of_year(self, years: pd.Series, part: str, other: str, name: str) -> Found | None:
        codes, cells = distinct(self.cells[other])
        numbers = np.array([_part_number(str(cell), part) for cell in cells], dtype=float)[codes]
        most = {"month": 12, "quarter": 4, "week": 53, "day of year": 366}[part]
        total = numbers == (13 if part == "month" else 5 if part == "quarter" else -1)
        inside = (numbers >= 1) & (numbers <= most)
        if not (inside | total).all() or not inside.any() or (part in ("month", "quarter") and numbers[inside].max() < 2):
            return None
        if part == "month" and numbers.max() <= 4 and PART_OF_YEAR["quarter"].fullmatch(other.strip()) and len(numbers) > 8:
            return None  # a period that never goes beyond four is a quarter
        if total.any():
            self.warnings.append(
                f"{int(total.sum()):,} rows with totals of a year left out, as {other} {cells.iloc[codes[total.argmax()]]}."
            )
            self.cells, years, numbers = self.cells[inside], years[inside], numbers[inside]
        number = pd.Series(numbers.astype(int), index=years.index)
        if part == "week":
            written = years.astype(str) + "-W" + number.astype(str).str.zfill(2) + "-1"
            times = pd.to_datetime(written, format="%G-W%V-%u", errors="coerce")
        elif part == "day of year":
            written = years.astype(str) + "-" + number.astype(str).str.zfill(3)
            times = pd.to_datetime(written, format="%Y-%j", errors="coerce")
        else:
            month = number if part == "month" else 3 * number - 2
            times = pd.to_datetime(pd.DataFrame({"year": years, "month": month, "day": 1}), errors="coerce")
        return None if times.isna().any() else Found(times, [name, other])

    # --------------------------------------------------------------------------------------------------- without names

    def _in_nameless_years(self) -> Found | None:
        """Years under a header that does not say so, one after the other; or a column of years and one of months."""
        for i, name in enumerate(self.names):
            years = self._years_of(name)
            if (
                years is None
                or not self.cells[name].str.fullmatch(r"\d{4}(\.0)?|").all()
                or (years.diff().iloc[1:] < 0).any()
            ):
                continue
            after = self.names[i + 1] if i + 1 < len(self.names) else None
            months = None if after is None else pd.to_numeric(self.cells[after], errors="coerce")
            if months is not None and months.between(1, 12).all() and (months % 1 == 0).all() and months.nunique() > 2:
                found = self._of_year(years, "month", str(after), name)
                if found is not None and _is_regular(found.times):
                    return found
            steps = years.diff().iloc[1:]
            if len(years) > 2 and steps.nunique() == 1 and steps.iloc[0] > 0:
                return Found(pd.to_datetime(years.astype(str), format="%Y"), [name])
        return None


def _part_number(cell: str, part: str) -> float:
    """The number of a part of a year, as 3, M03, Q3, March."""
    text = plain(cell).rstrip(".")
    if part == "month" and text in MONTH_OF:
        return MONTH_OF[text]
    letters = {"month": "m", "quarter": "q", "week": "w|kw", "day of year": ""}[part]
    match = re.fullmatch(rf"(?:{letters})?\s?(\d{{1,3}})(?:\.0)?", text)
    return float(match[1]) if match else np.nan


def _has_clock(times: pd.Series) -> bool:
    return bool((times != times.dt.normalize()).any())


def _is_regular(times: pd.Series) -> bool:
    """Whether the different ones of some times are evenly spaced, but for some that lack."""
    once = times.drop_duplicates().sort_values()
    return is_even(once) or infer_frequency(once) is not None
