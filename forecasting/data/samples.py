"""Real series that come with an installed package, and one panel that is made here; nothing is downloaded."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.data.seasons import season_of
from forecasting.experiment import BadInput


@dataclass(frozen=True)
class SampleSeries:
    """A sample.

    Attributes:
        title, unit: what it measures.
        read: gives its series as a frame `unique_id, ds, y`; missing values are NaN.
        frequency: pandas' alias of its step.
        input_size, h: how it is usually cut.
        note: where it comes from, its licence, and what is hard about it.
    """

    title: str
    unit: str
    read: Callable[[], pd.DataFrame]
    frequency: str
    input_size: int
    h: int
    note: str

    @property
    def season(self) -> int:
        """Steps of its usual season; 1 for none."""
        return season_of(self.frequency)


def _published(file: str, **options: object) -> pd.DataFrame:
    """A file of statsmodels, from the package's folder: importing it would cost a second and 100 MB."""
    spec = importlib.util.find_spec("statsmodels")
    if spec is None or spec.origin is None:
        raise BadInput("The samples come with the package statsmodels, which is not installed: see requirements.txt.")
    return pd.read_csv(Path(spec.origin).parent / "datasets" / file, **options)  # type: ignore[call-overload]


def _frame(unique_id: str, ds: pd.Series | pd.DatetimeIndex, y: pd.Series | np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"unique_id": unique_id, "ds": ds, "y": np.asarray(y, "float64")})


def _column(name: str, file: str, time: str, value: str, time_format: str) -> pd.DataFrame:
    raw = _published(file, dtype={time: str})
    return _frame(name, pd.to_datetime(raw[time].str.strip(), format=time_format), raw[value])


def _months(name: str, file: str) -> pd.DataFrame:
    """A row per year, a column per month."""
    raw = _published(file).set_index("YEAR")
    return _frame(name, pd.date_range(f"{raw.index[0]}-01-01", periods=raw.size, freq="MS"), raw.to_numpy().ravel())


def _quarters(*columns: str) -> pd.DataFrame:
    """Columns of the macroeconomic data, each a series."""
    raw = _published("macrodata/macrodata.csv")
    ds = pd.to_datetime({"year": raw["year"], "month": 3 * raw["quarter"].astype(int) - 2, "day": 1})
    return pd.concat([_frame(column, ds, raw[column]) for column in columns], ignore_index=True)


def _countries() -> pd.DataFrame:
    """Births per woman: a row per country, a column per year. Countries without a value are left out."""
    raw = _published("fertility/fertility.csv").set_index("Country Name")
    years = [column for column in raw if column.isdigit()]
    known = raw.loc[raw[years].notna().sum(axis=1) >= 40, years]
    known = known.loc[:, known.notna().any()]
    ds = pd.to_datetime(known.columns, format="%Y")
    return pd.concat([_frame(country, ds, row) for country, row in known.iterrows()], ignore_index=True)  # type: ignore[arg-type]


