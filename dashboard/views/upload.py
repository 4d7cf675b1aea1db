"""A visitor's file: dropped in the middle; in the side bar told how it was read, corrected, deleted."""

from collections.abc import Callable
from typing import Any

import streamlit as st
from pydantic import ValidationError

from dashboard import actions, computed, service
from dashboard.components import numbers, parameter, select, show_error, start
from dashboard.identity import visitor
from dashboard.state import Draft, fresh_widgets, key, with_seasonal_naive
from dashboard.words import escaped
from forecasting.data.reading import Reading
from forecasting.data.reading.frequency import in_words
from forecasting.data.reading.numbers import Question
from forecasting.experiment import BadInput, Upload, plain
from forecasting.runs.database import Unavailable
from forecasting.runs.views import UploadView

FORMATS = ("csv", "tsv", "txt", "xlsx", "xls", "parquet", "gz")
ADVICE = (
    "CSV, text, Excel or Parquet, compressed or not, with a time for every value. How it was read is shown, and can be "
    "corrected."
)


PRIVACY = "Whoever has the link to this page or to a run can see the series. Only this browser can delete it."


def upload(values: Draft) -> None:
    """Draw how the visitor's file was read, and a place for another one; the first is dropped in the middle of the page."""
    service.readers()  # so that a reader is warm when the file comes
    source = values["sources"].get("upload")
    if source is None:
        st.caption("Drop your file in the middle of the page.")
        return
    _take(values, _uploader("Another file", "upload"))
    _kept_file(values, source)


def drop_zone(values: Draft, sample: Callable[[], None]) -> None:
    """A place for the visitor's file in the middle of the page, what is taken, and a way to go without one.

    Args:
        values: the draft, whose source the file becomes.
        sample: shows a sample instead.
    """
    with st.container(border=True, key="drop-zone"):
        st.markdown("#### Drop a file of series")
        if "refused" in st.session_state:
            show_error(st.session_state["refused"])
        _take(values, _uploader("A file with a time for every value", "drop"))
        st.caption(f"{ADVICE} {PRIVACY}")
        st.button("No file at hand? Take a sample", key="take-sample", icon=":material/database:", on_click=sample)


def _uploader(label: str, name: str) -> Any:
    limit, place = service.settings().max_upload_mb, f"{name}-{st.session_state.get('uploads', 0)}"
    return st.file_uploader(label, type=list(FORMATS), key=place, max_upload_size=limit, help=ADVICE)


def _take(values: Draft, file: Any) -> None:
    """Make a file that has just come the source; one that cannot be read leaves none, and the reason."""
    if file is None or st.session_state.get("taken-file") == file.file_id:
        return
    st.session_state.pop("refused", None)
    try:
        _take_file(values, file)
    except (BadInput, Unavailable) as error:
        st.session_state["refused"] = BadInput(f"{file.name}: {error}")
        values["sources"].pop("upload", None)  # the file before is not what the visitor is looking at
        _fresh_uploaders()
    st.rerun()


def _fresh_uploaders() -> None:
    st.session_state["uploads"] = st.session_state.get("uploads", 0) + 1


def _take_file(values: Draft, file: Any) -> None:
    """Keep a file that can be read, or of which the visitor has only to say whether days or months come first."""
    content = file.getvalue()
    try:
        reading = computed.reader(content)
    except Question:
        reading = None
    source = Upload(upload_id=actions.add_upload(visitor(), file.name, content))
    st.session_state["understood"] = True  # a new file is worth a look
    st.session_state["taken-file"] = file.file_id
    values["sources"]["upload"] = source.model_dump()
    if reading is None:
        st.session_state["to-fit"] = source.upload_id
    else:
        _fit_task_to_file(values, reading)
    fresh_widgets()


