"""What commands take: options of dataclasses, the content of a file, what is said about it. It imports little."""

import sys
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from pydantic import ValidationError

from forecasting.experiment import NOT_STORED, BadInput, Upload, plain

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
File = Annotated[Path, typer.Argument(help="CSV, JSON, text, Excel or Parquet, compressed or not; - for standard input.")]
Columns = Annotated[list[str] | None, typer.Option(help="A column of the file; may be given again.")]


@dataclass(frozen=True)
class ReadArguments:
    """What is said about a file; what is None is detected."""

    sheet: Annotated[str | None, typer.Option(help="Of a workbook; the first that holds times otherwise.")] = None
    time: Columns = None
    value: Columns = None
    id: Columns = None
    day_first: Annotated[bool | None, typer.Option("--day-first/--month-first", help="Of dates like 03/04/2024.")] = None
    decimal: Annotated[str | None, typer.Option(help="The decimal sign: point or comma.")] = None
    missing: Annotated[list[float] | None, typer.Option(help="A number that is treated as missing.")] = None


@dataclass(frozen=True)
class Seen:
    """What models see of a file's series."""

    multivariate: Annotated[
        bool, typer.Option("--multivariate", help="Several columns of values are seen at once, as channels.")
    ] = False
    past_covariates: Annotated[
        list[str] | None, typer.Option(help="A column that is seen, and not forecast; may be given again.")
    ] = None
    future_covariates: Annotated[
        list[str] | None, typer.Option(help="A column that is known in advance; may be given again.")
    ] = None
    repair: Annotated[str, typer.Option(help="Missing values: leave, forward, interpolation, seasonal_line, network.")] = (
        "leave"
    )
    freq: Annotated[str | None, typer.Option(help="A coarser frequency to aggregate to; pandas' alias.")] = None
    aggregate: Annotated[str, typer.Option(help="What becomes of a coarser step: mean, sum, last.")] = "mean"


def source_of(said: ReadArguments, seen: Seen | None = None) -> Upload:
    """What is said about a file, as the source that it is."""
    given = asdict(said) | (asdict(seen) if seen else {})
    given["frequency"] = given.pop("freq", None)
    try:
        return Upload.model_validate(
            {"upload_id": NOT_STORED} | {name: value for name, value in given.items() if value is not None}
        )
    except ValidationError as error:
        raise plain(error) from None


def taking_values(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take frozen dataclasses: every field of such a parameter becomes an option of its own."""
    hints = get_type_hints(command, include_extras=True)
    values = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    parameters, annotations = [], {}
    for parameter in signature(command).parameters.values():
        if parameter.name not in values:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[parameter.name]))
    for value in values.values():
        types = get_type_hints(value, include_extras=True)
        for field in fields(value):
            default = Parameter.empty if field.default is MISSING else field.default
            named = Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=types[field.name])
            parameters.append(named)
    annotations = {parameter.name: parameter.annotation for parameter in parameters}

    def run(**given: Any) -> None:
        made = {name: value(**{one.name: given.pop(one.name) for one in fields(value)}) for name, value in values.items()}
        command(**given, **made)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = annotations
    return run


def content_of(path: Path) -> bytes:
    """What a file holds; `-` is standard input.

    Raises:
        BadInput: when it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}): give a file that is there.") from None


def text_of(path: Path) -> str:
    """The text of a file; `-` is standard input.

    Raises:
        BadInput: when it cannot be read, or is no UTF-8.
    """
    try:
        return content_of(path).decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text: give a file as `example` prints it.") from None
