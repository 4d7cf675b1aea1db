"""Backtests with a rolling origin, the choice of a model by them, and the forecast itself."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting.data.panel import Panel
from forecasting.evaluation.intervals import Conformal, coverage, interval_score
from forecasting.evaluation.metrics import scales, score
from forecasting.evaluation.significance import Difference, difference
from forecasting.experiment import BadInput, Experiment, ModelChoice, Plan
from forecasting.forecasters import forecaster_of
from forecasting.models import MODELS, Control

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
    """

    backs: list[int]
    y: np.ndarray
    y_hat: dict[str, np.ndarray]
    scale: np.ndarray
    scale_at_end: np.ndarray
    left_out: dict[str, str] = field(default_factory=dict)

    def scores(self, some: slice = slice(None)) -> dict[str, dict[str, float]]:
        """All metrics of every model, over all cutoffs or some of them; `skill`: 1 - MASE over that of seasonal naive."""
        table = {name: score(self.y[some], y_hat[some], self.scale[some]) for name, y_hat in self.y_hat.items()}
        repeat = table.get("seasonal_naive", table.get("naive", {})).get("mase", np.nan)
        for line in table.values():
            line["skill"] = 1 - line["mase"] / repeat if repeat and repeat > 0 else np.nan
        return table

    def best(self, some: slice = slice(None)) -> str:
        """The model with the lowest MASE; where that is not defined, with the lowest RMSE."""
        table = self.scores(some)
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
        return difference(self._scaled_errors(name), self._scaled_errors(other))

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
    needed, lengths = plan.backs()[0] + 3, np.array([len(y) for y in panel.y])
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
        np.array([[scales(known, plan.season_length) for known in panel.before(back)] for back in some])
        for some in (backs, [0])
    )
    return Backtest(backs, y, dict(y_hat), scale, ends[0, :, 0], dict(left_out or {}))


def with_mean(made: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Forecasts by model, and as `ensemble` the mean of those that are no rules of thumb, where there are two of them."""
    members = members_of(made)
    return {**made, "ensemble": np.mean([made[name] for name in members], axis=0)} if len(members) > 1 else dict(made)


def members_of(names: Sequence[str] | Mapping[str, object]) -> list[str]:
    """What the ensemble is the mean of: all that are no rules of thumb."""
    return [name for name in names if MODELS[name].group != "baselines" and not MODELS[name].combines]


def backtest(panel: Panel, plan: Plan, names: tuple[str, ...] = DEFAULT, say: Say = silent) -> Backtest:
    """Let models forecast from cutoffs in the past, each knowing nothing of what came later.

    Raises:
        BadInput: when the series are too short.
    """
    long_enough(panel, plan)
    y_hat: dict[str, np.ndarray] = {}
    left_out: dict[str, str] = {}
    for name in names:
        if MODELS[name].combines:
            continue
        began = time.monotonic()
        try:
            y_hat[name] = _past(panel, plan, ModelChoice(name=name), Control())
        except BadInput as error:
            left_out[name] = str(error)
            say(f"{name}: left out. {error}")
            continue
        say(f"{name}: {time.monotonic() - began:.1f} s")
    return judged(panel, plan, with_mean(y_hat) if "ensemble" in names else y_hat, left_out)


def _past(panel: Panel, plan: Plan, choice: ModelChoice, control: Control) -> np.ndarray:
    """What a model would have forecast from each cutoff, `(n_cutoffs, n_series, h)`; NaN for series that are too short."""
    backs, places = plan.backs(), long_enough(panel, plan)
    judged_by = panel.some(places)
    forecaster = forecaster_of(choice, judged_by, plan, backs, control)
    y_hat = np.full((len(backs), len(panel.ids), plan.h), np.nan)
    y_hat[:, places] = np.stack([forecaster(back) for back in backs])
    return y_hat


def _ahead(panel: Panel, plan: Plan, choice: ModelChoice, control: Control) -> np.ndarray:
    """What a model that has learned from all of the series forecasts from their end, `(n_series, h)`."""
    return forecaster_of(choice, panel, plan, [0], control)(0)


# ---------------------------------------------------------------------------------------------------------- forecasts


@dataclass(frozen=True)
class Outlook:
    """What one model forecasts of a panel, in units.

    Attributes:
        y_hat: from the cutoffs in the past, `(n_cutoffs, n_series, h)`.
        ahead: from the end of the series, `(n_series, h)`.
        fit_s: seconds that it took.
    """

    y_hat: np.ndarray
    ahead: np.ndarray
    fit_s: float

    def summary(self) -> dict:
        """All but the arrays, as plain JSON values, under the names that `Result.summary` has for them."""
        return {"fit_s": self.fit_s} | dict.fromkeys(("epochs", "best_epoch", "planned", "ended_early"))


def outlook(panel: Panel, plan: Plan, choice: ModelChoice, control: Control | None = None) -> Outlook:
    """Let one model forecast the past and the future of a panel.

    Args:
        control: callbacks for progress and stop.

    Raises:
        BadInput: when the series are too short, or the model cannot forecast them.
    """
    long_enough(panel, plan)
    control, began = control or Control(), time.monotonic()
    control.on_stage("backtesting")
    y_hat = _past(panel, plan, choice, control)
    control.on_stage("forecasting")
    return Outlook(y_hat, _ahead(panel, plan, choice, control), time.monotonic() - began)


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
        """Why, in a sentence."""
        table, (n_cutoffs, _, h) = self.tested.scores(), self.tested.y.shape
        line, repeat = table[self.chosen], table.get("seasonal_naive", table.get("naive"))
        against = f"; seasonal naive has {repeat['mase']:.3f}" if repeat else ""
        return f"{self.chosen} has the lowest MASE, {line['mase']:.3f}, over {n_cutoffs} cutoffs of {h} steps{against}."

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
    made: Mapping[str, Mapping[str, np.ndarray]],
    left_out: Mapping[str, str] | None = None,
) -> Forecast:
    """The forecast of an experiment with a plan, from the arrays `y_hat` and `ahead` of the models that are done.

    Args:
        left_out: models that cannot forecast these series, and why.

    Raises:
        BadInput: when it has no plan, or none is done.
    """
    if experiment.plan is None or not made:
        raise BadInput("No model has forecast these series yet.")
    y_hat, ahead = ({name: arrays[part] for name, arrays in made.items()} for part in ("y_hat", "ahead"))
    if any(choice.name == "ensemble" for choice in experiment.models):
        y_hat, ahead = with_mean(y_hat), with_mean(ahead)
    return Forecast(panel, judged(panel, experiment.plan, y_hat, left_out), ahead)


def forecast(panel: Panel, plan: Plan, names: tuple[str, ...] = (), say: Say = silent) -> Forecast:
    """Forecast with the models that are named, or with the one that backtests choose.

    Raises:
        BadInput: when the series are too short, or no model could forecast them.
    """
    tested = backtest(panel, plan, names or DEFAULT, say)
    if not tested.y_hat:
        raise BadInput("No model could forecast these series: " + "; ".join(tested.left_out.values()))
    needed = list(tested.y_hat) if names else [tested.best()]
    members = members_of(tested.y_hat) if "ensemble" in needed else []
    ahead = {
        name: _ahead(panel, plan, ModelChoice(name=name), Control())
        for name in dict.fromkeys([*needed, *members])
        if not MODELS[name].combines
    }
    return Forecast(panel, tested, with_mean(ahead) if members else ahead)
