"""A text file as a table: its encoding, its delimiter, its lines in columns."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from forecasting.data.reading.bounds import refuse_cells
from forecasting.data.reading.layout import Table, counted_lines, is_value, laid_out, ragged_width
from forecasting.data.reading.structured import is_json, is_tsf, read_json, read_tsf
from forecasting.experiment import BadInput

SAMPLE_LINES = 400
"""Lines from which the layout is told; the rest of the file has to follow it."""
SNIFFED = 60
LOOKED_AT = 100_000
MOST_IN_QUOTES = 2_000
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
    if is_json(text):
        return read_json(text)
    if is_tsf(text):
        return read_tsf(text)
    lines = [line for _, line in islice(_logical_lines(text[:400_000]), SAMPLE_LINES) if line.strip()]
    if '"' not in text[:400_000] and all(re.fullmatch(r"'[^']*'(.'[^']*')+", line.strip()) for line in lines[:SNIFFED]):
        text = text.replace("'", '"')
        lines = [line.replace("'", '"') for line in lines]
    uncommented = [line for line in lines if not line.lstrip().startswith("#")] or lines
    delimiter = _delimiter(uncommented)
    named = _named_by_comment(lines, uncommented, delimiter)
    lines = named or uncommented
    if delimiter == " ":
        text = "\n".join("\t".join(line.split()) for line in text.splitlines())
        lines = ["\t".join(line.split()) for line in lines]
    split = "\t" if delimiter == " " else delimiter
    rows = [_cells(line, split) for line in lines]
    width = ragged_width(rows)
    if width:
        text = "\n".join(line + split * max(0, width - 1 - line.count(split)) for line in text.split("\n") if line.strip())
        rows = [row + [""] * (width - len(row)) for row in rows]
    head = laid_out(rows)
    refuse_cells(n_lines, n_lines * len(head.first))
    body, skipped = _body(text, split, head.first, len(head.columns.columns))
    body = body.iloc[head.n_header :]
    body.columns = head.columns.columns
    body, repeated = _without_repeated_header(body)
    left_out = [f"{counted_lines(repeated)} that repeat the header left out."] if repeated else []
    left_out += [f"{counted_lines(len(skipped))} with another number of fields left out."] if skipped else []
    return Table(_without_empty(body.reset_index(drop=True)), "csv", encoding, delimiter, head.warnings + left_out)


def _named_by_comment(lines: list[str], uncommented: list[str], delimiter: str) -> list[str]:
    """The lines from a comment on that is no comment but the header, as where a column is called `#`; none where none is."""
    above = lines.index(uncommented[0])
    if not above or delimiter == " ":
        return []
    cells, below = _cells(lines[above - 1], delimiter), _cells(uncommented[0], delimiter)
    named = len(cells) == len(below) > 1 and all(cells) and not any(map(is_value, cells)) and any(map(is_value, below))
    return lines[above - 1 :] if named else []


def _without_repeated_header(body: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The rows that do not say what the columns are called once more, and how many did."""
    named = [name for name in body.columns if not name.startswith("column ")]
    if not named:
        return body, 0
    first = body[named[0]].eq(named[0]).to_numpy(dtype=bool, na_value=False)
    if not first.any():
        return body, 0
    again = first & np.logical_and.reduce([body[name].eq(name).to_numpy(dtype=bool, na_value=False) for name in named])
    return body[~again], int(again.sum())


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Where each line begins, and the line; one that ends within quotes goes on in the next."""
    start, end = 0, -1
    while start <= len(text) and end < len(text):
        end = text.find("\n", max(start, end + 1))
        end = len(text) if end < 0 else end
        line = text[start:end]
        if line.count('"') % 2 and end < len(text) and end - start < MOST_IN_QUOTES:
            continue
        yield start, line
        start = end + 1


def _decoded(content: bytes) -> tuple[str, str]:
    """The text, and its encoding: a mark at its beginning tells, zero bytes, that it is UTF-8, or what it looks like."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace"), "utf-16"
    start = content[:4_000]
    if start.count(0) > len(start) // 4:
        order = "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
        return content.decode(order, errors="replace"), "utf-16"
    try:
        return content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        encoding = _encoding(content[:LOOKED_AT])
    name = "latin-1" if encoding == "cp1252" else encoding
    return content.decode(encoding, errors="replace"), name


def _encoding(start: bytes) -> str:
    """The encoding of text that is no UTF-8: a Western one where letters with accents stand alone among others, else
    what chardet finds."""
    runs = re.findall(rb"[\x80-\xff]+", start)
    if sum(len(run) == 1 for run in runs) > len(runs) / 2:
        return "cp1252"
    korean = start.decode("cp949", errors="replace")
    letters = [c for c in korean if ord(c) > 127]
    if sum("\uac00" <= c <= "\ud7a3" for c in letters) > 0.8 * len(letters):
        return "cp949"
    import chardet

    found = str(chardet.detect(start)["encoding"] or "cp1252")
    try:
        return codecs.lookup(found).name
    except LookupError:
        return "cp1252"


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
    if delimiter == " ":  # blanks stand within cells where something else cuts all lines alike
        delimiter = next((other for other in ";\t|," if _cuts_alike(lines, other)), delimiter)
    return delimiter if delimiter in (",", ";", "\t", "|", " ") else next((d for d in ";\t|," if d in lines[-1]), ",")


def _cuts_alike(lines: list[str], delimiter: str) -> bool:
    """Whether a delimiter cuts all lines into the same number of cells, and into several."""
    counts = {line.count(delimiter) for line in lines[:SNIFFED]}
    return len(counts) == 1 and counts != {0}


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
    for start, line in _logical_lines(text):
        if line.strip() and _cells(line, delimiter) == first:
            return start
    return 0


def _without_empty(frame: pd.DataFrame) -> pd.DataFrame:
    """Without columns that have neither name nor value."""
    empty = [name for name in frame if name.startswith("column ") and frame[name].eq("").all()]
    return frame.drop(columns=empty)
