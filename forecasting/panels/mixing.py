"""The ensemble on whole series: which models join it, and what shares they have."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from forecasting.experiment import Experiment
from forecasting.models import MODELS, Ensemble
from forecasting.models.naive import Baseline
from forecasting.panels.fits import mixes
from forecasting.panels.judging import Backtest

MANY_SERIES = 20
"""Series from which errors on backtests tell little of a single model, and the mean of all is best."""
LONG = 200
"""Values known of each of few series from which a model joins that has many weights to learn from them."""
TOLERANCE = 0.8
"""By so much of its error, shared out over the cutoffs that choose, a member may be worse than the best rule of thumb: with
eight cutoffs by a tenth, with two by two fifths, for they tell less (docs/performance.md)."""
FEWEST_TO_TRIM = 4
SHARPNESS = 4
"""The share of a member is its error to the power of minus this: twice the error, a sixteenth of the share."""


def with_mean(made: Mapping[str, np.ndarray], shares: Mapping[str, float], trimmed: bool = False) -> dict[str, np.ndarray]:
    """Forecasts by model, and the ensemble of those that have shares, where there are two of them.

    Args:
        made: forecasts by model, all of one shape.
        shares: by model; see `shares_of`.
        trimmed: of four members or more, half of the ensemble is their mean without the lowest and the highest forecast of
            every step (a simple robust average: Jose and Winkler, 2008).
    """
    if len(shares) < 2:
        return dict(made)
    mean = np.sum([share * made[name] for name, share in shares.items()], axis=0)
    if trimmed and len(shares) >= FEWEST_TO_TRIM:
        inner = np.sort([made[name] for name in shares], axis=0)[1:-1].mean(axis=0)
        mean = (mean + inner) / 2
    return {**made, Ensemble.name: mean}


def shares_of(tested: Backtest, equal: bool = False) -> dict[str, float]:
    """The shares that models have in the ensemble: all that are no rules of thumb, were not stopped, and suit the panel.

    They fall with the error on the cutoffs that choose (Bates and Granger, 1969, have its square): with few cutoffs errors
    differ little, and so do shares. Equal ones fall a little of many series, whose errors are known better.

    Args:
        tested: the backtest of the models.
        equal: all have the same, about.
    """
    names = [name for name in members_of(tested.y_hat) if name not in tested.partial]
    table = tested.scores(tested.choosing)
    if tested.ensemble_first:
        names = _suited(names, {name: line["mase"] for name, line in table.items()}, tested)
    error = np.array([table[name]["mase"] for name in names])
    sharpness = (1.0 if trims(tested) else 0.0) if equal else SHARPNESS
    if not sharpness or not (np.isfinite(error) & (error > 0)).all():
        return dict.fromkeys(names, 1 / max(1, len(names)))
    shares = (error / error.min()) ** -sharpness
    return dict(zip(names, (shares / shares.sum()).tolist(), strict=True))


def trims(tested: Backtest) -> bool:
    """Whether the highest and the lowest forecast count less: of many series."""
    return tested.ensemble_first and tested.y.shape[1] >= MANY_SERIES


def members_of(names: Sequence[str] | Mapping[str, object]) -> list[str]:
    """What the ensemble is the mean of: all that are no rules of thumb."""
    return [name for name in names if not issubclass(MODELS[name], Baseline) and not MODELS[name].combines]


def _suited(names: list[str], error: Mapping[str, float], tested: Backtest) -> list[str]:
    """Which models suit a panel: those that are for few long series only there, and of few series those that do not lose
    clearly to the best rule of thumb, or else the best two: a mean is safer than a choice."""
    few = tested.y.shape[1] < MANY_SERIES
    for_all = [name for name in names if not MODELS[name].for_few_long_series]
    if not (few and tested.n_known >= LONG) and len(for_all) >= 2:
        names = for_all
    if not few:
        return names
    rules = [value for name, value in error.items() if issubclass(MODELS[name], Baseline) and np.isfinite(value)]
    most = (1 + TOLERANCE / len(tested.cutoff_offsets[tested.choosing])) * min(rules, default=np.inf)
    close = [name for name in names if error[name] <= most]
    return close if len(close) >= 2 else sorted(names, key=lambda name: error[name])[:2]


def with_ensemble(tested: Backtest, experiment: Experiment) -> Backtest:
    """A backtest with the ensemble, where it is among what was chosen."""
    kind = mixes(experiment)
    if kind is None:
        return tested
    shares = shares_of(tested, equal=kind.weights == "equal")
    return replace(tested, y_hat=with_mean(tested.y_hat, shares, trims(tested)), shares=shares)
