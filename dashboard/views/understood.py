"""What was understood of a visitor's file, in the middle of the page: doubts, columns, first rows, counts."""

from typing import Any

import pandas as pd
import streamlit as st
from pydantic import ValidationError

from dashboard import computed, service
from dashboard.components import when_open
from dashboard.state import Draft, draft, fresh_widgets, key
from dashboard.words import escaped
from forecasting.data.reading import Reading
from forecasting.data.reading.numbers import Question
from forecasting.experiment import BadInput, Upload

ROLES = {
    "time": "Time",
    "id": "Series",
    "value": "Value",
    "past_covariates": "Past covariate",
    "future_covariates": "Future covariate",
}
"""What a column can be taken for, by the field of an upload."""
LEFT_OUT = "Left out"
ANSWERS: dict[str, dict[str, Any]] = {
    "day_first": {"The day comes first": True, "The month comes first": False},
    "decimal": {"A decimal point": "point", "A decimal comma": "comma"},
}
"""What can be said to a question about a file, by the field of an upload that takes the answer."""
MOST = 50
"""Columns that are shown."""


def understood(values: Draft, error: BadInput | None = None) -> None:
    """Draw what was understood of the file of the settings, if it is there.

    Args:
        values: the draft, whose file it is and whose settings a click changes.
        error: why the page shows no results; a question is asked with answers to press.
    """
    source = values["sources"].get("upload")
    if source is None or service.store().upload(source["upload_id"]) is None:
        return
    if isinstance(error, Question):
        with st.container(horizontal=True):
            for words, answer in ANSWERS[error.option].items():
                st.button(words, key=f"answer-{answer}", on_click=_answer, args=(error.option, answer))
    when_open("How the file was understood", "understood", _understood, source)


def _answer(option: str, answer: Any) -> None:
    draft()["sources"]["upload"][option] = answer
    fresh_widgets()


def _understood(source: dict[str, Any]) -> None:
    columns, _ = computed.names_of(source["upload_id"], source.get("sheet", ""))
    try:
        reading = computed.reading_of(Upload.model_validate(source))
    except (ValidationError, BadInput):  # said at the head of the page; the columns can be told all the same
        _columns(source, columns, None)
        return
    used = _used(source, reading)
    if len(reading.value_columns) > 1 and not (source["value"] or source["every_value"]):
        with st.container(horizontal=True, vertical_alignment="center"):
            n = len(reading.value_columns)
            st.markdown(f"{n} columns hold values, and one of them is forecast: **{escaped(used[0])}**.", width="content")
            st.button(f"All {n}, each a series", key="every-value", on_click=_answer, args=("every_value", True))
    _columns(source, columns, reading)
    _rows(reading, used)
    _counts(reading, used)


def _used(source: dict[str, Any], reading: Reading) -> list[str]:
    """The columns that are forecast."""
    every = source["every_value"] or source["value"]
    return reading.value_columns if every else reading.value_columns[:1]


def _taken_for(source: dict[str, Any], columns: list[str], reading: Reading | None) -> dict[str, str]:
    """What each column is taken for, as it was chosen or else detected."""
    held = {name: list(source.get(name, ())) for name in ROLES}
    if reading is not None:
        held |= {"time": reading.time_columns, "id": reading.id_columns, "value": _used(source, reading)}
    roles = {column: role for name, role in ROLES.items() for column in held[name]}
    return {column: roles.get(column, LEFT_OUT) for column in columns}


def _columns(source: dict[str, Any], columns: list[str], reading: Reading | None) -> None:
    """A table of the columns, in which a click changes what one is taken for."""
    taken_for = _taken_for(source, columns[:MOST], reading)
    table = pd.DataFrame({"Column": list(taken_for), "Taken for": list(taken_for.values())})
    for i, row in enumerate(reading.head[:3] if reading else []):
        table[f"Row {i + 1}"] = row[: len(table)]
    with st.container(key="understood-columns"):
        edited = st.data_editor(
            table,
            hide_index=True,
            key=key("roles"),
            disabled=[name for name in table if name != "Taken for"],
            column_config={
                "Taken for": st.column_config.SelectboxColumn(
                    options=[*ROLES.values(), LEFT_OUT], required=True, width="medium"
                )
            },
        )
    st.caption("Choose in *Taken for* what a column is. The rows are those of the file, as they stand there.")
    chosen = dict(zip(edited["Column"], edited["Taken for"], strict=True))
    if chosen != taken_for:
        _take(source, chosen, taken_for)
        fresh_widgets()
        st.rerun()


def _take(source: dict[str, Any], chosen: dict[str, str], before: dict[str, str]) -> None:
    """Read the file by what its columns were said to be; what nobody has changed stays as it is detected."""
    for name, role in ROLES.items():
        now, then = ([column for column, its in roles.items() if its == role] for roles in (chosen, before))
        if now != then:
            source[name] = now
            if name == "value":
                source["every_value"], source["multivariate"] = False, source.get("multivariate", False) and len(now) > 1


def _rows(reading: Reading, used: list[str]) -> None:
    """The first rows as they were read."""
    several = reading.frame["unique_id"].nunique() > 1
    first = reading.frame[[*(["unique_id"] if several else []), "ds", *used[:MOST]]].head(len(reading.head))
    whole = bool((first["ds"] == first["ds"].dt.normalize()).all())
    kind = st.column_config.DateColumn if whole else st.column_config.DatetimeColumn
    st.caption("As they were read, in the order of series and time:")
    st.dataframe(
        first.astype({"unique_id": str}) if several else first,
        hide_index=True,
        key="first-rows",
        column_config={"unique_id": "Series", "ds": kind("Time")},
    )


def _counts(reading: Reading, used: list[str]) -> None:
    """What a person can count in the file, and compare."""
    frame, whole = reading.frame, bool((reading.frame["ds"] == reading.frame["ds"].dt.normalize()).all())
    shape = "%Y-%m-%d" if whole else "%Y-%m-%d %H:%M:%S"
    first, last = frame["ds"].min().strftime(shape), frame["ds"].max().strftime(shape)
    counts = pd.DataFrame(
        {
            "Column": used,
            "Series": frame["unique_id"].nunique(),
            "Rows": len(frame),
            "First": first,
            "Last": last,
            "Sum": [float(frame[name].sum()) for name in used],
            "Missing": [int(frame[name].isna().sum()) for name in used],
        }
    )
    st.caption("To be checked against the file:")
    numbers = {name: st.column_config.NumberColumn(format="localized") for name in ("Series", "Rows", "Sum", "Missing")}
    st.dataframe(counts, hide_index=True, key="counts", column_config=numbers)
