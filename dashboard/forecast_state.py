"""What the page knows about a forecast of whole series: its models as they stand, their scores, and the forecast itself."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dashboard import computed, service
from forecasting.experiment import BadInput, Experiment, SeriesFit
from forecasting.models import MODELS
from forecasting.models.naive import Baseline
from forecasting.panels.fits import series_fits
from forecasting.panels.forecast import Forecast
from forecasting.runs.forecasts import note_choice
from forecasting.runs.views import FitView, RunView

JUDGED_AT = 95.0
"""The level, in percent, whose coverage is shown."""


MOST_AT_ONCE = 20_000
"""Histories, of all series at all cutoffs, that the page lets a baseline forecast by itself; beyond, a worker does."""
SCORED = ("finished", "stopped")


@dataclass(frozen=True)
class ForecastState:
    """An experiment with a plan, and what is known of it.

    Attributes:
        wanted: its fits.
        fits: what the store knows of them, by model.
        forecast: of the models that are done, and of the baselines, which need no worker; None without either.
        instant: names of the models that were computed here.
        refused: why these series cannot be forecast so.
    """

    wanted: list[SeriesFit]
    fits: dict[str, list[FitView]]
    forecast: Forecast | None = None
    instant: tuple[str, ...] = ()
    refused: BadInput | None = None

    @property
    def only_baselines(self) -> bool:
        """Whether no model that learns has forecast yet."""
        return self.forecast is not None and all(issubclass(MODELS[name], Baseline) for name in self.forecast.tested.y_hat)

    @property
    def left_out(self) -> dict[str, str]:
        """Models that are not tried, or could not forecast these series, and why."""
        return {} if self.forecast is None else self.forecast.tested.left_out

    @property
    def open(self) -> list[SeriesFit]:
        """The fits that are still to be done: nobody has, or they ended before they were done."""
        done = {view.id for views in self.fits.values() for view in views if view.status == "finished"}
        return [fit for fit in self.wanted if fit.id not in done and fit.model.name not in self.instant]


def forecast_state_of(experiment: Experiment, run: RunView | None = None) -> ForecastState:
    """Look up what workers have made of an experiment with a plan; baselines are computed at once.

    A run keeps its results, also those that an earlier version of this program has computed.
    """
    wanted = series_fits(experiment)
    known = service.store().fits([fit.id for fit in wanted])
    fits: dict[str, list[FitView]] = {}
    for fit in wanted:
        if fit.id in known:
            fits.setdefault(fit.model.name, []).append(known[fit.id])
    whole = {name for name, views in fits.items() if len(views) == sum(fit.model.name == name for fit in wanted)}
    for view in run.fits if run is not None else ():
        if view.earlier and view.fit.model.name not in whole:
            kept = [other for other in fits.get(view.fit.model.name, []) if other.earlier]
            fits[view.fit.model.name] = [*kept, view]
    whole |= {name for name, views in fits.items() if views[0].earlier}
    done = {name: fits[name] for name in whole if all(view.status in SCORED for view in fits[name])}
    instant = _instant(experiment, wanted, done)
    if not done and not instant:
        return ForecastState(wanted, fits)
    stored = tuple(
        (view.fit.canonical(), view.id, view.ended_at or 0.0)
        for views in done.values()
        for view in views
        if isinstance(view.fit, SeriesFit)
    )
    partial = tuple(name for name, views in done.items() if any(view.status == "stopped" for view in views))
    try:
        made = computed.whole_forecast(experiment.canonical(), stored, instant, partial)
    except BadInput as error:
        return ForecastState(wanted, fits, refused=error)
    if run is not None:
        note_choice(service.store(), run, made)
    return ForecastState(wanted, fits, made, instant)


def _instant(experiment: Experiment, wanted: list[SeriesFit], done: Collection[str]) -> tuple[str, ...]:
    """The models that the page computes by itself, unless a worker has."""
    if experiment.asks_network or experiment.plan is None:
        return ()
    n_histories = (experiment.plan.n_windows + 1) * len(computed.panel_of(experiment.source).ids)
    if n_histories > MOST_AT_ONCE:
        return ()
    models = {fit.model.name: MODELS[fit.model.name] for fit in wanted if fit.model.name not in done}
    return tuple(name for name, model in models.items() if issubclass(model, Baseline) and not model.learns_from_windows)


def scores_of(state: ForecastState) -> pd.DataFrame:
    """The table of models, the best first: numbers unrounded, undefined ones NaN."""
    forecast = state.forecast
    if forecast is None:
        return pd.DataFrame()
    tested, lines = forecast.tested, []
    all_scores = tested.scores()
    for name, scores in all_scores.items():
        covered, width = tested.covered(name, JUDGED_AT)
        views = state.fits.get(name, [])
        lines.append(
            {
                "Model": MODELS[name].title,
                "MASE": scores["mase"],
                "Beside the choice": _beside(forecast, name, scores["mase"], all_scores[forecast.chosen]["mase"]),
                "Skill": 100 * scores["skill"],
                "RMSSE": scores["rmsse"],
                "sMAPE": 100 * scores["smape"],
                "MAE": scores["mae"],
                "RMSE": scores["rmse"],
                "Bias": scores["bias"],
                "Covered": 100 * covered,
                "Interval score": width,
                "Fit": sum(view.result.get("fit_s", 0.0) for view in views if view.result),
                "State": _state(views),
            }
        )
    table = pd.DataFrame(lines).sort_values(["MASE", "RMSE"], ignore_index=True, na_position="last")
    left_out = pd.DataFrame({"Model": [MODELS[name].title for name in tested.left_out], "State": "left out"})
    return pd.concat([table, left_out], ignore_index=True) if len(left_out) else table


def _beside(forecast: Forecast, name: str, mase: float, chosen: float) -> str:
    """What a model's error is worth beside the chosen one's, in words; nothing where one of them is not defined."""
    if name == forecast.chosen:
        return "chosen"
    if not np.isfinite([mase, chosen]).all():
        return ""
    meaning = "more than chance" if forecast.leads[name].means_something else "may be chance"
    share = f"{abs(mase / chosen - 1):.0%} " if chosen > 0 else ""
    return f"{share}{'worse' if mase >= chosen else 'better'}, {meaning}"


def _state(views: list[FitView]) -> str:
    """How a model that has forecast stands, in words."""
    if all(view.status != "stopped" for view in views):
        return "done"
    return "stopped after " + " and ".join(f"{(view.result or {}).get('epochs')}" for view in views) + " epochs"


def verdict(forecast: Forecast) -> str:
    """In plain sentences: which model leads, by how much, whether that means anything, and how it does where nothing was
    chosen by."""
    tested, best = forecast.tested, forecast.chosen
    table = tested.scores(tested.choosing)
    n_cutoffs, n_series, h = tested.y.shape
    n_chosen = len(tested.cutoff_offsets[tested.choosing])
    mase = table[best]["mase"]
    rivals = [name for name in table if name != best and np.isfinite(table[name]["mase"])]
    rival = min(rivals, key=lambda name: table[name]["mase"]) if rivals and np.isfinite(mase) else None
    ahead = rival is not None and table[rival]["mase"] < mase
    text = f"**{MODELS[best].title}** has {'an' if ahead else 'the lowest'} error over "
    text += f"{_counted(n_chosen, 'cutoff', 'cutoffs')} of {h} steps"
    text += f", MASE **{mase:.3g}**" if np.isfinite(mase) else " (MASE is not defined: the series repeat themselves)"
    if rival is not None:
        apart = tested.apart(best, rival)
        gained = 1 - mase / table[rival]["mase"]
        meaning = "more than chance would give" if apart.means_something else "which may well be chance"
        side = f"{-gained:.1%} above" if ahead else f"{gained:.1%} below"
        text += f", {side} {MODELS[rival].title}, {meaning} ({apart.how})"
        text += "; a mean of models is the safer choice" if ahead else ""
    if tested.keeps_one and np.isfinite(last := tested.headline(best)["mase"]):
        text += f". On the last cutoff, which chose nothing, it has **{last:.3g}**"
    elif not tested.keeps_one:
        text += ". The same cutoffs chose it, so what comes may well be worse"
    left = n_series - int(np.isfinite(tested.y).any((0, 2)).sum())
    short = (
        f" {left:,} of them {'is' if left == 1 else 'are'} too short to be judged, and forecast all the same."
        if left
        else ""
    )
    return f"{text}. Judged on {_counted(n_series, 'series', 'series')}.{short}"


def _counted(n: int, one: str, many: str) -> str:
    return f"one {one}" if n == 1 else f"{n:,} {many}"
