"""Series made easier to forecast: a power of their values, without their trend and season; and the way back."""

from dataclasses import dataclass, replace

import numpy as np

from forecasting.data.panel import Panel
from forecasting.data.powers import lowered, power_of, raised
from forecasting.experiment import SeriesTask


@dataclass(frozen=True)
class Reshaping:
    """What was learned of every series before a cutoff.

    Attributes:
        power: the λ of Box and Cox (1964), `(n_series,)`; 0 is the logarithm, NaN changes nothing.
        trend: slope and height at the first value of a straight line, `(n_series, 2)`.
        season: what is added at each step of the season, `(n_series, season_length)`.
    """

    power: np.ndarray
    trend: np.ndarray
    season: np.ndarray

    @classmethod
    def learn(cls, panel: Panel, plan: SeriesTask, back: int) -> "Reshaping":
        """Learn from what was known `back` steps before the end.

        Raises:
            BadInput: when a series has values that have no logarithm.
        """
        power, trend = np.full(len(panel.ids), np.nan), np.zeros((len(panel.ids), 2))
        season = np.zeros((len(panel.ids), plan.season_length))
        for i, known in enumerate(panel.before(back)):
            power[i] = power_of(plan.power, known, panel.y[i], panel.ids[i])
            left, t = raised(known, power[i]), np.arange(len(known))
            if plan.take_out in ("trend", "both"):
                trend[i] = np.polyfit(t, left, 1)
                left = left - np.polyval(trend[i], t)
            if plan.take_out in ("season", "both") and len(known) >= 2 * plan.season_length:
                phases = t % plan.season_length
                season[i] = np.bincount(phases, left) / np.bincount(phases)
                season[i] -= season[i].mean()
        return cls(power, trend, season)

    def panel(self, panel: Panel) -> Panel:
        """The series as models are to see them."""
        return replace(
            panel,
            y=[raised(values, self.power[i]) - self._known(i, np.arange(len(values))) for i, values in enumerate(panel.y)],
        )

    def undo(self, y_hat: np.ndarray, panel: Panel, back: int) -> np.ndarray:
        """Forecasts of those, from `back` steps before the end, as forecasts of the series, `(n_series, h)`.

        Where a power was taken, they are medians.
        """
        rows = []
        for i, row in enumerate(y_hat):
            t = len(panel.y[i]) - back + np.arange(len(row))
            rows.append(lowered(row + self._known(i, t), self.power[i]))
        return np.stack(rows)

    def _known(self, i: int, t: np.ndarray) -> np.ndarray:
        """Trend and season of a series at some of its steps."""
        return np.polyval(self.trend[i], t) + self.season[i][t % self.season.shape[1]]
