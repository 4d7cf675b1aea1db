"""From series to windows: look-backs and targets, split into training, validation and test."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from forecasting.data.powers import lowered, power_of, raised
from forecasting.data.repair import Repair, filled
from forecasting.data.waves import Formula
from forecasting.experiment import BadInput, Task

MAX_CELLS = 50_000_000
"""Values in the look-backs of all windows, at most: 200 MB."""
TOGETHER = 1_000
"""Series that are scaled at a time."""
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Windows:
    """Look-backs and their targets, in the scale that models see, with what is needed to go back to the series' units.

    Attributes:
        x: look-backs, shape `(n_windows, input_size, n_features)`, float32.
        y: targets, shape `(n_windows, n_outputs)`, float32: step after step, and of each step the forecast channels.
        path: all values from the look-back's end to the horizon, shape `(n_windows, h, n_features)`, float32; where the
            training series have a grid of their own, their path ends with it.
        loc, scale: per window, shape `(n_windows, n_features)`, float64: value in units = scaled value × scale + loc,
            unless a power was taken.
        unique_id: the series of each window, shape `(n_windows,)`.
        ds: when the first step after the look-back is, shape `(n_windows,)`: a time, or a step number.
        n_targets: of the features the first so many are forecast.
        power: where models see a power of the values, its λ, shape `(n_windows, n_features)`; see `powers`.
        whole: where values of the look-backs were hidden, the look-backs before, as `x`; NaN where nobody knows.
        channels: what the features are called, where they have names.
        hidden: which these were, and which were missing and are still to be filled in by a network: bool, as `x`.
    """

    x: np.ndarray
    y: np.ndarray
    path: np.ndarray
    loc: np.ndarray
    scale: np.ndarray
    unique_id: np.ndarray
    ds: np.ndarray
    n_targets: int = 1
    power: np.ndarray | None = None
    whole: np.ndarray | None = None
    hidden: np.ndarray | None = None
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
        return z if self.power is None else lowered(z, self.power[:, channel, None])

    @property
    def missing(self) -> np.ndarray:
        """Which values of the look-backs were hidden or are to be filled in by a network, bool, as `x`."""
        return np.broadcast_to(False, self.x.shape) if self.hidden is None else self.hidden

    def known(self, channel: int = 0) -> np.ndarray:
        """The same, NaN where values were hidden."""
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
    return replace(part, y=part.path[:, 0], path=part.path[:, :1], n_targets=part.path.shape[2])


def split_by_series(values: np.ndarray, task: Task, origin: int, look_back: int) -> Split:
    """Cut one window from each series and split by series, in their order.

    Args:
        values: the series, shape `(n_series, n_steps, n_features)`.
        task: what is asked; scaling is learned on the look-backs of `task.input_size` steps of the training series.
        origin: the column of the first step ahead; the look-back ends before it.
        look_back: steps that the windows see.

    Raises:
        BadInput: when a part would be empty.
    """
    n, power = len(values), None
    if task.power != "none":
        learned = values[: round(n * task.train), origin - task.input_size : origin].astype("float64")
        found = [power_of(task.power, learned[:, :, i].ravel(), values[:, :, i], "waves") for i in range(values.shape[2])]
        values = np.stack([raised(values[:, :, i], own) for i, own in enumerate(found)], axis=2)
        power = np.tile(found, (n, 1))
    edges = [0, round(n * task.train), round(n * (task.train + task.valid)), n]
    x = values[:, origin - look_back : origin]
    path = values[:, origin : origin + task.h]
    if task.scaling == "window":
        loc, scale = level_and_spread(x)
    else:
        learned = values[: edges[1], origin - task.input_size : origin]
        both = np.transpose([_scaling(learned[:, :, i], task) for i in range(values.shape[2])])
        loc, scale = (np.tile(each, (n, 1)) for each in both)
    ids = np.arange(n)
    parts = []
    for name, low, high in zip(PARTS, edges[:-1], edges[1:], strict=True):
        if high == low:
            raise BadInput(f"The {_spoken(name)} part of {n} series is empty: raise its share or the number of series.")
        count = high - low
        parts.append(
            Windows(
                x=_scaled(x[low:high], loc[low:high], scale[low:high]),
                **_ahead(_scaled(path[low:high], loc[low:high], scale[low:high]), task),
                loc=frozen(loc[low:high], "float64"),
                scale=frozen(scale[low:high], "float64"),
                unique_id=ids[low:high],
                ds=np.full(count, origin),
                power=None if power is None else power[low:high],
            )
        )
    train, valid, test = parts
    return Split(train, valid, test)


def split_by_time(
    frame: pd.DataFrame,
    task: Task,
    look_back: int | None = None,
    fill: Repair = "leave",
    season_length: int = 1,
    n_values: int | None = None,
) -> Split:
    """Cut every window from every series and split by time, at the same two moments for all series.

    A window belongs to the part in which all of its targets lie; its look-back may reach into the part before. Windows
    whose targets lie on both sides of a cutoff are left out, and so are windows with a missing value. Scaling, if any,
    is learned per series on the values before the first cutoff. Look-backs are filled in from what was known at their end;
    a value to forecast never is.

    Args:
        frame: `unique_id, ds` and a column per channel, those to be forecast first; sorted by series and time, evenly
            spaced.
        look_back: cut windows that see so many steps, with the targets that windows of `task.input_size` have.
        fill: how missing values of the look-backs are filled in.
        season_length: steps, for a fill that goes by it.
        n_values: of the channels the first so many may be forecast, the others are seen beside them; None for all.

    Raises:
        BadInput: when a part would be empty.
    """
    times = np.sort(frame["ds"].unique())
    cuts = [times[min(round(len(times) * share), len(times) - 1)] for share in (task.train, task.train + task.valid)]
    pieces: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in PARTS}
    left_out = longest = 0
    lengths = frame["unique_id"].value_counts(sort=False).to_numpy() - max(look_back or 0, task.input_size) - task.h + 1
    n_windows, seen = int(lengths.clip(0).sum()), look_back or task.input_size
    channels = frame.columns[2:]
    if n_windows * seen * len(channels) > MAX_CELLS:
        each = f"{seen} steps" + (f" and {len(channels)} channels" if len(channels) > 1 else "")
        raise BadInput(
            f"{n_windows:,} windows of {each} are more than one computation holds ({MAX_CELLS:,} values): shorten the "
            "look-back, or take fewer or shorter series."
        )
    for unique_id, series in frame.groupby("unique_id", sort=False):
        y, ds = series[channels].to_numpy("float64"), series["ds"].to_numpy()
        longest = max(longest, len(y))
        power = [
            power_of(
                task.power, channel[ds < cuts[0]], channel, f"{unique_id}, {name}" if len(channels) > 1 else str(unique_id)
            )
            for channel, name in zip(y.T[:n_values], channels, strict=False)
        ]
        power += [np.nan] * (y.shape[1] - len(power))
        y = np.column_stack([raised(channel, own) for channel, own in zip(y.T, power, strict=True)])
        cut = _cut(y, ds, task, look_back or task.input_size)
        if cut is None:
            continue
        lacking = np.isnan(cut["x"]) if fill == "network" else None
        if fill != "leave" and np.isnan(y).any():
            cut["x"] = _filled(cut["x"], pd.DataFrame(y).ffill().to_numpy()[cut["start"]], fill, season_length)
        if task.scaling == "window":
            loc, scale = level_and_spread(cut["x"])
        else:
            learned = np.transpose([_scaling(channel, task) for channel in y[ds < cuts[0]].T])
            loc, scale = (np.tile(each, (len(cut["x"]), 1)) for each in learned)
        asked = task.n_targets(y.shape[1])
        whole = np.isfinite(cut["x"]).all((1, 2)) & np.isfinite(cut["path"][:, :, :asked]).all((1, 2))
        cut["path"][:, :, asked:] = pd.DataFrame(y[:, asked:]).ffill().bfill().to_numpy()[cut["ahead"]]
        first, last = cut["first"], cut["last"]
        belongs = {"train": last < cuts[0], "valid": (first >= cuts[0]) & (last < cuts[1]), "test": first >= cuts[1]}
        left_out += int((~whole).sum())
        for name, chosen in belongs.items():
            keep = chosen & whole
            pieces[name].append(
                ({} if lacking is None else {"hidden": lacking[keep]})
                | ({} if task.power == "none" else {"power": np.tile(power, (keep.sum(), 1))})
                | {
                    "x": ((cut["x"][keep] - loc[keep, None]) / scale[keep, None]).astype("float32"),
                    "path": (cut["path"][keep] - loc[keep, None]) / scale[keep, None],
                    "loc": loc[keep],
                    "scale": scale[keep],
                    "unique_id": np.full(keep.sum(), str(unique_id), dtype=object),
                    "ds": cut["ds"][keep],
                }
            )
    train, valid, test = (_join(pieces[name], name, look_back or task.input_size, task, longest) for name in PARTS)
    split = Split(train, valid, test, left_out=left_out)
    names = tuple(map(str, channels)) if len(channels) > 1 else ()
    return split.with_parts(replace(part, channels=names) for part in split.parts)


def _cut(y: np.ndarray, ds: np.ndarray, task: Task, look_back: int) -> dict[str, np.ndarray] | None:
    """All windows of one series, `(n, n_channels)`, or None when it is too short for one."""
    seen = max(look_back, task.input_size)
    n = len(y) - seen - task.h + 1
    if n < 1:
        return None
    start = np.arange(n) + seen
    ahead = start[:, None] + np.arange(task.h)
    return {
        "x": np.lib.stride_tricks.sliding_window_view(y, look_back, axis=0)[start - look_back].transpose(0, 2, 1),
        "start": start - look_back,
        "path": y[ahead],
        "ahead": ahead,
        "ds": ds[start],
        "first": ds[ahead[:, task.steps[0] - 1]],
        "last": ds[ahead[:, -1]],
    }


def _filled(x: np.ndarray, before: np.ndarray, fill: Repair, season_length: int) -> np.ndarray:
    """Look-backs, each filled in from itself, and where it begins with a gap from the last value before it."""
    x = x.copy()
    for channel, first in zip(np.moveaxis(x, 2, 0), before.T, strict=True):
        holed = np.flatnonzero(np.isnan(channel).any(1))
        channel[holed, 0] = first[holed]
        channel[holed] = filled(pd.DataFrame(channel[holed].T), fill, season_length).ffill().to_numpy().T
    return x


def _scaled(values: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Values in the scale that models see, some series at a time: float32, and no second copy in float64."""
    if not loc.any() and (scale == 1).all():
        return frozen(values, "float32")
    scaled = np.empty(values.shape, "float32")
    for first in range(0, len(values), TOGETHER):
        some = slice(first, first + TOGETHER)
        scaled[some] = (values[some] - loc[some, None]) / scale[some, None]
    return frozen(scaled, "float32")


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


