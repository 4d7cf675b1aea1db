"""Several steps ahead, one at a time: each forecast is put behind the look-back, and the next is made from there."""

from dataclasses import dataclass

import numpy as np

from forecasting.models.learning import Fitted, Shape


@dataclass(frozen=True)
class Iterated:
    """A fitted one-step model that goes on from its own forecasts.

    Attributes:
        step: forecasts the next value of every feature, `(n_windows, n_features)`.
        shape: what is asked in the end.
    """

    step: Fitted
    shape: Shape

    @property
    def weights(self) -> list[np.ndarray]:
        """Those of the one-step model."""
        return self.step.weights

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Forecast step by step, and give the steps that are asked for: `(n_windows, n_outputs)`."""
        seen, ahead = x, []
        for _ in range(self.shape.h):
            following = self.step.predict(seen).astype(x.dtype)[:, None, :]
            seen = np.concatenate([seen[:, 1:], following], axis=1)
            ahead.append(following[:, 0, : self.shape.n_targets])
        return np.concatenate(ahead[-self.shape.n_steps :], axis=1)
