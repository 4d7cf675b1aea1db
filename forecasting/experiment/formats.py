"""Settings as text that lasts: addresses, files and databases hold them with the number of their format.

Texts leave out what is at its default, so whoever reads them later needs the names and the defaults of their time: when one
of these changes, `FORMAT` is raised and a function here brings the texts of before up to date.
"""

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from forecasting.experiment import BadInput, Experiment, Fit, Value, plain, without

FORMAT = 3
"""1: until commit 03a7984; a text without a number is one of these. 2: until networks learned differences to the last
season repeated."""
MAX_TEXT = 100_000
"""Characters of an experiment's JSON: a multiple of what the largest needs, read within a fraction of a second."""

_fit: TypeAdapter[Fit] = TypeAdapter(Fit)


def dumped(value: Value, *, short: bool = False) -> str:
    """An experiment or a fit as JSON with the number of the format; short: without what is at its default."""
    content = value.model_dump(mode="json", exclude_defaults=short)
    if short and "source" in content:  # its kind is a default, and tells what the others mean
        content["source"]["kind"] = value.model_dump(include={"source": {"kind"}})["source"]["kind"]
    return json.dumps({"format": FORMAT, **content}, sort_keys=True, separators=(",", ":"))


def read_experiment(text: str) -> Experiment:
    """Read an experiment from JSON of any format.

    Raises:
        BadInput: in one sentence, when the text is no valid experiment.
    """
    if len(text) > MAX_TEXT:
        raise BadInput(f"The experiment has {len(text):,} characters; {MAX_TEXT:,} are allowed.")
    data, version = _parsed(text)
    if version == 1:
        data = _experiment_of_format_1(data)
    if version <= 2:
        data = _experiment_of_format_2(data)
    try:
        return Experiment.model_validate(data)
    except ValidationError as error:
        raise plain(error) from None


def read_fit(text: str, epochs: int | None = None) -> Fit:
    """Read a stored fit from JSON of any format.

    Args:
        text: as `dumped` writes it, or as earlier versions did.
        epochs: those that a time budget of format 1 had become in the end.

    Raises:
        BadInput: when it cannot be read any more.
    """
    data, version = _parsed(text)
    try:
        return _fit.validate_python(_fit_of_format_1(data, epochs) if version == 1 else data)
    except ValidationError as error:
        raise plain(error) from None


def _parsed(text: str) -> tuple[dict[str, Any], int]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise BadInput("The settings are no JSON text: the text is damaged.") from None
    if not isinstance(data, dict):
        raise BadInput("The settings are no JSON object: the text is damaged.")
    version = data.pop("format", 1)
    if version not in range(1, FORMAT + 1) or isinstance(version, bool):
        raise BadInput(
            f"The settings have the format {str(version)[:20]!r}, and this version reads up to {FORMAT}: update it."
        )
    return data, version


# ----------------------------------------------------------------------------------------------------------- format 2

ALL = 1_000_000
PARAMS_IN_2 = {"theta": {"form": "automatic"}}
"""Parameters that models had on whole series unless others were chosen, where they have others now."""


def _experiment_of_format_2(data: dict[str, Any]) -> dict[str, Any]:
    """Whole series were all judged, differences were those that fit, and the lowest error was chosen."""
    plan, models = data.get("plan"), data.get("models", [])
    if not (isinstance(plan, dict) and isinstance(models, list) and all(isinstance(choice, dict) for choice in models)):
        return data
    then = [{**choice, "params": PARAMS_IN_2.get(choice.get("name"), {}) | choice.get("params", {})} for choice in models]
    before = {"differencing": "fitting", "n_judged": ALL, "selection": "lowest_error"}
    return {**data, "plan": before | plan, "models": then}


# ----------------------------------------------------------------------------------------------------------- format 1

TUNED_IN_1 = {
    "epochs": 30,
    "learning_rate": 0.02,
    "schedule": "cosine",
    "warm_up": 0.1,
    "clip_norm": 1.0,
    "keep": "best",
}
"""How networks were trained on whole series, whatever `training` said."""
RENAMED_SINCE_1 = {
    "source": {"together": "multivariate", "beside": "past_covariates", "known": "future_covariates"},
    "task": {"hide": "masked", "holes": "masking", "power": "transform"},
    "plan": {"power": "transform"},
}
"""Fields, by the part of the settings that holds them."""
JUDGED_BY = ("n_windows", "step_size", "refit")
"""What a plan says of its backtest."""


def _experiment_of_format_1(data: dict[str, Any]) -> dict[str, Any]:
    """A time budget stood in the training, or as `seconds` in the plan, which had a seed of its own."""
    data = {part: _renamed(part, content) for part, content in data.items()}
    if isinstance(data.get("training"), dict):
        data["training"], budget_s = _training_of_format_1(data["training"])
        if budget_s is not None:
            data["budget_s"] = budget_s
    plan = data.get("plan")
    if isinstance(plan, dict):
        data |= {"training": TUNED_IN_1, "budget_s": plan.get("seconds", 120.0), "seeds": [plan.get("seed", 1)]}
        data["plan"] = without(plan, "seconds", "seed")
    return data


def _renamed(part: str, content: Any) -> Any:
    """A part of the settings with the names of today; `take_out` became `detrend` and `deseasonalize`."""
    if not isinstance(content, dict):
        return content
    new = {RENAMED_SINCE_1.get(part, {}).get(name, name): value for name, value in content.items()}
    if part == "plan" and "take_out" in new:
        taken = new.pop("take_out")
        new |= {"detrend": taken in ("trend", "both"), "deseasonalize": taken in ("season", "both")}
    return new


def _training_of_format_1(training: dict[str, Any]) -> tuple[dict[str, Any], float | None]:
    """The training, and its time budget, which took the place of epochs; `max_seconds` is in the first links."""
    budget_s = training.get("budget_s")
    gone = ("max_seconds", "budget_s", *(("epochs", "restarts") if budget_s is not None else ()))
    return without(training, *gone), budget_s


def _fit_of_format_1(data: dict[str, Any], epochs: int | None) -> dict[str, Any]:
    """Format 1 had one class for all kinds of fit: what it gives tells which it is."""
    data = {part: _renamed(part, content) for part, content in data.items()}
    common = {name: data.get(name) for name in ("source", "model")}
    plan, training = data.get("plan"), data.get("training")
    if plan is not None:
        offsets = [plan["h"] + (plan["step_size"] or plan["h"]) * k for k in reversed(range(plan["n_windows"]))]
        task = without(plan, *JUDGED_BY, "seconds", "seed")
        return common | {"kind": "series", "task": task, "cutoff_offsets": [*offsets, 0]}
    if isinstance(training, dict):
        training, budget_s = _training_of_format_1(training)
        training |= {"epochs": epochs} if budget_s is not None and epochs else {}
    fit = common | {"kind": "windows", "task": data.get("task"), "training": training, "seed": data.get("seed")}
    if data.get("look_back") is None:
        return fit
    return {"kind": "look_back", "parent": fit, "look_back": data["look_back"]}