def _scaling(train: np.ndarray, task: Task) -> tuple[float, float]:
    known = train[:0] if task.scaling == "none" else train[np.isfinite(train)]
    if len(known) < 2:
        return 0.0, 1.0
    loc, scale = float(known.mean()), float(known.std())
    constant = scale <= 1e-9 * max(abs(loc), 1e-300)  # the deviation of equal values is rounding, not spread
    return loc, 1.0 if constant else scale


def _join(pieces: list[dict[str, np.ndarray]], name: str, look_back: int, task: Task, longest: int) -> Windows:
    if not sum(len(piece["x"]) for piece in pieces):
        raise BadInput(
            f"No window fits into the {_spoken(name)} part: the longest series has {longest} values, one window needs "
            f"{look_back + task.h} (look-back {look_back} plus horizon {task.h}) without a missing one. Shorten look-back "
            "or horizon, give that part a larger share, or have missing values filled in."
        )
    joined = {key: np.concatenate([piece[key] for piece in pieces]) for key in pieces[0]}
    for key, dtype in {"x": "float32", "loc": "float64", "scale": "float64"}.items():
        joined[key] = frozen(joined[key], dtype)
    return Windows(**joined | _ahead(joined["path"], task))


def _ahead(path: np.ndarray, task: Task) -> dict[str, Any]:
    """The values ahead, and those of them that are asked for."""
    whole, n_targets = frozen(path, "float32"), task.n_targets(path.shape[2])
    asked = whole[:, -len(task.steps) :, :n_targets]
    return {"path": whole, "y": frozen(asked.reshape(len(whole), -1), "float32"), "n_targets": n_targets}


def frozen(values: np.ndarray, dtype: str) -> np.ndarray:
    """A contiguous copy that nobody can write to: splits are shared between page views."""
    values = np.ascontiguousarray(values, dtype=dtype)
    values.flags.writeable = False
    return values


def _spoken(part: str) -> str:
    return {"train": "training", "valid": "validation", "test": "test"}[part]
