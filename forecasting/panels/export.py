"""Tables to take along, CSV, Excel and Parquet; and read again."""

import io
from collections.abc import Callable, Mapping

import pandas as pd

from forecasting.experiment import BadInput
from forecasting.panels.panel import Panel

ROWS_OF_A_SHEET = 1_048_575
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""With these a text begins that spreadsheets take for a formula."""


def csv(table: pd.DataFrame, between: str = ",") -> bytes:
    """A table as CSV, times in ISO form: days alone where all of them are whole.

    Args:
        table: any.
        between: what separates values; with a semicolon decimals have a comma, as spreadsheets of many languages want it.
    """
    times = table.select_dtypes("datetime")
    whole = times.equals(times.apply(lambda column: column.dt.normalize()))
    form, mark = "%Y-%m-%d" if whole else "%Y-%m-%dT%H:%M:%S", "," if between == ";" else "."
    texts = {name: table[name].map(_harmless) for name in table.select_dtypes(["object", "string", "category"])}
    return table.assign(**texts).to_csv(index=False, date_format=form, sep=between, decimal=mark).encode()


def _harmless(value: object) -> object:
    """A text that a spreadsheet would run as a formula, as a text; whatever else as it is."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def _as_it_was(value: object) -> object:
    """A text before `_harmless`."""
    return value[1:] if isinstance(value, str) and value.startswith(tuple(f"'{mark}" for mark in FORMULAS)) else value


def excel(table: pd.DataFrame, history: pd.DataFrame | None = None) -> bytes:
    """A table as a sheet of a workbook, and what came before on a second one, where it is short enough for a sheet."""
    fits = history is not None and len(history) <= ROWS_OF_A_SHEET
    return workbook({"forecast": table} | ({"history": history} if fits and history is not None else {}))


def workbook(sheets: Mapping[str, pd.DataFrame]) -> bytes:
    """Tables as the sheets of a workbook, by name; no text of theirs is a formula."""
    content = io.BytesIO()
    plain = {"options": {"strings_to_formulas": False, "strings_to_urls": False}}
    with pd.ExcelWriter(content, engine="xlsxwriter", engine_kwargs=plain) as book:
        for name, table in sheets.items():
            table.to_excel(book, index=False, sheet_name=name)
    return content.getvalue()


def parquet(table: pd.DataFrame) -> bytes:
    """A table as Parquet."""
    return table.to_parquet(index=False)


SUFFIXES = (".csv", ".xlsx", ".parquet")


def written(suffix: str, table: pd.DataFrame, panel: Panel) -> bytes:
    """A forecast as a file of one of `SUFFIXES`; a workbook takes the series of the panel along, `unique_id, ds, y`."""
    if suffix == ".xlsx":
        return excel(table, panel.frame)  # of very many series it would take much memory: for a workbook alone
    return csv(table) if suffix == ".csv" else parquet(table)


_READERS: dict[str, Callable[[io.BytesIO], pd.DataFrame]] = {
    ".csv": lambda content: pd.read_csv(content, dtype={"unique_id": str}),
    ".xlsx": lambda content: pd.read_excel(content, engine="calamine", dtype={"unique_id": str}),
    ".parquet": pd.read_parquet,
}


def read_table(content: bytes, suffix: str) -> pd.DataFrame:
    """Read a table that was written here: its column `ds` holds times.

    Args:
        content: of the file.
        suffix: the end of its name, `.csv`, `.xlsx` or `.parquet`.

    Raises:
        BadInput: when it is no such table.
    """
    if suffix not in _READERS:
        raise BadInput(f"A forecast is a {', '.join(_READERS)}, and not {suffix!r:.20}.")
    try:
        table = _READERS[suffix](io.BytesIO(content))
        return table.assign(ds=pd.to_datetime(table["ds"]), unique_id=table["unique_id"].map(_as_it_was))
    except Exception as error:  # each of the three libraries has its own
        raise BadInput(f"This is no forecast that was written as {suffix} ({error!s:.200}).") from None
