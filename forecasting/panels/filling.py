"""Whole series whose gaps a network fills in."""

from dataclasses import replace

import numpy as np

from forecasting.data import Split, Windows
from forecasting.data.windows import frozen, level_and_spread
from forecasting.experiment import Task
from forecasting.models import Control
from forecasting.models.imputing import FEWEST_WINDOWS, filled_by, like_the_gaps, trained_on
from forecasting.panels.panel import Panel

MOST_STEPS = 350_000
"""Of whole series as many windows as have so many steps together."""
SHORTEST, LONGEST = 24, 168
"""Steps of the windows around the gaps of whole series, at least and at most: two seasons, if that lies between."""


def filling(panel: Panel, back: int, control: Control) -> Panel:
    """A panel whose gaps a network fills in, where that is how they are repaired.

    It learns from what was known so many steps before the end of the series, and fills in a value from the window around it,
    as far as that is known at the moment that is looked from. Where series are too short for that, a line stays in the gaps.

    Args:
        panel: the series.
        back: the moment from which it learns, in steps before the end of each series.
        control: its device and its callbacks for stage and stop, as in `imputing.fill_in`.

    Raises:
        Stopped: when it was stopped.
    """
    every_column = [*panel.y, *(column for columns in panel.past_covariates or () for column in columns.T)]
    if panel.fill != "network" or all(np.isfinite(y).all() for y in every_column):
        return panel
    n_steps = min(LONGEST, max(SHORTEST, 2 * panel.season_length))
    known = [column for _, columns in panel.channels_before(back) for column in columns.T]
    raw = [column for _, columns in panel.channels_before(back, with_gaps=True) for column in columns.T]
    every = max(1, sum(map(len, known)) // max(FEWEST_WINDOWS, MOST_STEPS // n_steps))
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for line, y in zip(known, raw, strict=True):
        if len(line) >= n_steps:
            windows = np.stack([_cut(values, n_steps)[::every] for values in (line, np.isnan(y))])
            last = len(windows[0]) - len(windows[0]) // 10
            parts[0].append(windows[:, :last])
            parts[1].append(windows[:, last:])
    if not parts[0]:
        return panel
    train, valid = (_around_gaps(*np.concatenate(part, axis=1)) for part in parts)
    split = Split(train, valid if len(valid) else train, train.take(np.arange(1)))
    network = trained_on(split, like_the_gaps(train, Task()), control)

    def fill(values: np.ndarray, line: np.ndarray) -> np.ndarray:
        lacking = np.isnan(values)
        places = np.flatnonzero(lacking)
        if len(line) < n_steps:
            return line
        first = np.clip(places - n_steps // 2, 0, len(line) - n_steps)
        seen = filled_by(_around_gaps(*(_cut(each, n_steps)[first] for each in (line, lacking))), network).seen()
        whole = line.copy()
        whole[places] = seen[np.arange(len(places)), places - first]
        return whole

    return replace(panel, by_network=fill)


def _cut(values: np.ndarray, n_steps: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(values, n_steps)


def _around_gaps(rows: np.ndarray, lacking: np.ndarray) -> Windows:
    """Windows of one channel with a line in their gaps, each in its own scale; nothing is forecast of them."""
    loc, scale = level_and_spread(rows[..., None])
    x = frozen((rows[..., None] - loc[:, None]) / scale[:, None], "float32")
    nothing, numbers = np.zeros((len(x), 1), "float32"), np.arange(len(x))
    return Windows(x, nothing, nothing[..., None], loc, scale, numbers, numbers, masked=lacking[..., None] > 0)
