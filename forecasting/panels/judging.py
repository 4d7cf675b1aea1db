"""Forecasts of the past held against what came: scores, intervals, and which model they choose."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from forecasting.evaluation.intervals import Conformal, coverage, interval_score
from forecasting.evaluation.metrics import scales, score
from forecasting.evaluation.significance import Difference, difference
from forecasting.experiment import BadInput, Plan
from forecasting.models import Ensemble
from forecasting.models.naive import Naive, SeasonalNaive
from forecasting.panels.fits import never_negative
from forecasting.panels.forecasters import FEWEST_KNOWN, judged_places
from forecasting.panels.panel import Panel

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
        scale_at_end: the first of them of the whole series, `(n_series,)`; truths and forecasts of those that are too short
            to be judged are NaN.
        floor: what a series never goes below, by what was known at each cutoff and, last, at the end: 0, or minus infinity,
            `(n_cutoffs + 1, n_series)`.
        zeros: the share of zeros in the last values that were known there, likewise.
        n_known: how many values of a series were known at the first cutoff, the median.
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
    floor: np.ndarray
    zeros: np.ndarray
    n_known: int
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
        """Conformal intervals calibrated on the errors at these cutoffs, for what comes after the last of them."""
        which = range(len(self.y))[some]
        now = self.scale_at_end if which[-1] == len(self.y) - 1 else self.scale[which[-1] + 1, :, 0]
        return Conformal.learn(self.y_hat[name][some] - self.y[some], self.scale[some][:, :, 0], now)

    def interval(
        self, y_hat: np.ndarray, half_width: np.ndarray, level: float, at: int = -1
    ) -> tuple[np.ndarray, np.ndarray]:
        """The ends of intervals around forecasts, `(n_series, h)` each.

        A series that was never below zero has none below it; one of which so many values were zero that its lower quantile
        is (intermittent demand) has zero within.

        Args:
            y_hat, half_width: `(n_series, h)`.
            level: in percent.
            at: from which cutoff; -1: from the end.
        """
        low = y_hat - half_width
        often_zero = self.zeros[at] > (1 - level / 100) / 2
        low = np.where(often_zero[:, None], np.minimum(low, 0.0), low)
        return np.maximum(low, self.floor[at][:, None]), y_hat + half_width

    def covered(self, name: str, level: float) -> tuple[float, float]:
        """How much intervals calibrated on the earlier half of the cutoffs cover on the later half, and their score."""
        half = max(1, len(self.cutoff_offsets) // 2)
        if half == len(self.cutoff_offsets):
            return np.nan, np.nan
        width = self.conformal(name, slice(half)).half_width(level)
        ends = [self.interval(self.y_hat[name][at], width, level, at) for at in range(half, len(self.y))]
        low, high = (np.stack(side) for side in zip(*ends, strict=True))
        return coverage(self.y[half:], low, high), interval_score(self.y[half:], low, high, level)

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
    floor = np.array([np.where(never_negative(panel, back), 0.0, -np.inf) for back in (*offsets, 0)])
    zeros = np.array([[_zeros(known, plan) for known in panel.known_before(back)] for back in (*offsets, 0)])
    first = plan.selection == "ensemble_first"
    n_known = int(np.median([max(0, len(panel.y[i]) - offsets[0]) for i in places]))
    return Backtest(
        offsets, y, dict(y_hat), scale, ends[0, :, 0], floor, zeros, n_known, dict(left_out or {}), ensemble_first=first
    )


def _zeros(known: np.ndarray, plan: Plan) -> float:
    """The share of zeros in the last values: as many as three horizons or seasons, thirty at least."""
    last = known[-max(30, 3 * plan.h, 3 * plan.season_length) :]
    return float((last == 0).mean()) if len(last) else 0.0
