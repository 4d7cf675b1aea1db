"""From rows as they were read to series on an even grid: doubled times, gaps and missing values."""

from typing import Literal

import numpy as np
import pandas as pd

from forecasting.data.reading.frequency import grid
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
    pieces = []
    for unique_id, series in single.groupby("unique_id", sort=False, observed=True):
        if len(series) < 3:
            raise BadInput(f"Series {str(unique_id)[:60]!r} has {len(series)} values: at least 3 are needed.")
        filled = series.set_index("ds")["y"]
        if frequency is not None:
            times = grid(filled.index[0], filled.index[-1], frequency)
            if len(times) > MAX_ROWS:
                raise BadInput(
                    f"Series {str(unique_id)[:60]!r} has {len(series):,} values over {len(times):,} steps: it is too sparse."
                )
            filled = filled.reindex(times)
        pieces.append(pd.DataFrame({"unique_id": str(unique_id), "ds": filled.index, "y": filled.to_numpy()}))
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


def resample(frame: pd.DataFrame, frequency: str, how: Literal["mean", "sum", "last"]) -> pd.DataFrame:
    """Put series on a coarser grid; a step without any value is missing, and so is the sum of one that lacks some.

    A step at either end lacks some when it has fewer than all those between.

    Args:
        frame: `unique_id, ds, y` on an even grid.
        frequency: pandas' alias.
        how: what becomes of the values of a step.

    Raises:
        BadInput: when there is no such frequency.
    """
    try:
        offset = pd.tseries.frequencies.to_offset(frequency)
    except ValueError:
        raise BadInput(f"{frequency[:20]!r} is no frequency: give pandas' alias, such as D, W, MS or 2h.") from None
    by_step = frame.set_index("ds").groupby("unique_id", sort=False)["y"].resample(offset)
    if how == "sum":
        counted = by_step.agg(["sum", "size", "count"])
        fewest = counted["size"].groupby("unique_id", sort=False).transform(lambda sizes: sizes.iloc[1:-1].min())
        made = counted["sum"].where((counted["size"] == counted["count"]) & ~(counted["size"] < fewest))
    else:
        made = getattr(by_step, how)()
    return made.rename("y").reset_index()
