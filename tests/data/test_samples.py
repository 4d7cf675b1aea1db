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


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_sample_can_be_cut_as_it_suggests(name):
    sample = SAMPLES[name]
    split = load(Sample(name=name), Task(input_size=sample.input_size, target="all_h", h=sample.h))
    missing = read_sample(name)["y"].isna().sum()
    assert split.train.x.shape[1:] == (sample.input_size, 1) and split.test.y.shape[1] == sample.h
    assert (split.left_out > 0) == (missing > 0)


def test_an_unknown_sample_is_refused_and_the_known_ones_are_named():
    with pytest.raises(BadInput, match=r"There is no sample 'moon': choose one of sunspots, co2\."):
        read_sample("moon")


def test_reading_a_sample_does_not_import_statsmodels():
    script = (
        "import sys; from forecasting.data.samples import read_sample; print(len(read_sample('co2')));"
        "print(sorted({'statsmodels', 'scipy', 'tensorflow', 'keras'} & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["2284", "[]"]
