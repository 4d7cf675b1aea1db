"""The linear model: each forecast is a weighted sum of the look-back, solved exactly or trained step by step."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from forecasting.data.windows import Split
from forecasting.experiment import Training
from forecasting.models.base import Drawing, Learner, NetworkModel
from forecasting.models.learning import Control, Learned, Shape

if TYPE_CHECKING:
    from forecasting.models.networks.build import Network


CHUNK_SIZE = 500
"""Windows that are summed up at a time."""
SMALLEST = 1e-5
"""Share of the largest column that must be left of each when the others are taken out of it."""


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

    The normal equations bring the many rows down to one small square; a second round on what is left over makes up for the
    digits that they lose (Golub and Van Loan, Matrix Computations, section 5.3). Where columns nearly depend on each other
    too many are lost, and the rows are factorised as they are.

    Args:
        x: shape `(n_windows, input_size, n_features)`.
        y: shape `(n_windows, n_outputs)`.
    """
    rows = [slice(first, first + CHUNK_SIZE) for first in range(0, len(x), CHUNK_SIZE)]
    n = x[0].size + 1
    square, left = np.zeros((n, n)), np.zeros((n, y.shape[1]))
    for some in rows:
        table = _with_ones(x[some])
        square += table.T @ table
        left += table.T @ y[some].astype("float64")
    try:
        root = np.linalg.cholesky(square)
    except np.linalg.LinAlgError:
        return _by_singular_values(x, y)
    if root.diagonal().min() < SMALLEST * root.diagonal().max():
        return _by_singular_values(x, y)
    solution = np.linalg.solve(square, left)
    left[:] = 0
    for some in rows:
        table = _with_ones(x[some])
        left += table.T @ (y[some] - table @ solution)
    solution += np.linalg.solve(square, left)
    return WeightedSum(solution[:-1], solution[-1])


def _by_singular_values(x: np.ndarray, y: np.ndarray) -> WeightedSum:
    """The shortest of all solutions; a QR factorisation first brings the rows down to a triangle."""
    table = np.concatenate([_with_ones(x), y], axis=1)
    n = table.shape[1] - y.shape[1]
    triangle = np.asarray(np.linalg.qr(table, mode="r"))
    solution = np.linalg.lstsq(triangle[:, :n], triangle[:, n:], rcond=None)[0]
    return WeightedSum(solution[:-1], solution[-1])


def _with_ones(x: np.ndarray) -> np.ndarray:
    table = np.ones((len(x), x[0].size + 1))
    table[:, :-1] = x.reshape(len(x), -1)
    return table


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
    drawing: ClassVar[Drawing] = Drawing("sum", "Σ w·y + b")
    in_default_comparison: ClassVar[bool] = True
    for_few_long_series: ClassVar[bool] = True

    def count(self, shape: Shape) -> int:
        """One weight per seen value and one bias, per output."""
        return (shape.input_size * shape.n_features + 1) * shape.n_outputs

    def work(self, shape: Shape, n_windows: int, training: Training) -> float:
        """The normal equations of all that is seen."""
        n_seen = shape.input_size * shape.n_features + 1
        return 0.00025 * n_windows * n_seen**2 + 0.0001 * n_seen**3

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
    drawing: ClassVar[Drawing] = Drawing("sum", "Σ w·y + b")
    group: ClassVar[str] = "linear"
    description: ClassVar[str] = (
        "The same linear model, trained by gradient descent as in the chapter (Flatten, Dense). After 20 epochs it is "
        "still on its way to the exact solution."
    )

    formula: ClassVar[str] = Linear.formula

    def count(self, shape: Shape) -> int:
        """As many as the solved one."""
        return Linear().count(shape)

    def uses(self, shape: Shape) -> int:
        """Once."""
        return 1

    def network(self, shape: Shape) -> "Network":
        """Flatten, Dense."""
        from forecasting.models.networks.build import flat_dense

        return flat_dense(shape)

    def keras_layers(self, shape: Shape) -> list[str] | None:
        """Flatten, Dense; several steps at once."""
        return ["Flatten()", f"Dense({shape.n_outputs})"] if self.strategy == "direct" else None
