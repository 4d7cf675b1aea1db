"""How networks are trained, in the side bars of Lab and Forecast."""

from typing import Any

import streamlit as st

from dashboard import service
from dashboard.components import (
    number,
    numbers,
    optional,
    select,
    slider,
    start,
    steps,
    when_open,
)
from dashboard.state import Draft, draft, fresh_widgets, key
from dashboard.words import spoken
from forecasting.experiment import Experiment, ModelChoice, Training
from forecasting.models import MODELS, resolve
from forecasting.studies import recipes
from forecasting.studies.recipes import RECIPES

RECIPE_HELP = {
    "tuned": "Found by measuring: a rate that warms up and falls, clipped gradients, and wider networks that learn from a "
    "forecast at each of the last steps.",
    "chapter": "20 epochs of Adam at its defaults, batches of 32, one seed, the last weights kept; networks as in the text.",
}


def training(values: Draft) -> None:
    """How networks are trained: a recipe, for how long, and the rest."""
    st.subheader("Training")
    with st.container(horizontal=True, key=key("recipes")):
        for recipe, help in RECIPE_HELP.items():
            st.button(spoken(recipe), key=f"recipe-{recipe}", on_click=_follow, args=(recipe,), help=help, width="stretch")
    followed = st.empty()
    _until(values)
    when_open("Batch, rate, loss, seeds", "more-training", _more, values)
    followed.caption(_followed(values))


def _more(values: Draft) -> None:
    """What most visitors leave as a recipe has it."""
    how(values["training"])
    text = st.text_input(
        "Seeds",
        start(key("seeds"), ", ".join(map(str, values["seeds"]))),
        key=key("seeds"),
        help="One number, or several with commas: every trained model is then fitted once per seed.",
    )
    values["seeds"] = numbers(text)
    device(values["training"])


def how(training: dict[str, Any], page: str = "lab") -> None:
    """How networks are trained: batches, rate, loss, the weights that are kept."""
    training["batch_size"] = steps(Training, "batch_size", training["batch_size"], key(page, "batch_size"))
    training["learning_rate"] = steps(Training, "learning_rate", float(training["learning_rate"]), key(page, "rate"))
    training["schedule"] = select(Training, "schedule", training["schedule"], key(page, "schedule"))
    if training["schedule"] == "cosine":
        training["warm_up"] = slider(Training, "warm_up", float(training["warm_up"]), key(page, "warm_up"), 0.05)
    training["clip_norm"] = optional(Training, "clip_norm", training["clip_norm"], 1.0, key(page, "clip_norm"))
    training["loss"] = select(Training, "loss", training["loss"], key(page, "loss"))
    training["optimizer"] = select(Training, "optimizer", training["optimizer"], key(page, "optimizer"))
    training["patience"] = optional(Training, "patience", training["patience"], 5, key(page, "patience"))
    if training["patience"] is None:
        training["keep"] = select(Training, "keep", training["keep"], key(page, "keep"))


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
            entry["params"] = dict(recipes.model_by_recipe(entry["name"], recipe).params)
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
    return f"{spoken(followed)} settings: all of them are below, and among the settings of each model."