def _fit_task_to_file(values: Draft, reading: Reading) -> None:
    """See two seasons and forecast one, as far as the longest series allows."""
    longest = int(reading.frame["unique_id"].value_counts().iloc[0])
    season = reading.season_length if reading.season_length > 1 else 6
    h = max(1, min(season, longest // 12, 48))
    input_size = max(2, min(2 * season, longest // 5, 336))
    values["task"] |= {"input_size": input_size, "h": h, "target": "next" if h == 1 else "all_h"}
    with_seasonal_naive(values, reading.season_length)


def _kept_file(values: Draft, source: dict[str, Any]) -> None:
    known = service.store().upload(source["upload_id"])
    if known is None:
        st.caption("The file of these settings was deleted by its owner.")
        return
    st.markdown(f":material/description: {escaped(known.name)}")
    try:
        columns, sheets = computed.names_of(source["upload_id"], source.get("sheet", ""))
        reading = _read_as(source, columns, sheets)
        if st.session_state.get("to-fit") == source["upload_id"]:
            del st.session_state["to-fit"]
            _fit_task_to_file(values, reading)
            fresh_widgets()
            st.rerun()
    except BadInput as error:
        show_error(error)
    if known.owner != visitor():
        st.caption("Shared with you by its link.")
        return
    st.caption(PRIVACY)
    if st.button("Delete file and its runs", key="delete-upload", icon=":material/delete:"):
        _ask_to_delete(values, known)


@st.dialog("Delete for good?")
def _ask_to_delete(values: Draft, known: UploadView) -> None:
    """Name what goes, and delete it when the visitor says so."""
    runs = service.store().runs_of_upload(known.id)
    going = {0: "no run", 1: "1 run"}.get(runs, f"{runs} runs")
    st.markdown(f"**{escaped(known.name)}** goes, with {going} made of it and all their results. Their links will be dead.")
    with st.container(horizontal=True):
        if st.button("Delete", key="delete-for-good", type="primary", icon=":material/delete:"):
            actions.delete_upload(known.id, visitor())
            values["sources"].pop("upload", None)
            _fresh_uploaders()
            st.rerun()
        if st.button("Keep it", key="keep-upload"):
            st.rerun()


def _read_as(source: dict[str, Any], columns: list[str], sheets: list[str]) -> Reading:
    """How the file was read, and what can be corrected about it.

    Raises:
        BadInput: when it cannot be read so.
    """
    summary = st.empty()
    with st.expander("How it was read", key=key("upload", "reading")):
        if len(sheets) > 1:
            _sheet(source, sheets)
        _columns(source, columns)
        _cells(source)
        _grid(source)
    try:
        reading = computed.reading_of(Upload.model_validate(source))
    except ValidationError as error:
        raise plain(error) from None
    with summary.container():
        st.caption(_found(reading))
        if len(reading.value_columns) > 1 and not (source["value"] or source["every_value"]):
            n, first = len(reading.value_columns), escaped(reading.value_columns[0])
            st.caption(f":material/help: 1 of {n} columns of values is forecast: {first}. *How it was read* has the others.")
        for warning in reading.warnings:
            st.caption(f":material/info: {escaped(warning)}")
    return reading


def _sheet(source: dict[str, Any], sheets: list[str]) -> None:
    """Which sheet of a workbook is read; with another one no column is chosen any more."""
    field, before = Upload.model_fields["sheet"], source.get("sheet", "")
    options = ["", *sheets]
    source["sheet"] = st.selectbox(
        str(field.title),
        options,
        options.index(before) if before in options else 0,
        key=key("upload", "sheet"),
        help=field.description,
        format_func=lambda name: name or "Detected",
    )
    if source["sheet"] != before:
        source.update(dict.fromkeys(COLUMNS, ()), multivariate=False)
        st.session_state["to-fit"] = source["upload_id"]
        fresh_widgets()
        st.rerun()


COLUMNS = {
    "value": "The first",
    "past_covariates": "None",
    "future_covariates": "None",
    "time": "Detected",
    "id": "Detected",
}
"""What columns can be, and what stands where none is chosen."""


def _columns(source: dict[str, Any], columns: list[str]) -> None:
    """Which columns are what."""
    source["every_value"] = parameter(Upload, "every_value", source.get("every_value", False), key("upload", "every"))
    for name, none in COLUMNS.items():
        field = Upload.model_fields[name]
        first = [column for column in start(key("upload", name), list(source.get(name, ()))) if column in columns]
        source[name] = st.multiselect(
            str(field.title),
            columns,
            first,
            key=key("upload", name),
            help=field.description,
            placeholder=none,
            disabled=name == "value" and source["every_value"],
        )
    several = len(source["value"]) > 1 and not source["every_value"]
    together = source.get("multivariate", False)
    source["multivariate"] = several and parameter(Upload, "multivariate", together, key("upload", "multivariate"))


def _cells(source: dict[str, Any]) -> None:
    """What their cells mean."""
    ways: dict[str, bool | None] = {"Detected": None, "Day first": True, "Month first": False}
    way = start(key("upload", "day_first"), next(word for word, way in ways.items() if way is source["day_first"]))
    chosen = st.segmented_control(
        "Dates like 03/04/2024", list(ways), default=way, key=key("upload", "day_first"), required=True
    )
    source["day_first"] = ways[chosen]
    source["decimal"] = select(Upload, "decimal", source.get("decimal", "detected"), key("upload", "decimal"))
    field = Upload.model_fields["missing"]
    text = start(key("upload", "missing"), ", ".join(map(str, source["missing"])))
    source["missing"] = numbers(st.text_input(str(field.title), text, key=key("upload", "missing"), help=field.description))


def _grid(source: dict[str, Any]) -> None:
    """How the series come to an even grid without gaps."""
    source["repair"] = select(Upload, "repair", source["repair"], key("upload", "repair"))
    field, chosen = Upload.model_fields["frequency"], start(key("upload", "frequency"), source.get("frequency", ""))
    steps = list(COARSER) if chosen in COARSER else [*COARSER, chosen]
    source["frequency"] = st.selectbox(
        str(field.title),
        steps,
        steps.index(chosen),
        key=key("upload", "frequency"),
        help="Values are put together into longer steps.",
        format_func=lambda step: COARSER.get(step, step),
    )
    if source["frequency"]:
        source["aggregate"] = select(Upload, "aggregate", source.get("aggregate", "mean"), key("upload", "aggregate"))


COARSER = {"": "As it is", "h": "Hours", "D": "Days", "W": "Weeks", "MS": "Months", "QS": "Quarters", "YS": "Years"}
"""Steps to aggregate to, by pandas' alias; a link may bring others."""
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "blanks"}
NAMES = {"csv": "CSV", "xlsx": "Excel", "xls": "Excel (.xls)", "parquet": "Parquet"}


def _found(reading: Reading) -> str:
    """What was found in a file, in a line."""
    summary = reading.summary()
    delimiter = DELIMITERS.get(summary["delimiter"], summary["delimiter"])
    kind, encoding = NAMES.get(summary["format"], summary["format"]), (summary["encoding"] or "").upper()
    how = ", ".join(filter(None, (kind, encoding, delimiter)))
    times = ", ".join(reading.time_columns) or "the names of the columns"
    n = summary["series"]
    lacking = ", ".join(
        f"{summary[name]:,} {word}"
        for name, word in (("missing", "missing"), ("gaps", "in gaps"), ("duplicates", "doubled"))
        if summary[name]
    )
    parts = (
        f"{summary['rows']:,} rows, {n:,} series" if n > 1 else f"{summary['rows']:,} rows",
        f"times: {escaped(times)}",
        in_words(summary["frequency"]),
        f"{summary['first'][0]} to {summary['last'][0]}",
        lacking or "nothing missing",
    )
    return f"{how} — {'; '.join(parts)}."
