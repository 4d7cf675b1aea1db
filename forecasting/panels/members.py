"""The members of a model on whole series, one for each season and one without: whose mean each series has."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from forecasting.data.seasons import gains_of
from forecasting.experiment import SeriesFit
from forecasting.panels.forecasters import places_of
from forecasting.panels.panel import Panel

CLEARLY = 0.35
"""What a season takes away of the changes of a series, as a logarithm, where it is so clear that members without it fall
away (docs/performance.md)."""

ByModel = dict[str, dict[int, np.ndarray]]
"""Forecasts by model and cutoff, `(n_series, h)` each."""


def by_model(made: Iterable[tuple[SeriesFit, Mapping[int, np.ndarray]]], panel: Panel) -> ByModel:
    """The forecasts of models, of those of their fits.

    Args:
        made: fits, and what they forecast by cutoff, `(n_series, h)` each; of a chunk its series alone.
        panel: their series.
    """
    members: dict[str, dict[int, dict[int, np.ndarray]]] = {}
    for fit, forecasts in made:
        for back, y_hat in forecasts.items():
            by_season = members.setdefault(fit.model.name, {}).setdefault(back, {})
            if fit.chunk is None:
                by_season[fit.task.season_length] = y_hat
            else:
                whole = by_season.setdefault(fit.task.season_length, np.full((len(panel.ids), y_hat.shape[1]), np.nan))
                whole[places_of(fit, panel)] = y_hat
    return {
        name: {back: _mean(by_season, panel, back) for back, by_season in cutoffs.items()}
        for name, cutoffs in members.items()
    }


def _mean(by_season: Mapping[int, np.ndarray], panel: Panel, back: int) -> np.ndarray:
    """The forecasts from one cutoff, of the members that suit each series, `(n_series, h)`."""
    if len(by_season) == 1:
        return next(iter(by_season.values()))
    lengths = sorted(by_season)
    stacked = np.stack([by_season[length] for length in lengths])
    weights = np.zeros((len(lengths), len(panel.ids)))
    for i, known in enumerate(panel.known_before(back)):
        if np.isfinite(stacked[:, i]).any():
            weights[:, i] = weights_of(known, lengths)
    y_hat = (weights[:, :, None] * np.nan_to_num(stacked)).sum(axis=0)
    y_hat[weights.sum(axis=0) == 0] = np.nan
    return y_hat


def weights_of(known: np.ndarray, seasons: Sequence[int]) -> np.ndarray:
    """The weights of members on a series, `(n_members,)`: equal for those whose season it shows, and that of the shortest;
    a season that it shows clearly leaves out the shorter ones.

    Args:
        known: what was known of the series, `(n,)`; what is missing is NaN.
        seasons: of the members, the shortest first; 1 for none.
    """
    suits = np.ones(len(seasons))
    for k, gain in enumerate(gains_of(known, seasons[1:]), start=1):
        suits[k] = (gain or 0.0) > 0
        if (gain or 0.0) > CLEARLY:
            suits[:k] = 0
    return suits / suits.sum()
