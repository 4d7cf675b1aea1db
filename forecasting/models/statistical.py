"""Statistical models: fitted anew to every single look-back, by the library statsforecast.

They learn nothing that windows share, and a fit takes from a millisecond to a second per window: so they forecast a sample
of the windows, spread evenly over each part, and are scored on it. The library is loaded when the first of them is fitted.
"""

import warnings
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from forecasting.data.seasons import gains_of
from forecasting.data.windows import Split
from forecasting.experiment import BadInput, Training
from forecasting.experiment.tasks import SeasonLength
from forecasting.models.base import LocalModel, sample_field
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
        form: str = getattr(self, "form", "")
        usual = not form or form == type(self).model_fields["form"].default
        return self.title if usual else f"{self.title}, {FORMS.get(form, form)}"

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
