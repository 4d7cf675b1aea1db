"""Where among its rows a table begins, whether its first row is a header, and what its columns are called."""

import re
from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from forecasting.data.reading.times import looks_like_time
from forecasting.experiment import BadInput

PLAIN_NUMBER = re.compile(r"[-+(]?[\d.,' ]*\d[\d.,' ]*\)?(e[-+]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A file as text.

    Attributes:
        columns: all cells as text without blanks around them, as categories where texts come again and again; columns
            without a name are called `column 1` …
        format: csv, xlsx, xls or parquet; csv is any text.
        encoding, delimiter: of text; None for other formats.
        warnings: what was left out, in sentences.
    """

    columns: pd.DataFrame
    format: str
    encoding: str | None = None
    delimiter: str | None = None
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """Where the table is: the cells of its first line, whether these are names, and the names."""

    first: list[str]
    has_header: bool
    columns: pd.DataFrame
    warnings: list[str]


def laid_out(rows: list[list[str]]) -> Layout:
    """Find the table among the lines: titles stand above, and have fewer fields than most lines."""
    rows = [row for row in rows if any(row)]
    width = max(
        Counter(len(row) for row in rows if len(row) > 1 or len(rows) == 1).items(),
        key=lambda item: (item[1], item[0]),
        default=(0, 0),
    )[0]
    filled = [sum(map(bool, row)) for row in rows]
    usual = Counter(filled).most_common(1)[0][0] if rows else 0
    enough = min(usual, max(2, width - 1))
    start = next((i for i, row in enumerate(rows) if len(row) == width and filled[i] >= enough), None)
    if start is None or width < 2:
        raise BadInput("The file has no columns: a column of times and a column of values are needed.")
    above = rows[:start]
    if above and 1 < len(above[-1]) < width and not any(map(_is_value, above[-1])):
        raise BadInput(
            f"The header names {len(above[-1])} columns and the lines below have {width} fields: perhaps decimal commas "
            "look like the comma between columns. Save it with semicolons, or with decimal points."
        )
    first, below = rows[start], rows[start + 1 :]
    names = [bool(name) and not _is_value(name) for name in first]
    typed = [any(_is_value(row[i]) for row in below[:50] if len(row) > i) for i in range(width)]
    by_date = sum(map(looks_like_time, first)) >= 3
    has_header = (
        by_date or any(name and kind for name, kind in zip(names, typed, strict=True)) or not any(map(_is_value, first))
    )
    if has_header and not below:
        raise BadInput("The file has a header and no values below it.")
    named = (
        _unique([name or f"column {i}" for i, name in enumerate(first, 1)])
        if has_header
        else [f"column {i}" for i in range(1, width + 1)]
    )
    body = [row for row in (below if has_header else rows[start:]) if len(row) == width]
    warnings = [f"{counted_lines(len(above))} above the table left out."] if above else []
    return Layout(first, has_header, pd.DataFrame(body, columns=named, dtype=object), warnings)


def _is_value(cell: str) -> bool:
    """Whether a cell is a number or a time rather than a name."""
    return bool(PLAIN_NUMBER.fullmatch(cell)) or looks_like_time(cell)


def _unique(names: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def counted_lines(n: int) -> str:
    """So many lines, in words."""
    return "One line" if n == 1 else f"{n:,} lines"
