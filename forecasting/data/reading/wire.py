"""How a file goes to a reading process and what was read comes back: a header as JSON, and bytes.

The process that reads a stranger's file is not trusted: its answer is JSON and an Arrow stream, both checked, and makes no
objects but a `Reading` or a `Refusal`.
"""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
from pydantic import ConfigDict, TypeAdapter, create_model

from forecasting.data.reading.numbers import Question
from forecasting.data.reading.result import Reading, ReadOptions
from forecasting.experiment import BadInput

MOST_HEADER = 100_000_000
"""Bytes of a header; a table of very many columns names them all."""
MOST_BODY = 2_000_000_000
SIZE = 8


@dataclass(frozen=True)
class Refusal:
    """Why a file cannot be read.

    Attributes:
        message: a sentence.
        question: the option that the visitor has only to say; empty where that would not help.
        columns: names of the columns of the file, as far as they could be read.
        sheets: of a workbook, the names of those that hold something.
    """

    message: str
    question: str
    columns: list[str]
    sheets: list[str]

    @property
    def error(self) -> BadInput:
        """The same as an error."""
        return Question(self.message, self.question) if self.question else BadInput(self.message)


_options = TypeAdapter(ReadOptions)
_strict = ConfigDict(extra="forbid", strict=True)
_fields: dict[str, Any] = {field.name: (field.type, ...) for field in fields(Reading) if field.name != "frame"}
_ReadingHeader = create_model("_ReadingHeader", __config__=_strict, **_fields)
_Refused = create_model("_Refused", __config__=_strict, **{field.name: (field.type, ...) for field in fields(Refusal)})  # type: ignore[call-overload]


def send(stream: BinaryIO, header: dict[str, Any], body: bytes | pa.Buffer = b"") -> None:
    """Write a header and bytes, each after its size.

    Args:
        stream: where they are written; it is flushed.
        header: plain JSON values.
        body: the bytes that go with it.
    """
    head = json.dumps(header).encode()
    stream.write(len(head).to_bytes(SIZE) + len(body).to_bytes(SIZE) + head)
    stream.write(body)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """Read a header and bytes.

    Raises:
        EOFError: when the stream ends.
        ValueError: when it holds something else.
    """
    sizes = [int.from_bytes(_exactly(stream, SIZE)) for _ in range(2)]
    if sizes[0] > MOST_HEADER or sizes[1] > MOST_BODY:
        raise ValueError(f"{sizes} bytes are announced")
    header = json.loads(_exactly(stream, sizes[0]))
    if not isinstance(header, dict):
        raise ValueError("the header is no object")
    return header, _exactly(stream, sizes[1])


def _exactly(stream: BinaryIO, n: int) -> bytes:
    content = stream.read(n)
    if len(content) < n:
        raise EOFError("the stream has ended")
    return content


def asked(options: ReadOptions) -> dict[str, Any]:
    """The header of a request."""
    return asdict(options)


def options_of(header: dict[str, Any]) -> ReadOptions:
    """The options of a request."""
    return _options.validate_python(header)


def packed(answer: Reading | Refusal) -> tuple[dict[str, Any], bytes | pa.Buffer]:
    """An answer as header and bytes."""
    if isinstance(answer, Refusal):
        return {"refused": asdict(answer)}, b""
    table = pa.Table.from_pandas(answer.frame, preserve_index=False).replace_schema_metadata(None)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return {"read": {name: getattr(answer, name) for name in _fields}}, sink.getvalue()


def unpacked(header: dict[str, Any], body: bytes) -> Reading | Refusal:
    """The answer in header and bytes.

    Raises:
        ValueError: when they hold something else.
    """
    if "refused" in header:
        return Refusal(**_Refused.model_validate(header["refused"]).model_dump())
    header_read = _ReadingHeader.model_validate(header.get("read"))
    table = pa.ipc.open_stream(body).read_all()
    table.validate(full=True)
    frame = table.replace_schema_metadata(None).to_pandas()
    reading = Reading(frame, **header_read.model_dump())
    _refuse_other(frame, reading.value_columns)
    return reading


def _refuse_other(frame: pd.DataFrame, values: list[str]) -> None:
    if list(frame.columns) != ["unique_id", "ds", *values] or frame.empty or not values:
        raise ValueError(f"the table has the columns {list(frame.columns)!r:.200}")
    kinds = frame.dtypes
    if not (
        isinstance(kinds["unique_id"], pd.CategoricalDtype)
        and kinds["ds"] == "datetime64[ns]"
        and all(pd.api.types.is_numeric_dtype(kinds[name]) for name in values)
    ):
        raise ValueError(f"the columns are of the types {list(kinds)!r:.200}")
