"""From series to windows, split into training, validation and test."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from forecasting.data.boxcox import boxcox, lambda_of
from forecasting.data.repair import Repair, filled
from forecasting.data.windows import Split, Windows, frozen, own_scale
from forecasting.experiment import BadInput, Task

MAX_CELLS = 50_000_000
"""Values in the look-backs of all windows, at most: 200 MB."""
CHUNK_SIZE = 1_000
"""Series that are scaled at a time."""
PARTS = ("train", "valid", "test")


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
    n, lmbda = len(values), None
    if task.transform != "none":
        learned = values[: round(n * task.train), origin - task.input_size : origin].astype("float64")
        found = [
            lambda_of(task.transform, learned[:, :, i].ravel(), values[:, :, i], "waves") for i in range(values.shape[2])
        ]
        values = np.stack([boxcox(values[:, :, i], own) for i, own in enumerate(found)], axis=2)
        lmbda = np.tile(found, (n, 1))
    edges = [0, round(n * task.train), round(n * (task.train + task.valid)), n]
    x = values[:, origin - look_back : origin]
    y_path = values[:, origin : origin + task.h]
    if task.scales_each_window:
        loc, scale = own_scale(x, task)
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
                **_ahead(_scaled(y_path[low:high], loc[low:high], scale[low:high]), task),
                loc=frozen(loc[low:high], "float64"),
                scale=frozen(scale[low:high], "float64"),
                unique_id=ids[low:high],
                ds=np.full(count, origin),
                lmbda=None if lmbda is None else lmbda[low:high],
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
        task: what is asked: look-back, targets, shares of the parts, scaling and transform.
        look_back: cut windows that see so many steps, with the targets that windows of `task.input_size` have.
        fill: how missing values of the look-backs are filled in.
        season_length: steps, for a fill that goes by it.
        n_values: of the channels the first so many may be forecast, the others are seen beside them; None for all.

    Raises:
        BadInput: when a part would be empty.
    """
    seen, channels = look_back or task.input_size, frame.columns[2:]
    _refuse_too_many(frame, task, seen)
    times = np.sort(frame["ds"].unique())
    cuts = [times[min(round(len(times) * share), len(times) - 1)] for share in (task.train, task.train + task.valid)]
    pieces: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in PARTS}
    left_out = longest = 0
    for unique_id, series in frame.groupby("unique_id", sort=False):
        y, ds = series[channels].to_numpy("float64"), series["ds"].to_numpy()
        longest = max(longest, len(y))
        names = [f"{unique_id}, {name}" if len(channels) > 1 else str(unique_id) for name in channels]
        y, lmbda = _transformed(y, ds < cuts[0], task, names[:n_values])
        cut = _cut(y, ds, task, seen)
        if cut is None:
            continue
        made = _scaled_windows(cut, y, ds < cuts[0], task, fill, season_length)
        made["unique_id"] = np.full(len(made["x"]), str(unique_id), dtype=object)
        if task.transform != "none":
            made["lmbda"] = np.tile(lmbda, (len(made["x"]), 1))
        first, last, complete = cut["first"], cut["last"], made.pop("complete")
        belongs = {"train": last < cuts[0], "valid": (first >= cuts[0]) & (last < cuts[1]), "test": first >= cuts[1]}
        left_out += int((~complete).sum())
        for name, chosen in belongs.items():
            pieces[name].append({what: values[chosen & complete] for what, values in made.items()})
    train, valid, test = (_join(pieces[name], name, seen, task, longest) for name in PARTS)
    split = Split(train, valid, test, left_out=left_out)
    named = tuple(map(str, channels)) if len(channels) > 1 else ()
    return split.with_parts(replace(part, channels=named) for part in split.parts)


def _refuse_too_many(frame: pd.DataFrame, task: Task, seen: int) -> None:
    """Refuse windows that see so many steps where they would not fit into memory."""
    n_channels = len(frame.columns) - 2
    lengths = frame["unique_id"].value_counts(sort=False).to_numpy() - max(seen, task.input_size) - task.h + 1
    n_windows = int(lengths.clip(0).sum())
    if n_windows * seen * n_channels > MAX_CELLS:
        each = f"{seen} steps" + (f" and {n_channels} channels" if n_channels > 1 else "")
        raise BadInput(
            f"{n_windows:,} windows of {each} are more than one computation holds ({MAX_CELLS:,} values): shorten the "
            "look-back, or take fewer or shorter series."
        )


