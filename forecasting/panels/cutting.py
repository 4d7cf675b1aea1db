"""The windows of whole series that models learn from, cut where they are wanted and nowhere else."""

from dataclasses import dataclass

import numpy as np

from forecasting.data.windows import Split, Windows, frozen, own_scale
from forecasting.experiment import BadInput, Task
from forecasting.panels.panel import Panel

VALID = 0.15
"""Share of the windows of a series, the last ones, by which weights are chosen."""
VALID_SERIES = 20
"""Of so many series or more one in so many is the validation part."""
VALID_TO_LEARNED = 3
"""Of so many windows that are learned from at most there is one that validates at most."""


@dataclass(frozen=True)
class _Places:
    """Where the windows of a series begin, its padding counted: those that are learned from, and those that validate."""

    series: int
    learned: np.ndarray
    valid: np.ndarray


def split_of(panel: Panel, task: Task, back: int, most: int | None = None, seed: int = 0) -> Split:
    """Windows of what was known so many steps before the end, to learn from; as test part the one at the end of each series,
    its targets NaN.

    Each window is scaled by itself. What was filled in is no value to forecast: such windows are left out. Of many series
    that are scaled by their level every twentieth is the validation part, and all of the others is learned from; otherwise
    the last windows of each series are the validation part.

    Args:
        panel: the series.
        task: look-back and horizon.
        back: how many steps before the end of each series; 0: the end itself.
        most: windows to learn from at most, drawn evenly, and a third as many to validate by; None: all. Others are never
            in memory.
        seed: of the draw.

    Raises:
        BadInput: when no series is long enough.
    """
    places = _places(panel, task, back)
    if not any(len(one.learned) for one in places):
        longest = max(len(values) for values in panel.known_before(back))
        raise BadInput(
            f"No series is long and whole enough for a look-back of {task.input_size} and a horizon of {task.h}: the "
            f"longest has {longest} values."
        )
    rng = np.random.default_rng(seed)
    learned = _drawn([one.learned for one in places], most, rng)
    valid = _drawn([one.valid for one in places], None if most is None else -(-most // VALID_TO_LEARNED), rng)
    if not any(map(len, valid)):
        valid = learned
    parts: tuple[list, list] = ([], [])
    pad, whole = padding(task), task.input_size + task.h
    known = dict(panel.channels_before(back))
    for one, *chosen in zip(places, learned, valid, strict=True):
        values = known[one.series]
        values = np.concatenate([np.repeat(values[:1], pad, axis=0), values])
        cut = np.lib.stride_tricks.sliding_window_view(values, whole, axis=0).transpose(0, 2, 1)
        for part, begins in zip(parts, chosen, strict=True):
            if len(begins):
                part.append((one.series, begins, _rows(cut, begins)))
    train, validation = (_windows(panel, part, task, pad) for part in parts)
    return Split(train, validation, ends_of(panel, task, back))


def n_windows(panel: Panel, task: Task, back: int) -> int:
    """How many windows there are to learn from.

    Args:
        panel: the series.
        task: look-back and horizon, from `task_of`.
        back: how many steps before the end of each series; 0: the end itself.
    """
    return sum(len(one.learned) for one in _places(panel, task, back))


def ends_of(panel: Panel, task: Task, back: int) -> Windows:
    """The window at the end of what was known of each series, its targets NaN."""
    known = panel.channels_before(back)
    at_end = [(i, np.array([len(seen) - task.input_size]), _at_end(seen, task)) for i, seen in known]
    return _windows(panel, at_end, task)


def _places(panel: Panel, task: Task, back: int) -> list[_Places]:
    """Where windows can be cut, of the series that are long enough; of a multivariate one its first stands for all."""
    found, whole, pad = [], task.input_size + task.h, padding(task)
    by_series, known = validates_by_series(panel, task), panel.known_before(back)
    for nth, i in enumerate(range(0, len(panel.y), panel.n_targets)):
        n_cut = len(known[i]) + pad - whole + 1
        if n_cut < 1:
            continue
        places = np.arange(n_cut)
        missing = np.isnan(known[i : i + panel.n_targets]).any(axis=0)
        if missing.any():
            gaps = np.concatenate([np.zeros(pad + 1), np.cumsum(missing)])
            places = places[gaps[places + whole] == gaps[places + task.input_size]]
        if by_series:
            late = places if validates(nth) else places[:0]
            early = places[:0] if validates(nth) else places
        else:
            last = n_cut - round(VALID * n_cut)
            early, late = places[places < max(1, last - task.h + 1)], places[places >= last]
        found.append(_Places(i, early, late))
    return found


def _drawn(places: list[np.ndarray], most: int | None, rng: np.random.Generator) -> list[np.ndarray]:
    """So many of all places at most, drawn evenly."""
    lengths = [len(some) for some in places]
    total = sum(lengths)
    if most is None or total <= most:
        return places
    chosen = np.sort(rng.permutation(total)[:most])
    ends = np.cumsum(lengths)
    cuts = np.searchsorted(chosen, ends)
    pieces = np.split(chosen, cuts[:-1])
    return [some[piece - begin] for some, piece, begin in zip(places, pieces, ends - lengths, strict=True)]


def _windows(panel: Panel, pieces: list[tuple[int, np.ndarray, np.ndarray]], task: Task, pad: int = 0) -> Windows:
    """Windows of pieces: the number of their series, where each of them begins in it, and they themselves.

    Their `ds` is the place of the first value ahead.
    """
    rows = np.concatenate([cut for _, _, cut in pieces])
    series = np.concatenate([np.full(len(cut), i) for i, _, cut in pieces])
    places = np.concatenate([begins for _, begins, _ in pieces]) + task.input_size - pad
    seen = rows[:, : task.input_size]
    loc, scale = own_scale(seen, task)
    scaled = frozen((rows - loc[:, None]) / scale[:, None], "float32")
    path = np.ascontiguousarray(scaled[:, task.input_size :])
    return Windows(
        x=np.ascontiguousarray(scaled[:, : task.input_size]),
        y=path[:, -len(task.steps) :, : panel.n_targets].reshape(len(path), -1),
        y_path=path,
        loc=loc,
        scale=scale,
        unique_id=series,
        ds=places,
        n_targets=panel.n_targets,
    )


def padding(task: Task) -> int:
    """How often the first value of a series stands before it, so that windows may end early in it."""
    if task.scaling != "level":
        return 0
    repeated = task.season_length if task.differencing == "last_season" else 1
    return task.input_size - max(repeated, task.input_size // 2, 2)


def validates_by_series(panel: Panel, task: Task) -> bool:
    """Whether the validation part is made of whole series, so that all windows of the others are learned from."""
    return task.scaling == "level" and len(panel.y) // panel.n_targets >= VALID_SERIES


def validates(nth: int) -> bool:
    """Whether a series, counted from 0, is then one of them."""
    return nth % VALID_SERIES == VALID_SERIES // 2


def _rows(cut: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Some rows, in order; no copy where they follow one another."""
    in_a_row = places[-1] - places[0] + 1 == len(places)
    return cut[places[0] : places[-1] + 1] if in_a_row else cut[places]


def _at_end(values: np.ndarray, task: Task) -> np.ndarray:
    """The last look-back, with NaN for what follows; of a series that is too short, preceded by its first value."""
    seen = values[-task.input_size :]
    seen = np.concatenate([np.repeat(seen[:1], task.input_size - len(seen), axis=0), seen])
    return np.concatenate([seen, np.full((task.h, seen.shape[1]), np.nan)])[None]
