"""What tests ask of whole series."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecasting.experiment import Experiment, ModelChoice, Plan, Sample
from forecasting.panels.fits import run_series_fit, series_fits
from forecasting.panels.panel import Panel
from forecasting.studies.recipes import RECIPES


def asked(plan: Plan, names: Sequence[str], **more: Any) -> Experiment:
    """An experiment with a plan; its source says nothing where the panel is at hand."""
    models = tuple(ModelChoice(name=name) for name in names)
    how = {"source": Sample(name="elnino"), "training": RECIPES["tuned"], "seeds": (1,)}
    return Experiment(plan=plan, models=models, **how | more)


@dataclass(frozen=True)
class Made:
    """What a model has forecast: of the past, `(n_cutoffs, n_series, h)`, and of what comes, `(n_series, h)`."""

    y_hat: np.ndarray
    ahead: np.ndarray


def made_by(panel: Panel, plan: Plan, name: str, **more: Any) -> Made:
    """Let one model forecast the past and the future of a panel."""
    fits = [fit for fit in series_fits(asked(plan, [name], **more)) if fit.model.name == name]
    parts = [run_series_fit(fit, panel).y_hat for fit in fits]
    return Made(np.concatenate(parts[:-1]), parts[-1][0])
