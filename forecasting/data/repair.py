"""From rows as they were read to series on an even grid: doubled times, gaps and missing values."""

from typing import Literal

import pandas as pd

from forecasting.data.reading.frequency import grid
from forecasting.experiment import BadInput

Repair = Literal["leave", "forward", "interpolation"]
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


def repair(frame: pd.DataFrame, how: Repair) -> pd.DataFrame:
    """Fill in missing values: by the last known one, or by a line between the known ones on both sides.

    What stands before the first known value, and for a line behind the last, stays missing.

    Args:
        frame: `unique_id, ds, y` on an even grid.
        how: leave, forward, interpolation.
    """
    if how == "leave":
        return frame
    by_series = frame.groupby("unique_id", sort=False)["y"]
    filled = by_series.ffill() if how == "forward" else by_series.transform(_line)
    return frame.assign(y=filled)


def _line(y: pd.Series) -> pd.Series:
    return y.interpolate(limit_area="inside")
