"""Exponential smoothing and its relatives: ETS, Theta, CES."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from forecasting.experiment import BadInput
from forecasting.models.base import Drawing
from forecasting.models.statistical import Seasonal


class ExponentialSmoothing(Seasonal):
    """ETS."""

    name: ClassVar[str] = "ets"
    title: ClassVar[str] = "ETS"
    description: ClassVar[str] = (
        "Exponential smoothing: level, trend and season are averages that forget the past step by step. Automatic takes the "
        "form with the lowest AICc, for every window anew."
    )
    formula: ClassVar[str] = (
        r"\hat y_{t+k} = \ell_t + k\,b_t + s_{t+k-m}, "
        r"\quad \ell_t = \alpha\,(y_t - s_{t-m}) + (1-\alpha)(\ell_{t-1} + b_{t-1})"
    )
    drawing: ClassVar[Drawing] = Drawing("row", "ℓ b s")
    in_default_comparison: ClassVar[bool] = True
    form: Literal["automatic", "simple", "holt", "damped", "holt_winters"] = Field(
        "automatic",
        title="Form",
        description="Simple: a level. Holt: with a trend. Damped: with a trend that fades. Holt–Winters: with trend and "
        "a season.",
    )

    @property
    def decomposes(self) -> bool:
        """Only its automatic form does."""
        return self.form == "automatic" and super().decomposes

    def own_work(self, n_values: int, season_length: int) -> float:
        """Fifteen forms are tried with a season, six without."""
        return n_values * (800.0 if season_length > 1 else 60.0)

    def own(self, season_length: int) -> tuple[Any, ...]:
        """Automatic, or one of the textbook's forms, with additive errors.

        Raises:
            BadInput: when Holt–Winters has no season.
        """
        from statsforecast.models import AutoETS

        if self.form == "holt_winters" and season_length == 1:
            raise BadInput("Holt–Winters needs a season: give a season length above 1, or choose another form.")
        form = {"automatic": "ZZZ", "simple": "ANN", "holt": "AAN", "damped": "AAN", "holt_winters": "AAA"}[self.form]
        damped = None if self.form == "automatic" else self.form == "damped"
        return (AutoETS(season_length if self.form in ("automatic", "holt_winters") else 1, form, damped),)


class Theta(Seasonal):
    """The Theta method."""

    name: ClassVar[str] = "theta"
    title: ClassVar[str] = "Theta"
    description: ClassVar[str] = (
        "Smooths a version of the series with its curvature doubled, and joins it to its straight line. It won the M3 "
        "competition, and the series is deseasonalized first."
    )
    formula: ClassVar[str] = (
        r"\hat y_{t+k} = \tfrac12\,\big(L^{\theta=0}_{t+k} + L^{\theta=2}_{t+k}\big), "
        r"\quad \nabla^2 L^{\theta}_t = \theta\,\nabla^2 y_t"
    )
    drawing: ClassVar[Drawing] = Drawing("two_lines")
    in_default_comparison: ClassVar[bool] = True
    in_fast_comparison: ClassVar[bool] = True
    series_params: ClassVar[Mapping[str, Any]] = {"form": "dynamic_optimised"}
    form: Literal["automatic", "standard", "optimised", "dynamic", "dynamic_optimised"] = Field(
        "automatic",
        title="Form",
        description="Standard: θ is 2. Optimised: θ is fitted. Dynamic: the line moves with the series.",
    )

    def own_work(self, n_values: int, season_length: int) -> float:
        """It grows with the square of the length; automatic tries four forms."""
        return (4 if self.form == "automatic" else 1) * (7.0 * n_values + 0.015 * n_values**2)

    def own(self, season_length: int) -> tuple[Any, ...]:
        """Automatic takes the form with the smallest squared error on the look-back."""
        from statsforecast.models import AutoTheta

        forms = {"automatic": None, "standard": "STM", "optimised": "OTM", "dynamic": "DSTM", "dynamic_optimised": "DOTM"}
        return (AutoTheta(season_length, model=forms[self.form]),)


class ComplexSmoothing(Seasonal):
    """CES (Svetunkov, Kourentzes and Ord, 2022)."""

    name: ClassVar[str] = "ces"
    title: ClassVar[str] = "CES"
    description: ClassVar[str] = (
        "Complex exponential smoothing: a level and what the errors tell of it are smoothed as one complex number, so that "
        "no trend need be chosen. With or without a season, by AICc."
    )
    formula: ClassVar[str] = (
        r"\ell_t + i c_t = (\alpha_0 + i\alpha_1)(y_t + i p_t) + (1 - \alpha_0 + i - i\alpha_1)(\ell_{t-1} + i c_{t-1})"
    )
    drawing: ClassVar[Drawing] = Drawing("row", "ℓ c")
    in_default_comparison: ClassVar[bool] = True
    longest_own: ClassVar[int] = 24

    def own_work(self, n_values: int, season_length: int) -> float:
        """With a season two forms are tried."""
        return n_values * (30.0 if season_length > 1 else 3.0)

    def own(self, season_length: int) -> tuple[Any, ...]:
        """The automatic one; for a series that is too short for a season, without it."""
        from statsforecast.models import AutoCES

        return (AutoCES(season_length), AutoCES(1, model="N"))
