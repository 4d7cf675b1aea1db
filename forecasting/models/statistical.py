"""Statistical models: fitted anew to every single look-back, by the library statsforecast.

They learn nothing that windows share, and a fit takes from a millisecond to a second per window: so they forecast a sample
of the windows, spread evenly over each part, and are scored on it. The library is loaded when the first of them is fitted.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from forecasting.data.seasons import gains_of
from forecasting.data.windows import Split
from forecasting.experiment import BadInput, Training
from forecasting.experiment.tasks import SeasonLength
from forecasting.models.base import Drawing, LocalModel, sample_field
from forecasting.models.decomposition import Decomposed
from forecasting.models.learning import Control, Learned, Shape, Stopped

SEASON = Field(1, ge=1, le=2_000, title="Season length", description="Steps until the season repeats; 1: there is none.")

FORMS = {
    "holt": "Holt",
    "holt_winters": "Holt–Winters",
    "dynamic_optimised": "dynamic optimised",
    **{form: form.upper() for form in ("sba", "tsb", "adida", "imapa")},
}
"""How forms are named in labels where they are not their own word."""


class Statistical(LocalModel):
    """A model of one series; subclasses say which of the library's."""

    group: ClassVar[str] = "statistical"
    variable_length: ClassVar[bool] = True

    sample: int = sample_field(100)

    @property
    def label(self) -> str:
        """The model's name with its form and its season, and the sample where it is not the usual one."""
        name = self._form()
        seasons = [m for m in (getattr(self, "season_length", 1), *getattr(self, "longer_seasons", ())) if m > 1]
        name += f", season{'s' if len(seasons) > 1 else ''} {' and '.join(map(str, seasons))}" if seasons else ""
        return name + (f", {self.sample:,} windows" if self.sample != type(self).model_fields["sample"].default else "")

    def work(self, shape: Shape, n_windows: int, training: Training) -> float:
        """As often as there are histories, and what one of their length costs."""
        return n_windows * shape.n_targets * self.work_of_one(shape.input_size)

    def work_of_one(self, n_values: int) -> float:
        """What a fit to one history of so many values costs, in units of work."""
        raise NotImplementedError

    def _form(self) -> str:
        form = getattr(self, "form", "automatic")
        return self.title if form == "automatic" else f"{self.title}, {FORMS.get(form, form)}"

    def fit(self, split: Split, control: Control) -> Learned:
        """Nothing to learn from the training part."""
        total = sum(len(self.sampled(len(part))) for part in (split.valid, split.test))
        return Learned(Local(self, Shape.of(split), control, total))

    def load(self, weights: list[np.ndarray], shape: Shape, control: Control) -> "Local":
        """The same; there are no weights."""
        return Local(self, shape, control)

    def of_one_series(self, seen: np.ndarray) -> tuple[Any, ...]:
        """The library's model, unfitted; and those to take, in turn, where it fails.

        Args:
            seen: the values that it will be fitted to, `(n,)`.
        """
        raise NotImplementedError


class Seasonal(Statistical):
    """One that has a form for a short season; long ones, and several, are taken out beforehand and added again."""

    longest_own: ClassVar[int] = 12
    """The longest season that its own form is used for."""

    season_length: int = SEASON
    longer_seasons: tuple[SeasonLength, ...] = Field(
        (),
        max_length=4,
        title="Longer seasons",
        description="Seasons around it, as the week is around the day. Several seasons, or a long one, are taken out of the "
        "series by STL, as far as it shows them, and added again.",
    )

    @property
    def decomposes(self) -> bool:
        """Whether seasons are taken out."""
        return bool(self.longer_seasons) or self.season_length > self.longest_own

    def of_one_series(self, seen: np.ndarray) -> tuple[Any, ...]:
        """Its own form; or, where it decomposes, the form without a season, for what is left without those that show."""
        if not self.decomposes:
            return self.own(self.season_length)
        seasons = (self.season_length, *self.longer_seasons)
        shown = tuple(m for m, gain in zip(seasons, gains_of(seen, seasons), strict=True) if (gain or 0.0) > 0)
        return tuple(Decomposed(shown, one) for one in self.own(1)) if shown else self.own(1)

    def own(self, season_length: int) -> tuple[Any, ...]:
        """The library's model of its own form for a season, and those to take where it fails."""
        raise NotImplementedError

    def work_of_one(self, n_values: int) -> float:
        """Its own form, and an STL for each season, twice over where there are several."""
        if not self.decomposes:
            return self.own_work(n_values, self.season_length)
        rounds = 2 * (1 + len(self.longer_seasons)) if self.longer_seasons else 1
        return self.own_work(n_values, 1) + 12.0 * n_values * rounds

    def own_work(self, n_values: int, season_length: int) -> float:
        """What a fit of its own form to so many values costs, in units of work."""
        raise NotImplementedError


@dataclass
class Local:
    """Fits a model to every look-back that it is given, and tells how far it is."""

    model: Statistical
    shape: Shape
    control: Control
    total: int | None = None
    weights: list[np.ndarray] = field(default_factory=list)
    done: int = 0

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Forecast each channel from itself: `(n_windows, n_outputs)`, float64.

        Raises:
            BadInput: when a look-back is too short for the model, or it cannot be fitted.
            Stopped: when `control` says so between two windows.
        """
        y_hat = np.empty((len(x), self.shape.n_outputs))
        for i, seen in enumerate(x.astype("float64")):
            for channel in range(self.shape.n_targets):
                if self.control.should_stop():
                    raise Stopped
                y_hat[i, channel :: self.shape.n_targets] = self._forecast(seen[:, channel])
            self.done += 1
            self.control.on_fraction(0, self.done / (self.total or len(x)))
        return y_hat

    def _forecast(self, seen: np.ndarray) -> np.ndarray:
        """Forecast one series, in multiples of its own level: searches end early or late by absolute tolerances, which the
        unit of a series must not decide. It is not centred, for multiplicative forms need values above zero."""
        level = float(np.abs(seen).mean()) or 1.0
        return level * self._forecast_of(seen / level)

    def _forecast_of(self, seen: np.ndarray) -> np.ndarray:
        why: Exception | str = "its forecast is not finite"
        for one in self.model.of_one_series(seen):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of standard errors that nobody asks for, of searches that end early
                    ahead = one.forecast(y=seen, h=self.shape.h)["mean"]
            except MemoryError:
                raise
            except Exception as error:  # the library raises whatever comes, bare ones among them
                why = error
                continue
            if np.isfinite(ahead).all():
                return ahead[-self.shape.n_steps :]
        raise BadInput(
            f"{self.model.label} cannot be fitted to a look-back of {len(seen)} values ({why}): lengthen it, or choose a "
            "simpler form."
        )


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
