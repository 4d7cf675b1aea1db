"""The settings, in the order of thought: series, task, models, training."""

import secrets
from typing import Any

import streamlit as st
from pydantic import TypeAdapter

from dashboard import service
from dashboard.components import (
    BATCHES,
    HORIZONS,
    LOOK_BACKS,
    N_SERIES,
    RATES,
    choice,
    complain,
    held,
    number,
    numbers,
    optional,
    parameter,
    slider,
    start,
    steps,
)
from dashboard.drawings import drawing
from dashboard.figures import look
from dashboard.state import Draft, draft, fresh_widgets, key, take
from dashboard.views.upload import upload
from dashboard.words import digits, spoken
from forecasting import recipes
from forecasting.data import SAMPLES, n_features
from forecasting.data.series import MOST_CHANNELS, n_series
from forecasting.data.waves import EXAMPLES, noise_floor
from forecasting.experiment import BadInput, Experiment, ModelChoice, Sample, Source, Task, Training, Waves
from forecasting.models import MODELS, Shape, resolve
from forecasting.recipes import RECIPES

RECIPE_HELP = {
    "tuned": "Found by measuring: a rate that warms up and falls, clipped gradients, and wider networks that learn from a "
    "forecast at each of the last steps.",
    "chapter": "20 epochs of Adam at its defaults, batches of 32, one seed, the last weights kept; networks as in the text.",
}


def settings() -> None:
    """Draw all settings and write what they hold into the draft."""
    values = draft()
    with st.sidebar:
        _series(values)
        _task(values)
        _models(values)
        _training(values)


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


def _fit_task_to_sample(values: Draft) -> None:
    sample = SAMPLES.get(values["sources"]["sample"]["name"])
    if sample is None:
        return
    values["task"] |= {"input_size": sample.input_size, "h": sample.h, "target": "all_h"}


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
    waves["n_series"] = steps(Waves, "n_series", waves["n_series"], N_SERIES, key("n_series"))
    for wave in ("1", "2"):
        name, band = f"amplitude_{wave}", f"frequency_{wave}"
        waves[name] = slider(Waves, name, float(waves[name]), key(name), 0.05)
        waves[band] = slider(Waves, band, tuple(map(float, waves[band])), key(band), 1)
    waves["noise_width"] = slider(Waves, "noise_width", float(waves["noise_width"]), key("noise_width"), 0.02)
    st.caption(f"Noise floor {digits(noise_floor(Waves(noise_width=waves['noise_width'])))}: no model can do better.")
    with st.expander("Channels, trend, season, grid", key=key("more-waves")):
        waves["n_channels"] = number(Waves, "n_channels", waves["n_channels"], key("n_channels"))
        if waves["n_channels"] > 1:
            waves["coupling"] = slider(Waves, "coupling", float(waves["coupling"]), key("coupling"), 0.05)
            waves["delay"] = number(Waves, "delay", waves["delay"], key("delay"))
        waves["level"] = number(Waves, "level", float(waves["level"]), key("level"), 0.5)
        waves["trend"] = choice(Waves, "trend", waves["trend"], key("trend"))
        if waves["trend"] != "none":
            waves["trend_change"] = slider(Waves, "trend_change", float(waves["trend_change"]), key("change"), 0.05)
            waves["trend_every"] = number(Waves, "trend_every", waves["trend_every"], key("every"))
        waves["season"] = choice(Waves, "season", waves["season"], key("season"))
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
    if 1 < n_series(chosen) <= MOST_CHANNELS or source.get("together"):
        source["together"] = parameter(Sample, "together", source.get("together", False), key("sample", "together", chosen))
    else:
        source["together"] = False


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
        task["channels"] = choice(Task, "channels", task["channels"], key("channels"))
    else:
        task["channels"] = "one"
    task["input_size"] = steps(Task, "input_size", task["input_size"], LOOK_BACKS, key("input_size"))
    if task["target"] != "next":
        task["h"] = steps(Task, "h", task["h"], HORIZONS, key("h"))
    with st.expander("Missing values", key=key("missing")):
        task["hide"] = slider(Task, "hide", float(task["hide"]), key("hide"), 0.05)
        if task["hide"]:
            task["holes"] = choice(Task, "holes", task["holes"], key("holes"))
            if task["holes"] == "gaps":
                task["gap_length"] = number(Task, "gap_length", task["gap_length"], key("gap_length"))
            task["fill"] = choice(Task, "fill", task["fill"], key("fill"))
    with st.expander("Split, scaling, transforms", key=key("more-task")):
        by = "by series" if values["kind"] == "waves" else "by time"
        shares = (round(100 * task["train"]), round(100 * (task["train"] + task["valid"])))
        first: tuple[int, int] = start(key("split"), shares)
        low, high = st.slider(f"Training · validation · test, {by}", 1, 99, first, key=key("split"), format="%d %%")
        if (low, high) != shares:  # shares that are no whole percents stay as they came
            task["train"], task["valid"] = low / 100, (high - low) / 100
        st.caption(f"{low} % to learn from, {high - low} % to choose by, {100 - high} % for the last word.")
        task["power"] = choice(Task, "power", task.get("power", "none"), key("power"))
        task["scaling"] = choice(Task, "scaling", task["scaling"], key("scaling"))
        if task["target"] == "at_h":
            task["differencing"] = "none"
            return
        task["differencing"] = choice(Task, "differencing", task["differencing"], key("differencing"))
        if task["differencing"] in ("seasonal", "both"):
            task["season_length"] = number(Task, "season_length", task["season_length"], key("task-season"))


