"""A series without its seasons, forecast by a model that knows none, and with its seasons again."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

JUMP = 0.1
"""Of a season, the steps between those at which STL fits its trend; it is interpolated between them."""
SMOOTHING = 11
"""Seasons over which the shortest season is smoothed by STL; each longer one has four more."""


@dataclass(frozen=True)
class Decomposed:
    """Multiple seasonal decomposition by STL (Bandara, Hyndman and Bergmeir, 2021), as statsforecast's MSTL does it. That
    has no way to let STL jump by each season's length, as R does, and so takes four times as long or more.

    Attributes:
        seasons: in steps, the shortest first; the series must hold two of each.
        model: of statsforecast, without a season.
    """

    seasons: tuple[int, ...]
    model: Any

    def forecast(self, y: np.ndarray, h: int) -> dict[str, np.ndarray]:
        """The next h values, as `mean`: what the model makes of the rest, and the last cycle of each season, repeated.

        Args:
            y: `(n,)`.
            h: steps ahead.
        """
        parts = seasonal_parts(y, self.seasons)
        ahead = self.model.forecast(y=y - parts.sum(axis=0), h=h)["mean"]
        for length, part in zip(self.seasons, parts, strict=True):
            ahead = ahead + part[-length:][np.arange(h) % length]
        return {"mean": ahead}


def seasonal_parts(y: np.ndarray, seasons: tuple[int, ...]) -> np.ndarray:
    """The seasons of a series, `(n_seasons, n)`: each found beside the others, twice over where there are several.

    Args:
        y: `(n,)`.
        seasons: in steps, the shortest first; the series must hold two of each.
    """
    from statsmodels.tsa.seasonal import STL

    parts = np.zeros((len(seasons), len(y)))
    left = y.astype("float64")
    for _ in range(1 if len(seasons) == 1 else 2):
        for i, length in enumerate(seasons):
            left = left + parts[i]
            jump = max(1, math.ceil(JUMP * length))
            stl = STL(left, length, SMOOTHING + 4 * i, seasonal_deg=0, trend_jump=jump, low_pass_jump=jump)
            parts[i] = stl.fit().seasonal
            left = left - parts[i]
    return parts
