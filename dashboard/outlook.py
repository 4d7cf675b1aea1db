"""What the page knows about a forecast of whole series: its models as they stand, their scores, and the forecast itself."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dashboard import service
from forecasting.backtest import Forecast
from forecasting.experiment import BadInput, Experiment, Fit
from forecasting.fit import fits_of
from forecasting.models import MODELS
from forecasting.runs.views import FitView, RunView

JUDGED_AT = 95.0
"""The level, in percent, whose coverage is shown."""


@dataclass(frozen=True)
class Outlook:
    """An experiment with a plan, and what is known of it.

    Attributes:
        fits: of every model that was asked for and is known to the store, by name.
        forecast: of those that have finished, and of the baselines, which need no worker; None without either.
        only_baselines: whether it holds nothing else.
        refused: why these series cannot be forecast so.
    """

    fits: dict[str, FitView]
    forecast: Forecast | None
    only_baselines: bool = False
    refused: BadInput | None = None

    @property
    def left_out(self) -> dict[str, str]:
        """Models that ended without a forecast of these series, and why."""
        ended = {name: fit.reason or "" for name, fit in self.fits.items() if fit.ended and fit.status != "finished"}
        return ended if self.forecast is None else {**self.forecast.tested.left_out, **ended}

    def open(self, fit: Fit) -> bool:
        """Whether a fit has still to be done: nobody has, or it ended before it was done. What failed would fail again."""
        known = self.fits.get(fit.model.name)
        return known is None or known.status in ("cancelled", "stopped", "lost")


def outlook_of(experiment: Experiment, run: RunView | None = None) -> Outlook:
    """Look up what workers have made of an experiment with a plan; baselines are computed at once.

    A run keeps its results, also those that an earlier version of this program has computed.
    """
    wanted = fits_of(experiment)
    known = service.store().fits([fit.id for fit in wanted])
    kept = {} if run is None else {view.fit.canonical(): view for view in run.fits}
    fits = {fit.model.name: view for fit in wanted if (view := known.get(fit.id) or kept.get(fit.canonical())) is not None}
    done = {name: fit for name, fit in fits.items() if fit.status == "finished"}
    baselines = [fit.model.name for fit in wanted if MODELS[fit.model.name].group == "baselines"]
    instant = () if experiment.asks_network else tuple(name for name in baselines if name not in done)
    if not done and not instant:
        return Outlook(fits, None)
    stored = tuple((name, fit.id, fit.ended_at or 0.0) for name, fit in done.items())
    try:
        made = service.whole_forecast(experiment.canonical(), stored, instant)
    except BadInput as error:
        return Outlook(fits, None, refused=error)
    return Outlook(fits, made, only_baselines=set(done) <= set(baselines))


def scores_of(outlook: Outlook) -> pd.DataFrame:
    """The table of models, the best first: numbers unrounded, undefined ones NaN."""
    forecast = outlook.forecast
    if forecast is None:
        return pd.DataFrame()
    tested, lines = forecast.tested, []
    for name, scores in tested.scores().items():
        covered, width = tested.covered(name, JUDGED_AT)
        fit = outlook.fits.get(name)
        lines.append(
            {
                "Model": MODELS[name].title,
                "MASE": scores["mase"],
                "Skill": 100 * scores["skill"],
                "RMSSE": scores["rmsse"],
                "sMAPE": 100 * scores["smape"],
                "MAE": scores["mae"],
                "RMSE": scores["rmse"],
                "Bias": scores["bias"],
                "Covered": 100 * covered,
                "Interval score": width,
                "Fit": fit.result.get("fit_s") if fit is not None and fit.result else 0.0,
            }
        )
    return pd.DataFrame(lines).sort_values(["MASE", "RMSE"], ignore_index=True, na_position="last")


def verdict(forecast: Forecast) -> str:
    """In plain sentences: which model leads, by how much, and whether that means anything."""
    tested, best = forecast.tested, forecast.chosen
    table = tested.scores()
    n_cutoffs, n_series, h = tested.y.shape
    judged_on = f"{n_cutoffs} cutoffs of {h} steps" + (f", {n_series:,} series" if n_series > 1 else "")
    mase = table[best]["mase"]
    text = f"**{MODELS[best].title}** has the lowest error"
    text += f", MASE **{mase:.3g}**" if np.isfinite(mase) else " (MASE is not defined: the series repeat themselves)"
    rivals = [name for name in table if name != best and np.isfinite(table[name]["mase"])]
    if rivals and np.isfinite(mase):
        rival = min(rivals, key=lambda name: table[name]["mase"])
        apart = tested.apart(best, rival)
        gained = 1 - mase / table[rival]["mase"]
        meaning = "more than chance would give" if apart.means_something else "which may well be chance"
        text += f", {gained:.1%} below {MODELS[rival].title}, {meaning} ({apart.how})"
    left = n_series - int(np.isfinite(tested.y).any((0, 2)).sum())
    short = (
        f" {left:,} of them {'is' if left == 1 else 'are'} too short to be judged, and forecast all the same."
        if left
        else ""
    )
    return f"{text}. Judged on {judged_on}.{short}"
