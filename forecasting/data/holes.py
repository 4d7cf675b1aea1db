"""Values hidden from the look-backs, as if they were missing, and what is put in their place."""

from dataclasses import replace

import numpy as np

from forecasting.data.windows import Split, Windows, frozen
from forecasting.experiment import Task


def hide(split: Split, task: Task) -> Split:
    """Hide a share of every look-back and fill it in; the network of `fill="network"` starts from the interpolation.

    What is hidden depends on the task alone, and is the same for the last steps of look-backs of any length. At least one
    value of every look-back stays known.
    """
    if not task.hide:
        return split
    return split.with_parts(_hide(part, task, number) for number, part in enumerate(split.parts))


def _hide(part: Windows, task: Task, seed: int) -> Windows:
    hidden = holes(part.x.shape, task, seed) | part.missing
    hidden[:, -1][hidden.all(axis=1)] = False
    fill = forward if task.fill == "forward" else interpolation
    whole = part.x if part.hidden is None else frozen(np.where(part.missing, np.nan, part.x), "float32")
    return replace(part, x=frozen(fill(part.x, hidden), "float32"), whole=whole, hidden=frozen(hidden, "bool"))


def holes(shape: tuple[int, int, int], task: Task, seed: int) -> np.ndarray:
    """Which values are hidden, bool, `(n_windows, input_size, n_features)`.

    Going back in time every value is hidden with the probability `task.hide`: at random by itself, in gaps as a chain with
    two states (Gilbert, 1960) in which a gap has `task.gap_length` steps on average.
    """
    n_windows, n_steps, n_features = shape
    rng = np.random.default_rng(seed)
    stay = begin = task.hide
    if task.holes == "gaps":
        stay, begin = 1 - 1 / task.gap_length, min(1.0, task.hide / ((1 - task.hide) * task.gap_length))
    hidden = np.empty((n_steps, n_windows, n_features), bool)
    before = rng.random(hidden.shape[1:]) < task.hide
    for drawn, here in zip(rng.random(hidden.shape), hidden, strict=True):
        here[...] = before = drawn < np.where(before, stay, begin)
    hidden = hidden[::-1].transpose(1, 0, 2)
    hidden[:, -1][hidden.all(axis=1)] = False
    return hidden


def forward(x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Repeat the last known value; before the first known one, that."""
    before, after = _neighbours(hidden)
    return np.take_along_axis(x, np.where(before >= 0, before, after), axis=1)


def interpolation(x: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Draw a straight line between the known values around a gap; at the ends, repeat the nearest."""
    before, after = _neighbours(hidden)
    n_steps = x.shape[1]
    low, high = np.where(before >= 0, before, after), np.where(after < n_steps, after, before)
    left, right = (np.take_along_axis(x, index, axis=1) for index in (low, high))
    share = (np.arange(n_steps)[:, None] - low) / np.maximum(high - low, 1)
    return left + share * (right - left)


def _neighbours(hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step of the known value before (-1: none) and after (the length: none) each step, itself where it is known."""
    n_steps = hidden.shape[1]
    steps = np.broadcast_to(np.arange(n_steps)[:, None], hidden.shape)
    before = np.maximum.accumulate(np.where(hidden, -1, steps), axis=1)
    after = np.minimum.accumulate(np.where(hidden, n_steps, steps)[:, ::-1], axis=1)[:, ::-1]
    return before, after


def fill_mse(part: Windows, x: np.ndarray) -> float | None:
    """Mean squared error of filled look-backs on what was hidden, in the series' units, squared; None where nothing was."""
    if part.whole is None:
        return None
    filled, whole, errors = replace(part, x=np.asarray(x, "float64")), replace(part, x=part.whole), []
    for channel in range(part.x.shape[2]):
        known = part.missing[:, :, channel] & np.isfinite(part.whole[:, :, channel])
        errors.append((filled.seen(channel) - whole.seen(channel))[known])
    every = np.concatenate(errors)
    return float(np.square(every).mean()) if len(every) else None