def _transformed(y: np.ndarray, learned: np.ndarray, task: Task, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """A series with its channels transformed, and the λ of each; channels without a name are only seen, and stay."""
    lmbda = np.full(y.shape[1], np.nan)
    for i, name in enumerate(names):
        lmbda[i] = lambda_of(task.transform, y[learned, i], y[:, i], name)
    return np.column_stack([boxcox(channel, own) for channel, own in zip(y.T, lmbda, strict=True)]), lmbda


def _scaled_windows(
    cut: dict[str, np.ndarray], y: np.ndarray, learned: np.ndarray, task: Task, fill: Repair, season_length: int
) -> dict[str, np.ndarray]:
    """All windows of one series as models see them, with their scale, and whether each is complete.

    Args:
        cut: what `_cut` gives.
        y: the series, `(n, n_channels)`.
        learned: the values from which the scale is learned, bool, `(n,)`.
        task, fill, season_length: as `split_by_time` takes them.
    """
    x, y_path, asked = cut["x"], cut["y_path"], task.n_targets(y.shape[1])
    made = {"masked": np.isnan(x)} if fill == "network" else {}
    if fill != "leave" and np.isnan(y).any():
        x = _filled(x, pd.DataFrame(y).ffill().to_numpy()[cut["start"]], fill, season_length)
    if task.scales_each_window:
        loc, scale = own_scale(x, task)
    else:
        own = np.transpose([_scaling(channel, task) for channel in y[learned].T])
        loc, scale = (np.tile(each, (len(x), 1)) for each in own)
    complete = np.isfinite(x).all((1, 2)) & np.isfinite(y_path[:, :, :asked]).all((1, 2))
    y_path[:, :, asked:] = pd.DataFrame(y[:, asked:]).ffill().bfill().to_numpy()[cut["ahead"]]
    scaled = ((x - loc[:, None]) / scale[:, None]).astype("float32")
    y_path = (y_path - loc[:, None]) / scale[:, None]
    return made | {"x": scaled, "y_path": y_path, "loc": loc, "scale": scale, "ds": cut["ds"], "complete": complete}


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
        "y_path": y[ahead],
        "ahead": ahead,
        "ds": ds[start],
        "first": ds[ahead[:, task.steps[0] - 1]],
        "last": ds[ahead[:, -1]],
    }


def _filled(x: np.ndarray, before: np.ndarray, fill: Repair, season_length: int) -> np.ndarray:
    """Look-backs, each filled in from itself, and where it begins with a gap from the last value before it."""
    x = x.copy()
    for channel, first in zip(np.moveaxis(x, 2, 0), before.T, strict=True):
        with_gaps = np.flatnonzero(np.isnan(channel).any(1))
        channel[with_gaps, 0] = first[with_gaps]
        channel[with_gaps] = filled(pd.DataFrame(channel[with_gaps].T), fill, season_length).ffill().to_numpy().T
    return x


def _scaled(values: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Values in the scale that models see, some series at a time: float32, and no second copy in float64."""
    if not loc.any() and (scale == 1).all():
        return frozen(values, "float32")
    scaled = np.empty(values.shape, "float32")
    for first in range(0, len(values), CHUNK_SIZE):
        some = slice(first, first + CHUNK_SIZE)
        scaled[some] = (values[some] - loc[some, None]) / scale[some, None]
    return frozen(scaled, "float32")


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
    return Windows(**joined | _ahead(joined["y_path"], task))


def _ahead(y_path: np.ndarray, task: Task) -> dict[str, Any]:
    """The values ahead, and those of them that are asked for."""
    whole, n_targets = frozen(y_path, "float32"), task.n_targets(y_path.shape[2])
    asked = whole[:, -len(task.steps) :, :n_targets]
    return {"y_path": whole, "y": frozen(asked.reshape(len(whole), -1), "float32"), "n_targets": n_targets}


def _spoken(part: str) -> str:
    return {"train": "training", "valid": "validation", "test": "test"}[part]
