"""What is done to windows before a model learns from them, and undone in its forecasts."""

from dataclasses import dataclass, replace

import numpy as np

from forecasting.data.windows import Split, Windows
from forecasting.experiment import BadInput, Task


@dataclass(frozen=True)
class Differences:
    """Models see how much the series changes, since the last step or since a season ago, instead of the series itself; or
    they see the series, and learn by how much it will differ from its last season, repeated.

    Attributes:
        lags: steps from which differences are taken, one after the other; none leaves the look-backs as they are.
        scale: differences are divided by it, so that a scaled series has scaled differences.
        repeated: the last so many values of the look-back are repeated, and the values ahead are differences to them; 0:
            they are not.
    """

    lags: tuple[int, ...] = ()
    scale: float = 1.0
    repeated: int = 0

    @classmethod
    def learn(cls, task: Task, train: Windows) -> "Differences":
        """The differences of a task; their scale, if the series are scaled, is learned on the training part."""
        plain = cls(task.lags, repeated=task.season_length if task.differencing == "last_season" else 0)
        if not task.lags or task.scaling == "none":
            return plain
        spread = float(plain.windows(train).x[:, -(task.input_size - sum(task.lags)) :].std(dtype="float64"))
        return cls(task.lags, spread or 1.0)

    def split(self, split: Split) -> Split:
        """All three parts, as differences."""
        return split.with_parts(map(self.windows, split.parts)) if self.lags or self.repeated else split

    def windows(self, part: Windows) -> Windows:
        """One part, as differences; the look-backs become shorter by the lags.

        Raises:
            BadInput: when nothing would be left of the look-back.
        """
        if self.repeated:
            path = part.y_path - self._last_season(part.x, part.y_path.shape[1])
            y = path[:, -(part.y.shape[1] // part.n_targets) :, : part.n_targets].reshape(len(path), -1)
            return replace(part, y_path=path, y=np.ascontiguousarray(y))
        if not self.lags:
            return part
        left = part.x.shape[1] - sum(self.lags)
        if left < 1:
            raise BadInput(
                f"Differencing takes {sum(self.lags)} values, and the look-back has {part.x.shape[1]}: lengthen it."
            )
        values = np.concatenate([part.x, part.y_path], axis=1).astype("float64")
        for lag in self.lags:
            values = values[:, lag:] - values[:, :-lag]
        values = (values / self.scale).astype("float32")
        path = np.ascontiguousarray(values[:, left:])
        y = path[:, :, : part.n_targets].reshape(len(path), -1)
        return replace(part, x=np.ascontiguousarray(values[:, :left]), y_path=path, y=y, complete=None, masked=None)

    def undo(self, x: np.ndarray, y_hat: np.ndarray, n_targets: int = 1) -> np.ndarray:
        """Turn forecast differences back into values, step by step.

        Args:
            x: the look-backs as they were, `(n_windows, input_size, n_features)`.
            y_hat: forecast differences of all steps ahead, `(n_windows, h × n_targets)`, step after step.
            n_targets: how many of the features they are of.
        """
        if self.repeated:
            steps = y_hat.shape[1] // n_targets
            return y_hat + self._last_season(x[:, :, :n_targets].astype("float64"), steps).reshape(y_hat.shape)
        if not self.lags:
            return y_hat
        values = y_hat.astype("float64").reshape(len(y_hat), -1, n_targets) * self.scale
        known = [x[:, :, :n_targets].astype("float64")]
        for lag in self.lags[:-1]:
            known.append(known[-1][:, lag:] - known[-1][:, :-lag])
        for before, lag in zip(reversed(known), reversed(self.lags), strict=True):
            whole = np.concatenate([before[:, -lag:], values], axis=1)
            for k in range(lag, whole.shape[1]):
                whole[:, k] += whole[:, k - lag]
            values = whole[:, lag:]
        return values.reshape(len(y_hat), -1)

    def _last_season(self, x: np.ndarray, h: int) -> np.ndarray:
        """The last season of look-backs, repeated over h steps, `(n_windows, h, n_features)`.

        Raises:
            BadInput: when the look-back is shorter than a season.
        """
        if x.shape[1] < self.repeated:
            raise BadInput(f"A season has {self.repeated} values, and the look-back {x.shape[1]}: lengthen it.")
        return x[:, -self.repeated :][:, np.arange(h) % self.repeated]
