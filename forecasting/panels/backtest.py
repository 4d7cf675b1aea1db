"""Backtests with a rolling origin, and the choice of a model by them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from forecasting.evaluation.intervals import Conformal, coverage, interval_score
from forecasting.evaluation.metrics import scales, score
from forecasting.evaluation.significance import Difference, difference
from forecasting.experiment import BadInput, Experiment, Plan
from forecasting.models import MODELS, Ensemble
from forecasting.models.naive import Baseline, Naive, SeasonalNaive
from forecasting.panels.fits import Say, chosen_fits, left_out_of, mixes, plan_of, run_all, silent
from forecasting.panels.forecasters import FEWEST_KNOWN
from forecasting.panels.panel import Panel

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
    """

    cutoff_offsets: list[int]
    y: np.ndarray
    y_hat: dict[str, np.ndarray]
    scale: np.ndarray
    scale_at_end: np.ndarray
    left_out: dict[str, str] = field(default_factory=dict)
    partial: frozenset[str] = frozenset()

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
        """The model with the lowest MASE on the cutoffs that choose; where that is not defined, with the lowest RMSE."""
        table = self.scores(self.choosing)
        table = {name: line for name, line in table.items() if name not in self.partial} or table
        by = "mase" if any(np.isfinite(line["mase"]) for line in table.values()) else "rmse"
        known = {name: line[by] for name, line in table.items() if np.isfinite(line[by])}
        return min(known, key=lambda name: known[name]) if known else next(iter(table))

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


def default_plan(panel: Panel, season_length: int, h: int | None = None) -> Plan:
    """A horizon of one season, and two to eight cutoffs: as many as leave most values of most series to learn from.

    Args:
        panel: the series.
        season_length: steps; 1 for none.
        h: steps ahead; None: a season, or 6 where there is none, at most 48 and a twelfth of `Panel.usual`.
    """
    asked = h or max(1, min(season_length if season_length > 1 else 6, panel.usual // 12, 48))
    return Plan(h=asked, season_length=season_length, n_windows=max(2, min(8, (panel.usual - 3) // asked - 2)))


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
    offsets, places = plan.cutoff_offsets(), long_enough(panel, plan)
    y = np.full((len(offsets), len(panel.ids), plan.h), np.nan)
    y[:, places] = np.stack([panel.after(back, plan.h)[places] for back in offsets])
    scale, ends = (
        np.array([[scales(known, plan.season_length) for known in panel.known_before(back)] for back in some])
        for some in (offsets, [0])
    )
    return Backtest(offsets, y, dict(y_hat), scale, ends[0, :, 0], dict(left_out or {}))


def with_mean(made: Mapping[str, np.ndarray], partial: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Forecasts by model, and as the ensemble the mean of those that are no rules of thumb, where there are two of them.

    Args:
        made: forecasts by model.
        partial: models that were stopped, and so are no members.
    """
    members = [name for name in members_of(made) if name not in partial]
    return {**made, Ensemble.name: np.mean([made[name] for name in members], axis=0)} if len(members) > 1 else dict(made)


def members_of(names: Sequence[str] | Mapping[str, object]) -> list[str]:
    """What the ensemble is the mean of: all that are no rules of thumb."""
    return [name for name in names if not issubclass(MODELS[name], Baseline) and not MODELS[name].combines]


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
    return judged(panel, plan, with_mean(y_hat) if mixes(experiment) else y_hat, left_out_of(experiment) | left_out)
