"""Powers of values (Box and Cox, 1964), for series that swing more the higher they are; and the way back."""

from typing import Literal

import numpy as np

from forecasting.experiment import BadInput

Power = Literal["none", "log", "box_cox"]
POWERS = (-1.0, 2.0)
"""The powers between which Box–Cox looks."""
MOST = 1e150
"""What a forecast of a power comes back as at most: its square can still be counted with."""


def power_of(how: Power, known: np.ndarray, every: np.ndarray, whose: str) -> float:
    """The λ of a series: 0 is the logarithm, NaN changes nothing.

    Args:
        how: none, log, or the λ under which the known values are most likely normal.
        known: values from which it is learned, `(n,)`; NaN are passed over.
        every: all values of the series.
        whose: the series' name, for complaints.

    Raises:
        BadInput: when there are values of 0 or below.
    """
    if how == "none":
        return np.nan
    if np.nanmin(every, initial=np.inf) <= 0:
        raise BadInput(f"Series {whose!r:.60} has values of 0 or below, which have no logarithm: take none.")
    return 0.0 if how == "log" else _most_likely(known[np.isfinite(known)])


def _most_likely(known: np.ndarray) -> float:
    from scipy.stats import boxcox_normmax

    if len(known) < 2 or np.ptp(known) == 0:
        return 1.0
    return float(np.clip(boxcox_normmax(known, brack=POWERS, method="mle"), *POWERS))


def raised(y: np.ndarray, power: float) -> np.ndarray:
    """Values as their power."""
    if np.isnan(power):
        return y
    return np.log(y) if power == 0 else (y**power - 1) / power


def lowered(z: np.ndarray, power: np.ndarray | float) -> np.ndarray:
    """Powers as values, each by its own λ; what lies beyond all that a power reaches comes back as its bound."""
    power = np.broadcast_to(power, z.shape)
    if np.isnan(power).all():
        return z
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        raised_to = np.maximum(power * z + 1, 1e-9) ** (1 / np.where(power == 0, np.nan, power))
        back = np.where(power == 0, np.exp(z), raised_to)
    return np.where(np.isnan(power), z, np.minimum(back, MOST))
