"""A network that fills in what is missing in a look-back."""

import hashlib
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from forecasting.data import Split, Windows
from forecasting.data.masking import interpolation, random_mask
from forecasting.data.windows import frozen
from forecasting.experiment import Task, Training
from forecasting.models.base import NetworkModel
from forecasting.models.learning import Control, Fitted, Shape
from forecasting.models.neural import recurrent_parameters

if TYPE_CHECKING:
    from forecasting.models.networks.build import Network

TRAINING = Training(epochs=10, learning_rate=0.01, batch_size=64, optimizer="adam", keep="best")
MOST_WINDOWS = 7_000
FEWEST_WINDOWS = 2_000
KEPT = 8

_kept: OrderedDict[str, list[np.ndarray]] = OrderedDict()
"""The weights of networks that were trained, by a hash of what they were trained on."""


class Imputer(NetworkModel):
    """A recurrent network that reads a look-back in both directions and corrects its interpolation.

    Of every step it sees the values, interpolated where they are missing, and which are known. To learn, it has further
    values masked, and the loss is what it makes of these; so it needs no look-back that is whole.
    """

    name: ClassVar[str] = "imputer"
    title: ClassVar[str] = "Imputing network"
    units: int = 32

    def count(self, shape: Shape) -> int:
        """Two layers side by side, and a dense one that reads both."""
        n_values = shape.n_features // 3
        return 2 * recurrent_parameters("gru", 2 * n_values, self.units) + (2 * self.units + 1) * n_values

    def network(self, shape: Shape) -> "Network":
        """Build the network."""
        from forecasting.models.networks.build import imputer

        return imputer(self, shape)


def fill_in(split: Split, task: Task, control: Control) -> Split:
    """Train the network on the training part, and let it fill in what was masked in all three, or is missing.

    Args:
        split: windows whose `masked` says what is to be filled in.
        task: how values were masked; where it masks none, the network learns on gaps like those of the series.
        control: its device and its callbacks for stage and stop; the network has training settings of its own (`TRAINING`).

    Raises:
        Stopped: when it was stopped.
    """
    known = np.where(split.train.missing, np.nan, split.train.x).astype("float64")
    level, spread = np.nanmean(known, axis=(0, 1)), np.nanstd(known, axis=(0, 1))
    spread = np.where(spread > 0, spread, 1.0)
    alike = split.with_parts(replace(part, x=((part.x - level) / spread).astype("float32")) for part in split.parts)
    network = trained_on(alike, task if task.masked else like_the_gaps(split.train, task), control)
    filled = (filled_by(part, network).x * spread + level for part in alike.parts)
    return split.with_parts(
        replace(part, x=frozen(np.where(part.missing, x, part.x), "float32"))
        for part, x in zip(split.parts, filled, strict=True)
    )


def like_the_gaps(part: Windows, task: Task) -> Task:
    """A task that hides values as they are missing: as many, a tenth at least, and as many in a row."""
    missing = part.missing
    begins = missing & ~np.pad(missing, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    length = missing.sum() / max(1, begins.sum())
    hide = float(np.clip(missing.mean(), 0.1, 0.5))
    gaps = {"masked": hide, "masking": "gaps", "gap_length": int(np.clip(round(length), 4, 50))}
    return task.model_copy(update=gaps if length > 2 else {"masked": hide, "masking": "random"})


def filled_by(part: Windows, network: Fitted) -> Windows:
    """Windows of which nothing is known stay as they are."""
    asked = np.ones_like(part.x)
    guess = network.predict(_shown(part.x, ~part.missing, asked)).reshape(part.x.shape)
    replaced = part.missing & ~part.missing.all(axis=1, keepdims=True)
    return replace(part, x=frozen(np.where(replaced, guess, part.x), "float32"))


def trained_on(split: Split, task: Task, control: Control) -> Fitted:
    """The trained network; what it has learned is kept for the next fit of these windows.

    Args:
        split: windows in one scale, missing values interpolated; it learns from the training part and is chosen by the
            validation part.
        task: how further values are masked for it to learn from.
        control: as in `fill_in`.

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
    _kept.move_to_end(key)
    return Imputer().load(_kept[key], Shape.of(lessons), quiet)


def _lesson(part: Windows, task: Task, seed: int) -> Windows:
    """Training windows: further values are masked, and these are the targets."""
    rows = np.random.default_rng(seed).permutation(len(part))[:MOST_WINDOWS]
    rows = np.tile(rows, -(-FEWEST_WINDOWS // len(rows)))
    x, missing = part.x[rows], part.missing[rows]
    further = random_mask(x.shape, task, seed)
    asked = (further & ~missing).astype("float32")
    masked = missing | further
    masked[:, -1][masked.all(axis=1)] = False
    shown = _shown(interpolation(x, masked).astype("float32"), ~masked, asked)
    y = (x * asked).reshape(len(x), -1)
    return replace(part.take(rows), x=shown, y=y, y_path=np.zeros((len(x), 1, 1), "float32"), n_targets=1)


def _shown(x: np.ndarray, known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """What the network is given: values, which are known, and which are asked for."""
    return np.concatenate([x, known.astype("float32"), asked], axis=2)
