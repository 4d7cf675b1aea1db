"""How large a file may be: not by its own size, but by what it unfolds into."""

import gzip
import io
import re
import zipfile
import zlib

from forecasting.experiment import BadInput

MOST_BYTES = 400_000_000
"""Of a file once nothing in it is compressed."""
MOST_ROWS = 10_000_000
MOST_CELLS = 40_000_000
ADDRESS = re.compile(rb"""\br\s*=\s*["']([A-Za-z]+)(\d+)["'][^>]*(?<!/)>""")
"""Where a cell of a sheet stands that holds something, as `r="B7"`."""


def refuse_bytes(n_bytes: int) -> None:
    """Refuse more bytes than are read.

    Raises:
        BadInput: with what was found and what is allowed.
    """
    if n_bytes > MOST_BYTES:
        raise BadInput(
            f"The file has {n_bytes / 1e6:,.0f} MB when nothing in it is compressed, and at most {MOST_BYTES / 1e6:,.0f} MB "
            "are read: cut it down."
        )


def refuse_cells(n_rows: int, n_cells: int) -> None:
    """Refuse more rows or cells than are read.

    Raises:
        BadInput: with what was found and what is allowed.
    """
    for n, most, what in ((n_rows, MOST_ROWS, "rows"), (n_cells, MOST_CELLS, "cells")):
        if n > most:
            raise BadInput(f"The file has {n:,} {what}, and at most {most:,} are read: cut it down.")


def unzipped(content: bytes) -> bytes:
    """What a gzip archive holds.

    Raises:
        BadInput: when it is damaged, or holds more than is read.
    """
    try:
        unfolded = gzip.GzipFile(fileobj=io.BytesIO(content)).read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise BadInput("The file is compressed and damaged: it cannot be unpacked.") from None
    if len(unfolded) > MOST_BYTES:
        raise BadInput(f"The file unfolds into more than {MOST_BYTES / 1e6:,.0f} MB, and no more is read: cut it down.")
    return unfolded


def stored_workbook(content: bytes) -> bytes:
    """An .xlsx file with nothing in it compressed: what its directory declares may be untrue, and the reader of Excel files
    heeds neither sizes nor how far away a cell stands, and ends the process when memory is short.

    Raises:
        BadInput: when it is damaged, no .xlsx file, or larger than is read.
    """
    stored = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(stored, "w") as taken:
            texts = [member for member in given.infolist() if member.filename.lower().endswith((".xml", ".rels"))]
            if "xl/workbook.xml" not in {member.filename.lower() for member in texts}:
                raise BadInput(
                    "The archive is no Excel file: of archives .xlsx alone is read. Save the table as .xlsx or CSV."
                )
            refuse_bytes(sum(member.file_size for member in texts))
            for member in texts:
                taken.writestr(member.filename, _member(given, member))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"The Excel file cannot be read: {str(error).splitlines()[0][:100]}.") from None
    return stored.getvalue()


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The text of a member, of which zipfile gives no more than the directory declares."""
    text = archive.read(member)
    columns: set[bytes] = set()
    last_row = 0
    for found in ADDRESS.finditer(text):
        columns.add(found[1])
        last_row = max(last_row, int(found[2][:8]))
    refuse_cells(last_row, last_row * max(map(_number, columns), default=0))
    return text


def _number(column: bytes) -> int:
    """The number of a column: 1 for A, 27 for AA."""
    number = 0
    for letter in column[:8].upper():
        number = 26 * number + letter - ord("A") + 1
    return number
