"""What a search over the settings of a model tries: which of them vary, within which bounds, how many trials there are."""

from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic import ValidationError

from dashboard import actions, computed, service
from dashboard.components import show_error
from dashboard.estimate import COMPILE_S
from dashboard.identity import visitor
from dashboard.state import draft, experiment_of
from dashboard.titles import title_of
from dashboard.views.header import open_run
from dashboard.words import duration, spoken
from forecasting.evaluation.search import TRAINING_SEARCHED, fit_of
from forecasting.experiment import MOST_TRIALS, BadInput, Experiment, Options, Range, Search, Training, Value, plain
from forecasting.experiment.values import bounds, offered
from forecasting.models import MODELS, Shape, resolve
from forecasting.runs.budget import WORK_PER_S
from forecasting.runs.database import Unavailable

OF_TRAINING = ("learning_rate", "batch_size", "schedule", "clip_norm", "keep", "optimizer", "loss")
FEW: dict[str, tuple[Any, ...]] = {"clip_norm": (None, 0.1, 1.0, 10.0)}
"""Values to choose from where a setting may also be off."""


def can_be_searched(name: str) -> bool:
    """Whether a model has settings that can vary."""
    cls = MODELS[name]
    return not (cls.combines or cls.reference) and bool(cls.trained or cls.searched)


def ask(name: str) -> None:
    """Ask what varies of a model, and start the search when the visitor says so."""
    st.dialog(f"Search over settings of {MODELS[name].title}", width="large")(_form)(name)


def _form(name: str) -> None:
    cls = MODELS[name]
    try:
        experiment = experiment_of(draft())
    except BadInput as error:
        show_error(error)
        return
    st.caption(
        "Optuna tries settings of this model, each an ordinary fit, and learns from those that have ended what to try next. "
        "The first trial has the settings as they are; trials that are worse than half of the others are stopped early. "
        "What is not ticked stays as it is."
    )
    params = _varied(cls, tuple(cls.model_fields), cls.searched, "param")
    training = _varied(Training, OF_TRAINING, TRAINING_SEARCHED, "training") if cls.trained else {}
    left, right = st.columns(2)
    trials = left.number_input("Trials", 2, MOST_TRIALS, 30, key="search-trials")
    minutes = right.number_input(
        "Minutes at most",
        0,
        10_000,
        0,
        key="search-minutes",
        help="Of one core, about, by what models cost; 0: as long as the trials take.",
    )
    try:
        how = {"trials": int(trials), "minutes": float(minutes) or None}
        search = Search(model=name, params=params, training=training, **how)
        wanted = experiment.model_copy(update={"search": search, "budget_s": None, "allotted": ()})
        wanted = Experiment.model_validate(
            wanted.model_dump() | {"title": f"Search, {cls.title}: {title_of(experiment)}"[:120]}
        )
        st.caption(_estimate(wanted))
        ready = True
    except ValidationError as error:
        show_error(plain(error))
        ready = False
    except BadInput as error:
        show_error(error)
        ready = False
    if st.button("Start the search", key="search-start", type="primary", icon=":material/search:", disabled=not ready):
        try:
            open_run(actions.start_run(wanted, visitor(), ("search",)))
        except (BadInput, Unavailable) as error:
            show_error(error)
        else:
            st.rerun()


def _estimate(wanted: Experiment) -> str:
    """About how long all trials take on this server, by the settings as they are."""
    fit = fit_of(wanted, {})
    model, windows = resolve(fit.model), len(computed.windows(wanted.source, wanted.task).train)
    work = model.work(Shape.asked(fit.source, fit.task, model), windows, fit.training or Training())
    search = wanted.search
    if search is None:
        return ""
    at_once = min(search.side_by_side, service.settings().n_slots)
    seconds = search.trials * (work / WORK_PER_S + COMPILE_S) / at_once
    if search.minutes is not None:
        seconds = min(seconds, search.minutes * 60 / at_once)
    return f"About {duration(max(1.0, seconds))} on this server, when nobody else asks; larger networks take longer."


def _varied(cls: type[Value], names: tuple[str, ...], usual: Any, part: str) -> dict[str, Range | Options]:
    """What varies of a class of settings: a line for each, with a box to tick and its range.

    Args:
        cls: the class.
        names: of its settings.
        usual: what varies unless the visitor says otherwise.
        part: in the keys of the widgets.
    """
    found: dict[str, Range | Options] = {}
    for name in names:
        field = cls.model_fields[name]
        with st.container(horizontal=True, vertical_alignment="bottom", key=f"search-{part}-{name}"):
            ticked = st.checkbox(
                str(field.title), name in usual, f"search-{part}-{name}-on", help=field.description, width=220
            )
            if ticked:
                found[name] = _within(cls, name, usual.get(name), f"search-{part}-{name}")
    return found


def _within(cls: type[Value], name: str, usual: Range | Options | None, key: str) -> Any:
    """The range of a setting, or the values to choose from."""
    field = cls.model_fields[name]
    words = _values_of(field.annotation, name)
    if words:
        first = list(usual.values) if isinstance(usual, Options) else list(words)
        chosen = st.multiselect("Values", words, first, key=f"{key}-values", format_func=_said, label_visibility="collapsed")
        return {"values": chosen}
    low, high = bounds(field)
    whole = "float" not in str(field.annotation)
    kind = int if whole else float
    between = (usual.low, usual.high) if isinstance(usual, Range) else _usual_bounds(cls, name)
    more: dict[str, Any] = {} if whole else {"format": "%g", "step": 0.01}
    start = st.number_input("From", kind(low), kind(high), kind(between[0]), key=f"{key}-low", width=140, **more)
    end = st.number_input("To", kind(low), kind(high), kind(between[1]), key=f"{key}-high", width=140, **more)
    layers = (1, 1)
    if get_origin(field.annotation) is tuple:
        most = usual.layers if isinstance(usual, Range) else (1, 2)
        layers = st.slider("Layers", 1, 8, most, key=f"{key}-layers", width=180)
    return {"low": start, "high": end, "log": start > 0 and end >= 4 * start, "layers": layers}


def _values_of(annotation: Any, name: str) -> tuple[Any, ...]:
    """The values of a setting that is no number; of a number none, unless it may also be off."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return (False, True) if annotation is bool else FEW.get(name, ())


def _usual_bounds(cls: type[Value], name: str) -> tuple[float, float]:
    """Where a number begins to vary: what its slider offers, or around what it is by default."""
    field = cls.model_fields[name]
    values = offered(field)
    if values:
        return min(values), max(values)
    low, high = bounds(field)
    default = field.get_default()
    value = float(default[0] if isinstance(default, tuple) and default else default or 0)
    return max(low, value / 2), min(high, 2 * value or low + (high - low) / 2)


def _said(value: Any) -> str:
    return (
        "Off"
        if value in (None, False)
        else "On"
        if value is True
        else spoken(value)
        if isinstance(value, str)
        else f"{value:g}"
    )