def hourly(n_series: int = 60, n_steps: int = 700) -> pd.DataFrame:
    """Made here: demand by the hour, with a day and a week in it, a level of its own per series, and noise with a memory."""
    rng, hour = np.random.default_rng(7), np.arange(n_steps)
    ds = pd.date_range("2024-01-01", periods=n_steps, freq="h")
    pieces = []
    for i in range(n_series):
        level, day, week = np.exp(rng.normal(3, 1)), rng.uniform(0.2, 0.6), rng.uniform(0.1, 0.4)
        shift = rng.uniform(0, 24)
        daily = np.sin(2 * np.pi * (hour - shift) / 24) + 0.4 * np.sin(4 * np.pi * (hour - shift) / 24)
        weekend = ((hour // 24) % 7 >= 5).astype(float)
        shock, noise = rng.normal(0, 0.08, n_steps), np.zeros(n_steps)
        for t in range(1, n_steps):
            noise[t] = 0.7 * noise[t - 1] + shock[t]
        pieces.append(
            _frame(f"meter {i + 1}", ds, level * (1 + day * daily * (1 - week * weekend) - week * weekend + noise))
        )
    return pd.concat(pieces, ignore_index=True)


SAMPLES = {
    "sunspots": SampleSeries(
        "Sunspots per year, 1700–2008",
        "sunspots",
        partial(_column, "sunspots", "sunspots/sunspots.csv", "YEAR", "SUNACTIVITY", "%Y"),
        "YS",
        22,
        5,
        "National Geophysical Data Center, by way of statsmodels (public domain). The cycle of about eleven years varies in "
        "length and height.",
    ),
    "co2": SampleSeries(
        "Weekly CO₂ on Mauna Loa, 1958–2001",
        "ppm",
        partial(_column, "co2", "co2/co2.csv", "date", "co2", "%Y%m%d"),
        "W-SAT",
        52,
        8,
        "Keeling and Whorf, by way of statsmodels (public domain). It rises beyond everything in the training part; windows "
        "that hold one of its 59 missing weeks are left out.",
    ),
    "nile": SampleSeries(
        "Flow of the Nile at Aswan per year, 1871–1970",
        "10⁸ m³",
        partial(_column, "nile", "nile/nile.csv", "year", "volume", "%Y"),
        "YS",
        10,
        1,
        "Cobb (1978), by way of statsmodels (public domain). A hundred values, and a level that falls in 1898 for good: too "
        "little for a network.",
    ),
    "elnino": SampleSeries(
        "Sea surface temperature off Peru per month, 1950–2010",
        "°C",
        partial(_months, "elnino", "elnino/elnino.csv"),
        "MS",
        36,
        12,
        "National Weather Service, region Niño 1+2, by way of statsmodels (public domain). A strong season, and every few "
        "years a warm spell that no season foretells.",
    ),
    "gdp": SampleSeries(
        "Gross domestic product of the United States per quarter, 1959–2009",
        "10⁹ dollars of 2005",
        partial(_quarters, "realgdp"),
        "QS",
        16,
        4,
        "Federal Reserve Bank of St. Louis, by way of statsmodels (public domain). It grows beyond everything seen before, "
        "and falls at the end of the test part.",
    ),
    "inflation": SampleSeries(
        "Inflation in the United States per quarter, 1959–2009",
        "% per year",
        partial(_quarters, "infl"),
        "QS",
        16,
        4,
        "Federal Reserve Bank of St. Louis, by way of statsmodels (public domain). Much noise around a level that wanders.",
    ),
    "economy": SampleSeries(
        "Consumption, investment, government and income of the United States per quarter",
        "10⁹ dollars of 2005",
        partial(_quarters, "realcons", "realinv", "realgovt", "realdpi"),
        "QS",
        16,
        4,
        "Federal Reserve Bank of St. Louis, by way of statsmodels (public domain). Four series of one economy on scales of "
        "their own.",
    ),
    "fertility": SampleSeries(
        "Births per woman in some two hundred countries per year, 1960–2011",
        "births per woman",
        _countries,
        "YS",
        10,
        3,
        "World Bank, World Development Indicators, by way of statsmodels (CC BY 4.0). Many short, smooth series; some lack "
        "years, and windows that hold one are left out.",
    ),
    "hourly": SampleSeries(
        "Demand of sixty meters per hour, made here",
        "kW",
        hourly,
        "h",
        48,
        24,
        "Made with fixed random numbers. Two seasons, a day and a week, and levels that differ by a factor of a hundred.",
    ),
}


def read_sample(name: str) -> pd.DataFrame:
    """Return a sample as a frame `unique_id, ds, y`; missing values stay missing.

    Raises:
        BadInput: when no sample bears the name.
    """
    if name not in SAMPLES:
        raise BadInput(f"There is no sample {name!r}: choose one of {', '.join(SAMPLES)}.")
    return SAMPLES[name].read()