# ---------------------------------------------------------------------------------------------------------- models


def _models(values: Draft) -> None:
    st.subheader("Models")
    chosen = list(dict.fromkeys(entry["name"] for entry in values["models"]))
    picked = ["naive"]
    knows_formula = values["kind"] == "waves" and values["sources"]["waves"]["n_channels"] == 1
    usable = {name: model for name, model in MODELS.items() if knows_formula or not model.reference}
    for group in dict.fromkeys(model.group for model in usable.values()):
        names = [name for name, model in usable.items() if model.group == group and name != "naive"]
        picked += st.pills(
            group.capitalize(),
            names,
            selection_mode="multi",
            default=start(key("models", group), [name for name in chosen if name in names]),
            key=key("models", group),
            format_func=lambda name: MODELS[name].title,
        )
    entries = [entry for entry in values["models"] if entry["name"] in picked]
    for name in MODELS:
        if name in picked and all(entry["name"] != name for entry in entries):
            entries.append({"uid": secrets.token_hex(3), "name": name, "params": {}})
    order = list(MODELS)
    values["models"] = sorted(entries, key=lambda entry: order.index(entry["name"]))
    st.caption("Naive is in every comparison, and cannot be switched off.")
    for entry in values["models"]:
        _parameters(values, entry)


def _parameters(values: Draft, entry: dict[str, Any]) -> None:
    """What a model does and the form of its parameters, their count in the title."""
    cls, params = MODELS[entry["name"]], entry["params"]
    for name, field in cls.model_fields.items():  # the title tells what the widgets say, though it is drawn before them
        params[name] = held(params.get(name, field.get_default()), key(entry["uid"], name))
    with st.expander(_title(values, entry), key=key("form", entry["uid"])):
        st.caption(cls.description)
        for part in cls.formula.split(r"\quad"):  # in a line of text, where it can break
            st.markdown(f"${part.strip()}$")
        _draw(entry)
        if not cls.model_fields:
            return
        for name in cls.model_fields:
            if cls.applies(name, params):
                params[name] = parameter(cls, name, params[name], key(entry["uid"], name))
        try:
            resolve(ModelChoice(name=entry["name"], params=params))
        except BadInput as error:
            complain(error)
        st.button("Add a variant", key=key(entry["uid"], "add"), on_click=_add_variant, args=(entry,))
        if sum(other["name"] == entry["name"] for other in values["models"]) > 1:
            st.button("Remove", key=key(entry["uid"], "remove"), on_click=_remove, args=(entry,))


def _draw(entry: dict[str, Any]) -> None:
    """The drawing of a model as it is set; while a parameter is out of range, of the model as it comes."""
    try:
        model = resolve(ModelChoice(name=entry["name"], params=entry["params"]))
    except BadInput:
        model = resolve(ModelChoice(name=entry["name"]))
    st.image(drawing(model, look()), alt=f"Drawing of {model.label}")


def _title(values: Draft, entry: dict[str, Any]) -> str:
    try:
        task = Task.model_validate(values["task"])
        model = resolve(ModelChoice(name=entry["name"], params=entry["params"]))
        shape = Shape.asked(_source(values), task, model)
    except ValueError:
        return f"{MODELS[entry['name']].title} · mend a setting"
    if model.combines:
        return model.label
    counted = "fitted to each window" if model.local else f"{model.n_parameters(shape):,} parameters"
    return f"{model.label} · {counted}"


def _source(values: Draft) -> Source:
    """The source of the draft; while no file is chosen, one that has a single value per step as well."""
    return TypeAdapter(Source).validate_python(values["sources"].get(values["kind"], Sample().model_dump()))


def _has_channels(values: Draft) -> bool:
    """Whether a step of the series has several values; while a setting cannot be used, not."""
    try:
        return n_features(_source(values)) > 1
    except ValueError:
        return False


