"""The choice of models in the side bar, and the form of each."""

import secrets
from typing import Any

import streamlit as st
from pydantic import TypeAdapter

from dashboard.chart import theme
from dashboard.components import (
    held,
    parameter,
    show_error,
    start,
)
from dashboard.drawings import drawing
from dashboard.state import Draft, draft, key
from dashboard.views.search_form import ask, can_be_searched
from forecasting.experiment import BadInput, ModelChoice, Sample, Source, Task
from forecasting.models import MODELS, Shape, resolve
from forecasting.models.naive import Naive


def models(values: Draft) -> None:
    """The choice of models, and the form of each."""
    st.subheader("Models")
    chosen = list(dict.fromkeys(entry["name"] for entry in values["models"]))
    knows_formula = values["kind"] == "waves" and values["sources"]["waves"]["n_channels"] == 1
    usable = [name for name, model in MODELS.items() if (knows_formula or not model.reference) and name != Naive.name]
    picked = st.multiselect(
        "Models",
        usable,
        [name for name in start(key("models"), chosen) if name in usable],
        key=key("models"),
        format_func=lambda name: MODELS[name].title,
        label_visibility="collapsed",
        placeholder="Choose models",
    )
    picked.append(Naive.name)
    entries = [entry for entry in values["models"] if entry["name"] in picked]
    for name in MODELS:
        if name in picked and all(entry["name"] != name for entry in entries):
            entries.append({"uid": secrets.token_hex(3), "name": name, "params": {}})
    order = list(MODELS)
    values["models"] = sorted(entries, key=lambda entry: order.index(entry["name"]))
    st.caption("Naive is in every comparison, and cannot be switched off.")
    if st.toggle("Settings of each model", key="forms", help="What each does, its parameters, and the search over them."):
        for entry in values["models"]:
            _parameters(values, entry)


def _parameters(values: Draft, entry: dict[str, Any]) -> None:
    """What a model does and the form of its parameters, their count in the title."""
    cls, params = MODELS[entry["name"]], entry["params"]
    for name, field in cls.model_fields.items():  # the title tells what the widgets say, though it is drawn before them
        params[name] = held(params.get(name, field.get_default()), key(entry["uid"], name))
    with st.expander(_title(values, entry), key=key("form", entry["uid"])):
        _what_it_does(entry)
        if st.button("Enlarge", key=key(entry["uid"], "enlarge"), icon=":material/open_in_full:", type="tertiary"):
            st.dialog(cls.title, width="large")(_what_it_does)(entry)
        if not cls.model_fields:
            return
        for name in cls.model_fields:
            if cls.applies(name, params):
                params[name] = parameter(cls, name, params[name], key(entry["uid"], name))
        try:
            resolve(ModelChoice(name=entry["name"], params=params))
        except BadInput as error:
            show_error(error)
        alone = sum(other["name"] == entry["name"] for other in values["models"]) == 1
        if alone and can_be_searched(entry["name"]):
            if st.button("Search its settings", key=key(entry["uid"], "search"), icon=":material/search:"):
                ask(entry["name"])
        st.button("Add a variant", key=key(entry["uid"], "add"), on_click=_add_variant, args=(entry,))
        if not alone:
            st.button("Remove", key=key(entry["uid"], "remove"), on_click=_remove, args=(entry,))


def _what_it_does(entry: dict[str, Any]) -> None:
    """A model in words, as a formula and drawn as it is set; while a parameter is out of range, as it comes."""
    cls = MODELS[entry["name"]]
    st.caption(cls.description)
    for part in cls.formula.split(r"\quad"):  # in a line of text, where it can break
        st.markdown(f"${part.strip()}$")
    try:
        model = resolve(ModelChoice(name=entry["name"], params=entry["params"]))
    except BadInput:
        model = resolve(ModelChoice(name=entry["name"]))
    st.image(drawing(model, theme()), alt=f"Drawing of {model.label}", width="stretch")


def _title(values: Draft, entry: dict[str, Any]) -> str:
    try:
        task = Task.model_validate(values["task"])
        model = resolve(ModelChoice(name=entry["name"], params=entry["params"]))
        shape = Shape.asked(source_of(values), task, model)
    except ValueError:
        return f"{MODELS[entry['name']].title} · mend a setting"
    if model.combines:
        return model.label
    counted = "fitted to each window" if model.local else f"{model.n_parameters(shape):,} parameters"
    return f"{model.label} · {counted}"


def source_of(values: Draft) -> Source:
    """The source of the draft; while no file is chosen, one that has a single value per step as well."""
    return TypeAdapter(Source).validate_python(values["sources"].get(values["kind"], Sample().model_dump()))


def _add_variant(entry: dict[str, Any]) -> None:
    """Insert a copy of a model behind it, with one parameter changed."""
    models, params = draft()["models"], MODELS[entry["name"]].variant(entry["params"])
    variant = {"uid": secrets.token_hex(3), "name": entry["name"], "params": params}
    models.insert(models.index(entry) + 1, variant)


def _remove(entry: dict[str, Any]) -> None:
    draft()["models"].remove(entry)
