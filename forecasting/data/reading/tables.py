"""From a file's bytes to a table of text: what kind of file it is, how it is encoded, where its columns begin and end."""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from forecasting.data.reading.bounds import refuse_bytes, refuse_cells, stored_workbook, unzipped
from forecasting.data.reading.times import looks_like_time
from forecasting.experiment import BadInput

SAMPLE_LINES = 400
"""Lines from which the layout is told; the rest of the file has to follow it."""
SNIFFED = 60
MANY = 50_000
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


def read_table(content: bytes) -> Table:
    """Read a file of any of the formats; which one, its first bytes tell.

    Raises:
        BadInput: when it is empty, damaged, a web page, too large once it is unfolded, or has no columns.
    """
    if content[:2] == b"\x1f\x8b":
        content = unzipped(content)
    refuse_bytes(len(content))
    if content[:4] == b"PAR1":
        return _parquet(content)
    if content[:4] == b"PK\x03\x04" or content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return _excel(content, "xlsx" if content[:2] == b"PK" else "xls")
    return _text(content)


# ----------------------------------------------------------------------------------------------------- other formats


def _parquet(content: bytes) -> Table:
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(content))
        _refuse_large(file.metadata)
        texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
        table = pyarrow.parquet.read_table(
            io.BytesIO(content), read_dictionary=texts
        )  # a text that comes often is there once
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


def _excel(content: bytes, kind: str) -> Table:
    """The first sheet that holds something; lines above its header are passed over as in text."""
    content = stored_workbook(content) if kind == "xlsx" else content
    try:
        with pd.ExcelFile(io.BytesIO(content), engine="calamine") as book:
            filled = _filled(book)
            sheet = book.parse(filled[0], header=None, dtype=object) if filled else pd.DataFrame()
    except BadInput:
        raise
    except Exception as error:  # the reader's own errors have no common class
        raise BadInput(f"The Excel file cannot be read: {str(error).splitlines()[0][:100]}.") from None
    if not filled:
        raise BadInput("The Excel file is empty: no sheet of it holds a value.")
    rows = pd.DataFrame({name: sheet[name].map(_cell) for name in sheet}, dtype=object).to_numpy().tolist()
    table = _laid_out(rows)
    left_out = [f"Of {len(filled)} sheets the first, {filled[0]!r}, was read."] if len(filled) > 1 else []
    return Table(table.columns.astype("category"), kind, warnings=table.warnings + left_out)


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


# --------------------------------------------------------------------------------------------------------------- text


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


def _text(content: bytes) -> Table:
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
    head = _laid_out([_cells(line, split) for line in lines])
    refuse_cells(n_lines, n_lines * len(head.first))
    body, skipped = _body(text, split, head.first, len(head.columns.columns))
    if head.has_header:
        body = body.iloc[1:]
    body.columns = head.columns.columns
    warnings = head.warnings + ([f"{_lines(len(skipped))} with another number of fields left out."] if skipped else [])
    return Table(_without_empty(body.reset_index(drop=True)), "csv", encoding, delimiter, warnings)


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


@dataclass(frozen=True)
class _Layout:
    """Where the table is: the cells of its first line, whether these are names, and the names."""

    first: list[str]
    has_header: bool
    columns: pd.DataFrame
    warnings: list[str]


def _laid_out(rows: list[list[str]]) -> _Layout:
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
    named = (
        _unique([name or f"column {i}" for i, name in enumerate(first, 1)])
        if has_header
        else [f"column {i}" for i in range(1, width + 1)]
    )
    body = [row for row in (below if has_header else rows[start:]) if len(row) == width]
    warnings = [f"{_lines(len(above))} above the table left out."] if above else []
    return _Layout(first, has_header, pd.DataFrame(body, columns=named, dtype=object), warnings)


def is_value(cell: str) -> bool:
    """Whether a cell is a number or a time rather than a name."""
    return bool(PLAIN_NUMBER.fullmatch(cell)) or looks_like_time(cell)


def _unique(names: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


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


def _lines(n: int) -> str:
    return "One line" if n == 1 else f"{n:,} lines"
