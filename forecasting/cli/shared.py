"""What the commands share: refusals, the store, the engine, a file's content."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from forecasting import logs
from forecasting.experiment import BadInput
from forecasting.runs.database import Unavailable
from forecasting.runs.engine import Engine
from forecasting.runs.store import Store
from forecasting.settings import Settings

OWNER = "command line"
DatabaseUrl = Annotated[str | None, typer.Option(help="SQLAlchemy URL; FORECASTING_DATABASE_URL by default.")]
Slots = Annotated[int | None, typer.Option(min=1, help="Fits at the same time; FORECASTING_SLOTS by default.")]


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
