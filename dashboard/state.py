"""The page's state: a draft of the experiment that the widgets edit, and the address that holds it.

Streamlit forgets a widget's value when the widget is not drawn. So the draft, not the widgets, holds the settings: a widget
starts from the draft, and what it returns goes back into it.
"""

import base64
import binascii
import secrets
import zlib
from typing import Any

import streamlit as st
from pydantic import ValidationError

from forecasting.experiment import BadInput, Experiment, ModelChoice, Waves, plain
from forecasting.experiment.formats import MAX_TEXT, dumped, read_experiment
from forecasting.models import resolve
from forecasting.models.naive import SeasonalNaive
from forecasting.studies import recipes

MAX_ADDRESS = 20_000

OPENING = recipes.experiment("tuned")
"""What the page shows under the plain address."""

Draft = dict[str, Any]


class NothingChosen(BadInput):
    """The visitor has still to choose something: no mistake, but nothing to show."""


# --------------------------------------------------------------------------------------------------------- address


def encode(experiment: Experiment) -> str:
    """The experiment as a short text for the address: what differs from the chapter's, compressed."""
    text = dumped(experiment, short=True)
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).rstrip(b"=").decode()


def decode(text: str) -> Experiment:
    """Read what `encode` wrote.

    Raises:
        BadInput: in one sentence, when the text is damaged or holds no valid experiment.
    """
    if len(text) > MAX_ADDRESS:
        raise BadInput("The settings in this address are too long to be read: the page shows what it opens with.")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        reader = zlib.decompressobj()
        content = reader.decompress(raw, MAX_TEXT)
        if reader.unconsumed_tail or not reader.eof:
            raise zlib.error("incomplete or too large")
        experiment = read_experiment(content.decode())
    except (binascii.Error, zlib.error, ValueError) as error:
        why = error if isinstance(error, BadInput) else "the text is damaged."
        raise BadInput(f"The settings in this address cannot be used: {why}") from None
    for choice in experiment.models:
        resolve(choice)  # refuses unknown models and parameters
    return experiment


# ----------------------------------------------------------------------------------------------------------- draft


def draft() -> Draft:
    """The settings as the widgets hold them; made from the tuned comparison when the page opens."""
    if "draft" not in st.session_state:
        take(OPENING)
    return st.session_state["draft"]


def take(experiment: Experiment) -> None:
    """Let the widgets show an experiment."""
    # Every kind of source keeps its own settings, so that a look at another kind loses nothing.
    sources = st.session_state["draft"]["sources"] if "draft" in st.session_state else {"waves": Waves().model_dump()}
    sources[experiment.source.kind] = experiment.source.model_dump()
    models = [{"uid": secrets.token_hex(3), "name": c.name, "params": dict(c.params)} for c in experiment.models]
    st.session_state["draft"] = {
        "kind": experiment.source.kind,
        "sources": sources,
        "task": experiment.task.model_dump(),
        "models": models,
        "training": experiment.training.model_dump(),
        "seeds": list(experiment.seeds),
        "budget_s": experiment.budget_s,
    }
    st.session_state["taken"] = experiment
    fresh_widgets()
    st.session_state["starts"] = {}


def with_seasonal_naive(values: Draft, season_length: int) -> None:
    """Put the baseline to beat into the comparison, where series have a season that fits into the look-back."""
    entries = [entry for entry in values["models"] if entry["name"] != SeasonalNaive.name]
    if 1 < season_length <= values["task"]["input_size"]:
        params = {"season_length": season_length}
        entries.insert(0, {"uid": secrets.token_hex(3), "name": SeasonalNaive.name, "params": params})
    values["models"] = entries


def fresh_widgets() -> None:
    """Let all widgets start from the draft again, under new keys."""
    st.session_state["generation"] = st.session_state.get("generation", 0) + 1


def key(*parts: str) -> str:
    """The key of a widget: its place in the draft, and the generation of the draft."""
    return "-".join((*parts, str(st.session_state.get("generation", 0))))


def experiment_of(values: Draft) -> Experiment:
    """The experiment that a draft describes.

    Raises:
        BadInput: in one sentence, when a value is out of range or values contradict each other.
    """
    if values["kind"] not in values["sources"]:
        raise NothingChosen("No file is chosen yet.")
    try:
        return Experiment(
            source=values["sources"][values["kind"]],
            task=values["task"],
            models=tuple(_choice(entry) for entry in values["models"]),
            training=values["training"],
            seeds=tuple(values["seeds"]),
            budget_s=values["budget_s"],
        )
    except ValidationError as error:
        raise plain(error) from None


def about_the_same(experiment: Experiment, kind: str) -> bool:
    """Whether an experiment is about the source that is chosen, however it is set: of files about the very same one.

    Args:
        experiment: the settings before.
        kind: of the source that is chosen now.
    """
    upload_id = draft()["sources"].get(kind, {}).get("upload_id")
    return experiment.source.kind == kind and getattr(experiment.source, "upload_id", None) == upload_id


def _choice(entry: dict[str, Any]) -> ModelChoice:
    """A model as the experiment names it: only the parameters that differ from their defaults."""
    model = resolve(ModelChoice(name=entry["name"], params=entry["params"]))
    return ModelChoice(name=entry["name"], params=model.model_dump(mode="json", exclude_defaults=True))
