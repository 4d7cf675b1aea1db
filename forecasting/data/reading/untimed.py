"""Why a table has no times that can be read, in a sentence: broken ones, steps that are only counted, none at all."""

import re

import numpy as np
import pandas as pd

from forecasting.data.reading.numbers import is_missing
from forecasting.data.reading.times import parse_times
from forecasting.experiment import BadInput

FIRST_YEAR, LAST_YEAR = 1678, 2261
"""What pandas holds in nanoseconds."""
BETWEEN = f"times from {FIRST_YEAR} to {LAST_YEAR} can be read"


def no_times(cells: pd.DataFrame, has_numbers: bool) -> BadInput:
    """The refusal of a table without times, as what is in it asks for.

    Args:
        cells: of the table.
        has_numbers: whether a column of it holds some.
    """
    shown = ", ".join(f"{name} ({cells[name].iloc[0]!r:.20})" for name in list(cells)[:6])
    if broken := _first_broken(cells):
        return BadInput(broken)
    if not has_numbers:
        return BadInput(f"The file has no column of numbers and none of times: it has {shown}.")
    if words := _far_away(cells) or _counted(cells):
        return BadInput(words)
    return BadInput(f"No column holds times in one way throughout: there are {shown}. A time is needed for every value.")


def _far_away(table: pd.DataFrame) -> str:
    """Which column holds years that no time here can have; empty where none does."""
    for name in table:
        cells = table[name].astype(str)
        if (
            cells.str.fullmatch(r"\d{4}").all()
            and _is_far(cells.iloc[0])
            and (pd.to_numeric(cells).diff().iloc[1:] > 0).all()
        ):
            return f"The column {name!r:.60} holds years from {cells.iloc[0]} to {cells.iloc[-1]}: {BETWEEN}."
    return ""


def _is_far(cell: str) -> bool:
    year = re.match(r"\d{4}(?!\d)", cell)
    return year is not None and not FIRST_YEAR <= int(year[0]) <= LAST_YEAR


def _counted(table: pd.DataFrame) -> str:
    """What counts the steps in place of times, and what to do; empty where nothing does."""
    named = [(name, found) for name in map(str, table) if (found := re.fullmatch(r"([A-Za-z]{0,6}[ _]?)(\d{1,5})", name))]
    numbers = [int(found[2]) for _, found in named]
    if len(named) > 9 and len({found[1] for _, found in named}) == 1 and set(np.diff(numbers)) == {1}:
        first, last = named[0][0], named[-1][0]
        return (
            f"The rows are series without times: the columns {first} to {last} count the steps. Give each of them its time "
            "as a name, such as 2024-01-31."
        )
    for name in table:
        steps = pd.to_numeric(table[name].astype(object), errors="coerce")
        again = steps == steps.iloc[0]
        if (
            len(steps) > 9
            and steps.iloc[0] in (0, 1)
            and ((steps.diff() == 1) | again).all()
            and again.sum() < len(steps) / 3
        ):
            return (
                f"{name} counts the steps ({steps.iloc[0]:g}, {steps.iloc[1]:g}, {steps.iloc[2]:g} …) and holds no times: "
                "put the time of each value in its place."
            )
    return ""


def _first_broken(table: pd.DataFrame) -> str:
    """Which cell of a column that begins with times does not fit, and how many there are; empty where none does."""
    for name in table:
        cells = table[name].astype(object).reset_index(drop=True)
        start = parse_times(cells.iloc[:8], True, True) if len(cells) > 8 and not is_missing(cells.iloc[:8]).any() else None
        if start is None:
            continue
        fits = pd.Series([_fits(cells.iloc[:7].tolist(), str(cell)) for cell in cells[:2_000]])
        if not fits.all():
            place, n = int((~fits).to_numpy().argmax()), int((~fits).sum())
            more = f" and {n - 1:,} more are" if n > 1 else " is"
            where = f"{cells[place]!r:.40} in row {place + 1} of its values{more}"
            if _is_far(str(cells[place])):
                return f"The column {name!r:.60} holds times, but {where} too far away: {BETWEEN}."
            return (
                f"The column {name!r:.60} holds times, but {where} none, or written in another way: mend the file, or "
                "leave the row out."
            )
    return ""


def _fits(others: list[str], cell: str) -> bool:
    try:
        return parse_times(pd.Series([*others, cell], dtype=object), True, True) is not None
    except BadInput:
        return False
