"""What all visitors of this server share: its settings, the store, the engine, and the processes that read files."""

import math
import threading
from functools import cache

from forecasting import logs
from forecasting.experiment import BadInput
from forecasting.runs.database import Unavailable
from forecasting.runs.engine import Engine
from forecasting.runs.readers import Readers
from forecasting.runs.store import Store
from forecasting.settings import Settings

_opening = threading.Lock()
WARM_UP_AFTER_S = 4.0
"""The first page is drawn before the workers import TensorFlow."""
_store: Store | None = None
_engine: Engine | None = None
_readers: Readers | None = None


@cache
def settings() -> Settings:
    """The settings of this deployment, read once.

    Raises:
        BadInput: when a variable of the environment cannot be used.
    """
    return Settings.read()


def store() -> Store:
    """The store, opened once per process.

    It is not kept in a Streamlit cache: any visitor can have those cleared.
    """
    global _store
    with _opening:
        if _store is None:
            _store = Store(settings().database_url)
        return _store


def start() -> Engine:
    """Start the engine, once per process; its workers warm up with the first page or the first fit.

    Raises:
        BadInput: when a setting cannot be used, or the database cannot be opened; the next call tries again.
    """
    global _engine
    opened = store()
    with _opening:
        if _engine is None:
            chosen = settings()
            logs.set_up(chosen.log_level, chosen.log_format)
            _engine = Engine(opened, chosen.n_slots, guard=chosen.guard, keep_days=chosen.keep_days)
            _engine.start(warm_up_after_s=math.inf)
        return _engine


def engine() -> Engine:
    """The engine, started once per process; the first call lets its workers warm up."""
    started = start()
    started.warm_up(WARM_UP_AFTER_S)
    return started


def close() -> None:
    """End the engine, if there is one, for good."""
    if _engine is not None:
        _engine.close()


def trouble() -> str:
    """Why this server cannot do its work now; empty when its database can be read and all slots of its engine live."""
    try:
        started = start()
        store().census()
    except (BadInput, Unavailable) as error:
        return str(error)
    return "" if started.alive else "The engine has ended, and no fit is worked on: start the server again."


def readers() -> Readers:
    """The processes that read visitors' files, made once per process; the first call lets one warm up."""
    global _readers
    with _opening:
        if _readers is None:
            _readers = Readers(settings().reader_mb)
    _readers.warm_up()
    return _readers
