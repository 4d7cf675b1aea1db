"""Values masked in the look-backs, as if they were missing, and what is put in their place."""

from dataclasses import replace

import numpy as np

from forecasting.data.windows import Split, Windows, frozen
from forecasting.experiment import Task


def mask(split: Split, task: Task) -> Split:
    """Mask a share of every look-back and fill it in; the network of `fill="network"` starts from the interpolation.

    What is masked depends on the task alone, and is the same for the last steps of look-backs of any length. At least one
    value of every look-back stays known.
    """
    if not task.masked:
        return split
    return split.with_parts(_masked(part, task, number) for number, part in enumerate(split.parts))


def _masked(part: Windows, task: Task, seed: int) -> Windows:
    masked = random_mask(part.x.shape, task, seed) | part.missing
    masked[:, -1][masked.all(axis=1)] = False
    fill = forward if task.fill == "forward" else interpolation
    whole = part.x if part.masked is None else frozen(np.where(part.missing, np.nan, part.x), "float32")
    return replace(part, x=frozen(fill(part.x, masked), "float32"), complete=whole, masked=frozen(masked, "bool"))


def random_mask(shape: tuple[int, int, int], task: Task, seed: int) -> np.ndarray:
    """Which values are masked, bool, `(n_windows, input_size, n_features)`.

    Going back in time every value is masked with the probability `task.masked`: at random by itself, in gaps as a chain with
    two states (Gilbert, 1960) in which a gap has `task.gap_length` steps on average.

    Args:
        shape: of the look-backs, `(n_windows, input_size, n_features)`.
        task: which share is masked (`masked`), and how (`masking`, `gap_length`).
        seed: of the draws.
    """
    n_windows, n_steps, n_features = shape
    rng = np.random.default_rng(seed)
    stay = begin = task.masked
    if task.masking == "gaps":
        stay, begin = 1 - 1 / task.gap_length, min(1.0, task.masked / ((1 - task.masked) * task.gap_length))
    masked = np.empty((n_steps, n_windows, n_features), bool)
    before = rng.random(masked.shape[1:]) < task.masked
    for drawn, here in zip(rng.random(masked.shape), masked, strict=True):
        here[...] = before = drawn < np.where(before, stay, begin)
    masked = masked[::-1].transpose(1, 0, 2)
    masked[:, -1][masked.all(axis=1)] = False
    return masked


def forward(x: np.ndarray, masked: np.ndarray) -> np.ndarray:
    """Repeat the last known value; before the first known one, that."""
    before, after = _neighbours(masked)
    return np.take_along_axis(x, np.where(before >= 0, before, after), axis=1)


def interpolation(x: np.ndarray, masked: np.ndarray) -> np.ndarray:
    """Draw a straight line between the known values around a gap; at the ends, repeat the nearest."""
    before, after = _neighbours(masked)
    n_steps = x.shape[1]
    low, high = np.where(before >= 0, before, after), np.where(after < n_steps, after, before)
    left, right = (np.take_along_axis(x, index, axis=1) for index in (low, high))
    share = (np.arange(n_steps)[:, None] - low) / np.maximum(high - low, 1)
    return left + share * (right - left)


def _neighbours(masked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step of the known value before (-1: none) and after (the length: none) each step, itself where it is known."""
    n_steps = masked.shape[1]
    steps = np.broadcast_to(np.arange(n_steps)[:, None], masked.shape)
    before = np.maximum.accumulate(np.where(masked, -1, steps), axis=1)
    after = np.minimum.accumulate(np.where(masked, n_steps, steps)[:, ::-1], axis=1)[:, ::-1]
    return before, after


def fill_mse(part: Windows, x: np.ndarray) -> float | None:
    """Mean squared error of filled look-backs on what was masked, in the series' units, squared; None where nothing was."""
    if part.complete is None:
        return None
    filled, whole, errors = replace(part, x=np.asarray(x, "float64")), replace(part, x=part.complete), []
    for channel in range(part.x.shape[2]):
        known = part.missing[:, :, channel] & np.isfinite(part.complete[:, :, channel])
        errors.append((filled.seen(channel) - whole.seen(channel))[known])
    every = np.concatenate(errors)
    return float(np.square(every).mean()) if len(every) else None
