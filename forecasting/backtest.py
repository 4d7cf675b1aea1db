"""Backtests with a rolling origin, the choice of a model by them, and the forecast itself."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting.data.panel import Panel
from forecasting.evaluation.intervals import Conformal, coverage, interval_score
from forecasting.evaluation.metrics import scales, score
from forecasting.evaluation.significance import Difference, difference
from forecasting.experiment import BadInput, Experiment, Plan, SeriesFit
from forecasting.fit import fits_of, for_fit
from forecasting.forecasters import FEWEST_KNOWN, forecaster_of, places_at
from forecasting.models import MODELS, Arrays, Control, Learned

DEFAULT = ("naive", "seasonal_naive", "drift", "linear", "ets", "theta", "gru", "ensemble")
"""Models that are tried where none are named."""
Say = Callable[[str], None]
"""Is told of each model as it is done."""


def silent(_: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Backtest:
    """What the models would have forecast in the past.

    Attributes:
        backs: how many steps before the end each cutoff lies, the earliest first.
        y: truth, `(n_cutoffs, n_series, h)`.
        y_hat: forecasts by model, of the same shape.
        scale: `metrics.scales` of each history, `(n_cutoffs, n_series, 2)`.
        scale_at_end: the first of them of the whole series, `(n_series,)`, for those that are too short to be judged; their
            truths and forecasts are NaN.
        left_out: models that were not tried, and why.
        partial: models that were stopped before they were done: they are judged, and not chosen.
    """

    backs: list[int]
    y: np.ndarray
    y_hat: dict[str, np.ndarray]
    scale: np.ndarray
    scale_at_end: np.ndarray
    left_out: dict[str, str] = field(default_factory=dict)
    partial: frozenset[str] = frozenset()

    @property
    def choosing(self) -> slice:
        """The cutoffs by which a model is chosen: those whose truths end before the last one, which is kept for the
        headline; where there are none, all."""
        before = sum(back - self.y.shape[2] >= self.backs[-1] for back in self.backs)
        return slice(before or None)

    @property
    def keeps_one(self) -> bool:
        """Whether the last cutoff chooses nothing, so that its score is an honest one."""
        return self.choosing.stop is not None

    def headline(self, name: str) -> dict[str, float]:
        """A model's scores on the last cutoff."""
        return self.scores(slice(len(self.backs) - 1, None))[name]

    def scores(self, some: slice = slice(None)) -> dict[str, dict[str, float]]:
        """All metrics of every model, over all cutoffs or some of them; `skill`: 1 - MASE over that of seasonal naive."""
        table = {name: score(self.y[some], y_hat[some], self.scale[some]) for name, y_hat in self.y_hat.items()}
        repeat = table.get("seasonal_naive", table.get("naive", {})).get("mase", np.nan)
        for line in table.values():
            line["skill"] = 1 - line["mase"] / repeat if repeat and repeat > 0 else np.nan
        return table

    def best(self) -> str:
        """The model with the lowest MASE on the cutoffs that choose; where that is not defined, with the lowest RMSE."""
        table = self.scores(self.choosing)
        table = {name: line for name, line in table.items() if name not in self.partial} or table
        by = "mase" if any(np.isfinite(line["mase"]) for line in table.values()) else "rmse"
        known = {name: line[by] for name, line in table.items() if np.isfinite(line[by])}
        return min(known, key=lambda name: known[name]) if known else next(iter(table))

    def conformal(self, name: str, some: slice = slice(None)) -> Conformal:
        """Intervals that the errors of these cutoffs ask for."""
        judged, scale = np.isfinite(self.y).any((0, 2)), self.scale[some][-1, :, 0]
        return Conformal.learn(self.y_hat[name][some] - self.y[some], np.where(judged, scale, self.scale_at_end))

    def covered(self, name: str, level: float) -> tuple[float, float]:
        """How much intervals calibrated on the earlier half of the cutoffs cover on the later half, and their score."""
        half = max(1, len(self.backs) // 2)
        if half == len(self.backs):
            return np.nan, np.nan
        width = self.conformal(name, slice(half)).half_width(level)
        later = self.y[half:], self.y_hat[name][half:], width
        return coverage(*later), interval_score(*later, level)

    def apart(self, name: str, other: str) -> Difference:
        """By how much the scaled absolute error of one model lies below another's, and what that is worth."""
        return difference(self._scaled_errors(name), self._scaled_errors(other), self.overlap)

    @property
    def overlap(self) -> int:
        """How many of the cutoffs that follow one forecast some of the same values."""
        step = self.backs[0] - self.backs[1] if len(self.backs) > 1 else self.y.shape[2]
        return -(-self.y.shape[2] // step) - 1

    def mase_by_step(self, name: str) -> np.ndarray:
        """A model's MASE at each step ahead, `(h,)`."""
        return _mean(self._scaled_errors(name), (0, 1))

    def mase_by_cutoff(self, name: str) -> np.ndarray:
        """A model's MASE from each cutoff, `(n_cutoffs,)`."""
        return _mean(_mean(self._scaled_errors(name), 2), 1)

    def _scaled_errors(self, name: str) -> np.ndarray:
        return np.abs(self.y_hat[name] - self.y) / self.scale[:, :, :1]


def _mean(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """The mean of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(axis) / known.sum(axis)


def default_plan(panel: Panel, season_length: int, h: int | None = None) -> Plan:
    """A season ahead, and as many cutoffs, from two to eight, as leave most of what most series have to learn from."""
    asked = h or max(1, min(season_length if season_length > 1 else 6, panel.usual // 12, 48))
    return Plan(h=asked, season_length=season_length, n_windows=max(2, min(8, (panel.usual - 3) // asked - 2)))


def long_enough(panel: Panel, plan: Plan) -> np.ndarray:
    """The places of the series by which models can be judged; the others are forecast all the same.

    Raises:
        BadInput: when there are none, with what to do.
    """
    needed, lengths = plan.backs()[0] + FEWEST_KNOWN, np.array([len(y) for y in panel.y])
    places = np.flatnonzero(lengths >= needed)
    if not len(places):
        raise BadInput(
            f"The longest series has {lengths.max()} values, and {plan.n_windows} cutoffs of {plan.h} steps need {needed}: "
            "take a shorter horizon or fewer cutoffs."
        )
    return places


def judged(panel: Panel, plan: Plan, y_hat: Mapping[str, np.ndarray], left_out: Mapping[str, str] | None = None) -> Backtest:
    """Hold forecasts from a plan's cutoffs, `(n_cutoffs, n_series, h)` per model, against what came."""
    backs, places = plan.backs(), long_enough(panel, plan)
    y = np.full((len(backs), len(panel.ids), plan.h), np.nan)
    y[:, places] = np.stack([panel.after(back, plan.h)[places] for back in backs])
    scale, ends = (
        np.array([[scales(known, plan.season_length) for known in panel.known_before(back)] for back in some])
        for some in (backs, [0])
    )
    return Backtest(backs, y, dict(y_hat), scale, ends[0, :, 0], dict(left_out or {}))


def with_mean(made: Mapping[str, np.ndarray], partial: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Forecasts by model, and as `ensemble` the mean of those that are no rules of thumb, where there are two of them.

    Args:
        made: forecasts by model.
        partial: models that were stopped, and so are no members.
    """
    members = [name for name in members_of(made) if name not in partial]
    return {**made, "ensemble": np.mean([made[name] for name in members], axis=0)} if len(members) > 1 else dict(made)


def members_of(names: Sequence[str] | Mapping[str, object]) -> list[str]:
    """What the ensemble is the mean of: all that are no rules of thumb."""
    return [name for name in names if MODELS[name].group != "baselines" and not MODELS[name].combines]


# --------------------------------------------------------------------------------------------------------------- fits


@dataclass(frozen=True)
class SeriesResult:
    """What one model forecasts of a panel, in units.

    Attributes:
        y_hat: from the cutoffs of the fit, `(n_cutoffs, n_series, h)`; NaN for series that are too short to be judged.
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
    places = places_at(panel, fit.backs[0])
    model = forecaster_of(fit.model, panel.some(places), fit.task, fit.backs, control, fit.max_windows)
    control.on_stage("forecasting" if fit.forecasts_the_future else "backtesting")
    y_hat = np.full((len(fit.backs), len(panel.ids), fit.task.h), np.nan)
    y_hat[:, places] = np.stack([model.forecast(back) for back in fit.backs])
    before_s = 0.0 if model.learned is None else model.learned.before_s
    return SeriesResult(y_hat, before_s + time.monotonic() - began, model.learned, model.parameters)


def by_cutoff(backs: Sequence[int], arrays: Arrays) -> dict[int, np.ndarray]:
    """The forecasts that a fit has stored, `(n_series, h)` by cutoff; earlier versions kept the last apart, as `ahead`."""
    ahead = [arrays["ahead"]] if "ahead" in arrays else []
    return dict(zip(backs, [*arrays["y_hat"], *ahead], strict=True))


def series_fits(experiment: Experiment) -> list[SeriesFit]:
    """The fits of an experiment with a plan, also of naive where it was not chosen."""
    return [fit for fit in fits_of(experiment) if isinstance(fit, SeriesFit)]


ByModel = dict[str, dict[int, np.ndarray]]
"""Forecasts by model and cutoff, `(n_series, h)` each."""


def _run(fits: Sequence[SeriesFit], panel: Panel, say: Say) -> tuple[ByModel, dict[str, str]]:
    """Run fits one after the other; models that cannot forecast the series are left out, with the reason."""
    made: ByModel = {}
    left_out: dict[str, str] = {}
    for fit in fits:
        name = fit.model.name
        try:
            result = run_series_fit(fit, panel)
        except BadInput as error:
            left_out[name] = str(error)
            say(f"{name}: left out. {error}")
            continue
        made.setdefault(name, {}).update(by_cutoff(fit.backs, {"y_hat": result.y_hat}))
        say(f"{name}: {result.fit_s:.1f} s")
    return {name: forecasts for name, forecasts in made.items() if name not in left_out}, left_out


def backtest(panel: Panel, experiment: Experiment, say: Say = silent) -> Backtest:
    """Let the models of an experiment forecast from cutoffs in the past, each knowing nothing of what came later.

    Args:
        panel: the series.
        experiment: with a plan, and what its time budget came to (`budget.allotted`).
        say: is told of each model as it is done.

    Raises:
        BadInput: when the series are too short.
    """
    plan = plan_of(experiment)
    long_enough(panel, plan)
    fits = [fit for fit in _chosen(experiment) if not fit.forecasts_the_future]
    made, left_out = _run(fits, panel, say)
    y_hat = {name: np.stack([forecasts[back] for back in plan.backs()]) for name, forecasts in made.items()}
    return judged(panel, plan, with_mean(y_hat) if _mixes(experiment) else y_hat, left_out_of(experiment) | left_out)


def _chosen(experiment: Experiment) -> list[SeriesFit]:
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


def _mixes(experiment: Experiment) -> bool:
    return any(MODELS[choice.name].combines for choice in experiment.models)


# ---------------------------------------------------------------------------------------------------------- forecasts


@dataclass(frozen=True)
class Forecast:
    """The next h values of every series.

    Attributes:
        panel: the series.
        tested: the backtest of the models.
        ahead: forecasts by model, `(n_series, h)`, in units.
    """

    panel: Panel
    tested: Backtest
    ahead: dict[str, np.ndarray]

    @cached_property
    def chosen(self) -> str:
        """The model that the backtest chooses."""
        return self.tested.best()

    @property
    def why(self) -> str:
        """Why, in sentences: what chose it, and how it does where nothing was chosen by."""
        tested, name = self.tested, self.chosen
        n_chosen, h = len(tested.backs[tested.choosing]), tested.y.shape[2]
        table = tested.scores(tested.choosing)
        text = f"{name} has the lowest MASE, {table[name]['mase']:.3f}, over {_counted(n_chosen, 'cutoff')} of {h} steps"
        against = next((rule for rule in ("seasonal_naive", "naive") if rule in table and rule != name), None)
        text += f"; {MODELS[against].title.lower()} has {table[against]['mase']:.3f}" if against else ""
        if not tested.keeps_one:
            return f"{text}. The same cutoffs chose it: what comes may well be worse."
        return f"{text}. On the last cutoff, which chose nothing, it has {tested.headline(name)['mase']:.3f}."

    def bounds(self, name: str, level: float) -> tuple[np.ndarray, np.ndarray]:
        """The interval of a model's forecast, `(n_series, h)` each; `level` in percent."""
        width = self.tested.conformal(name).half_width(level)
        return self.ahead[name] - width, self.ahead[name] + width

    def frame(self, names: Mapping[str, str], levels: Sequence[float]) -> pd.DataFrame:
        """A table `unique_id, ds`, and per model its forecast, `-lo-` and `-hi-` at each level.

        Args:
            names: of the models, each with what its columns are called.
            levels: in percent.
        """
        h = self.tested.y.shape[2]
        times = [self.panel.times_after(i, 0, h).to_numpy() for i in range(len(self.panel.ids))]
        columns: dict[str, object] = {"unique_id": np.repeat(self.panel.ids, h), "ds": np.concatenate(times)}
        for name, shown in names.items():
            columns[shown] = self.ahead[name].ravel()
            for level in sorted(levels):
                low, high = self.bounds(name, level)
                columns |= {f"{shown}-lo-{level:g}": low.ravel(), f"{shown}-hi-{level:g}": high.ravel()}
        return pd.DataFrame(columns)


def assembled(
    panel: Panel,
    experiment: Experiment,
    made: Mapping[str, Mapping[int, np.ndarray]],
    left_out: Mapping[str, str] | None = None,
    partial: Collection[str] = (),
) -> Forecast:
    """The forecast of an experiment with a plan, of the models that have forecast from all of its cutoffs.

    Args:
        panel: the series.
        experiment: what was asked.
        made: forecasts by model and cutoff, `(n_series, h)` each; see `by_cutoff`.
        left_out: models that cannot forecast these series, and why.
        partial: models that were stopped before they were done.

    Raises:
        BadInput: when it has no plan, or none is done.
    """
    plan = plan_of(experiment)
    whole = {name: forecasts for name, forecasts in made.items() if {*plan.backs(), 0} <= forecasts.keys()}
    if not whole:
        raise BadInput("No model has forecast these series yet.")
    y_hat = {name: np.stack([forecasts[back] for back in plan.backs()]) for name, forecasts in whole.items()}
    ahead = {name: forecasts[0] for name, forecasts in whole.items()}
    if _mixes(experiment):
        y_hat, ahead = with_mean(y_hat, partial), with_mean(ahead, partial)
    tested = judged(panel, plan, y_hat, left_out_of(experiment) | dict(left_out or {}))
    return Forecast(panel, replace(tested, partial=frozenset(partial) & y_hat.keys()), ahead)


def forecast(panel: Panel, experiment: Experiment, say: Say = silent, *, only_best: bool = False) -> Forecast:
    """Forecast with the models of an experiment.

    Args:
        panel: the series.
        experiment: with a plan, and what its time budget came to (`budget.allotted`).
        say: is told of each model as it is done.
        only_best: let the model alone forecast that backtests choose.

    Raises:
        BadInput: when the series are too short, or no model could forecast them.
    """
    tested = backtest(panel, experiment, say)
    if not tested.y_hat:
        raise BadInput("No model could forecast these series: " + "; ".join(tested.left_out.values()))
    needed = [tested.best()] if only_best else list(tested.y_hat)
    members = members_of(tested.y_hat) if any(MODELS[name].combines for name in needed) else []
    fits = [fit for fit in _chosen(experiment) if fit.forecasts_the_future and fit.model.name in {*needed, *members}]
    made, left_out = _run(fits, panel, say)
    if left_out:
        raise BadInput("A model could forecast the past and not what comes: " + "; ".join(left_out.values()))
    ahead = {name: forecasts[0] for name, forecasts in made.items()}
    return Forecast(panel, tested, with_mean(ahead) if members else ahead)


def _counted(n: int, what: str) -> str:
    return f"one {what}" if n == 1 else f"{n} {what}s"
