"""The settings: first what people change most, in the order models, training, task, series."""

from typing import Any

import streamlit as st

from dashboard.components import (
    number,
    optional,
    parameter,
    select,
    slider,
    start,
    steps,
    when_open,
)
from dashboard.state import Draft, draft, fresh_widgets, key, take, with_seasonal_naive
from dashboard.views.models_form import models, source_of
from dashboard.views.training_form import training
from dashboard.views.upload import upload
from dashboard.words import digits, spoken
from forecasting.data import SAMPLES, n_features
from forecasting.data.series import MOST_CHANNELS, n_series
from forecasting.data.waves import EXAMPLES, noise_floor
from forecasting.experiment import Experiment, Sample, Task, Waves


def settings() -> None:
    """Draw all settings and write what they hold into the draft."""
    values = draft()
    with st.sidebar:
        places = [st.container() for _ in range(4)]
    # Drawn in the order of thought, because the series decide what the others offer.
    for place, part in zip(reversed(places), (_series, _task, training, models), strict=True):
        with place:
            part(values)


# ---------------------------------------------------------------------------------------------------------- series


def _series(values: Draft) -> None:
    st.subheader("Series")
    kinds = ["waves", "sample", "upload"]
    kind = st.segmented_control(
        "Source",
        kinds,
        default=start(key("kind"), values["kind"]),
        key=key("kind"),
        format_func=spoken,
        label_visibility="collapsed",
        width="stretch",
        required=True,
    )
    if kind is not None and kind != values["kind"]:
        _change_kind(values, kind)
    {"waves": _waves, "sample": sample, "upload": upload}[values["kind"]](values)


def _change_kind(values: Draft, kind: str) -> None:
    """Change the source, and let scaling and look-back fit it."""
    values["kind"] = kind
    values["task"]["scaling"] = "none" if kind == "waves" else "standard"
    if kind == "sample":
        values["sources"].setdefault("sample", Sample().model_dump())
        _fit_task_to_sample(values)
    fresh_widgets()


def take_sample() -> None:
    """Let the widgets show a sample."""
    _change_kind(draft(), "sample")


def _fit_task_to_sample(values: Draft) -> None:
    sample = SAMPLES.get(values["sources"]["sample"]["name"])
    if sample is None:
        return
    values["task"] |= {"input_size": sample.input_size, "h": sample.h, "target": "all_h"}
    with_seasonal_naive(values, sample.season)


def _waves(values: Draft) -> None:
    waves = values["sources"]["waves"]
    st.button(
        "The chapter's settings",
        key="chapter",
        icon=":material/restart_alt:",
        on_click=take,
        args=(Experiment(),),
        width="stretch",
        help="Series, task, models and training as in the chapter.",
    )
    with st.popover("Other examples", icon=":material/auto_stories:", width="stretch"):
        for name, (title, *_) in EXAMPLES.items():
            st.button(title, key=f"example-{name}", on_click=_take_example, args=(name,), width="stretch")
    waves["n_series"] = steps(Waves, "n_series", waves["n_series"], key("n_series"))
    for wave in ("1", "2"):
        name, band = f"amplitude_{wave}", f"frequency_{wave}"
        waves[name] = slider(Waves, name, float(waves[name]), key(name), 0.05)
        waves[band] = slider(Waves, band, tuple(map(float, waves[band])), key(band), 1)
    waves["noise_width"] = slider(Waves, "noise_width", float(waves["noise_width"]), key("noise_width"), 0.02)
    st.caption(f"Noise floor {digits(noise_floor(Waves(noise_width=waves['noise_width'])))}: no model can do better.")
    when_open("Channels, trend, season, grid", "more-waves", _more_of_waves, values)


def _more_of_waves(values: Draft) -> None:
    """What the chapter's waves do without: channels, trend, season, another grid."""
    waves = values["sources"]["waves"]
    waves["n_channels"] = number(Waves, "n_channels", waves["n_channels"], key("n_channels"))
    if waves["n_channels"] > 1:
        waves["coupling"] = slider(Waves, "coupling", float(waves["coupling"]), key("coupling"), 0.05)
        waves["delay"] = number(Waves, "delay", waves["delay"], key("delay"))
    waves["level"] = number(Waves, "level", float(waves["level"]), key("level"), 0.5)
    waves["trend"] = select(Waves, "trend", waves["trend"], key("trend"))
    if waves["trend"] != "none":
        waves["trend_change"] = slider(Waves, "trend_change", float(waves["trend_change"]), key("change"), 0.05)
        waves["trend_every"] = number(Waves, "trend_every", waves["trend_every"], key("every"))
    waves["season"] = select(Waves, "season", waves["season"], key("season"))
    if waves["season"] != "none":
        height = float(waves["season_amplitude"])
        waves["season_amplitude"] = slider(Waves, "season_amplitude", height, key("season_amplitude"), 0.1)
        waves["season_length"] = number(Waves, "season_length", waves["season_length"], key("season_length"))
    task = Task.model_validate(values["task"])
    waves["n_steps"] = optional(Waves, "n_steps", waves["n_steps"], task.input_size + task.h, key("n_steps"))
    waves["train_n_steps"] = optional(
        Waves, "train_n_steps", waves.get("train_n_steps"), task.input_size + 1, key("train_n_steps")
    )
    waves["seed"] = number(Waves, "seed", waves["seed"], key("seed"))


