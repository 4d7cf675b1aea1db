"""What all visitors of this server share: the store, the engine, and data that were just computed."""

import threading

import streamlit as st
from pydantic import TypeAdapter

from forecasting.data import Split, load
from forecasting.experiment import BadInput, Fit, Source, Task, Upload
from forecasting.fit import Result, run_fit
from forecasting.runs.engine import Engine
from forecasting.runs.store import Store
from forecasting.settings import Settings

_source: TypeAdapter[Source] = TypeAdapter(Source)
_opening = threading.Lock()
WARM_UP_AFTER_S = 4.0
"""The first page is drawn before the workers import TensorFlow."""
_store: Store | None = None
_engine: Engine | None = None


def settings() -> Settings:
    """The settings of this deployment."""
    return Settings()


def store() -> Store:
    """The store, opened once per process.

    It is not kept in a Streamlit cache: any visitor can have those cleared.
    """
    global _store
    with _opening:
        if _store is None:
            _store = Store(settings().database_url)
        return _store


def engine() -> Engine:
    """The engine, started once per process; the first call lets its workers warm up."""
    global _engine
    opened = store()
    with _opening:
        if _engine is None:
            _engine = Engine(opened, settings().slots)
            _engine.start(WARM_UP_AFTER_S)
        return _engine


@st.cache_resource(max_entries=6, show_spinner=False)
def split_of(source: str, task: str) -> Split:
    """The windows of a source and a task, both as JSON; the arrays cannot be written to."""
    return load(_source.validate_json(source), Task.model_validate_json(task), store().read_upload)


@st.cache_resource(max_entries=12, show_spinner=False)
def computed(fit: str) -> Result:
    """The result of a model that needs no training, computed here and now."""
    wanted = Fit.model_validate_json(fit)
    return run_fit(wanted, split=windows(wanted.source, wanted.task))


@st.cache_resource(max_entries=24, show_spinner=False)
def stored_forecasts(fit_id: str, ended_at: float) -> dict:  # noqa: ARG001  # a fit that ended again has other forecasts
    """The forecasts that a fit has stored: `valid` and `test`, in units."""
    arrays = store().arrays(fit_id, "forecasts")
    for values in arrays.values():
        values.flags.writeable = False
    return arrays


def windows(source: Source, task: Task) -> Split:
    """The windows of a source and a task.

    Raises:
        BadInput: when they do not fit together, or an upload was deleted.
    """
    if isinstance(source, Upload) and store().upload(source.upload_id) is None:
        raise BadInput("The uploaded file of these settings was deleted by its owner: choose another series.")
    return split_of(source.canonical(), task.canonical())


def delete_upload(upload_id: str, owner: str) -> None:
    """Delete an upload with all that was made of it, also what this process still holds in memory.

    Raises:
        BadInput: when somebody else owns it.
    """
    store().delete_upload(upload_id, owner)
    for cache in (split_of, computed, stored_forecasts):
        cache.clear()
