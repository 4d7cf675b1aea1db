"""The nearly ideal forecaster of the waves: it knows their formula, and only has to find what chance has drawn."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from forecasting.data import Split
from forecasting.data.waves import Draws, Formula
from forecasting.experiment import BadInput
from forecasting.models.base import Drawing, LocalModel, sample_field
from forecasting.models.learning import Control, Learned, Shape, Stopped

CANDIDATES = 20_000
"""Random draws that every series is compared with."""
STARTS = 8
"""The best of them, from which it is fitted."""
ITERATIONS = 30
ENOUGH, STUCK = 1e-5, 1e3
"""A fit has ended when a step takes less than this share of its error away, or needs more than this damping."""
CHUNK_SIZE = 100
"""Windows that are fitted at the same time."""
N_PARAMETERS = 5
TINY = 1e-6

Curves = Callable[[np.ndarray], np.ndarray]


class Oracle(LocalModel):
    """Knows the formula behind the waves."""

    name: ClassVar[str] = "oracle"
    title: ClassVar[str] = "Oracle"
    group: ClassVar[str] = "reference"
    reference: ClassVar[bool] = True
    description: ClassVar[str] = (
        "Knows the formula of the waves, and finds the frequencies and phases of each series by non-linear least squares "
        "from many starts. It shows what is possible at all, and so is no competitor."
    )
    formula: ClassVar[str] = (
        r"\hat y_{t+k} = g_{\hat\theta}(t+k), \quad "
        r"\hat\theta = \arg\min_\theta \sum_{i=0}^{n-1} \left(y_{t-i} - g_\theta(t-i)\right)^2"
    )
    drawing: ClassVar[Drawing] = Drawing("sum", "fit ω, φ")
    sample: int = sample_field(2_000)

    def fit(self, split: Split, control: Control) -> Learned:
        """Take the formula of the series.

        Raises:
            BadInput: when they have none, or several channels, or are seen transformed.
        """
        if split.formula is None or split.formula.waves.n_channels > 1:
            raise BadInput("The Oracle knows the formula of waves with one channel, and of no other series: switch it off.")
        if split.valid.lmbda is not None:
            raise BadInput("The Oracle knows the series as they are: take no transform, or switch it off.")
        if np.ptp(split.valid.scale) or np.ptp(split.valid.loc):
            raise BadInput("The Oracle needs one scale for all windows: choose another scaling, or switch it off.")
        total = sum(len(self.sampled(len(part))) for part in (split.valid, split.test))
        loc, scale = float(split.valid.loc[0, 0]), float(split.valid.scale[0, 0])
        return Learned(Fitter(split.formula, Shape.of(split), loc, scale, control, total))


@dataclass
class Fitter:
    """Fits the formula to every look-back that it is given, and tells how far it is.

    Attributes:
        loc, scale: value in units = seen value × scale + loc.
    """

    formula: Formula
    shape: Shape
    loc: float
    scale: float
    control: Control
    total: int
    weights: list[np.ndarray] = field(default_factory=list)
    done: int = 0

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Forecast from look-backs `(n_windows, input_size, 1)`: `(n_windows, n_outputs)`, float64.

        Raises:
            Stopped: when `control` says so between two groups of windows.
        """
        y_hat = np.empty((len(x), self.shape.n_outputs))
        for start in range(0, len(x), CHUNK_SIZE):
            if self.control.should_stop():
                raise Stopped
            group = slice(start, start + CHUNK_SIZE)
            y_hat[group] = self._forecast(x[group, :, 0].astype("float64") * self.scale + self.loc)
            self.done = min(self.done + CHUNK_SIZE, self.total)
            self.control.on_fraction(0, self.done / self.total)
        return (y_hat - self.loc) / self.scale

    def _forecast(self, seen: np.ndarray) -> np.ndarray:
        """Of the fits from all starts, the forecast of the one that comes nearest to each look-back, in units."""
        n_windows, n_steps = seen.shape
        first_ahead = self.shape.input_size
        past, ahead = np.arange(first_ahead - n_steps, first_ahead), np.array(self.shape.steps) + first_ahead - 1
        starts = nearest(seen, lambda p: self._curves(p, past))
        found, error = least_squares(lambda p: self._curves(p, past), np.repeat(seen, STARTS, axis=0), starts)
        best = error.reshape(n_windows, STARTS).argmin(axis=1) + np.arange(n_windows) * STARTS
        return self._curves(found[best], ahead)

    def _curves(self, parameters: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Series by their two frequencies, two phases and the season's shift, `(n, 5)`, each within its range of 0 to 1."""
        return self.formula([Draws(parameters[:, :4].T[:, :, None], parameters[:, 4:])], step)


def nearest(y: np.ndarray, curves: Curves) -> np.ndarray:
    """Of many random parameters, for each of `y` those whose curves come nearest: `(n × STARTS, N_PARAMETERS)`."""
    drawn = np.random.default_rng(0).random((CANDIDATES, N_PARAMETERS))
    candidates = curves(drawn)
    distance = np.square(candidates).sum(axis=1) - 2 * y @ candidates.T
    return drawn[np.argpartition(distance, STARTS, axis=1)[:, :STARTS].ravel()]


def least_squares(curves: Curves, y: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit many curves at once by the method of Levenberg and Marquardt; parameters stay between 0 and 1.

    Every fit has a damping of its own, which falls when a step has helped and rises when it has not (Marquardt, 1963).

    Args:
        curves: gives curves `(n, n_steps)` of parameters `(n, n_parameters)`.
        y: what they shall come near to, `(n, n_steps)`.
        start: parameters to start from, `(n, n_parameters)`.

    Returns:
        Parameters, and the sums of squared errors, `(n,)`.
    """
    found, damping, active = start.copy(), np.full(len(y), 1e-3), np.arange(len(y))
    residual = y - curves(found)
    error = np.square(residual).sum(axis=1)
    axes = np.eye(found.shape[1])
    for _ in range(ITERATIONS):
        now, left = found[active], residual[active]
        curve = y[active] - left
        slopes = np.stack([(curves(now + TINY * axis) - curve) / TINY for axis in axes], axis=2)
        squares = slopes.transpose(0, 2, 1) @ slopes
        damped = squares * (1 + damping[active, None, None] * axes) + 1e-12 * axes
        step = np.linalg.solve(damped, slopes.transpose(0, 2, 1) @ left[:, :, None])[:, :, 0]
        tried = np.clip(now + step, 0, 1)
        left = y[active] - curves(tried)
        gained = 1 - np.square(left).sum(axis=1) / np.maximum(error[active], 1e-300)
        better = gained > 0
        chosen = active[better]
        found[chosen], residual[chosen] = tried[better], left[better]
        error[chosen] *= 1 - gained[better]
        damping[active] *= np.where(better, 0.3, 4.0)
        active = active[np.where(better, gained > ENOUGH, damping[active] < STUCK)]
        if not len(active):
            break
    return found, error
