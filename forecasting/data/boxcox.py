"""The transform of Box and Cox (1964), for series that swing more the higher they are; and its inverse."""

from typing import Literal

import numpy as np

from forecasting.experiment import BadInput

Transform = Literal["none", "log", "box_cox"]
LAMBDA_RANGE = (-1.0, 2.0)
"""The powers between which Box–Cox looks."""
SMALLEST = 1e-9
"""`λz + 1` at least, which must be above 0."""
MOST = 1e150
"""What a transformed forecast comes back as at most: its square can still be counted with."""


def lambda_of(how: Transform, known: np.ndarray, every: np.ndarray, whose: str) -> float:
    """The λ of a series: 0 is the logarithm, NaN changes nothing.

    Args:
        how: none, log, or the λ under which the known values are most likely normal.
        known: values from which it is learned, `(n,)`; NaN are passed over.
        every: all values of the series.
        whose: the series' name, for errors.

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
    return float(np.clip(boxcox_normmax(known, brack=LAMBDA_RANGE, method="mle"), *LAMBDA_RANGE))


def boxcox(y: np.ndarray, lmbda: float) -> np.ndarray:
    """The transform of Box and Cox with one λ: `(y^λ - 1) / λ`, the logarithm where λ is 0; unchanged where it is NaN."""
    if np.isnan(lmbda):
        return y
    from scipy import special

    return special.boxcox(y, lmbda)


def inv_boxcox(z: np.ndarray, lmbda: np.ndarray | float) -> np.ndarray:
    """Inverse Box–Cox, with a λ for each value; values outside its range are clipped to its bound, or to `MOST`."""
    lmbda = np.broadcast_to(lmbda, z.shape)
    if np.isnan(lmbda).all():
        return z
    from scipy import special

    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        bound = (SMALLEST - 1) / lmbda  # where λz + 1 is SMALLEST
        within = np.where(lmbda > 0, np.maximum(z, bound), np.where(lmbda < 0, np.minimum(z, bound), z))
        back = special.inv_boxcox(within, lmbda)
    return np.where(np.isnan(lmbda), z, np.minimum(back, MOST))
