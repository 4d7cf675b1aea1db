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
        sheets: of a workbook, the names of those that hold something.
    """

    columns: pd.DataFrame
    format: str
    encoding: str | None = None
    delimiter: str | None = None
    warnings: list[str] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """Where the table is: the cells of its first line, how many lines name the columns, and the names."""

    first: list[str]
    n_header: int
    columns: pd.DataFrame
    warnings: list[str]


def ragged_width(rows: list[list[str]]) -> int:
    """How many fields a table has whose later lines lack empty ones at their end; 0 where none of them does."""
    rows = [row for row in rows if any(row)]
    width = len(rows[0]) if rows else 0
    short = [row for row in rows if len(row) < width]
    whole = [row for row in rows[1:] if len(row) == width and sum(map(is_value, row)) >= 2]
    alike = width > 2 and len(whole) >= 3 and all(len(row) <= width for row in rows)
    return width if alike and len(short) > 2 and all(sum(map(is_value, row)) >= 2 for row in short) else 0


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
    if above and 1 < len(above[-1]) < width and not any(map(is_value, above[-1])):
        raise BadInput(
            f"The header names {len(above[-1])} columns and the lines below have {width} fields: perhaps decimal commas "
            "look like the comma between columns. Save it with semicolons, or with decimal points."
        )
    first, below = rows[start], rows[start + 1 :]
    names = [bool(name) and not is_value(name) for name in first]
    typed = [any(is_value(row[i]) for row in below[:50] if len(row) > i) for i in range(width)]
    by_date = sum(map(looks_like_time, first)) >= 3
    has_header = (
        by_date or any(name and kind for name, kind in zip(names, typed, strict=True)) or not any(map(is_value, first))
    )
    if has_header and not below:
        raise BadInput("The file has a header and no values below it.")
    warnings = [f"{counted_lines(len(above))} above the table left out."] if above else []
    n_header = int(has_header)
    if has_header:
        deeper = _header_lines(first, [row for row in below if len(row) == width])
        first_names = list(first)
        if deeper:
            lines = [row for row in below if len(row) == width][:deeper]
            if _is_of_units(first, lines[0]) and deeper == 1:
                warnings.append(
                    f"The line below the header is left out: it holds units, as {next(filter(None, lines[0]))!r:.20}."
                )
            else:
                first_names = [
                    " ".join(dict.fromkeys(filter(None, parts))) for parts in zip(_carried(first), *lines, strict=True)
                ]
            n_header += deeper
        named = _unique([name or f"column {i}" for i, name in enumerate(first_names, 1)])
    else:
        named = [f"column {i}" for i in range(1, width + 1)]
    body = [row for row in rows[start:] if len(row) == width][n_header:]
    return Layout(first, n_header, pd.DataFrame(body, columns=named, dtype=object), warnings)


def _header_lines(first: list[str], below: list[list[str]]) -> int:
    """How many lines below the header are no values either, where the others are: units, or further names."""
    n = 0
    while n < min(3, len(below) - 3) and not any(map(is_value, below[n])):
        n += 1
    enough = n and any(map(is_value, below[n])) and sum(map(is_value, below[n])) >= len(first) // 2
    typed = sum(any(is_value(row[i]) for row in below[n : n + 50]) for i in range(len(first)))
    return n if enough and typed >= 2 else 0


def _is_of_units(first: list[str], line: list[str]) -> bool:
    """Whether a line below the header holds units: the header names every column by itself."""
    return all(first) and len(set(first)) == len(first) and bool(line)


def _carried(names: list[str]) -> list[str]:
    """Names, each over the columns up to the next one, as cells that were merged are written."""
    carried, last = [], ""
    for name in names:
        last = name or last
        carried.append(last)
    return carried if names[0] or sum(map(bool, names)) < len(names) - 1 else list(names)


def is_value(cell: str) -> bool:
    """Whether a cell is a number or a time rather than a name."""
    return bool(PLAIN_NUMBER.fullmatch(cell)) or looks_like_time(cell)


def _unique(names: list[str]) -> list[str]:
    names = [" ".join(name.split()) for name in names]
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def counted_lines(n: int) -> str:
    """So many lines, in words."""
    return "One line" if n == 1 else f"{n:,} lines"
