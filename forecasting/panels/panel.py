"""Series of any lengths, seen from moments in their past: what backtests and forecasts work on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecasting.data.opening import Opening, opening_of
from forecasting.data.reading.frequency import after, anchored
from forecasting.data.repair import Repair, filled
from forecasting.data.seasons import candidates
from forecasting.experiment import BadInput


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
        opening: at which steps of a week, or of a day, there are values at all; None: at every one.
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
    opening: Opening | None = None
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

        Several columns of values are one multivariate series: from the first step at which all of them have a value. Steps
        of the week, or of the day, at which no series ever has a value are left out.

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
        opening = opening_of(pd.DatetimeIndex(frame["ds"]), frame[list(values)].notna().any(axis=1).to_numpy(), frequency)
        if opening is not None:
            frame = frame[opening.open_at(pd.DatetimeIndex(frame["ds"]))]
            season_length = next(iter(opening.seasons), 1)
        found: dict[str, list] = {name: [] for name in ("ids", "ds", "y", "future_covariates", "past_covariates")}
        several = len(values) > 1 and frame["unique_id"].nunique() > 1
        times, y = pd.DatetimeIndex(frame["ds"]), frame[list(values)].to_numpy("float64")
        past, future = (frame[list(names)].to_numpy("float64") for names in (past_covariates, future_covariates))
        for unique_id, rows in _rows_of(frame["unique_id"].to_numpy()):
            there = np.isfinite(y[rows])
            if not there.any():
                continue
            firsts, lasts = there.argmax(axis=0), len(there) - 1 - there[::-1].argmax(axis=0)
            if not there.any(axis=0).all() or firsts.max() > lasts.min():
                raise BadInput(
                    "A multivariate series needs times at which all of them have a value: series "
                    f"{unique_id!r:.60} has none."
                )
            begin = rows.start + firsts.max()
            end = rows.start + lasts.max() + 1
            ahead = pd.DataFrame(future[begin : rows.stop]).ffill().fillna(0.0).to_numpy() if future_covariates else None
            for place, value in enumerate(values):
                own = value if len(values) > 1 else ""
                found["ids"].append(f"{unique_id} · {own}" if several else own or str(unique_id))
                found["ds"].append(times[begin:end])
                found["y"].append(y[begin:end, place].copy())
                found["future_covariates"].append(ahead)
                found["past_covariates"].append(past[begin:end])
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
            opening=opening,
        )

    @property
    def frame(self) -> pd.DataFrame:
        """The series as a long frame `unique_id, ds, y`; missing values NaN."""
        columns = {"unique_id": np.repeat(self.ids, [len(y) for y in self.y])}
        return pd.DataFrame(columns | {"ds": np.concatenate([ds.to_numpy() for ds in self.ds]), "y": np.concatenate(self.y)})

    @property
    def likely_seasons(self) -> tuple[int, ...]:
        """The seasons that the step between times makes likely, the shortest first."""
        return candidates(self.frequency) if self.opening is None else self.opening.seasons

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
        if self.opening is not None:
            return self.opening.after(cutoff, h)
        if self.frequency is None:
            step = self.ds[i][-1] - self.ds[i][-2]
            return pd.DatetimeIndex([cutoff + step * k for k in range(1, h + 1)])
        return after(cutoff, h, anchored(self.frequency, self.ds[i][0]))

    def cutoff(self, i: int, back: int) -> pd.Timestamp:
        """The last time that is known to a forecast."""
        return self.ds[i][len(self.y[i]) - back - 1]


def _rows_of(ids: np.ndarray) -> list[tuple[str, slice]]:
    """Which rows belong to each series, of a table that is sorted by series."""
    begins = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
    return [(ids[i], slice(int(i), int(end))) for i, end in zip(begins, np.append(begins[1:], len(ids)), strict=True)]


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
