"""What a visitor says about a file, and what was read from it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from forecasting.data.reading.frequency import anchored, grid
from forecasting.data.seasons import season_of

SUMMARY = (
    *("format", "encoding", "delimiter", "decimal", "time_column", "value_columns", "id_columns", "frequency"),
    *("season_length", "series", "rows", "first", "last", "missing", "duplicates", "gaps", "warnings", "error"),
)
"""What a summary tells, in its order."""


@dataclass(frozen=True)
class ReadOptions:
    """What a visitor has said about a file; what is None is found out.

    Attributes:
        time: names of the columns that hold the times.
        value: names of the columns that hold values.
        id: names of the columns that tell series apart.
        day_first: of dates like 03/04/2024.
        missing: numbers that stand for missing values.
        decimal: the decimal sign, `.` or `,`.
        sheet: of a workbook.
    """

    time: tuple[str, ...] | None = None
    value: tuple[str, ...] | None = None
    id: tuple[str, ...] | None = None
    day_first: bool | None = None
    missing: tuple[float, ...] = ()
    decimal: str | None = None
    sheet: str | None = None


@dataclass(frozen=True)
class Reading:
    """A file as it was read.

    Attributes:
        frame: `unique_id, ds` and the value columns, sorted; missing values are NaN, doubled times still there.
        columns: names of all columns of the file.
        frequency: pandas' alias of the step between times, or None.
        warnings: what was left out or should be looked at, in sentences.
        sheets: of a workbook, the names of those that hold something.
        head: the first rows as they stand in the file, a cell for each of the first `columns`.
    """

    frame: pd.DataFrame
    format: str
    encoding: str | None
    delimiter: str | None
    decimal: str
    time_columns: list[str]
    value_columns: list[str]
    id_columns: list[str]
    columns: list[str]
    frequency: str | None
    warnings: list[str] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)
    head: list[list[str]] = field(default_factory=list)

    @property
    def season_length(self) -> int:
        """Steps of the usual season of its frequency."""
        return season_of(self.frequency)

    @cached_property
    def repeated(self) -> np.ndarray:
        """Which rows repeat a time of their series, the one before them."""
        same = np.diff(self.frame["unique_id"].cat.codes) == 0
        return np.concatenate([[False], same & (np.diff(self.frame["ds"].to_numpy()) == np.timedelta64(0))])

    @property
    def duplicates(self) -> int:
        """Rows that repeat a time of their series."""
        return int(self.repeated.sum())

    @property
    def gaps(self) -> int:
        """Times within the series that have no row."""
        if self.frequency is None:
            return 0
        once = self.frame.loc[~self.repeated, ["unique_id", "ds"]]
        spans = once.groupby("unique_id", sort=False, observed=True)["ds"].agg(["min", "max", "size"])
        pairs = spans.drop_duplicates(["min", "max"])
        sizes = {
            (a, b): len(grid(a, b, anchored(self.frequency, a))) for a, b in zip(pairs["min"], pairs["max"], strict=True)
        }
        return sum(sizes[a, b] - n for a, b, n in zip(spans["min"], spans["max"], spans["size"], strict=True))

    def summary(self) -> dict[str, Any]:
        """All but the rows, as plain JSON values; `first`, `last` and `missing` are of the first value column."""
        value = self.frame[self.value_columns[0]]
        first_id = self.frame["unique_id"].iloc[0]
        one = self.frame[self.frame["unique_id"] == first_id]
        whole_days = bool((one["ds"] == one["ds"].dt.normalize()).all())
        ends = [
            [_iso(row["ds"], whole_days), _number(row[self.value_columns[0]])] for _, row in one.iloc[[0, -1]].iterrows()
        ]
        return {
            "format": self.format,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "decimal": self.decimal,
            "time_column": self.time_columns[0] if len(self.time_columns) == 1 else self.time_columns or None,
            "value_columns": self.value_columns,
            "id_columns": self.id_columns,
            "frequency": self.frequency,
            "season_length": self.season_length,
            "series": int(self.frame["unique_id"].nunique()),
            "rows": len(self.frame),
            "first": ends[0],
            "last": ends[1],
            "missing": int(value.isna().sum()),
            "duplicates": self.duplicates,
            "gaps": self.gaps,
            "warnings": self.warnings,
            "error": None,
        }


def _iso(time: pd.Timestamp, whole_days: bool) -> str:
    return f"{time:%Y-%m-%d}" if whole_days else time.isoformat()


def _number(value: float) -> float | None:
    return None if value != value else float(value)
