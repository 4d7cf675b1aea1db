"""The linear model: each forecast is a weighted sum of the look-back, solved exactly or trained step by step."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from forecasting.data.windows import Split
from forecasting.models.base import Control, Learned, Learner, NetworkModel, Shape

if TYPE_CHECKING:
    from forecasting.models.networks import Pair


@dataclass(frozen=True)
class WeightedSum:
    """`y_hat = x · kernel + bias`, kernel of shape `(input_size × n_features, n_outputs)`."""

    kernel: np.ndarray
    bias: np.ndarray

    @property
    def weights(self) -> list[np.ndarray]:
        """Kernel and bias."""
        return [self.kernel, self.bias]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Forecast: `(n_windows, n_outputs)`."""
        return x.reshape(len(x), -1) @ self.kernel + self.bias


def least_squares(x: np.ndarray, y: np.ndarray) -> WeightedSum:
    """Solve the linear model exactly: the weights with the smallest squared error, and of those the shortest.

    An orthogonal (QR) factorisation first brings the many rows down to a small triangle with the same solution, which
    is then solved by singular values; that is as exact as solving the whole, and many times faster (Golub and Van Loan,
    Matrix Computations, section 5.3).

    Args:
        x: shape `(n_windows, input_size, n_features)`.
        y: shape `(n_windows, n_outputs)`.
    """
    flat = x.reshape(len(x), -1).astype("float64")
    table = np.concatenate([flat, np.ones((len(flat), 1)), y], axis=1)
    triangle = np.asarray(np.linalg.qr(table, mode="r"))
    n = flat.shape[1] + 1
    solution = np.linalg.lstsq(triangle[:, :n], triangle[:, n:], rcond=None)[0]
    return WeightedSum(solution[:-1], solution[-1])


class Linear(Learner):
    """The linear model, solved."""

    name: ClassVar[str] = "linear"
    title: ClassVar[str] = "Linear, least squares"
    group: ClassVar[str] = "linear"
    description: ClassVar[str] = (
        "Weighs every value of the look-back, with the weights that make the squared error on the training part smallest. "
        "It is solved exactly, within milliseconds."
    )

    formula: ClassVar[str] = r"\hat y_{t+k} = b_k + \sum_{i=0}^{n-1} w_{ik}\, y_{t-i}"

    def count(self, shape: Shape) -> int:
        """One weight per seen value and one bias, per output."""
        return (shape.input_size * shape.n_features + 1) * shape.n_outputs

    def learn(self, split: Split, control: Control) -> Learned:
        """Solve it."""
        return Learned(least_squares(split.train.x, split.train.y))

    def restore(self, weights: list[np.ndarray], shape: Shape, control: Control) -> WeightedSum:
        """Take kernel and bias."""
        return WeightedSum(*weights)


class LinearTrained(NetworkModel):
    """The linear model as the chapter trains it."""

    name: ClassVar[str] = "linear_sgd"
    title: ClassVar[str] = "Linear, trained"
    group: ClassVar[str] = "linear"
    description: ClassVar[str] = (
        "The same linear model, trained by gradient descent as in the chapter (Flatten, Dense). After 20 epochs it is "
        "still on its way to the exact solution."
    )

    formula: ClassVar[str] = Linear.formula

    def count(self, shape: Shape) -> int:
        """As many as the solved one."""
        return Linear().count(shape)

    def network(self, shape: Shape) -> "Pair":
        """Flatten, Dense."""
        from forecasting.models.networks import flat_dense

        return flat_dense(shape)
