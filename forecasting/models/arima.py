"""ARIMA, with a season if wanted."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from forecasting.experiment import BadInput
from forecasting.models.base import Drawing, sample_field
from forecasting.models.statistical import SEASON, Statistical


class ARIMA(Statistical):
    """ARIMA, with a season if wanted."""

    name: ClassVar[str] = "arima"
    title: ClassVar[str] = "ARIMA"
    description: ClassVar[str] = (
        "Forecasts from its own last values and last errors, after differencing. Its orders are found for every window anew "
        "(stepwise, by AICc), or given."
    )
    formula: ClassVar[str] = r"\phi(B)\,\Phi(B^m)\,\nabla^d \nabla_m^D\, y_t = c + \theta(B)\,\Theta(B^m)\,\varepsilon_t"
    drawing: ClassVar[Drawing] = Drawing("sum", "Σ φ·y + Σ θ·ε")
    only_with: ClassVar[Mapping[str, tuple[str, Any]]] = dict.fromkeys(("p", "d", "q", "seasonal"), ("orders", "given"))
    sample: int = sample_field(25)
    orders: Literal["automatic", "given"] = Field(
        "automatic", title="Orders", description="Selected by AICc, or given below."
    )
    p: int = Field(2, ge=0, le=12, title="p", description="Own last values.")
    d: int = Field(0, ge=0, le=2, title="d", description="Differences that are taken.")
    q: int = Field(1, ge=0, le=5, title="q", description="Own last errors.")
    seasonal: tuple[int, int, int] = Field(
        (0, 0, 0), title="P, D, Q", description="The same, a season apart; they need a season length above 1."
    )
    season_length: int = SEASON

    def work_of_one(self, n_values: int) -> float:
        """A search over orders, which seasonal ones make long."""
        return 300_000.0 + n_values * (15_000.0 if self.season_length > 1 else 250.0)

    def _form(self) -> str:
        if self.orders == "automatic":
            return self.title
        return f"{self.title}{self.p, self.d, self.q}" + (str(self.seasonal) if any(self.seasonal) else "")

    def of_one_series(self, seen: np.ndarray) -> tuple[Any, ...]:
        """With given orders by maximum likelihood from a start by conditional least squares, without which it often ends
        far from the best; where that start is not stationary, and so of no use, from zeros.

        Raises:
            BadInput: when seasonal orders have no season, or are too high.
        """
        from statsforecast.models import ARIMA as Given
        from statsforecast.models import AutoARIMA

        if self.orders == "automatic":
            return (AutoARIMA(season_length=self.season_length),)
        if any(self.seasonal) and self.season_length == 1:
            raise BadInput("Seasonal orders need a season: give a season length above 1, or 0, 0, 0.")
        orders = ((self.p, self.d, self.q), self.season_length, self.seasonal)
        return tuple(Given(*orders, method=method) for method in ("CSS-ML", "ML"))