def _add_variant(entry: dict[str, Any]) -> None:
    """Put a sibling behind a model: wider, longer, or with another activation, so that it is another model at once."""
    models, params = draft()["models"], dict(entry["params"])
    size = next((name for name in ("units", "filters", "season_length", "window") if name in params), None)
    if size == "units":
        params["units"] = [min(256, 2 * units) if isinstance(units, int) else units for units in params["units"]]
    elif size is not None:
        params[size] = min(256, 2 * params[size])
    elif "activation" in params:
        params["activation"] = "relu" if params["activation"] == "tanh" else "tanh"
    elif "weights" in params:
        params["weights"] = "equal" if params["weights"] == "validation" else "validation"
    else:
        params["strategy"] = "direct" if params["strategy"] == "iterated" else "iterated"
    variant = {"uid": secrets.token_hex(3), "name": entry["name"], "params": params}
    models.insert(models.index(entry) + 1, variant)


def _remove(entry: dict[str, Any]) -> None:
    draft()["models"].remove(entry)


# -------------------------------------------------------------------------------------------------------- training


def _training(values: Draft) -> None:
    training = values["training"]
    st.subheader("Training")
    with st.container(horizontal=True, key=key("recipes")):
        for recipe, help in RECIPE_HELP.items():
            st.button(spoken(recipe), key=f"recipe-{recipe}", on_click=_follow, args=(recipe,), help=help, width="stretch")
    followed = st.empty()
    _until(values)
    with st.expander("Batch, rate, loss, seeds", key=key("more-training")):
        how(training)
        text = st.text_input(
            "Seeds",
            start(key("seeds"), ", ".join(map(str, values["seeds"]))),
            key=key("seeds"),
            help="One number, or several with commas: every trained model is then fitted once per seed.",
        )
        values["seeds"] = numbers(text)
        device(training)
    followed.caption(_followed(values))


def how(training: dict[str, Any], page: str = "lab") -> None:
    """How networks are trained: batches, rate, loss, the weights that are kept."""
    training["batch_size"] = steps(Training, "batch_size", training["batch_size"], BATCHES, key(page, "batch_size"))
    training["learning_rate"] = steps(Training, "learning_rate", float(training["learning_rate"]), RATES, key(page, "rate"))
    training["schedule"] = choice(Training, "schedule", training["schedule"], key(page, "schedule"))
    if training["schedule"] == "cosine":
        training["warm_up"] = slider(Training, "warm_up", float(training["warm_up"]), key(page, "warm_up"), 0.05)
    training["clip_norm"] = optional(Training, "clip_norm", training["clip_norm"], 1.0, key(page, "clip_norm"))
    training["loss"] = choice(Training, "loss", training["loss"], key(page, "loss"))
    training["optimizer"] = choice(Training, "optimizer", training["optimizer"], key(page, "optimizer"))
    training["patience"] = optional(Training, "patience", training["patience"], 5, key(page, "patience"))
    if training["patience"] is None:
        training["keep"] = choice(Training, "keep", training["keep"], key(page, "keep"))


def device(training: dict[str, Any], page: str = "lab") -> None:
    """Where networks are trained."""
    first = start(key(page, "device"), training["device"])
    devices = sorted({*service.engine().devices, training["device"], first})
    training["device"] = st.selectbox(
        "Device", devices, devices.index(first), key=key(page, "device"), help="Where networks are trained."
    )


def _until(values: Draft) -> None:
    """For how long networks are trained: so many epochs, or as many as a time budget comes to."""
    limits, training = service.settings(), values["training"]
    ends = st.segmented_control(
        "Train for",
        ["epochs", "seconds"],
        default=start(key("ends"), "epochs" if values["budget_s"] is None else "seconds"),
        key=key("ends"),
        format_func=spoken,
        label_visibility="collapsed",
        width="stretch",
        required=True,
    )
    if ends == "seconds":
        budget = float(values["budget_s"] or min(30, limits.max_fit_s))
        values["budget_s"] = number(Experiment, "budget_s", budget, key("budget"), 10)
    else:
        values["budget_s"] = None
        training["epochs"] = slider(Training, "epochs", training["epochs"], key("epochs"), most=limits.max_epochs)
    st.caption(f"This server ends a fit after {limits.max_fit_s:,} s and keeps its best weights.")


def _follow(recipe: str) -> None:
    """Train as a recipe says, and give the networks its parameters."""
    values = draft()
    values["training"], values["seeds"] = RECIPES[recipe].model_dump(), list(Experiment().seeds)
    values["budget_s"] = None
    for entry in values["models"]:
        if MODELS[entry["name"]].trained:
            entry["params"] = dict(recipes.choice(entry["name"], recipe).params)
    fresh_widgets()


def _followed(values: Draft) -> str:
    """What the recipe of the settings is, in a sentence."""
    try:
        training = Training.model_validate(values["training"])
        followed = recipes.recipe_of(
            training, [resolve(ModelChoice(name=m["name"], params=m["params"])) for m in values["models"]]
        )
    except ValueError:
        return "Mend a setting first."
    if followed is None:
        return "The settings below are your own: the buttons put them back."
    return f"{spoken(followed)} settings: all of them are below, and in the forms of the networks."
