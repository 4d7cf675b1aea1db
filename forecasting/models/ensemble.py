"""The mean of what other models forecast."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from forecasting.data import Split
from forecasting.experiment import BadInput
from forecasting.models.base import Drawing, Model
from forecasting.models.learning import Control, Learned, Shape

BLOCKS = 5
"""Parts of the validation windows: each is forecast with weights from the others."""


class Ensemble(Model):
    """A mean of forecasts of other fits; it has no fit of its own (`forecasting.evaluation.windows.combine`)."""

    name: ClassVar[str] = "ensemble"
    title: ClassVar[str] = "Ensemble"
    group: ClassVar[str] = "ensemble"
    combines: ClassVar[bool] = True
    description: ClassVar[str] = (
        "The mean of all models at hand that have learned, with every seed: their errors differ, and partly cancel "
        "out. Weighted, each has the share that makes the squared error on validation smallest."
    )
    formula: ClassVar[str] = r"\hat y_{t+k} = \sum_m w_m\, \hat y^{(m)}_{t+k}, \quad w_m \ge 0,\ \textstyle\sum_m w_m = 1"
    drawing: ClassVar[Drawing] = Drawing("mean", "Σ w·ŷ")
    in_default_comparison: ClassVar[bool] = True
    in_fast_comparison: ClassVar[bool] = True
    series_params: ClassVar[Mapping[str, Any]] = {"weights": "equal"}
    weights: Literal["equal", "validation"] = Field(
        "validation",
        title="Shares",
        description="Equal, or learned from the validation part; a validation window is then forecast with shares from "
        "other windows, so that its score stays honest.",
    )

    @property
    def label(self) -> str:
        """How it weighs."""
        return f"{self.title}, mean" if self.weights == "equal" else self.title

    def n_parameters(self, shape: Shape) -> int:
        """None beside those of its members."""
        return 0

    def fit(self, split: Split, control: Control) -> Learned:
        """There is nothing to fit without other models' forecasts."""
        raise BadInput("An ensemble is made of other models' forecasts: it cannot be fitted by itself.")

    def mixed(self, y: np.ndarray, valid: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mix forecasts.

        Args:
            y: truth of the validation part, `(n_valid, n_outputs)`.
            valid, test: forecasts of the members, `(n_members, n_windows, n_outputs)`.

        Returns:
            Forecasts of validation and test, and the shares `(n_members,)`, which add up to one.
        """
        if self.weights == "equal" or len(y) < BLOCKS:
            shares = np.full(len(valid), 1 / len(valid))
            return _mean(shares, valid), _mean(shares, test), shares
        mixed = np.empty_like(valid[0])
        for block in np.array_split(np.arange(len(y)), BLOCKS):
            others = np.delete(np.arange(len(y)), block)
            mixed[block] = _mean(best_shares(y[others], valid[:, others]), valid[:, block])
        shares = best_shares(y, valid)
        return mixed, _mean(shares, test), shares


def best_shares(y: np.ndarray, y_hats: np.ndarray) -> np.ndarray:
    """The shares of the mean with the smallest squared error (Bates and Granger, 1969; none negative: Breiman, 1996).

    With errors e_m and shares that add up to one, the error of the mean is Σ w_m e_m. Non-negative least squares of
    Σ w_m e_m = 0 together with Σ w_m = 1 has its minimum in the same direction, whatever the sum.

    Args:
        y: truth, `(n_windows, n_outputs)`.
        y_hats: forecasts, `(n_members, n_windows, n_outputs)`.
    """
    from scipy.optimize import nnls  # needed for this alone, and too slow to load for a page that has no ensemble

    errors = (y_hats.astype("float64") - y).reshape(len(y_hats), -1)
    scale = np.sqrt((errors**2).sum(axis=1).min()) or 1.0
    root = np.linalg.qr((errors / scale).T, mode="r")  # as good as all windows: (R w)² is the squared error
    rows = np.vstack([root, np.ones(len(y_hats))])
    shares, _ = nnls(rows, np.append(np.zeros(len(root)), 1.0))
    return shares / shares.sum()


def _mean(shares: np.ndarray, y_hats: np.ndarray) -> np.ndarray:
    return np.einsum("m,mnk->nk", shares, y_hats).astype("float32")
