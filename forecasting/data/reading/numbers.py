"""Numbers as people write them: decimal signs, thousands, units, and the ways to say that a value is missing."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from forecasting.experiment import BadInput


class Question(BadInput):
    """What cannot be told from the file alone: the visitor has to say it, and the file can be read.

    Attributes:
        option: the field of `ReadOptions` that answers it: `day_first` or `decimal`.
    """

    def __init__(self, message: str, option: str) -> None:
        super().__init__(message)
        self.option = option


MISSING = {
    *("", "na", "n/a", "n.a.", "nan", "null", "none", "nil", "-", "--", "–", "—", ".", "..", ":", "*", "**", "***", "?"),
    *("#n/a", "#na", "missing", "not available", "m", "x", "nd", "n.d.", "n/d", "n.v.", "k.a.", "unavailable", "unknown"),
}
"""Cells that say that there is no value."""
MINUS = r"\-" "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"
"""Hyphen, dashes and the minus sign: any of them before a number is its sign."""
APART = " '\u2019\u2018\u02bc`\u00b4\u00a0\u2009\u202f"
"""What stands between thousands beside points and commas."""
CODES = (
    "USD|EUR|GBP|CHF|JPY|CNY|RMB|INR|AUD|CAD|NZD|SEK|NOK|DKK|ISK|PLN|CZK|HUF|RON|BGN|RUB|UAH|TRY|ILS|BRL|MXN|ARS|CLP|COP|PEN|ZAR|"
    "EGP|NGN|KES|KRW|HKD|SGD|TWD|THB|IDR|MYR|PHP|VND|PKR|BDT|LKR|AED|SAR"
)
"""Currencies by ISO 4217; other letters before digits are names."""
CURRENCY = rf"[$€£¥₹₽₩₺₴฿₫₪₱]|{CODES}|US\$?|R\$?|kr|Kč|zł|Rs\.?|Fr\.?"
CELL = re.compile(
    rf"(?P<before>(?:{CURRENCY})?)\s?(?P<sign>[+{MINUS}(]?)\s?(?P<currency>(?:{CURRENCY})?)\s?(?P<inner>[{MINUS}(]?)"
    rf"(?P<number>\d[\d.,{APART}]*|[.,]\d+)"
    rf"(?P<power>[eE][-+]?\d{{1,3}})?(?P<trailing>[{MINUS}]?)\)?\s?(?P<after>[^\d\s.,]{{0,5}})"
)
"""A number with a currency and a sign before it, in either order, and a unit, a flag or a minus behind it."""
NOTE = r"\s*(?:\[\w{1,3}\]|\([a-z]\))$"
"""A footnote behind a number, as [1]."""
FLAGS = {"", "p", "e", "r", "c", "u", "s", "f", "n", "z", "b", "d", "*", "**", "†"}
"""What stands behind a value that is provisional, estimated, revised …"""
SUFFIXES = {"": 1.0, "K": 1e3, "k": 1e3, "M": 1e6, "B": 1e9, "bn": 1e9, "mn": 1e6, "Mio": 1e6, "Mrd": 1e9, "Tsd": 1e3}
"""Words for thousands, millions and billions behind a number."""
THOUSANDS = re.compile(rf"\d{{1,3}}([,.{APART}]\d{{3}})+|\d{{1,2}}(,\d{{2}})+,\d{{3}}")
"""Groups of three digits, or as in India of two before the last three."""
GROUPED = {sign: rf"\d*({re.escape(sign)}\d*)?|(?:{THOUSANDS.pattern})({re.escape(sign)}\d*)?" for sign in ".,"}
"""The digits of a number with each decimal sign: thousands, if they are apart, come in groups."""
NEARLY_ALL = 0.8
"""The share of cells that are numbers from which the few others of a column are missing values."""
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
    cells = cells[~is_missing(cells)].head(VOTERS).str.replace(NOTE, "", regex=True)
    parts = cells.str.extract(f"^{CELL.pattern}$")["number"].dropna().str.strip(APART)
    if not len(parts) or len(parts) < NEARLY_ALL * len(cells):
        return None
    points, commas = parts.str.count(r"\."), parts.str.count(",")
    if (points > 0).any() and not (commas > 0).any() and parts[points > 0].str.fullmatch(r"[1-9]\d{0,2}\.\d{3}").all():
        return _by_jumps(parts, points > 0, delimiter)
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


def _by_jumps(numbers: pd.Series, pointed: pd.Series, delimiter: str | None) -> str:
    """The decimal sign where every point is followed by three digits: that with which the numbers jump less.

    Raises:
        Question: where all have a point, and semicolons say that the decimal sign may be a comma.
    """
    if pointed.all():
        if delimiter == ";" and len(numbers) > 2:
            raise Question(
                f"Whether {numbers.iloc[0]} is {numbers.iloc[0].replace('.', '')} or {float(numbers.iloc[0]):g} cannot be "
                "told, for every number has three digits behind its point: say which, decimal point or decimal comma.",
                "decimal",
            )
        return "."
    as_decimals = pd.to_numeric(numbers)
    jumps = [np.abs(np.diff(np.log(np.maximum(values, 1e-9)))).max() for values in (as_decimals, _thousands(numbers))]
    return "," if jumps[1] < jumps[0] else "."


def _thousands(numbers: pd.Series) -> pd.Series:
    return pd.to_numeric(numbers.str.replace(".", "", regex=False))


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    Attributes:
        values: NaN where one is missing.
        odd: how many cells were no numbers, though nearly all others are, by their text; they are missing.
    """

    values: pd.Series
    odd: Mapping[str, int] = field(default_factory=dict)


