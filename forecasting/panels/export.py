"""Tables to take along: CSV, Excel and Parquet."""

import io
from collections.abc import Callable

import pandas as pd


def csv(table: pd.DataFrame) -> bytes:
    """A table as CSV, times in ISO form: days alone where all of them are whole."""
    whole = (table["ds"] == table["ds"].dt.normalize()).all()
    return table.to_csv(index=False, date_format="%Y-%m-%d" if whole else "%Y-%m-%dT%H:%M:%S").encode()


def excel(table: pd.DataFrame) -> bytes:
    """A table as a sheet of a workbook."""
    content = io.BytesIO()
    table.to_excel(content, index=False, sheet_name="forecast", engine="xlsxwriter")
    return content.getvalue()


def parquet(table: pd.DataFrame) -> bytes:
    """A table as Parquet."""
    return table.to_parquet(index=False)


WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {".csv": csv, ".xlsx": excel, ".parquet": parquet}
"""How tables with a column `ds` are written, by the end of the file's name."""
