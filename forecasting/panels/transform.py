"""Series made easier to forecast: transformed, detrended, deseasonalized; and the way back."""

from dataclasses import dataclass, replace

import numpy as np

from forecasting.data.boxcox import boxcox, inv_boxcox, lambda_of
from forecasting.experiment import SeriesTask
from forecasting.panels.panel import Panel


@dataclass(frozen=True)
class SeriesTransform:
    """What was learned of every series before a cutoff.

    Attributes:
        lmbda: the λ of Box and Cox (1964), `(n_series,)`; 0 is the logarithm, NaN changes nothing.
        trend: slope and height at the first value of a straight line, `(n_series, 2)`.
        season: what is added at each step of the season, `(n_series, season_length)`.
    """

    lmbda: np.ndarray
    trend: np.ndarray
    season: np.ndarray

    @classmethod
    def learn(cls, panel: Panel, plan: SeriesTask, back: int) -> "SeriesTransform":
        """Learn from what was known `back` steps before the end.

        Args:
            panel: the series.
            plan: which transform, whether to detrend and to deseasonalize, and the season.
            back: how many steps before the end of each series.

        Raises:
            BadInput: when a series has values that have no logarithm.
        """
        lmbda, trend = np.full(len(panel.ids), np.nan), np.zeros((len(panel.ids), 2))
        season = np.zeros((len(panel.ids), plan.season_length))
        for i, known in enumerate(panel.before(back)):
            lmbda[i] = lambda_of(plan.transform, known, panel.y[i], panel.ids[i])
            left, t = boxcox(known, lmbda[i]), np.arange(len(known))
            if plan.detrend:
                trend[i] = np.polyfit(t, left, 1)
                left = left - np.polyval(trend[i], t)
            if plan.deseasonalize and len(known) >= 2 * plan.season_length:
                phases = t % plan.season_length
                season[i] = np.bincount(phases, left) / np.bincount(phases)
                season[i] -= season[i].mean()
        return cls(lmbda, trend, season)

    def panel(self, panel: Panel) -> Panel:
        """The series as models are to see them."""
        return replace(
            panel,
            y=[boxcox(values, self.lmbda[i]) - self._known(i, np.arange(len(values))) for i, values in enumerate(panel.y)],
        )

    def undo(self, y_hat: np.ndarray, panel: Panel, back: int) -> np.ndarray:
        """Turn forecasts of the transformed series back into forecasts of the series in units, `(n_series, h)`.

        Where a transform was taken, they are medians.

        Args:
            y_hat: forecasts of the transformed series, `(n_series, h)`.
            panel: the series; of them only the lengths are used.
            back: how many steps before the end they were forecast.
        """
        rows = []
        for i, row in enumerate(y_hat):
            t = len(panel.y[i]) - back + np.arange(len(row))
            rows.append(inv_boxcox(row + self._known(i, t), self.lmbda[i]))
        return np.stack(rows)

    def _known(self, i: int, t: np.ndarray) -> np.ndarray:
        """Trend and season of a series at some of its steps."""
        return np.polyval(self.trend[i], t) + self.season[i][t % self.season.shape[1]]
