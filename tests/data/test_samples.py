"""The samples are the published series, read without importing the package that they come with."""

import subprocess
import sys

import pandas as pd
import pytest

from forecasting.data import SAMPLES, load
from forecasting.data.samples import read_sample
from forecasting.experiment import BadInput, Sample, Task


def test_sunspots_are_309_years_from_1700_to_2008():
    frame = read_sample("sunspots")
    assert list(frame.columns) == ["unique_id", "ds", "y"] and len(frame) == 309
    assert (frame["ds"].iloc[0], frame["y"].iloc[0]) == (pd.Timestamp("1700-01-01"), 5.0)
    assert (frame["ds"].iloc[-1], frame["y"].iloc[-1]) == (pd.Timestamp("2008-01-01"), 2.9)
    assert frame["y"].notna().all() and frame["y"].max() == 190.2


def test_co2_is_2284_weeks_of_which_59_are_missing():
    frame = read_sample("co2")
    assert len(frame) == 2_284 and frame["y"].isna().sum() == 59
    assert (frame["ds"].iloc[0], frame["y"].iloc[0]) == (pd.Timestamp("1958-03-29"), 316.1)
    assert (frame["ds"].iloc[-1], frame["y"].iloc[-1]) == (pd.Timestamp("2001-12-29"), 371.5)
    assert (frame["ds"].diff().dropna() == pd.Timedelta(days=7)).all()


@pytest.mark.parametrize(
    ("name", "n_series", "rows", "missing", "first", "last"),
    [
        ("nile", 1, 100, 0, ("1871-01-01", 1120), ("1970-01-01", 740)),
        ("elnino", 1, 732, 0, ("1950-01-01", 23.11), ("2010-12-01", 22.07)),
        ("gdp", 1, 203, 0, ("1959-01-01", 2710.349), ("2009-07-01", 12990.341)),
        ("inflation", 1, 203, 0, ("1959-01-01", 0), ("2009-07-01", 3.56)),
        ("economy", 4, 812, 0, ("1959-01-01", 1707.4), ("2009-07-01", 10040.6)),
    ],
)
def test_the_others_are_as_published_too(name, n_series, rows, missing, first, last):
    frame = read_sample(name)
    assert (frame["unique_id"].nunique(), len(frame), frame["y"].isna().sum()) == (n_series, rows, missing)
    for row, (ds, y) in ((0, first), (-1, last)):
        assert (frame["ds"].iloc[row], frame["y"].iloc[row]) == (pd.Timestamp(ds), y)


def test_the_panels_have_many_series_and_one_of_them_lacks_values():
    fertility, hourly = read_sample("fertility"), read_sample("hourly")
    assert fertility["unique_id"].nunique() > 150 and 0 < fertility["y"].isna().mean() < 0.05
    assert fertility[fertility["unique_id"] == "Aruba"]["y"].iloc[0] == 4.82
    assert hourly["unique_id"].nunique() == 60 and len(hourly) == 42_000 and hourly["y"].notna().all()


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_sample_is_on_the_grid_of_its_frequency(name):
    for _, series in read_sample(name).groupby("unique_id"):
        assert list(pd.date_range(series["ds"].iloc[0], periods=len(series), freq=SAMPLES[name].frequency)) == list(
            series["ds"]
        )


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_sample_can_be_cut_as_it_suggests(name):
    sample = SAMPLES[name]
    split = load(Sample(name=name), Task(input_size=sample.input_size, target="all_h", h=sample.h))
    missing = read_sample(name)["y"].isna().sum()
    assert split.train.x.shape[1:] == (sample.input_size, 1) and split.test.y.shape[1] == sample.h
    assert (split.left_out > 0) == (missing > 0)


def test_an_unknown_sample_is_refused_and_the_known_ones_are_named():
    with pytest.raises(BadInput, match=r"There is no sample 'moon': choose one of sunspots, co2, nile, .*\."):
        read_sample("moon")


def test_reading_a_sample_does_not_import_statsmodels():
    script = (
        "import sys; from forecasting.data.samples import read_sample; print(len(read_sample('co2')));"
        "print(sorted({'statsmodels', 'scipy', 'tensorflow', 'keras'} & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["2284", "[]"]
