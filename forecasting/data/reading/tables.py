"""From a file's bytes to a table of text, by what kind of file it is: Excel and Parquet here, text in `delimited.py`."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from forecasting.data.reading.bounds import refuse_bytes, refuse_cells, stored_workbook, unzipped
from forecasting.data.reading.delimited import read_text
from forecasting.data.reading.layout import Table, laid_out
from forecasting.data.reading.times import looks_like_time
from forecasting.experiment import BadInput

SHEETS = 12
"""Sheets that are looked at for times."""


def read_table(content: bytes, sheet: str | None = None) -> Table:
    """Read a file of any of the formats; which one, its first bytes tell.

    Args:
        content: the file's bytes.
        sheet: of a workbook; None for the first that holds times.

    Raises:
        BadInput: when it is empty, damaged, a web page, too large once it is unfolded, or has no columns or no such sheet.
    """
    if content[:2] == b"\x1f\x8b":
        content = unzipped(content)
    refuse_bytes(len(content))
    if content[:4] == b"PAR1" and sheet is None:
        return _parquet(content)
    if content[:4] == b"PK\x03\x04" or content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return _excel(content, "xlsx" if content[:2] == b"PK" else "xls", sheet)
    if sheet is not None:
        raise BadInput(f"The file is no workbook: it has no sheet {sheet!r:.60}.")
    return read_text(content)


def _parquet(content: bytes) -> Table:
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(content))
        _refuse_large(file.metadata)
        texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
        # a text that comes often is there once
        table = pyarrow.parquet.read_table(io.BytesIO(content), read_dictionary=texts)
        refuse_bytes(table.nbytes)
        frame = table.to_pandas().reset_index()
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"The Parquet file cannot be read: {str(error).splitlines()[0][:100]}.") from None
    if isinstance(frame.get("index"), pd.Series) and frame["index"].equals(pd.Series(range(len(frame)))):
        frame = frame.drop(columns="index")
    return Table(pd.DataFrame({str(name): _texts(frame[name]) for name in frame}).astype("category"), "parquet")


def _refuse_large(metadata: pyarrow.parquet.FileMetaData) -> None:
    """Refuse a Parquet file by what it says of itself, before any of it is read."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    refuse_cells(metadata.num_rows, sum(column.num_values for column in columns))
    refuse_bytes(sum(column.total_uncompressed_size for column in columns))


def _excel(content: bytes, kind: str, sheet: str | None) -> Table:
    """A sheet, or the first that holds times, or else something; lines above its header are passed over as in text."""
    content = stored_workbook(content) if kind == "xlsx" else content
    try:
        with pd.ExcelFile(io.BytesIO(content), engine="calamine") as book:
            filled = _filled(book)
            if sheet is not None and sheet not in filled:
                raise BadInput(f"The workbook has no sheet {sheet!r:.60} that holds something: {_named(filled)} do.")
            looked_at = filled[:SHEETS] if sheet is None else [sheet]
            sheets = [book.parse(name, header=None, dtype=object) for name in looked_at]
    except BadInput:
        raise
    except Exception as error:  # the reader's own errors have no common class
        raise BadInput(f"The Excel file cannot be read: {str(error).splitlines()[0][:100]}.") from None
    if not filled:
        raise BadInput("The Excel file is empty: no sheet of it holds a value.")
    place = next((place for place, cells in enumerate(sheets) if _holds_times(cells)), 0)
    several = len(filled) > 1 and sheet is None
    try:
        table = laid_out(_rows_of(sheets[place]))
    except BadInput as error:
        raise (of_sheets(error, filled) if several else error) from None
    which = "first" if place == 0 else f"{place + 1}th" if place > 2 else ("second", "third")[place - 1]
    said = [f"Of {len(filled)} sheets the {which}, {filled[place]!r}, was read."] if several else []
    return Table(table.columns.astype("category"), kind, warnings=table.warnings + said, sheets=filled)


def of_sheets(error: BadInput, sheets: list[str]) -> BadInput:
    """An error about one sheet of several, which names them."""
    return BadInput(f"{error} The workbook has the sheets {_named(sheets)}: name one of them.")


def _named(sheets: list[str]) -> str:
    return ", ".join(map(repr, sheets[:SHEETS])) + (" and more" if len(sheets) > SHEETS else "")


def _rows_of(sheet: pd.DataFrame) -> list[list[str]]:
    return pd.DataFrame({name: sheet[name].map(_cell) for name in sheet}, dtype=object).to_numpy().tolist()


def _holds_times(sheet: pd.DataFrame) -> bool:
    """Whether a row or a column of a sheet, as far as its beginning tells, is mostly of times."""
    first = pd.DataFrame(_rows_of(sheet.head(60)), dtype=object)
    times = first.map(looks_like_time)
    return bool((times.sum() > len(first) / 2).any() or (times.sum(axis=1) > 3).any() or times.any(axis=None))


def _filled(book: pd.ExcelFile) -> list[str]:
    """The names of the sheets that hold something."""
    filled = []
    for name in map(str, book.sheet_names):
        sheet = book.book.get_sheet_by_name(name)
        if sheet.height:
            refuse_cells(sheet.total_height, sheet.total_height * sheet.total_width)
            filled.append(name)
    return filled


def _texts(column: pd.Series) -> pd.Series:
    """The cells of a column as text, of which each different one is written once."""
    if column.dtype == object:  # lists are among them, which cannot be told apart
        return column.map(_cell)
    codes, distinct = pd.factorize(column)
    return pd.Series(np.array([*map(_cell, distinct), ""], dtype=object)[codes])  # a missing one has the code -1


def _cell(value: object) -> str:
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return str(int(value)) if whole else str(value).strip()  # type: ignore[call-overload]  # a float, as was just seen
