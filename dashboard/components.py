"""Widgets for fields of a settings class: labels, help and bounds come from the class."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Literal, ParamSpec, TypeVar, get_args, get_origin

import pandas as pd
import streamlit as st

from dashboard.chart import separators
from dashboard.words import escaped, spoken
from forecasting.experiment import BadInput, Value
from forecasting.experiment.values import bounds, offered
from forecasting.panels.export import csv
from forecasting.runs.database import Unavailable

P = ParamSpec("P")
N = TypeVar("N", int, float)


def start(key: str, value: Any) -> Any:
    """The value that a widget starts from: the one it was first drawn with, as long as it stays on the page.

    It must neither change from run to run, or a widget that is moved quickly is given back an older value by the browser,
    nor be put into the session's state alone, or a widget whose first message the browser has missed comes up empty.
    """
    starts = st.session_state.setdefault("starts", {})
    if key not in st.session_state or key not in starts:
        starts[key] = value
    return starts[key]


def slider(cls: type[Value], name: str, value: Any, key: str, step: float | None = None, most: float | None = None) -> Any:
    """A slider over the whole range of a field, as far as the server allows; a value that came from elsewhere widens it.

    Args:
        cls, name: the field's class and name.
        value: what the field holds now; a pair makes a slider for a range.
        key: of the widget.
        step: between two stops; None: 1.
        most: what the server allows; None: all that the field does.
    """
    field = cls.model_fields[name]
    low, high = bounds(field)
    high = high if most is None else max(min(high, most), value, low + 1)
    number = type(value[0]) if isinstance(value, tuple | list) else type(value)
    options = {"min_value": number(low), "max_value": number(high), "step": number(step or 1), "help": field.description}
    return st.slider(
        str(field.title), value=start(key, tuple(value) if isinstance(value, list) else value), key=key, **options
    )


def steps(cls: type[Value], name: str, value: Any, key: str) -> Any:
    """A slider over the values that a field offers; a value that came from elsewhere joins them.

    Args:
        cls, name, value, key: as in `slider`.
    """
    field = cls.model_fields[name]
    shown: Callable[[Any], str] = lambda v: f"{v:,}" if isinstance(v, int) else f"{v:g}"  # noqa: E731
    first = start(key, value)
    options = sorted({*offered(field), value, first})
    return st.select_slider(str(field.title), options, value=first, key=key, format_func=shown, help=field.description)


def number(cls: type[Value], name: str, value: Any, key: str, step: float | None = None) -> Any:
    """A box for a number within the bounds of a field.

    Args:
        cls, name, value, key: as in `slider`; the value's type is that of the result.
        step: by which the buttons change it; None: 1.
    """
    field = cls.model_fields[name]
    low, high = bounds(field)
    kind = type(value)
    options: dict[str, Any] = {"min_value": kind(low), "max_value": kind(high), "step": kind(step or 1)}
    if kind is float:
        options["format"] = "%g"
    return st.number_input(str(field.title), value=start(key, value), key=key, help=field.description, **options)


def select(cls: type[Value], name: str, value: str, key: str) -> str:
    """A box to choose one of a field's words.

    Args:
        cls, name, value, key: as in `slider`.
    """
    field = cls.model_fields[name]
    options = list(get_args(field.annotation))
    index = options.index(start(key, value))
    return st.selectbox(str(field.title), options, index, key=key, format_func=spoken, help=field.description)


def optional(cls: type[Value], name: str, value: N | None, first: N, key: str) -> N | None:
    """A switch, and a box for the number when it is on.

    Args:
        cls, name, key: as in `slider`.
        value: what the field holds now; None: the switch starts off.
        first: what the box starts from where there is no value.

    Returns:
        The number; None while the switch is off.
    """
    field = cls.model_fields[name]
    if not st.toggle(str(field.title), start(f"{key}-on", value is not None), f"{key}-on", help=field.description):
        return None
    low, high = bounds(field)
    kind, shown = type(first), start(key, value or first)
    return st.number_input(str(field.title), kind(low), kind(high), shown, key=key, label_visibility="collapsed")


def parameter(cls: type[Value], name: str, value: Any, key: str) -> Any:
    """The widget for a model's parameter, chosen by its type.

    Args:
        cls, name, value, key: as in `slider`.
    """
    field = cls.model_fields[name]
    if get_origin(field.annotation) is Literal:
        return select(cls, name, value, key)
    if isinstance(value, tuple | list):
        text = st.text_input(str(field.title), start(key, ", ".join(map(str, value))), key=key, help=field.description)
        return numbers(text)
    if isinstance(value, bool):
        return st.toggle(str(field.title), start(key, value), key, help=field.description)
    return number(cls, name, value, key, 0.05 if isinstance(value, float) else 1)


def when_open(label: str, key: str, draw: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """An expander that is drawn within only while it is open: what is closed would slow down every change of the page.

    Args:
        label: its title, which may not change while it is open: it would lose its place.
        key: of the expander; without the generation of the draft, so that it stays open over one.
        draw: draws what it holds, of `args` and `kwargs`.
    """
    expander = st.expander(label, key=key, on_change="rerun")
    if expander.open:
        with expander:
            draw(*args, **kwargs)


def held(value: Any, key: str) -> Any:
    """What the widget of a model's parameter says, before it is drawn; its value where it is not on the page."""
    said = st.session_state.get(key, value)
    return numbers(said) if isinstance(said, str) and isinstance(value, tuple | list) else said


def numbers(text: str) -> list[int | float | str]:
    """Numbers with commas between; what is none stays text, which the settings class refuses in words."""
    return [_number(part.strip()) for part in text.split(",") if part.strip()]


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def csv_menu(table: pd.DataFrame, name: str, key: str) -> None:
    """A menu to take a table along as CSV, as spreadsheets of the visitor's language read it unless chosen otherwise.

    Args:
        table: what is taken along.
        name: of the file, without its ending.
        key: of the menu.
    """
    with st.popover("CSV", icon=":material/download:"):
        ways = {",": "1.5, 2.5", ";": "1,5; 2,5"}
        first = ";" if separators(st.context.locale)[0] == "," else ","
        between = st.segmented_control(
            "Decimals and separators", list(ways), default=first, key=f"{key}-between", format_func=ways.__getitem__
        )
        make = partial(csv, table, between or first)
        name = f"{name}.csv"
        st.download_button("Download", make, name, "text/csv", key=key, icon=":material/download:", on_click="ignore")


def show_errors(action: Callable[P, None]) -> Callable[P, None]:
    """Let what a button does fail in words: they stand at the head of the page that is drawn next."""

    @wraps(action)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            action(*args, **kwargs)
        except (BadInput, Unavailable) as error:
            st.session_state["error"] = error

    return attempt


def asked_again(tick: Callable[P, None]) -> Callable[P, None]:
    """Let a tick of what moves say that the database does not answer: the next one asks again."""

    @wraps(tick)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            tick(*args, **kwargs)
        except Unavailable as error:
            show_error(error)

    return attempt


def show_error(error: Exception) -> None:
    """Show why something cannot be used, letter by letter: the text may hold what a stranger wrote."""
    st.error(escaped(str(error)), icon=":material/report:")
