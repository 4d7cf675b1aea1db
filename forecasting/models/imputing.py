"""A network that fills in what is missing in a look-back."""

import hashlib
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from forecasting.data import Split, Windows
from forecasting.data.holes import holes, interpolation
from forecasting.data.panel import Panel
from forecasting.data.windows import frozen, level_and_spread
from forecasting.experiment import Task, Training
from forecasting.models.base import Control, Fitted, NetworkModel, Shape
from forecasting.models.neural import recurrent_parameters

if TYPE_CHECKING:
    from forecasting.models.networks import Pair

TRAINING = Training(epochs=10, learning_rate=0.01, batch_size=64, optimizer="adam", keep="best")
MOST_WINDOWS = 7_000
FEWEST_WINDOWS = 2_000
MOST_STEPS = 350_000
"""Of whole series as many windows as have so many steps together."""
SHORTEST, LONGEST = 24, 168
"""Steps of the windows around the gaps of whole series, at least and at most: two seasons, if that lies between."""
KEPT = 8

_kept: OrderedDict[str, list[np.ndarray]] = OrderedDict()
"""What networks have learned, by the lessons."""


class Imputer(NetworkModel):
    """A recurrent network that reads a look-back in both directions and corrects its interpolation.

    Of every step it sees the values, interpolated where they are missing, and which are known. To learn, it has further
    values hidden from it, and the loss is what it makes of these; so it needs no look-back that is whole.
    """

    name: ClassVar[str] = "imputer"
    title: ClassVar[str] = "Imputing network"
    units: int = 32

    def count(self, shape: Shape) -> int:
        """Two layers side by side, and a dense one that reads both."""
        n_values = shape.n_features // 3
        return 2 * recurrent_parameters("gru", 2 * n_values, self.units) + (2 * self.units + 1) * n_values

    def network(self, shape: Shape) -> "Pair":
        """Build the network."""
        from forecasting.models.networks import imputer

        return imputer(self, shape)


def fill_in(split: Split, task: Task, control: Control) -> Split:
    """Train the network on the training part, and let it fill in what was hidden from all three, or is missing.

    Raises:
        Stopped: when it was stopped.
    """
    known = np.where(split.train.missing, np.nan, split.train.x).astype("float64")
    level, spread = np.nanmean(known, axis=(0, 1)), np.nanstd(known, axis=(0, 1))
    spread = np.where(spread > 0, spread, 1.0)
    alike = split.with_parts(replace(part, x=((part.x - level) / spread).astype("float32")) for part in split.parts)
    network = _learned(alike, task if task.hide else _like_the_gaps(split.train, task), control)
    filled = (_filled(part, network).x * spread + level for part in alike.parts)
    return split.with_parts(
        replace(part, x=frozen(np.where(part.missing, x, part.x), "float32"))
        for part, x in zip(split.parts, filled, strict=True)
    )


def filling(panel: Panel, back: int, control: Control) -> Panel:
    """A panel whose gaps a network fills in, where that is how they are repaired.

    It learns from what was known so many steps before the end of the series, and fills in a value from the window around it,
    as far as that is known at the moment that is looked from. Where series are too short for that, a line stays in the gaps.

    Raises:
        Stopped: when it was stopped.
    """
    every_column = [*panel.y, *(column for columns in panel.beside or () for column in columns.T)]
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
    network = _learned(split, _like_the_gaps(train, Task()), control)

    def fill(values: np.ndarray, line: np.ndarray) -> np.ndarray:
        lacking = np.isnan(values)
        places = np.flatnonzero(lacking)
        if len(line) < n_steps:
            return line
        first = np.clip(places - n_steps // 2, 0, len(line) - n_steps)
        seen = _filled(_around_gaps(*(_cut(each, n_steps)[first] for each in (line, lacking))), network).seen()
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
    return Windows(x, nothing, nothing[..., None], loc, scale, numbers, numbers, hidden=lacking[..., None] > 0)


def _like_the_gaps(part: Windows, task: Task) -> Task:
    """A task that hides values as they are missing: as many, a tenth at least, and as many in a row."""
    missing = part.missing
    begins = missing & ~np.pad(missing, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    length = missing.sum() / max(1, begins.sum())
    hide = float(np.clip(missing.mean(), 0.1, 0.5))
    gaps = {"hide": hide, "holes": "gaps", "gap_length": int(np.clip(round(length), 4, 50))}
    return task.model_copy(update=gaps if length > 2 else {"hide": hide, "holes": "random"})


def _filled(part: Windows, network: Fitted) -> Windows:
    """Windows of which nothing is known stay as they are."""
    asked = np.ones_like(part.x)
    guess = network.predict(_shown(part.x, ~part.missing, asked)).reshape(part.x.shape)
    replaced = part.missing & ~part.missing.all(axis=1, keepdims=True)
    return replace(part, x=frozen(np.where(replaced, guess, part.x), "float32"))


def _learned(split: Split, task: Task, control: Control) -> Fitted:
    """The trained network; what it has learned is kept for the next fit of these windows.

    Raises:
        Stopped: when it was stopped; then nothing is kept.
    """
    device = control.training.device
    quiet = Control(training=TRAINING.model_copy(update={"device": device}), should_stop=control.should_stop)
    lessons = replace(split, train=_lesson(split.train, task, 3), valid=_lesson(split.valid, task, 4))
    key = hashlib.sha256(b"".join(part.x.tobytes() for part in (lessons.train, lessons.valid))).hexdigest() + device
    if key not in _kept:
        control.on_stage("learning to fill in")
        _kept[key] = Imputer().fit(lessons, quiet).whole().weights
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return Imputer().load(_kept[key], Shape.of(lessons), quiet)


def _lesson(part: Windows, task: Task, seed: int) -> Windows:
    """Windows with further values hidden, and these as the targets."""
    rows = np.random.default_rng(seed).permutation(len(part))[:MOST_WINDOWS]
    rows = np.tile(rows, -(-FEWEST_WINDOWS // len(rows)))
    x, missing = part.x[rows], part.missing[rows]
    further = holes(x.shape, task, seed)
    asked = (further & ~missing).astype("float32")
    hidden = missing | further
    hidden[:, -1][hidden.all(axis=1)] = False
    shown = _shown(interpolation(x, hidden).astype("float32"), ~hidden, asked)
    y = (x * asked).reshape(len(x), -1)
    return replace(part.take(rows), x=shown, y=y, path=np.zeros((len(x), 1, 1), "float32"), n_targets=1)


def _shown(x: np.ndarray, known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """What the network is given: values, which are known, and which are asked for."""
    return np.concatenate([x, known.astype("float32"), asked], axis=2)
