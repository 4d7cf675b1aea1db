"""A network that fills in what is missing in a look-back."""

import hashlib
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from forecasting.data import Split, Windows
from forecasting.data.holes import holes, interpolation
from forecasting.data.windows import frozen
from forecasting.experiment import Task, Training
from forecasting.models.base import Control, Fitted, NetworkModel, Shape
from forecasting.models.neural import recurrent_parameters

if TYPE_CHECKING:
    from forecasting.models.networks import Pair

TRAINING = Training(epochs=10, learning_rate=0.01, batch_size=64, optimizer="adam", keep="best")
MOST_WINDOWS = 7_000
FEWEST_WINDOWS = 2_000
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
    """Train the network on the training part, and let it fill in what was hidden from all three.

    Raises:
        Stopped: when it was stopped.
    """
    network = _learned(split, task, control)
    return split.with_parts(_filled(part, network) for part in split.parts)


def _filled(part: Windows, network: Fitted) -> Windows:
    asked = np.ones_like(part.x)
    guess = network.predict(_shown(part.x, ~part.missing, asked)).reshape(part.x.shape)
    return replace(part, x=frozen(np.where(part.missing, guess, part.x), "float32"))


def _learned(split: Split, task: Task, control: Control) -> Fitted:
    """The trained network; what it has learned is kept for the next fit of these windows."""
    device = control.training.device
    quiet = Control(training=TRAINING.model_copy(update={"device": device}), should_stop=control.should_stop)
    lessons = replace(split, train=_lesson(split.train, task, 3), valid=_lesson(split.valid, task, 4))
    key = hashlib.sha256(b"".join(part.x.tobytes() for part in (lessons.train, lessons.valid))).hexdigest() + device
    if key not in _kept:
        control.on_stage("learning to fill in")
        _kept[key] = Imputer().fit(lessons, quiet).fitted.weights
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
