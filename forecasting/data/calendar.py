"""What the calendar says about a moment: known in advance, and so shown for the steps that are to be forecast."""

from dataclasses import replace

import numpy as np
import pandas as pd

from forecasting.data.panel import Panel
from forecasting.data.windows import Windows


def features(ds: pd.DatetimeIndex) -> np.ndarray:
    """Sine and cosine of the hour in the day, the day in the week and the time of the year, `(n, n_features)`, float32.

    Those that do not change from step to step, as the hour of daily series, are left out.
    """
    hour = (ds.hour + ds.minute / 60).to_numpy() / 24
    week, year = ds.dayofweek.to_numpy() / 7, (ds.dayofyear.to_numpy() - 1) / 365.25
    turns = [turn for turn in (hour, week, year) if np.ptp(turn) > 0]
    waves = [wave(2 * np.pi * turn) for turn in turns for wave in (np.sin, np.cos)]
    return np.stack(waves, axis=1).astype("float32") if waves else np.zeros((len(ds), 0), "float32")


class Calendar:
    """The calendar of a panel.

    Args:
        panel: its series.
        h: how far ahead is forecast.
    """

    def __init__(self, panel: Panel, h: int) -> None:
        times = [panel.ds[i].append(panel.times_after(i, 0, h)) for i in range(len(panel.ids))]
        self._h, self._first = h, np.cumsum([0, *map(len, times[:-1])])
        self._features = features(pd.DatetimeIndex(np.concatenate([ds.to_numpy() for ds in times])))

    def windows(self, part: Windows) -> Windows:
        """Windows of this panel, with the calendar beside their values.

        Each step of a look-back shows the calendar h steps later: so the last h of them show that of what is to be forecast,
        and nothing else has to change.
        """
        steps = part.x.shape[1]
        places = part.ds[:, None] + self._h - steps + np.arange(steps)
        at = self._first[part.unique_id.astype(int), None] + np.maximum(places, 0)
        return replace(part, x=np.concatenate([part.x, self._features[at]], axis=2))