def _take_example(name: str) -> None:
    """Set series and task to an example; models and training stay."""
    values, (_, source, task) = draft(), EXAMPLES[name]
    values["kind"], values["sources"]["waves"] = "waves", Waves.model_validate(source).model_dump()
    scaling = "none" if name.startswith("chapter") else "standard"
    values["task"] = Task.model_validate({**task, "scaling": scaling}).model_dump()
    fresh_widgets()


def sample(values: Draft) -> None:
    """Choose one of the samples."""
    source = values["sources"].setdefault("sample", Sample().model_dump())
    names = list(SAMPLES)
    first = start(key("sample"), source["name"] if source["name"] in names else None)
    index = None if first is None else names.index(first)
    chosen = st.selectbox("Sample", names, index, key=key("sample"), format_func=lambda name: SAMPLES[name].title)
    if chosen is None:
        return
    if chosen != source["name"]:
        source["name"] = chosen
        _fit_task_to_sample(values)
        fresh_widgets()
        st.rerun()
    st.caption(SAMPLES[chosen].note)
    if 1 < n_series(chosen) <= MOST_CHANNELS or source.get("multivariate"):
        source["multivariate"] = parameter(
            Sample, "multivariate", source.get("multivariate", False), key("sample", "multivariate", chosen)
        )
    else:
        source["multivariate"] = False


# ------------------------------------------------------------------------------------------------------------ task


def _task(values: Draft) -> None:
    task = values["task"]
    st.subheader("Task")
    targets = ["next", "at_h", "all_h"]
    target = st.segmented_control(
        "Forecast",
        targets,
        default=start(key("target"), task["target"]),
        key=key("target"),
        format_func=spoken,
        width="stretch",
        required=True,
        label_visibility="collapsed",
    )
    if target != task["target"] and task["h"] == 1:
        task["h"] = 10
    task["target"] = target
    if _has_channels(values):
        task["channels"] = select(Task, "channels", task["channels"], key("channels"))
    else:
        task["channels"] = "one"
    task["input_size"] = steps(Task, "input_size", task["input_size"], key("input_size"))
    if values["kind"] == "waves" and values["sources"]["waves"]["n_steps"] is None:
        _spacing(values["sources"]["waves"])
    if task["target"] != "next":
        task["h"] = steps(Task, "h", task["h"], key("h"))
    if task["target"] == "at_h":
        task["differencing"] = "none"
    when_open("Missing values", "more-missing", _missing, task)
    by = "series" if values["kind"] == "waves" else "time"
    when_open("Split, scaling, transforms", "more-task", _more_of_task, task, by)


def _missing(task: dict[str, Any]) -> None:
    """Values that are hidden from the models, and how they are filled."""
    task["masked"] = slider(Task, "masked", float(task["masked"]), key("masked"), 0.05)
    if task["masked"]:
        task["masking"] = select(Task, "masking", task["masking"], key("masking"))
        if task["masking"] == "gaps":
            task["gap_length"] = number(Task, "gap_length", task["gap_length"], key("gap_length"))
        task["fill"] = select(Task, "fill", task["fill"], key("fill"))


def _more_of_task(task: dict[str, Any], by: str) -> None:
    """How the windows are split, by series or by time, and in which scale they are learned from."""
    shares = (round(100 * task["train"]), round(100 * (task["train"] + task["valid"])))
    first: tuple[int, int] = start(key("split"), shares)
    low, high = st.slider(f"Training · validation · test, by {by}", 1, 99, first, key=key("split"), format="%d %%")
    if (low, high) != shares:  # shares that are no whole percents stay as they came
        task["train"], task["valid"] = low / 100, (high - low) / 100
    st.caption(f"{low} % to learn from, {high - low} % to choose by, {100 - high} % for the last word.")
    task["transform"] = select(Task, "transform", task.get("transform", "none"), key("transform"))
    task["scaling"] = select(Task, "scaling", task["scaling"], key("scaling"))
    if task["target"] == "at_h":
        return
    task["differencing"] = select(Task, "differencing", task["differencing"], key("differencing"))
    if task["differencing"] in ("seasonal", "both", "last_season"):
        task["season_length"] = number(Task, "season_length", task["season_length"], key("task-season"))


def _spacing(waves: dict[str, Any]) -> None:
    """Whether a longer look-back sees the same curve more finely, as the chapter has it, or further back."""
    further = st.toggle(
        "A longer look-back sees further back",
        start(key("further"), waves.get("unit_steps") is not None),
        key("further"),
        help="Waves of the same length at every look-back: as many steps as the chapter's.",
    )
    waves["unit_steps"] = (waves.get("unit_steps") or Task().input_size) if further else None
    if not further:
        st.caption("The same curve in more or fewer points: a longer look-back sees it more finely, and no further back.")


def _has_channels(values: Draft) -> bool:
    """Whether a step of the series has several values; while a setting cannot be used, not."""
    try:
        return n_features(source_of(values)) > 1
    except ValueError:
        return False
