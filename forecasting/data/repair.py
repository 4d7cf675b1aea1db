"""From rows as they were read to series on an even grid: doubled times, gaps and missing values."""

from typing import Literal

import numpy as np
import pandas as pd

from forecasting.data.reading.frequency import anchored, grid, in_words, offset_of
from forecasting.data.seasons import seconds_of
from forecasting.experiment import BadInput

Repair = Literal["leave", "forward", "interpolation", "seasonal_line", "network"]
MAX_ROWS = 5_000_000


def on_grid(frame: pd.DataFrame, frequency: str | None) -> pd.DataFrame:
    """Put series on the grid of their frequency: doubled times become their mean, times that are not there a missing value.

    Args:
        frame: `unique_id, ds, y`, sorted.
        frequency: pandas' alias; without one the times are taken as they are.

    Raises:
        BadInput: when the gaps would make far more rows than there are, or a series is too short.
    """
    single = frame.groupby(["unique_id", "ds"], sort=False, observed=True, as_index=False)["y"].mean()
    single["unique_id"] = single["unique_id"].astype(str)
    sizes = single["unique_id"].value_counts(sort=False)
    if sizes.min() < 3:
        short = sizes.idxmin()
        raise BadInput(f"Series {short[:60]!r} has {sizes[short]} values: at least 3 are needed.")
    if frequency is None:
        return single
    _refuse_other_steps(single, frequency)
    shared = _on_one_grid(single, sizes, frequency)
    return shared if shared is not None else _each_on_its_grid(single, frequency)


def _refuse_other_steps(single: pd.DataFrame, frequency: str) -> None:
    """Refuse series that have a value at every few steps alone: they have another step, and would be mostly missing.

    Raises:
        BadInput: with the first of them.
    """
    step = seconds_of(frequency)
    if step is None:
        return
    ids, ds = single["unique_id"].to_numpy(), single["ds"].to_numpy().astype("datetime64[s]").astype("int64")
    same = ids[1:] == ids[:-1]
    steps = pd.Series(np.diff(ds)[same] / step)
    by_series = steps.groupby(ids[1:][same], sort=False).agg(["median", "min", "size"])
    coarser = by_series[(by_series["min"] > 1.5) & (by_series["size"] > 5)]
    if len(coarser) and len(by_series) > 1:
        name, times = str(coarser.index[0]), float(coarser["median"].iloc[0])
        raise BadInput(
            f"Series {name[:60]!r} has a value every {times:g} steps of the others ({in_words(frequency)}): put it into a "
            "file of its own, or aggregate all to a coarser step."
        )


def _on_one_grid(single: pd.DataFrame, sizes: pd.Series, frequency: str) -> pd.DataFrame | None:
    """Series that share one grid, all at once: of many this takes a hundredth of the time; None where they do not."""
    ds, ids = pd.DatetimeIndex(single["ds"]), single["unique_id"].to_numpy()
    begins = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
    if _n_steps(ds, frequency) > MAX_ROWS or len(begins) != len(sizes):
        return None
    times = grid(ds.min(), ds.max(), frequency)
    places = times.get_indexer(ds)
    if (places < 0).any():
        return None
    n_known = np.diff(np.append(begins, len(ids)))
    first = places[begins]
    n_steps = places[begins + n_known - 1] - first + 1
    before = np.cumsum(n_steps) - n_steps
    y = np.full(n_steps.sum(), np.nan)
    y[np.repeat(before - first, n_known) + places] = single["y"]
    at = np.arange(len(y)) - np.repeat(before - first, n_steps)
    return pd.DataFrame({"unique_id": np.repeat(ids[begins], n_steps), "ds": times[at], "y": y})


def _n_steps(ds: pd.DatetimeIndex, frequency: str) -> int:
    """About how many steps lie between the first and the last of some times, without making them."""
    first = ds.min()
    a_step = pd.DatetimeIndex([first, first + offset_of(frequency)])
    step_us, span_us = (int(np.ptp(some.to_numpy().astype("datetime64[us]").astype("int64"))) for some in (a_step, ds))
    return span_us // step_us


