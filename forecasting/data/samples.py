"""Real series that come with an installed package; nothing is downloaded."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from forecasting.experiment import BadInput


@dataclass(frozen=True)
class SampleSeries:
    """A sample: where it is, what it measures, and how it is usually cut."""

    title: str
    unit: str
    file: str
    time: str
    value: str
    time_format: str
    input_size: int
    h: int
    note: str


SAMPLES = {
    "sunspots": SampleSeries(
        title="Sunspots per year, 1700–2008",
        unit="sunspots",
        file="sunspots/sunspots.csv",
        time="YEAR",
        value="SUNACTIVITY",
        time_format="%Y",
        input_size=22,
        h=5,
        note="National Geophysical Data Center, by way of statsmodels (public domain). The cycle of about eleven years "
        "varies in length and height.",
    ),
    "co2": SampleSeries(
        title="Weekly CO₂ on Mauna Loa, 1958–2001",
        unit="ppm",
        file="co2/co2.csv",
        time="date",
        value="co2",
        time_format="%Y%m%d",
        input_size=52,
        h=8,
        note="Keeling and Whorf, by way of statsmodels (public domain). It rises beyond everything in the training part; "
        "windows that hold one of its 59 missing weeks are left out.",
    ),
}


def read_sample(name: str) -> pd.DataFrame:
    """Return a sample as a frame `unique_id, ds, y`; missing values stay missing.

    The file is read from the package's folder: importing statsmodels would cost a second and 100 MB.

    Raises:
        BadInput: when no sample bears the name.
    """
    if name not in SAMPLES:
        raise BadInput(f"There is no sample {name!r}: choose one of {', '.join(SAMPLES)}.")
    sample = SAMPLES[name]
    spec = importlib.util.find_spec("statsmodels")
    if spec is None or spec.origin is None:
        raise BadInput("The samples come with the package statsmodels, which is not installed: see requirements.txt.")
    raw = pd.read_csv(Path(spec.origin).parent / "datasets" / sample.file, dtype={sample.time: str})
    ds = pd.to_datetime(raw[sample.time].str.strip(), format=sample.time_format)
    return pd.DataFrame({"unique_id": name, "ds": ds, "y": raw[sample.value].astype("float64")})
