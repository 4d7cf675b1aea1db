"""Numbers as people write them: decimal signs, thousands, units, and the ways to say that a value is missing."""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

MISSING = {
    *("", "na", "n/a", "n.a.", "nan", "null", "none", "nil", "-", "--", "–", "—", ".", "..", ":", "*", "**", "***", "?"),
    *("#n/a", "#na", "missing", "not available", "m", "x"),
}
"""Cells that say that there is no value."""
CELL = re.compile(
    r"(?P<before>(?:[A-Z]{3}|US|R|kr|Rs\.?)?)\s?(?P<sign>[-+(]?)\s?(?P<currency>[$€£¥]?)"
    r"(?P<number>\d[\d.,' \u00a0\u202f]*|[.,]\d+)"
    r"(?P<power>[eE][-+]?\d{1,3})?\)?\s?(?P<after>[^\d\s.,]{0,5})"
)
"""A number with a currency or a sign before it and a unit or a flag behind it."""
FLAGS = {"", "p", "e", "r", "c", "u", "s", "f", "n", "z", "*", "**", "†"}
"""What stands behind a value that is provisional, estimated, revised …"""
THOUSANDS = re.compile(r"\d{1,3}([,.' \u00a0\u202f]\d{3})+")
GROUPED = {sign: rf"\d*({re.escape(sign)}\d*)?|{THOUSANDS.pattern}({re.escape(sign)}\d*)?" for sign in ".,"}
"""The digits of a number with each decimal sign: thousands, if they are apart, come in groups of three."""
VOTERS = 20_000
"""Cells of a column that say which decimal sign it has."""
FAR = 3.0
"""A suspicious value lies further from all others than this multiple of their range."""
SUSPICIOUS = re.compile(r"-?(9{2,5}(\.9{1,2})?|[129]00+(\.0+)?|-1)")


def distinct(text: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Where each cell stands among the texts that there are, and these; of a column in which most differ, all of them."""
    if isinstance(text.dtype, pd.StringDtype):
        return np.arange(len(text)), text.reset_index(drop=True)
    codes, unique = pd.factorize(text)
    return codes, pd.Series(unique, dtype=object)


def is_missing(text: pd.Series) -> pd.Series:
    """Which cells say that there is no value."""
    codes, cells = distinct(text)
    lower = pyarrow.compute.utf8_lower(pa.array(cells, pa.string()))
    found = pyarrow.compute.is_in(lower, pa.array(sorted(MISSING)))
    return pd.Series(found.to_numpy(zero_copy_only=False)[codes], index=text.index)


def all_match(cells: pd.Series, pattern: str) -> bool:
    """Whether every cell as a whole is like a pattern, which may hold what RE2 knows."""
    matched = pyarrow.compute.match_substring_regex(pa.array(cells, pa.string()), f"^(?:{pattern})$")
    return pyarrow.compute.all(matched).as_py() is not False


def decimal_of(columns: Iterable[pd.Series], delimiter: str | None) -> str:
    """The decimal sign of a file: `.` or `,`. One column that tells is enough; where none does, the point."""
    votes = [vote for column in columns if (vote := _vote(column, delimiter))]
    return "," if votes.count(",") > votes.count(".") else "."


def _vote(text: pd.Series, delimiter: str | None) -> str | None:
    cells = distinct(text)[1].iloc[: 2 * VOTERS].astype(object)
    cells = cells[~is_missing(cells)].head(VOTERS)
    parts = cells.str.extract(CELL)["number"].dropna()
    if not len(parts) or len(parts) < len(cells):
        return None
    points, commas = parts.str.count(r"\."), parts.str.count(",")
    both = (points > 0) & (commas > 0)
    if both.any():
        sample = parts[both].iloc[0]
        return "," if sample.rfind(",") > sample.rfind(".") else "."
    if (commas > 1).any() or ((points > 0).any() and not (points > 1).any()):
        return "."
    if (points > 1).any():
        return "," if parts[points > 1].str.fullmatch(THOUSANDS).all() else None
    if (commas > 0).any():
        grouped = parts[commas > 0].str.fullmatch(THOUSANDS).all()
        return "." if grouped and delimiter != ";" else ","
    return None


def parse_numbers(text: pd.Series, decimal: str) -> pd.Series | None:
    """Read a column of numbers, NaN for missing ones; None when a cell is no number.

    Args:
        text: the cells.
        decimal: the decimal sign of the file.
    """
    codes, cells = distinct(text)
    cells = cells.astype(object)
    missing = is_missing(cells)
    plain = pd.to_numeric(cells.where(~missing, "nan"), errors="coerce") if decimal == "." else None
    if plain is not None and np.isfinite(plain[~missing]).all() and not missing.all():
        return pd.Series(plain.to_numpy("float64")[codes], index=text.index)
    parts = cells.where(~missing, "0").str.extract(f"^{CELL.pattern}$")
    before, after = (set(parts[where][~missing].fillna("")) for where in ("before", "after"))
    if parts["number"].isna().any() or len(before) > 1 or (len(after) > 1 and not after <= FLAGS):
        return None  # cells of other currencies or units are other quantities
    number = parts["number"].str.strip(" \u00a0\u202f")
    if not number[~missing].str.fullmatch(GROUPED[decimal]).all():
        return None
    other = "," if decimal == "." else "."
    number = number.str.replace(rf"[{re.escape(other)}' \u00a0\u202f]", "", regex=True).str.replace(",", ".")
    values = pd.to_numeric(number + parts["power"].fillna(""), errors="coerce")
    values = values.where(~parts["sign"].isin(["-", "("]), -values).where(~missing, np.nan)
    if (values.isna() & ~missing).any() or not np.isfinite(values.dropna()).all() or not values.notna().any():
        return None
    return pd.Series(values.to_numpy("float64")[codes], index=text.index)


def suspicious(values: pd.Series) -> float | None:
    """A value that may stand for a missing one: it comes several times, and lies far from all others; None without one."""
    known = values.dropna()
    for edge in (known.min(), known.max()) if len(known) > 5 else ():
        others = known[known != edge]
        spread = float(others.max() - others.min()) if len(others) else 0.0
        far = spread > 0 and float((others - edge).abs().min()) > FAR * spread
        if far and len(known) - len(others) > 1 and SUSPICIOUS.fullmatch(f"{edge:g}"):
            return float(edge)
    return None
