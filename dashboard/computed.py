"""What pages compute and this process keeps for all visitors: windows, readings of files, results, forecasts."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st
from pydantic import TypeAdapter

from dashboard import service
from forecasting.data import Split, load, read_file
from forecasting.data.reading import NO_OPTIONS, Reading, ReadOptions
from forecasting.data.reading.wire import Refusal
from forecasting.data.seasons import seasons_of
from forecasting.evaluation.fits import is_instant as is_quick
from forecasting.evaluation.windows import Result, combine, run_fit
from forecasting.experiment import BadInput, Experiment, SeriesFit, Source, Task, Upload, WindowFit
from forecasting.models import resolve
from forecasting.panels import read_panel
from forecasting.panels.fits import by_cutoff, plan_of, run_series_fit, series_fits
from forecasting.panels.forecast import Forecast, assembled
from forecasting.panels.judging import long_enough
from forecasting.panels.members import by_model
from forecasting.panels.panel import Panel
from forecasting.runs.budget import allotted

Forecasts = Callable[[str], np.ndarray | None]
"""Gives the forecasts of a part."""
_source: TypeAdapter[Source] = TypeAdapter(Source)


@st.cache_resource(max_entries=3, show_spinner=False)
def split_of(source: str, task: str) -> Split:
    """The windows of a source and a task, both as JSON; the arrays cannot be written to."""
    return load(_source.validate_json(source), Task.model_validate_json(task), service.store().read_upload, reader=reader)


@st.cache_resource(max_entries=12, show_spinner=False)
def result_of(fit: str) -> Result:
    """The result of a model that needs no training, computed here and now."""
    wanted = WindowFit.model_validate_json(fit)
    return run_fit(wanted, split=windows(wanted.source, wanted.task))


_instant: dict[str, bool] = {}
"""Of the last fits that were asked about, by id, whether the page computes them."""


def is_instant(fit: WindowFit) -> bool:
    """Whether the page computes a fit by itself; the others are done by a worker."""
    if fit.id not in _instant:
        while len(_instant) > 5_000:
            _instant.pop(next(iter(_instant)), None)
        model = resolve(fit.model)
        _instant[fit.id] = not (model.trained or model.local) and is_quick(fit, windows(fit.source, fit.task))
    return _instant[fit.id]


@st.cache_resource(max_entries=12, show_spinner=False)
def _allotted(experiment: str) -> Experiment:
    asked = Experiment.model_validate_json(experiment)
    if asked.plan is not None:
        return allotted(asked, panel=panel_of(asked.source))
    return allotted(asked, split=windows(asked.source, asked.task))


def decided(asked: Experiment, taken: Experiment | None) -> Experiment:
    """An experiment with what its time budget comes to.

    Args:
        asked: the settings of the page.
        taken: those that a link or a run has brought: as long as they stand, so does what was found for them.

    Raises:
        BadInput: when source, task and models do not fit together.
    """
    if asked.budget_s is None and asked.plan is None:
        return asked
    if taken is not None and asked == taken.model_copy(update={"allotted": (), "title": asked.title}) and taken.allotted:
        return asked.model_copy(update={"allotted": taken.allotted})
    return _allotted(asked.canonical())


@st.cache_resource(max_entries=24, show_spinner=False)
def stored_forecasts(fit_id: str, ended_at: float) -> dict:  # noqa: ARG001  # a fit that ended again has other forecasts
    """The forecasts that a fit has stored: `valid` and `test`, in units."""
    arrays = service.store().arrays(fit_id, "forecasts")
    for values in arrays.values():
        values.flags.writeable = False
    return arrays


@st.cache_resource(max_entries=12, show_spinner=False)
def combined(ensemble: str, members: tuple, _split: Split, _forecasts: Sequence[Forecasts]) -> Result:  # noqa: ARG001
    """An ensemble of fits, which are told apart by `members`: what identifies each of them and its forecasts.

    Args:
        ensemble: the fit, as JSON.
        members: of each member the id of its fit, and when that ended.
        _split: their windows.
        _forecasts: per member, in the order of `members`. What begins with an underscore is no part of the cache's key.

    Raises:
        BadInput: with fewer than two members.
    """
    parts = ("valid", "test")
    arrays = [{part: y_hat for part in parts if (y_hat := forecasts(part)) is not None} for forecasts in _forecasts]
    return combine(WindowFit.model_validate_json(ensemble), _split, arrays)


Stored = tuple[str, str, float]
"""Of a stored fit: its settings as JSON, its id, and when it ended."""


@st.cache_resource(max_entries=4, show_spinner=False)
def whole_forecast(
    experiment: str, stored: tuple[Stored, ...], instant: tuple[str, ...], partial: tuple[str, ...]
) -> Forecast:
    """The forecast of an experiment with a plan.

    Args:
        experiment: as JSON.
        stored: what is stored of its models.
        instant: names of models that are computed here and now.
        partial: names of those that were stopped before they were done.
    """
    wanted = Experiment.model_validate_json(experiment)
    panel = panel_of(wanted.source)
    made: list[tuple[SeriesFit, dict[int, np.ndarray]]] = []
    for settings, fit_id, ended_at in stored:
        fit = SeriesFit.model_validate_json(settings)
        made.append((fit, by_cutoff(fit.cutoff_offsets, stored_forecasts(fit_id, ended_at))))
    long_enough(panel, plan_of(wanted))
    left_out = {}
    for fit in series_fits(wanted):
        if fit.model.name in instant:
            try:
                made.append((fit, by_cutoff(fit.cutoff_offsets, {"y_hat": run_series_fit(fit, panel).y_hat})))
            except BadInput as error:
                left_out[fit.model.name] = str(error)
    return assembled(panel, wanted, by_model(made, panel), left_out, partial)


def anew(experiment: Experiment) -> Experiment:
    """The experiment with what its time budget comes to by this version."""
    return decided(experiment.model_copy(update={"allotted": ()}), None)


MOST_SERIES = 5_000
"""Series of a file that the page lets one choose from."""


def reader(content: bytes, options: ReadOptions = NO_OPTIONS) -> Reading:
    """Read a file in a process of its own, and keep how: this one is busy with pages.

    Raises:
        BadInput: when it cannot be read surely, or takes too much time or memory.
    """
    answer = _answer(content, options)
    if isinstance(answer, Refusal):
        raise answer.error
    n_series = len(answer.frame["unique_id"].cat.categories)
    if n_series > MOST_SERIES:
        raise BadInput(
            f"The file holds {n_series:,} series, and the page takes {MOST_SERIES:,}: forecast more of them from the "
            "command line, with `python -m forecasting forecast`."
        )
    return answer


def _answer(content: bytes, options: ReadOptions = NO_OPTIONS) -> Reading | Refusal:
    return _reading(hashlib.sha256(content).hexdigest(), options, content)


@st.cache_resource(max_entries=3, show_spinner=False)
def _reading(digest: str, options: ReadOptions, _content: bytes) -> Reading | Refusal:  # noqa: ARG001
    return service.readers().read(_content, options)


def reading_of(source: Upload) -> Reading:
    """An uploaded file as it is read by its settings.

    Raises:
        BadInput: when it cannot be read so.
    """
    plain = {
        "repair": "leave",
        "frequency": "",
        "aggregate": "mean",
        "multivariate": False,
        "past_covariates": (),
        "future_covariates": (),
    }
    return _reading_of(source.model_copy(update=plain).canonical())


@st.cache_resource(max_entries=3, show_spinner=False)
def _reading_of(source: str) -> Reading:
    upload = Upload.model_validate_json(source)
    return read_file(upload, service.store().read_upload(upload.upload_id), reader)


@st.cache_resource(max_entries=6, show_spinner=False)
def names_of(upload_id: str, sheet: str) -> tuple[list[str], list[str]]:
    """The names of an uploaded file's columns and of its sheets, also of one that cannot yet be read surely.

    Args:
        upload_id: of the file.
        sheet: whose columns they are; empty: of the one that is read by itself.
    """
    content = service.store().read_upload(upload_id)
    # One sheet may hold no table at all, and the others are to be chosen all the same.
    return _answer(content, ReadOptions(sheet=sheet or None)).columns, _answer(content).sheets


def windows(source: Source, task: Task) -> Split:
    """The windows of a source and a task.

    Raises:
        BadInput: when they do not fit together, or an upload was deleted.
    """
    _refuse_deleted(source)
    return split_of(source.canonical(), task.canonical())


def _refuse_deleted(source: Source) -> None:
    if isinstance(source, Upload) and service.store().upload(source.upload_id) is None:
        raise BadInput("The uploaded file of these settings was deleted by its owner: choose another series.")


@st.cache_resource(max_entries=3, show_spinner=False)
def _panel(source: str) -> Panel:
    return read_panel(_source.validate_json(source), service.store().read_upload, reader)


def panel_of(source: Source) -> Panel:
    """A real source as whole series.

    Raises:
        BadInput: when it is none, cannot be read, or was deleted.
    """
    _refuse_deleted(source)
    return _panel(source.canonical())


@st.cache_data(max_entries=100, show_spinner=False)
def _seasons(source: str) -> tuple[int, ...]:
    panel = _panel(source)
    return seasons_of(panel.y, panel.likely_seasons)


def seasons_found(source: Source) -> tuple[int, ...]:
    """The seasons that whole series show, in steps, the shortest first."""
    _refuse_deleted(source)
    return _seasons(source.canonical())


def forget() -> None:
    """Drop all that is kept in memory of visitors' data."""
    for kept in (
        split_of,
        result_of,
        combined,
        stored_forecasts,
        whole_forecast,
        _panel,
        _seasons,
        _reading,
        _reading_of,
        names_of,
    ):
        kept.clear()