def parse_numbers(text: pd.Series, decimal: str) -> Numbers | None:
    """Read a column of numbers; None when its cells are none.

    Args:
        text: the cells.
        decimal: the decimal sign of the file.
    """
    codes, cells = distinct(text)
    cells = cells.astype(object)
    missing = is_missing(cells)
    plain = pd.to_numeric(cells.where(~missing, "nan"), errors="coerce") if decimal == "." else None
    if plain is not None and np.isfinite(plain[~missing]).all() and not missing.all():
        return Numbers(pd.Series(plain.to_numpy("float64")[codes], index=text.index))
    if _are_names(cells[~missing]):
        return None
    values, readable = _parsed(cells, missing, decimal)
    counts = np.bincount(codes, minlength=len(cells))
    known, odd = int(counts[(readable & ~missing).to_numpy()].sum()), (~readable & ~missing).to_numpy()
    n_odd = int(counts[odd].sum())
    if not known or (n_odd and (known < 4 or known / (known + n_odd) < NEARLY_ALL)):
        return None
    said = {str(cells.iloc[place]): int(counts[place]) for place in np.flatnonzero(odd)}
    return Numbers(pd.Series(values.to_numpy("float64")[codes], index=text.index), said)


def _are_names(cells: pd.Series) -> bool:
    """Whether letters are glued to whole numbers, as R1, R2, or USD007: names, and no amounts."""
    return bool(len(cells)) and bool(cells.str.fullmatch(r"[A-Za-z]{1,4}[-_]?(0\d*|\d{1,3})").all())


def _parsed(cells: pd.Series, missing: pd.Series, decimal: str) -> tuple[pd.Series, pd.Series]:
    """The numbers of cells, and which could be read; of several currencies or units only the commonest."""
    bare = cells.where(~missing, "0").str.replace(NOTE, "", regex=True)
    parts = bare.str.extract(f"^{CELL.pattern}$")
    number = parts["number"].str.strip(APART)
    readable = number.notna() & number.fillna("").str.fullmatch(GROUPED[decimal])
    before, after = parts["before"].fillna("") + parts["currency"].fillna(""), parts["after"].fillna("")
    for unit, known in ((before, None), (after, FLAGS)):
        seen = unit[readable & ~missing]
        if seen.nunique() > 1 and not (known and set(seen) <= known) and not set(seen) <= SUFFIXES.keys():
            readable &= unit.eq(seen.value_counts().idxmax()) | missing  # others are other quantities
    other = "," if decimal == "." else "."
    digits = number.str.replace(rf"[{re.escape(other)}{APART}]", "", regex=True).str.replace(",", ".")
    values = pd.to_numeric(digits.where(readable, "nan") + parts["power"].fillna(""), errors="coerce")
    signs = [parts[name].fillna("").str.len() > 0 for name in ("inner", "trailing")]
    negative = (parts["sign"].fillna("+").ne("") & parts["sign"].fillna("+").ne("+")) | signs[0] | signs[1]
    seen = set(after[readable & ~missing])
    scale = after.map(SUFFIXES).fillna(1.0) if seen <= SUFFIXES.keys() else 1.0
    values = (values * scale).where(~negative, -values * scale).where(~missing, np.nan)
    return values, readable & (np.isfinite(values) | missing)


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
