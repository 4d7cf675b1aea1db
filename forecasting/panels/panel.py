"""Series of any lengths, seen from moments in their past: what backtests and forecasts work on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecasting.data.repair import Repair, filled
from forecasting.data.windows import Split, Windows, frozen, own_scale
from forecasting.experiment import BadInput, Task

VALID = 0.15
"""Share of the windows of a series, the last ones, by which weights are chosen."""
VALID_SERIES = 20
"""Of so many series or more one in so many is the validation part."""


@dataclass(frozen=True)
class Panel:
    """Series on even grids.

    Attributes:
        ids: their names.
        ds: their times.
        y: their values, float64; the first is known, others may be NaN.
        frequency: pandas' alias of the step, or None where there is none.
        fill: how missing values are filled in, at every moment from what was known then; what that leaves, and what
            `leave` does, is the last known value.
        season_length: steps of the season that is usual for the frequency.
        future_covariates: what is known in advance at each time and beyond the last, per series `(n or more, n_covariates)`;
            or none.
        past_covariates: what is seen and not forecast, per series `(n, n_covariates)`; or none.
        n_targets: series that are forecast together, one after the other: of equal length, with the same times.
        by_network: imputer: called with a series containing NaN and its interpolation; returns the filled series.
    """

    ids: list[str]
    ds: list[pd.DatetimeIndex]
    y: list[np.ndarray]
    frequency: str | None
    fill: Repair = "leave"
    season_length: int = 1
    future_covariates: list[np.ndarray] | None = None
    past_covariates: list[np.ndarray] | None = None
    n_targets: int = 1
    by_network: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        frequency: str | None,
        fill: Repair = "leave",
        season_length: int = 1,
        values: Sequence[str] = ("y",),
        *,
        past_covariates: Sequence[str] = (),
        future_covariates: Sequence[str] = (),
    ) -> "Panel":
        """Take the series of a frame `unique_id, ds` and columns of numbers, each from its first value to its last.

        Several columns of values are one multivariate series: from the first step at which all of them have a value.

        Args:
            frame: sorted by series and time, on an even grid; what is missing is NaN.
            frequency: pandas' alias of the step, or None where there is none.
            fill: how missing values are filled in.
            season_length: steps of the season that is usual for the frequency; 1 for none.
            values: names of the columns that are forecast.
            past_covariates: names of columns that are seen and not forecast.
            future_covariates: names of columns that are known in advance, in rows behind the last value too.

        Raises:
            BadInput: when no series has a value, or the columns of a multivariate series never have one at once.
        """
        found: dict[str, list] = {name: [] for name in ("ids", "ds", "y", "future_covariates", "past_covariates")}
        several = len(values) > 1 and frame["unique_id"].nunique() > 1
        for unique_id, series in frame.groupby("unique_id", sort=False, observed=True):
            there = series[list(values)].notna().to_numpy()
            if not there.any():
                continue
            firsts, lasts = there.argmax(axis=0), len(there) - 1 - there[::-1].argmax(axis=0)
            if not there.any(axis=0).all() or firsts.max() > lasts.min():
                raise BadInput(
                    "A multivariate series needs times at which all of them have a value: series "
                    f"{unique_id!r:.60} has none."
                )
            whole, n = series.iloc[firsts.max() :], lasts.max() - firsts.max() + 1
            for value in values:
                own = value if len(values) > 1 else ""
                found["ids"].append(f"{unique_id} · {own}" if several else own or str(unique_id))
                found["ds"].append(pd.DatetimeIndex(whole["ds"].iloc[:n]))
                found["y"].append(whole[value].iloc[:n].to_numpy("float64"))
                found["future_covariates"].append(whole[list(future_covariates)].ffill().fillna(0.0).to_numpy("float64"))
                found["past_covariates"].append(whole[list(past_covariates)].iloc[:n].to_numpy("float64"))
        if not found["ids"]:
            raise BadInput("No series has a value: there is nothing to forecast.")
        return cls(
            found["ids"],
            found["ds"],
            found["y"],
            frequency,
            fill,
            season_length,
            future_covariates=found["future_covariates"] if future_covariates else None,
            past_covariates=found["past_covariates"] if past_covariates else None,
            n_targets=len(values),
        )

    @property
    def usual(self) -> int:
        """The 20 % quantile of the lengths of series."""
        return int(np.quantile([len(y) for y in self.y], 0.2, method="lower"))

    def some(self, places: np.ndarray) -> "Panel":
        """Some of the series, by their places."""
        ids, ds, y = ([part[i] for i in places] for part in (self.ids, self.ds, self.y))
        past, future = (
            None if part is None else [part[i] for i in places] for part in (self.past_covariates, self.future_covariates)
        )
        return replace(self, ids=ids, ds=ds, y=y, past_covariates=past, future_covariates=future)

    def before(self, back: int) -> list[np.ndarray]:
        """What was known `back` steps before the end of each series, missing values filled in from that alone; of one that
        had not yet begun, nothing."""
        return [self._filled(values) for values in self.known_before(back)]

    def known_before(self, back: int) -> list[np.ndarray]:
        """Values known `back` steps before the end of each series, NaN where they are missing."""
        return [values[: max(0, len(values) - back)] for values in self.y]

    def channels_before(self, back: int, with_gaps: bool = False) -> list[tuple[int, np.ndarray]]:
        """Values known `back` steps before the end, past covariates as further columns: `(place, (n, n_channels))` each.

        The targets of a multivariate series are one entry, at the place of the first. With gaps, what is missing is NaN.
        """
        known = self.known_before(back) if with_gaps else self.before(back)
        if self.n_targets > 1:
            return [(i, np.stack(known[i : i + self.n_targets], axis=1)) for i in range(0, len(known), self.n_targets)]
        if self.past_covariates is None:
            return [(i, values[:, None]) for i, values in enumerate(known)]
        whole = []
        for i, values in enumerate(known):
            columns = self.past_covariates[i][: len(values)].T
            whole.append((i, np.column_stack([values, *(columns if with_gaps else map(self._filled, columns))])))
        return whole

    def _filled(self, values: np.ndarray) -> np.ndarray:
        """Where nothing was known before, the first known value stands; 0 where there is none."""
        if np.isfinite(values).all():
            return values
        line = _line(values, self.fill, self.season_length)
        return line if self.by_network is None else self.by_network(values, line)

    def after(self, back: int, h: int) -> np.ndarray:
        """The h values that followed, `(n_series, h)`; NaN where they are missing, and beyond the end."""
        ahead = np.full((len(self.y), h), np.nan)
        for i, values in enumerate(self.y):
            if 0 < back <= len(values):
                known = values[len(values) - back :][:h]
                ahead[i, : len(known)] = known
        return ahead

    def times_after(self, i: int, back: int, h: int) -> pd.DatetimeIndex:
        """The times of the h values that follow a cutoff of series `i`.

        Args:
            i: the place of the series.
            back: how many steps before its end the cutoff lies; 0: the end itself.
            h: how many times.
        """
        cutoff = self.cutoff(i, back)
        if self.frequency is None:
            step = self.ds[i][-1] - self.ds[i][-2]
            return pd.DatetimeIndex([cutoff + step * k for k in range(1, h + 1)])
        return pd.date_range(cutoff, periods=h + 1, freq=self.frequency)[1:]

    def cutoff(self, i: int, back: int) -> pd.Timestamp:
        """The last time that is known to a forecast."""
        return self.ds[i][len(self.y[i]) - back - 1]

    def split(self, task: Task, back: int) -> Split:
        """All windows of what was known, to learn from; as test part the one at the end of each series, its targets NaN.

        Each window is scaled by itself. What was filled in is no value to forecast: such windows are left out. Of many
        series that are scaled by their level every twentieth is the validation part, and all of the others is learned from;
        otherwise the last windows of each series are the validation part.

        Raises:
            BadInput: when no series is long enough.
        """
        known, whole = self.channels_before(back), task.input_size + task.h
        train, valid, pad = [], [], padding(task)
        by_series = validates_by_series(self, task)
        for nth, ((i, values), (_, gaps)) in enumerate(zip(known, self.channels_before(back, with_gaps=True), strict=True)):
            if len(values) + pad < whole:
                continue
            values = np.concatenate([np.repeat(values[:1], pad, axis=0), values])
            cut = np.lib.stride_tricks.sliding_window_view(values, whole, axis=0).transpose(0, 2, 1)
            places = np.arange(len(cut))
            if np.isnan(gaps[:, : self.n_targets]).any():
                gaps = np.concatenate([np.repeat(values[:1], pad, axis=0), gaps])
                ahead = np.lib.stride_tricks.sliding_window_view(gaps[task.input_size :, : self.n_targets], task.h, axis=0)
                places = np.flatnonzero(np.isfinite(ahead).all((1, 2)))
            if by_series:
                early, late = (places[:0], places) if validates(nth) else (places, places[:0])
            else:
                last = len(cut) - round(VALID * len(cut))
                early, late = places[places < max(1, last - task.h + 1)], places[places >= last]
            train += [(i, early, _rows(cut, early))] if len(early) else []
            valid += [(i, late, _rows(cut, late))] if len(late) else []
        if not train:
            raise BadInput(
                f"No series is long and whole enough for a look-back of {task.input_size} and a horizon of {task.h}: the "
                f"longest has {max(len(values) for _, values in known)} values."
            )
        return Split(self._windows(train, task, pad), self._windows(valid or train, task, pad), self.ends(task, back))

    def ends(self, task: Task, back: int) -> Windows:
        """The window at the end of what was known of each series, its targets NaN."""
        known = self.channels_before(back)
        at_end = [(i, np.array([len(seen) - task.input_size]), _at_end(seen, task)) for i, seen in known]
        return self._windows(at_end, task)

    def _windows(self, pieces: list[tuple[int, np.ndarray, np.ndarray]], task: Task, pad: int = 0) -> Windows:
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
            y=path[:, -len(task.steps) :, : self.n_targets].reshape(len(path), -1),
            y_path=path,
            loc=loc,
            scale=scale,
            unique_id=series,
            ds=places,
            n_targets=self.n_targets,
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


def _line(values: np.ndarray, fill: Repair, season_length: int) -> np.ndarray:
    """A series without its gaps; at its ends stands the nearest known value, and 0 where there is none."""
    known, steps = np.flatnonzero(np.isfinite(values)), np.arange(len(values))
    if not len(known):
        return np.zeros(len(values))
    if fill in ("leave", "forward"):
        return values[known[np.maximum(np.searchsorted(known, steps, side="right") - 1, 0)]]
    if fill == "seasonal_line":
        values = filled(pd.Series(values), fill, season_length).to_numpy()
        known = np.flatnonzero(np.isfinite(values))
    return np.interp(steps, known, values[known])


def _at_end(values: np.ndarray, task: Task) -> np.ndarray:
    """The last look-back, with NaN for what follows; of a series that is too short, preceded by its first value."""
    seen = values[-task.input_size :]
    seen = np.concatenate([np.repeat(seen[:1], task.input_size - len(seen), axis=0), seen])
    return np.concatenate([seen, np.full((task.h, seen.shape[1]), np.nan)])[None]
