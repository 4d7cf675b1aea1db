"""One model on whole series, from its settings to its forecasts; and the fits of an experiment, one after the other."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from forecasting.evaluation.fits import fits_of, for_fit
from forecasting.experiment import BadInput, Experiment, Plan, SeriesFit
from forecasting.models import MODELS, Arrays, Control, Ensemble, Learned
from forecasting.panels.forecasters import forecaster_of, model_of, places_at, places_of
from forecasting.panels.members import ByModel, by_model
from forecasting.panels.panel import Panel

Say = Callable[[str], None]
"""Is told of each model as it is done."""


def silent(_: str) -> None:
    """The default callback: does nothing."""


@dataclass(frozen=True)
class SeriesResult:
    """What one model forecasts of a panel, in units.

    Attributes:
        y_hat: from the cutoffs of the fit, `(n_cutoffs, n_series, h)`; NaN for series that are too short to be judged. Of a
            chunk only its series, `places_of` says which.
        fit_s: seconds that it took, also those of the fit whose state it went on from.
        learned: what was learned, and how; None where there was nothing to learn.
        parameters: how many numbers the model learns.
    """

    y_hat: np.ndarray
    fit_s: float
    learned: Learned | None = None
    parameters: int = 0

    def summary(self) -> dict:
        """All but the arrays, as plain JSON values, under the names that `Result.summary` has for them."""
        learned = self.learned if self.learned is not None and self.learned.epochs else None
        names = ("epochs", "best_epoch", "epoch_s", "compile_s", "ended_early")
        return {"fit_s": self.fit_s, "parameters": self.parameters} | {name: getattr(learned, name, None) for name in names}


def run_series_fit(fit: SeriesFit, panel: Panel, control: Control | None = None) -> SeriesResult:
    """Let a model learn what was known at the first cutoff of a fit, and forecast from all of its cutoffs.

    Args:
        fit: the settings.
        panel: its series.
        control: callbacks for progress and stop; training settings and seed are taken from the fit.

    Raises:
        BadInput: when the series are too short, or the model cannot forecast them.
        Diverged: when a loss turns NaN.
        Stopped: when it was stopped, and there is nothing to keep.
    """
    control, began = for_fit(fit, control), time.monotonic()
    control.on_stage("preparing")
    judged = places_of(fit, panel)
    seen = places_at(panel, fit.cutoff_offsets[0]) if MODELS[fit.model.name].learns_from_windows else judged
    model = forecaster_of(fit.model, panel.some(seen), fit.task, fit.cutoff_offsets, control, fit.max_windows)
    control.on_stage("forecasting" if fit.forecasts_the_future else "backtesting")
    y_hat = np.full((len(fit.cutoff_offsets), len(panel.ids), fit.task.h), np.nan)
    for nth, back in enumerate(fit.cutoff_offsets):
        made = model.forecast(back)[np.isin(seen, judged)]
        y_hat[nth, judged] = np.where(never_negative(panel, back)[judged, None], np.maximum(made, 0.0), made)
    if fit.chunk is not None:
        y_hat = y_hat[:, judged]
    before_s = 0.0 if model.learned is None else model.learned.before_s
    return SeriesResult(y_hat, before_s + time.monotonic() - began, model.learned, model.parameters)


def never_negative(panel: Panel, back: int) -> np.ndarray:
    """Which series were never below zero until so many steps before the end, `(n_series,)`: neither are their forecasts."""
    return np.array([len(known) > 0 and np.nanmin(known) >= 0 for known in panel.known_before(back)])


def by_cutoff(offsets: Sequence[int], arrays: Arrays) -> dict[int, np.ndarray]:
    """The forecasts that a fit has stored, `(n_series, h)` by cutoff; earlier versions kept the last apart, as `ahead`."""
    ahead = [arrays["ahead"]] if "ahead" in arrays else []
    return dict(zip(offsets, [*arrays["y_hat"], *ahead], strict=True))


def series_fits(experiment: Experiment) -> list[SeriesFit]:
    """The fits of an experiment with a plan, also of naive where it was not chosen."""
    return [fit for fit in fits_of(experiment) if isinstance(fit, SeriesFit)]


def run_all(fits: Sequence[SeriesFit], panel: Panel, say: Say) -> tuple[ByModel, dict[str, str]]:
    """Run fits one after the other; models that cannot forecast the series are left out, with the reason.

    Args:
        fits: in the order in which they are run.
        panel: their series.
        say: is told of each model as it is done or left out.

    Returns:
        Forecasts in units by model and cutoff, `(n_series, h)` each, and the reasons by model that was left out.
    """
    made: list[tuple[SeriesFit, dict[int, np.ndarray]]] = []
    left_out: dict[str, str] = {}
    for fit in fits:
        name = fit.model.name
        try:
            result = run_series_fit(fit, panel)
        except BadInput as error:
            left_out[name] = str(error)
            say(f"{name}: left out. {error}")
            continue
        made.append((fit, by_cutoff(fit.cutoff_offsets, {"y_hat": result.y_hat})))
        say(f"{name}: {result.fit_s:.1f} s")
    return by_model([(fit, forecasts) for fit, forecasts in made if fit.model.name not in left_out], panel), left_out


def chosen_fits(experiment: Experiment) -> list[SeriesFit]:
    """The fits of the models that were chosen."""
    names = {choice.name for choice in experiment.models}
    return [fit for fit in series_fits(experiment) if fit.model.name in names]


def plan_of(experiment: Experiment) -> Plan:
    """The plan of an experiment.

    Raises:
        BadInput: when it has none.
    """
    if experiment.plan is None:
        raise BadInput("These settings have no plan for whole series.")
    return experiment.plan


def left_out_of(experiment: Experiment) -> dict[str, str]:
    """The models that the time budget of an experiment leaves out, and why."""
    shares = zip(experiment.models, experiment.allotted, strict=False)  # without a budget there are none
    return {choice.name: share.left_out for choice, share in shares if share.left_out}


def mixes(experiment: Experiment) -> Ensemble | None:
    """The ensemble that is among what was chosen, if any."""
    models = (model_of(choice, plan_of(experiment)) for choice in experiment.models)
    return next((model for model in models if isinstance(model, Ensemble)), None)
