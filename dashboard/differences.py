"""Which settings of experiments differ, in words."""

import pandas as pd

from forecasting.experiment import Experiment
from forecasting.models import resolve


def differing(experiments: dict[str, Experiment]) -> pd.DataFrame:
    """The settings that are not the same in all experiments: a row each, a column per experiment."""
    flat = {letter: _flat(experiment) for letter, experiment in experiments.items()}
    names = sorted({name for settings in flat.values() for name in settings})
    lines = [{"Setting": name} | {letter: flat[letter].get(name, "–") for letter in flat} for name in names]
    return pd.DataFrame([line for line in lines if len({line[letter] for letter in flat}) > 1])


def _flat(experiment: Experiment) -> dict[str, str]:
    """Settings by name, as text: `training.epochs` and so on; the models in one line."""
    content = experiment.model_dump(mode="json", exclude={"title", "allotted", "models"})
    flat = {"models": ", ".join(resolve(choice).label for choice in experiment.models)}
    for part, value in content.items():
        named = value if isinstance(value, dict) else {"": value}
        flat |= {f"{part}.{name}".rstrip("."): str(inner) for name, inner in named.items()}
    return flat
