"""What is known in advance, from the calendar or from columns of a file, and so shown for the steps to be forecast."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from forecasting.data.windows import Windows
from forecasting.experiment import BadInput
from forecasting.panels.panel import Panel


def features(ds: pd.DatetimeIndex) -> np.ndarray:
    """Sine and cosine of the hour in the day, the day in the week and the time of the year, `(n, n_features)`, float32.

    Those that do not change from step to step, as the hour of daily series, are left out.
    """
    hour = (ds.hour + ds.minute / 60).to_numpy() / 24
    week, year = ds.dayofweek.to_numpy() / 7, (ds.dayofyear.to_numpy() - 1) / 365.25
    turns = [turn for turn in (hour, week, year) if np.ptp(turn) > 0]
    waves = [wave(2 * np.pi * turn) for turn in turns for wave in (np.sin, np.cos)]
    return np.stack(waves, axis=1).astype("float32") if waves else np.zeros((len(ds), 0), "float32")


class FutureCovariates:
    """What is known in advance of a panel.

    Args:
        panel: its series.
        h: how far ahead is forecast.
        calendar: whether the calendar is part of it, beside the panel's own columns.

    Raises:
        BadInput: when the panel's own columns end before the horizon.
    """

    def __init__(self, panel: Panel, h: int, calendar: bool) -> None:
        times = [panel.ds[i].append(panel.times_after(i, 0, h)) for i in range(len(panel.ids))]
        self._h, self._first = h, np.cumsum([0, *map(len, times[:-1])])
        parts = [features(pd.DatetimeIndex(np.concatenate([ds.to_numpy() for ds in times])))] if calendar else []
        if panel.future_covariates is not None:
            _refuse_what_ends_early(panel, panel.future_covariates, h)
            own = np.concatenate([_as_long(rows, len(ds)) for rows, ds in zip(panel.future_covariates, times, strict=True)])
            parts.append(((own - own.mean(0)) / np.maximum(own.std(0), 1e-9)).astype("float32"))
        self._features = np.concatenate(parts, axis=1)

    @classmethod
    def of(cls, panel: Panel, h: int, calendar: bool) -> "FutureCovariates | None":
        """What is known in advance of a panel, or None where nothing is.

        Args:
            panel, h, calendar: as the class takes them.
        """
        return cls(panel, h, calendar) if calendar or panel.future_covariates is not None else None

    def windows(self, part: Windows) -> Windows:
        """Windows of this panel, with what is known beside their values.

        Each step of a look-back shows what is known of h steps later: so the last h of them show that of what is to be
        forecast, and nothing else has to change. Where the look-back is shorter than h, each step shows what is known of
        several steps, side by side, so that together they show all h.
        """
        steps = part.x.shape[1]
        first = self._first[part.unique_id.astype(int), None]
        shown = [part.x]
        for ahead in range(self._h, 0, -steps):
            places = part.ds[:, None] + ahead - steps + np.arange(steps)
            shown.append(self._features[first + np.maximum(places, 0)])
        return replace(part, x=np.concatenate(shown, axis=2))


def _refuse_what_ends_early(panel: Panel, rows: Sequence[np.ndarray], h: int) -> None:
    """Refuse columns that are said to be known in advance and are not, as far as is forecast.

    Raises:
        BadInput: with how many rows are missing.
    """
    for unique_id, ds, known in zip(panel.ids, panel.ds, rows, strict=True):
        lacking = len(ds) + h - len(known)
        if lacking > 0 and np.ptp(known, axis=0).any():  # what never changes in a series will not either
            raise BadInput(
                f"Future covariates have to reach {h} steps beyond the last value, and the file lacks the last {lacking} of "
                f"them for series {str(unique_id)[:60]!r}: add rows with times and covariates, or take them as past ones."
            )


def _as_long(rows: np.ndarray, n: int) -> np.ndarray:
    """So many rows; those that are not there repeat the last."""
    return np.concatenate([rows[:n], np.repeat(rows[-1:], max(0, n - len(rows)), axis=0)])
