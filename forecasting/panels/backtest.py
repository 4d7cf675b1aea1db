"""Backtests with a rolling origin, and the choice of a model by them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from forecasting.data.seasons import candidates, seasons_of
from forecasting.evaluation.intervals import Conformal, coverage, interval_score
from forecasting.evaluation.metrics import scales, score
from forecasting.evaluation.significance import Difference, difference
from forecasting.experiment import BadInput, Experiment, Plan
from forecasting.models import MODELS, Ensemble
from forecasting.models.naive import Baseline, Naive, SeasonalNaive
from forecasting.panels.fits import Say, chosen_fits, left_out_of, mixes, plan_of, run_all, silent
from forecasting.panels.forecasters import FEWEST_KNOWN, judged_places
from forecasting.panels.panel import Panel

ENOUGH_TO_JUDGE = 200
"""Series × cutoffs that tell models apart: of many series two cutoffs do."""
DEFAULT = tuple(name for name, model in MODELS.items() if model.in_default_comparison)
"""Models that are tried where none are named."""
BASELINES_OF_SKILL = (SeasonalNaive.name, Naive.name)
"""What skill is measured against: the first of them that was tried."""


@dataclass(frozen=True)
class Backtest:
    """What the models would have forecast in the past.

    Attributes:
        cutoff_offsets: how many steps before the end each cutoff lies, the earliest first.
        y: truth, `(n_cutoffs, n_series, h)`.
        y_hat: forecasts by model, of the same shape.
        scale: `metrics.scales` of each history, `(n_cutoffs, n_series, 2)`.
        scale_at_end: the first of them of the whole series, `(n_series,)`, for those that are too short to be judged; their
            truths and forecasts are NaN.
        left_out: models that were not tried, and why.
        partial: models that were stopped before they were done: they are judged, and not chosen.
        shares: of the ensemble's members; empty without it.
        ensemble_first: whether the ensemble is chosen unless another model is better by more than chance.
    """

    cutoff_offsets: list[int]
    y: np.ndarray
    y_hat: dict[str, np.ndarray]
    scale: np.ndarray
    scale_at_end: np.ndarray
    left_out: dict[str, str] = field(default_factory=dict)
    partial: frozenset[str] = frozenset()
    shares: Mapping[str, float] = field(default_factory=dict)
    ensemble_first: bool = True

    @property
    def choosing(self) -> slice:
        """The cutoffs by which a model is chosen: those whose forecasts end before the last cutoff, which is held out for
        the headline; where there are none, all."""
        before = sum(back - self.y.shape[2] >= self.cutoff_offsets[-1] for back in self.cutoff_offsets)
        return slice(before or None)

    @property
    def keeps_one(self) -> bool:
        """Whether the last cutoff chooses nothing, so that its score is an honest one."""
        return self.choosing.stop is not None

    def headline(self, name: str) -> dict[str, float]:
        """A model's scores on the last cutoff."""
        return self.scores(slice(len(self.cutoff_offsets) - 1, None))[name]

    def scores(self, some: slice = slice(None)) -> dict[str, dict[str, float]]:
        """All metrics of every model, over all cutoffs or some of them; `skill`: 1 - MASE over that of seasonal naive."""
        table = {name: score(self.y[some], y_hat[some], self.scale[some]) for name, y_hat in self.y_hat.items()}
        repeat = next((table[name] for name in BASELINES_OF_SKILL if name in table), {}).get("mase", np.nan)
        for line in table.values():
            line["skill"] = 1 - line["mase"] / repeat if repeat and repeat > 0 else np.nan
        return table

    def best(self) -> str:
        """The ensemble, unless another model is better by more than chance; without it, or if asked so, the lowest error.

        The error is the MASE on the cutoffs that choose; where that is not defined, the RMSE.
        """
        table = self.scores(self.choosing)
        table = {name: line for name, line in table.items() if name not in self.partial} or table
        if self.ensemble_first and Ensemble.name in table:
            table = {name: line for name, line in table.items() if name == Ensemble.name or self._surely_better(name)}
        by = "mase" if any(np.isfinite(line["mase"]) for line in table.values()) else "rmse"
        known = {name: line[by] for name, line in table.items() if np.isfinite(line[by])}
        return min(known, key=lambda name: known[name]) if known else next(iter(table))

    def _surely_better(self, name: str) -> bool:
        """Whether a model is better than the ensemble on the cutoffs that choose, by more than chance."""
        one, mean = (self._scaled_errors(which)[self.choosing] for which in (name, Ensemble.name))
        lower = np.nanmean(one) < np.nanmean(mean) if np.isfinite(one).any() else False
        return bool(lower) and difference(one, mean, self.overlap).low > 0

    def conformal(self, name: str, some: slice = slice(None)) -> Conformal:
        """Conformal intervals calibrated on the errors at these cutoffs."""
        judged, scale = np.isfinite(self.y).any((0, 2)), self.scale[some][-1, :, 0]
        return Conformal.learn(self.y_hat[name][some] - self.y[some], np.where(judged, scale, self.scale_at_end))

    def covered(self, name: str, level: float) -> tuple[float, float]:
        """How much intervals calibrated on the earlier half of the cutoffs cover on the later half, and their score."""
        half = max(1, len(self.cutoff_offsets) // 2)
        if half == len(self.cutoff_offsets):
            return np.nan, np.nan
        width = self.conformal(name, slice(half)).half_width(level)
        later = self.y[half:], self.y_hat[name][half:], width
        return coverage(*later), interval_score(*later, level)

    def apart(self, name: str, other: str) -> Difference:
        """The difference in mean scaled absolute error between two models, with its 95 % interval."""
        return difference(self._scaled_errors(name), self._scaled_errors(other), self.overlap)

    @property
    def overlap(self) -> int:
        """How many later cutoffs forecast some of the same steps as a cutoff."""
        step = self.cutoff_offsets[0] - self.cutoff_offsets[1] if len(self.cutoff_offsets) > 1 else self.y.shape[2]
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


def default_plan(panel: Panel, h: int | None = None, seasons: Sequence[int] | None = None) -> Plan:
    """A horizon of one season, and two to eight cutoffs: as many as leave most values of most series to learn from.

    Args:
        panel: the series.
        h: steps ahead; None: the shortest season, or 6 where there is none, at most 48 and a twelfth of `Panel.usual`.
        seasons: in steps, the shortest first, none or 1 for no season; None: those that the series show.
    """
    found = seasons_of(panel.y, candidates(panel.frequency)) if seasons is None else [m for m in seasons if m > 1]
    season, *longer = found or [1]
    asked = h or max(1, min(season if season > 1 else 6, panel.usual // 12, 48))
    most = max(2, min(8, -(-ENOUGH_TO_JUDGE // len(panel.ids))))
    return Plan(
        h=asked,
        season_length=season,
        longer_seasons=tuple(longer),
        n_windows=max(2, min(most, (panel.usual - 3) // asked - 2)),
        members="by_season" if panel.n_targets == 1 and panel.past_covariates is None else "single",
    )


def long_enough(panel: Panel, plan: Plan) -> np.ndarray:
    """The places of the series by which models can be judged; the others are forecast all the same.

    Raises:
        BadInput: when there are none, with what to do.
    """
    needed, lengths = plan.cutoff_offsets()[0] + FEWEST_KNOWN, np.array([len(y) for y in panel.y])
    places = np.flatnonzero(lengths >= needed)
    if not len(places):
        raise BadInput(
            f"The longest series has {lengths.max()} values, and {plan.n_windows} cutoffs of {plan.h} steps need {needed}: "
            "take a shorter horizon or fewer cutoffs."
        )
    return places


def judged(panel: Panel, plan: Plan, y_hat: Mapping[str, np.ndarray], left_out: Mapping[str, str] | None = None) -> Backtest:
    """Hold forecasts from a plan's cutoffs, `(n_cutoffs, n_series, h)` per model, against the true values.

    Args:
        panel: the series, with the true values.
        plan: cutoffs, horizon and season.
        y_hat: forecasts by model in units, the earliest cutoff first; NaN for series that are too short to be judged.
        left_out: models that were not tried, and why; None for none.

    Raises:
        BadInput: when no series is long enough to be judged.
    """
    offsets, places = plan.cutoff_offsets(), judged_places(panel, long_enough(panel, plan), plan.n_judged)
    y = np.full((len(offsets), len(panel.ids), plan.h), np.nan)
    y[:, places] = np.stack([panel.after(back, plan.h)[places] for back in offsets])
    scale, ends = (
        np.array([[scales(known, plan.season_length) for known in panel.known_before(back)] for back in some])
        for some in (offsets, [0])
    )
    first = plan.selection == "ensemble_first"
    return Backtest(offsets, y, dict(y_hat), scale, ends[0, :, 0], dict(left_out or {}), ensemble_first=first)


MANY_SERIES = 20
"""Series from which errors on backtests tell little of a single model, and the mean of all is best."""
CLEARLY = 1.1
"""So many times the error of the best rule of thumb is clearly worse than it (docs/performance.md)."""
SHARPNESS = 4
"""The share of a member is its error to the power of minus this: twice the error, a sixteenth of the share."""


def with_mean(made: Mapping[str, np.ndarray], shares: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Forecasts by model, and the ensemble of those that have shares, where there are two of them.

    Args:
        made: forecasts by model, all of one shape.
        shares: by model; see `shares_of`.
    """
    if len(shares) < 2:
        return dict(made)
    return {**made, Ensemble.name: sum(share * made[name] for name, share in shares.items())}  # type: ignore[dict-item]


def shares_of(tested: Backtest, equal: bool = False) -> dict[str, float]:
    """The shares that models have in the ensemble: all that are no rules of thumb, were not stopped, and suit the panel.

    They fall with the error on the cutoffs that choose (Bates and Granger, 1969, have its square): with few cutoffs errors
    differ little, and so do shares.

    Args:
        tested: the backtest of the models.
        equal: all have the same.
    """
    names = [name for name in members_of(tested.y_hat) if name not in tested.partial]
    table = tested.scores(tested.choosing)
    if tested.ensemble_first:
        names = _suited(names, {name: line["mase"] for name, line in table.items()}, tested.y.shape[1])
    error = np.array([table[name]["mase"] for name in names])
    if equal or not (np.isfinite(error) & (error > 0)).all():
        return dict.fromkeys(names, 1 / max(1, len(names)))
    shares = (error / error.min()) ** -SHARPNESS
    return dict(zip(names, (shares / shares.sum()).tolist(), strict=True))


def members_of(names: Sequence[str] | Mapping[str, object]) -> list[str]:
    """What the ensemble is the mean of: all that are no rules of thumb."""
    return [name for name in names if not issubclass(MODELS[name], Baseline) and not MODELS[name].combines]


def _suited(names: list[str], error: Mapping[str, float], n_series: int) -> list[str]:
    """Which models suit a panel: of many series all but those that are for few; of few series those that do not lose clearly
    to the best rule of thumb, or all where all do."""
    if n_series >= MANY_SERIES:
        return [name for name in names if not MODELS[name].for_few_series]
    rules = [value for name, value in error.items() if issubclass(MODELS[name], Baseline) and np.isfinite(value)]
    return [name for name in names if error[name] <= CLEARLY * min(rules, default=np.inf)] or names


def backtest(panel: Panel, experiment: Experiment, say: Say = silent) -> Backtest:
    """Let the models of an experiment forecast from cutoffs in the past, each knowing nothing of what came later.

    Args:
        panel: the series.
        experiment: with a plan, and what its time budget came to (`runs.budget.allotted`).
        say: is told of each model as it is done.

    Raises:
        BadInput: when the series are too short.
    """
    plan = plan_of(experiment)
    long_enough(panel, plan)
    fits = [fit for fit in chosen_fits(experiment) if not fit.forecasts_the_future]
    made, left_out = run_all(fits, panel, say)
    y_hat = {name: np.stack([forecasts[back] for back in plan.cutoff_offsets()]) for name, forecasts in made.items()}
    tested = judged(panel, plan, y_hat, left_out_of(experiment) | left_out)
    return with_ensemble(tested, experiment)


def with_ensemble(tested: Backtest, experiment: Experiment) -> Backtest:
    """A backtest with the ensemble, where it is among what was chosen."""
    kind = mixes(experiment)
    if kind is None:
        return tested
    shares = shares_of(tested, equal=kind.weights == "equal")
    return replace(tested, y_hat=with_mean(tested.y_hat, shares), shares=shares)
