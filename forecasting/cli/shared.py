"""What the commands share: refusals, the store, the engine, a file's content."""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from forecasting import logs
from forecasting.experiment import BadInput
from forecasting.runs.database import Unavailable
from forecasting.runs.engine import Engine
from forecasting.runs.store import Store
from forecasting.settings import Settings

OWNER = "command line"
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DatabaseUrl = Annotated[str | None, typer.Option(help="SQLAlchemy URL; FORECASTING_DATABASE_URL by default.")]
Slots = Annotated[int | None, typer.Option(min=1, help="Fits at the same time; FORECASTING_SLOTS by default.")]


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


@contextmanager
def refusals() -> Iterator[None]:
    """Print what cannot be used to standard error, and end with status 2."""
    try:
        yield
    except (BadInput, Unavailable) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None


def open_store(database: str | None, quiet: bool = True) -> tuple[Settings, Store]:
    """The settings of the environment, and the store of a database; logs are set up on the way."""
    settings = Settings.read()
    logs.set_up("WARNING" if quiet and settings.log_level == "INFO" else settings.log_level, settings.log_format)
    return settings, Store(database or settings.database_url)


@contextmanager
def working(store: Store, settings: Settings, slots: int | None, only_runs: Sequence[str] | None = None) -> Iterator[None]:
    """Work on some runs alone, or on whatever waits; when it is interrupted, give back what it was at.

    Args:
        store: whose queue is worked on.
        settings: of this deployment: how many slots there are, and what workers may take.
        slots: fits at the same time; None: as many as the settings say.
        only_runs: ids of the runs that are worked on, to which others may be added meanwhile; None: all that wait.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the first process of a container would not end by it
    engine = Engine(store, slots or settings.n_slots, only_runs, settings.guard)
    try:
        engine.start()
        yield
    finally:
        engine.close()


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