def _each_on_its_grid(single: pd.DataFrame, frequency: str) -> pd.DataFrame:
    """Series one after the other, each on the grid that begins with its first value."""
    pieces = []
    for unique_id, series in single.groupby("unique_id", sort=False):
        known = series.set_index("ds")["y"]
        n_steps = _n_steps(pd.DatetimeIndex(known.index), frequency)
        if n_steps > MAX_ROWS:
            raise BadInput(
                f"Series {str(unique_id)[:60]!r} has {len(known):,} values over {n_steps:,} steps: it is too sparse."
            )
        own = anchored(frequency, known.index[0])
        times = grid(known.index[0], known.index[-1], own)
        if not known.index.isin(times).all():
            raise BadInput(
                f"The times of series {str(unique_id)[:60]!r} do not follow the step of the others, {in_words(own)}: put it "
                "into a file of its own, or aggregate all to a coarser step."
            )
        pieces.append(pd.DataFrame({"unique_id": unique_id, "ds": times, "y": known.reindex(times).to_numpy()}))
    return pd.concat(pieces, ignore_index=True)


def filled(y: pd.Series, how: Repair, season_length: int = 1) -> pd.Series:
    """Fill in the missing values of a series, or of each column of a frame: by the last known one, by a line between the
    known ones on both sides, or by such a line between values of the same step of the season. A network starts from a line.

    What stands before the first known value, and for a line behind the last, stays missing. Whoever asks gives what was
    known at some moment, and nothing of what came later.

    Args:
        y: evenly spaced.
        how: leave, forward, interpolation, seasonal_line, network.
        season_length: steps, for a seasonal line.
    """
    if how == "leave":
        return y
    if how == "forward":
        return y.ffill()
    return _seasonal_line(y, season_length) if how == "seasonal_line" else _line(y)


def _line(y: pd.Series) -> pd.Series:
    return y.interpolate(limit_area="inside")


def _seasonal_line(y: pd.Series, season_length: int) -> pd.Series:
    """What has no value a season before or after it lies on a plain line."""
    phases = np.arange(len(y)) % season_length
    inside = y.bfill().notna() & y.ffill().notna()
    by_phase = y.groupby(phases).transform(lambda values: values.interpolate(limit_area="inside"))
    return by_phase.fillna(_line(y)).where(inside)


Aggregate = Literal["mean", "sum", "last"]


def resample(frame: pd.DataFrame, frequency: str, how: Aggregate, step: str | None = None) -> pd.DataFrame:
    """Put series on a coarser grid; a step without any value is missing, and so is the sum of one that lacks some.

    The first and the last step are left out where the series begins or ends within them; a last value needs no beginning.

    Args:
        frame: `unique_id, ds, y` on an even grid.
        frequency: pandas' alias.
        how: what becomes of the values of a step.
        step: pandas' alias of the grid that the series are on; None: the median distance of their times.

    Raises:
        BadInput: when there is no such frequency, or a series has no whole step of it.
    """
    try:
        offset = pd.tseries.frequencies.to_offset(frequency)
    except ValueError:
        raise BadInput(f"{frequency[:20]!r} is no frequency: give pandas' alias, such as D, W, MS or 2h.") from None
    by_step = frame.set_index("ds").groupby("unique_id", sort=False)["y"].resample(offset)
    if how == "sum":
        counted = by_step.agg(["sum", "size", "count"])
        made = counted["sum"].where(counted["size"] == counted["count"])
    else:
        made = getattr(by_step, how)()
    made = made.rename("y").reset_index()
    return made[_within(frame, made, offset, how, step)].reset_index(drop=True)


def _within(frame: pd.DataFrame, made: pd.DataFrame, offset: pd.DateOffset, how: Aggregate, step: str | None) -> pd.Series:
    """Which of the longer steps lie wholly within their series."""
    by_series = frame.groupby("unique_id", sort=False)["ds"]
    spans, usual = by_series.agg(["first", "last"]), by_series.diff().median()
    whole = {}
    for first, last in spans.drop_duplicates().itertuples(index=False, name=None):
        one = usual if step is None else offset_of(anchored(step, first))
        begins = how == "last" or _apart((first - one, first), offset, first)
        whole[first, last] = begins, _apart((last, last + one), offset, first)
    ends = pd.DataFrame([whole[span] for span in spans.itertuples(index=False, name=None)], spans.index, ["first", "last"])
    ids = made["unique_id"]
    within = (ids.duplicated() | ids.map(ends["first"])) & (ids.duplicated(keep="last") | ids.map(ends["last"]))
    some = within.groupby(ids, sort=False).any()
    if not some.all():
        raise BadInput(f"The series {some.index[~some][0]!r:.60} has no whole step of {offset.freqstr}: it is too short.")
    return within


def _apart(pair: tuple[pd.Timestamp, pd.Timestamp], offset: pd.DateOffset, first: pd.Timestamp) -> bool:
    """Whether two neighbouring times of a series that begins at `first` fall into different steps."""
    steps = pd.Series(1, pd.DatetimeIndex(pair)).resample(offset, origin=first.normalize())
    return steps.ngroups > 1
