"""A text file as a table: its encoding, its delimiter, its lines in columns."""

import csv
import io
import re

import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from forecasting.data.reading.bounds import refuse_cells
from forecasting.data.reading.layout import Table, counted_lines, laid_out
from forecasting.experiment import BadInput

SAMPLE_LINES = 400
"""Lines from which the layout is told; the rest of the file has to follow it."""
SNIFFED = 60
MANY = 50_000


def read_text(content: bytes) -> Table:
    """Read a text file.

    Raises:
        BadInput: when it is empty, a web page, too large, or has no columns.
    """
    text, encoding = _decoded(content)
    text = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise BadInput("The file is empty.")
    n_lines = text.count("\n")
    refuse_cells(n_lines, n_lines)
    if re.match(r"\s*<(!doctype|html|\?xml)", text[:500], re.IGNORECASE):
        raise BadInput("The file is a web page, whatever its name says: download the data themselves.")
    lines = [line for line in text[:400_000].split("\n")[:SAMPLE_LINES] if line.strip()]
    lines = [line for line in lines if not line.lstrip().startswith("#")] or lines
    delimiter = _delimiter(lines)
    if delimiter == " ":
        text = "\n".join("\t".join(line.split()) for line in text.splitlines())
        lines = ["\t".join(line.split()) for line in lines]
    split = "\t" if delimiter == " " else delimiter
    head = laid_out([_cells(line, split) for line in lines])
    refuse_cells(n_lines, n_lines * len(head.first))
    body, skipped = _body(text, split, head.first, len(head.columns.columns))
    if head.has_header:
        body = body.iloc[1:]
    body.columns = head.columns.columns
    left_out = [f"{counted_lines(len(skipped))} with another number of fields left out."] if skipped else []
    return Table(_without_empty(body.reset_index(drop=True)), "csv", encoding, delimiter, head.warnings + left_out)


def _decoded(content: bytes) -> tuple[str, str]:
    """The text, and its encoding: a mark at its beginning tells, zero bytes, or else what is valid."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace"), "utf-16"
    start = content[:4_000]
    if start.count(0) > len(start) // 4:
        order = "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
        return content.decode(order, errors="replace"), "utf-16"
    try:
        return content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace"), "latin-1"


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error as error:
        raise BadInput(f"The line {line[:40]!r} cannot be cut into cells: {error}.") from None


def _delimiter(lines: list[str]) -> str:
    """The delimiter that cuts the lines into the most regular fields (clevercsv; van den Burg and others, 2019)."""
    import clevercsv  # 0.2 s, which a page without an upload need not wait for

    try:
        found = clevercsv.Sniffer().sniff("\n".join(lines[-SNIFFED:] if len(lines) < SNIFFED else lines[:SNIFFED]))
    except clevercsv.Error:
        found = None
    delimiter = found.delimiter if found is not None else ""
    return delimiter if delimiter in (",", ";", "\t", "|", " ") else next((d for d in ";\t|," if d in lines[-1]), ",")


def _body(text: str, delimiter: str, first: list[str], width: int) -> tuple[pd.DataFrame, list[str]]:
    """The lines from the one with the cells `first` on, in columns, and those that have another number of fields."""
    start = _offset(text, delimiter, first)
    skipped: list[str] = []

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        skipped.append(row.text or "")
        return "skip"

    names = [str(i) for i in range(width)]
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(text[start:].encode("utf-8", errors="replace")),
            read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=1 << 24),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise BadInput(f"The file cannot be cut into columns: {str(error).splitlines()[0][:120]}.") from None
    if len(skipped) > max(5, table.num_rows // 50):
        raise BadInput(
            f"{len(skipped):,} lines have another number of fields than the {width} of the others, as {skipped[0][:40]!r}: "
            "perhaps decimal commas look like the comma between columns. Save it with semicolons."
        )
    trimmed = {name: _stored(pyarrow.compute.utf8_trim_whitespace(table[name])) for name in names}
    return pa.table(trimmed).to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get), skipped


def _stored(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Each text once, unless most are there once only, as far as the first cells tell."""
    first = cells.slice(0, MANY)
    return cells if pyarrow.compute.count_distinct(first).as_py() > len(first) // 2 else cells.dictionary_encode()


def _offset(text: str, delimiter: str, first: list[str]) -> int:
    """Where in the text the table begins."""
    start = 0
    while True:
        end = text.find("\n", start)
        line = text[start : len(text) if end < 0 else end].rstrip("\r")
        if line.strip() and not line.lstrip().startswith("#") and _cells(line, delimiter) == first or end < 0:
            return start
        start = end + 1


def _without_empty(frame: pd.DataFrame) -> pd.DataFrame:
    """Without columns that have neither name nor value."""
    empty = [name for name in frame if name.startswith("column ") and frame[name].eq("").all()]
    return frame.drop(columns=empty)
