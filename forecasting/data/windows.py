"""Windows: look-backs and their targets, in the scale that models see."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from forecasting.data.boxcox import inv_boxcox
from forecasting.data.waves import Formula
from forecasting.experiment import Task


@dataclass(frozen=True)
class Windows:
    """Look-backs and their targets, in the scale that models see, with what is needed to go back to the series' units.

    Attributes:
        x: look-backs, shape `(n_windows, input_size, n_features)`, float32.
        y: targets, shape `(n_windows, n_outputs)`, float32: step after step, and of each step the forecast channels.
        y_path: all values from the look-back's end to the horizon, shape `(n_windows, h, n_features)`, float32; where the
            training series have a grid of their own, theirs ends with it.
        loc, scale: per window, shape `(n_windows, n_features)`, float64: value in units = scaled value × scale + loc,
            unless a transform was taken.
        unique_id: the series of each window, shape `(n_windows,)`.
        ds: when the first step after the look-back is, shape `(n_windows,)`: a time, or a step number.
        n_targets: of the features the first so many are forecast.
        lmbda: where models see a power of the values, its λ, shape `(n_windows, n_features)`; see `boxcox`.
        complete: where values of `x` were masked, the look-backs before; NaN where nobody knows.
        channels: what the features are called, where they have names.
        masked: Boolean mask, shape of `x`: True where a value was masked, or is missing and to be filled in by a network.
    """

    x: np.ndarray
    y: np.ndarray
    y_path: np.ndarray
    loc: np.ndarray
    scale: np.ndarray
    unique_id: np.ndarray
    ds: np.ndarray
    n_targets: int = 1
    lmbda: np.ndarray | None = None
    complete: np.ndarray | None = None
    masked: np.ndarray | None = None
    channels: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    def channel_name(self, i: int) -> str:
        """What a feature is called."""
        return self.channels[i] if self.channels else f"channel {i + 1}"

    def in_units(self, y: np.ndarray) -> np.ndarray:
        """Bring targets or forecasts, `(n_windows, n_outputs)`, back to the series' units, float64."""
        by_step = y.reshape(len(y), -1, self.n_targets)
        return np.stack([self._back(by_step[:, :, i], i) for i in range(self.n_targets)], axis=2).reshape(y.shape)

    def seen(self, channel: int = 0) -> np.ndarray:
        """The look-backs of one channel in the series' units: `(n_windows, input_size)`, float64."""
        return self._back(self.x[:, :, channel], channel)

    def _back(self, values: np.ndarray, channel: int) -> np.ndarray:
        """Values of one channel, `(n_windows, n_steps)`, in the series' units."""
        z = values * self.scale[:, channel, None] + self.loc[:, channel, None]
        return z if self.lmbda is None else inv_boxcox(z, self.lmbda[:, channel, None])

    @property
    def missing(self) -> np.ndarray:
        """Boolean mask, shape of `x`: True where a value was masked or missing."""
        return np.broadcast_to(False, self.x.shape) if self.masked is None else self.masked

    def known(self, channel: int = 0) -> np.ndarray:
        """Look-backs in units, NaN where values were masked."""
        return np.where(self.missing[:, :, channel], np.nan, self.seen(channel))

    def take(self, chosen: np.ndarray) -> "Windows":
        """Some of the windows, by their places."""
        arrays = {name: values[chosen] for name, values in vars(self).items() if isinstance(values, np.ndarray)}
        return replace(self, **arrays)


@dataclass(frozen=True)
class Split:
    """The three parts of one data set.

    Attributes:
        noise_floor: the lowest expected MSE that any model can have, where it is known.
        formula: what made the series, where something did.
        left_out: how many windows had missing values.
    """

    train: Windows
    valid: Windows
    test: Windows
    noise_floor: float | None = None
    formula: Formula | None = None
    left_out: int = 0

    @property
    def parts(self) -> tuple[Windows, Windows, Windows]:
        """Training, validation and test, in this order."""
        return self.train, self.valid, self.test

    def with_parts(self, parts: Iterable[Windows]) -> "Split":
        """The same split with other parts, in the same order."""
        train, valid, test = parts
        return replace(self, train=train, valid=valid, test=test)

    def next_step(self) -> "Split":
        """The same windows, with the next value of every feature as their target."""
        return self.with_parts(map(_next_step, self.parts))


def _next_step(part: Windows) -> Windows:
    return replace(part, y=part.y_path[:, 0], y_path=part.y_path[:, :1], n_targets=part.y_path.shape[2])


def level_and_spread(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the standard deviation of each look-back, by which it is scaled.

    A look-back that never changes is divided by its size, or by 1 where that is less.

    Args:
        seen: look-backs, `(n_windows, input_size, n_features)`.

    Returns:
        Both `(n_windows, n_features)`.
    """
    loc, spread = seen.mean(axis=1), seen.std(axis=1)
    constant = ~(spread > 1e-9 * np.maximum(np.abs(loc), 1e-300))  # the deviation of equal values is rounding, not spread
    return loc, np.where(constant, np.maximum(np.abs(loc), 1.0), spread)


def last_and_level(seen: np.ndarray, season_length: int) -> tuple[np.ndarray, np.ndarray]:
    """The last value of each look-back, and the mean size of its last values, by which it is scaled.

    Args:
        seen: look-backs, `(n_windows, input_size, n_features)`.
        season_length: so many values, or 24 where that is more, make the level.

    Returns:
        Both `(n_windows, n_features)`.
    """
    sizes = np.abs(seen)
    level = sizes[:, -max(season_length, min(24, seen.shape[1])) :].mean(axis=1)
    return seen[:, -1], np.maximum(level, 1e-3 * sizes.mean(axis=1) + 1e-9)


def own_scale(seen: np.ndarray, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """What is subtracted from each look-back and what it is divided by, where a task scales each window by itself.

    Args:
        seen: look-backs, `(n_windows, input_size, n_features)`.
        task: with the scaling `window` or `level`.

    Returns:
        Both `(n_windows, n_features)`.
    """
    return last_and_level(seen, task.season_length) if task.scaling == "level" else level_and_spread(seen)


def frozen(values: np.ndarray, dtype: str) -> np.ndarray:
    """A contiguous copy that nobody can write to: splits are shared between page views."""
    values = np.ascontiguousarray(values, dtype=dtype)
    values.flags.writeable = False
    return values
