"""Real series, of samples and of files: on an even grid, with the columns that go with them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from forecasting.data.reading import Reading, ReadOptions, read
from forecasting.data.repair import Repair, on_grid, resample
from forecasting.data.samples import SAMPLES, read_sample
from forecasting.data.seasons import season_of
from forecasting.experiment import BadInput, Sample, Upload

MOST_CHANNELS = 50
"""Series that are seen together, at most."""
ReadUpload = Callable[[str], bytes]
"""Gives the content of an upload by its id."""
Reader = Callable[[bytes, ReadOptions], Reading]
"""Reads a file."""


def no_uploads(upload_id: str) -> bytes:
    """The reader for callers that hold no uploads."""
    raise BadInput(f"The upload {upload_id} is not here: it was deleted, or belongs to another server.")


@dataclass(frozen=True)
class Series:
    """What a real source holds.

    Attributes:
        frame: `unique_id, ds` and columns of numbers, sorted, on an even grid; what is missing is NaN.
        values: names of the columns that are forecast: one, or those of a multivariate series.
        frequency: pandas' alias of the step, or None where there is none.
        fill: how missing values are to be filled in.
        season_length: steps of the season that is usual for the frequency.
        past_covariates: columns that are seen, and not forecast.
        future_covariates: columns that are known in advance.
    """

    frame: pd.DataFrame
    values: Sequence[str]
    frequency: str | None
    fill: Repair = "leave"
    season_length: int = 1
    past_covariates: Sequence[str] = ()
    future_covariates: Sequence[str] = ()

    @property
    def channels(self) -> pd.DataFrame:
        """The columns that windows are cut from, those to be forecast first."""
        return self.frame[["unique_id", "ds", *self.values, *self.past_covariates]]


def read_series(source: Sample | Upload, read_upload: ReadUpload = no_uploads, reader: Reader = read) -> Series:
    """Read a sample or an upload.

    Args:
        source: which sample, or which upload and how it is read.
        read_upload: gives the content of an upload by its id.
        reader: reads the file of an upload.

    Raises:
        BadInput: when it cannot be read surely.
    """
    if isinstance(source, Upload):
        content = read_upload(source.upload_id)
        return series_of_file(source, content, reader)
    frame, sample = read_sample(source.name), SAMPLES[source.name]
    names = list(frame["unique_id"].unique()) if source.multivariate else ["y"]
    if len(names) > MOST_CHANNELS:
        raise BadInput(f"{len(names)} series are too many for a multivariate one: at most {MOST_CHANNELS} are seen at once.")
    if source.multivariate:
        frame = frame.pivot(index="ds", columns="unique_id", values="y")[names].reset_index()
        frame.insert(0, "unique_id", source.name)
    return Series(frame, names, sample.frequency, "leave", sample.season)


def read_file(source: Upload, content: bytes, reader: Reader = read) -> Reading:
    """Read an upload as its settings say.

    Args:
        source: how it is read; its id is not used.
        content: of the file.
        reader: the function that reads it, with the options that `source` gives.

    Raises:
        BadInput: when it cannot be read surely.
    """
    options = ReadOptions(
        time=source.time or None,
        value=None if source.every_value else source.value or None,
        id=source.id or None,
        day_first=source.day_first,
        decimal={"point": ".", "comma": ","}.get(source.decimal),
        missing=source.missing,
        sheet=source.sheet or None,
    )
    return reader(content, options)


def series_of_file(source: Upload, content: bytes, reader: Reader = read) -> Series:
    """The series of a file, with the columns that go with them.

    Of these the mean of a step counts where series are aggregated.

    Args:
        source, content, reader: as in `read_file`.

    Raises:
        BadInput: when it cannot be read surely, or has no columns of these names.
    """
    reading, further = read_file(source, content, reader), (*source.past_covariates, *source.future_covariates)
    values: Sequence[str] = reading.value_columns if source.every_value or source.value else reading.value_columns[:1]
    if further:
        values = source.value or [name for name in reading.value_columns if name not in further][:1]
        named = source.model_copy(update={"value": (*values, *further)})
        reading = read_file(named, content, reader)
    if source.multivariate or further:
        frame, names = _side_by_side(source, reading, values, further), values
    else:
        frame, names = _aggregated(source, reading, values, source.aggregate), ["y"]
    frequency = source.frequency or reading.frequency
    season = season_of(source.frequency) if source.frequency else reading.season_length
    return Series(frame, names, frequency, source.repair, season, source.past_covariates, source.future_covariates)


def _side_by_side(source: Upload, reading: Reading, values: Sequence[str], further: Sequence[str]) -> pd.DataFrame:
    """A column per channel, by its name."""
    frame = pd.DataFrame()
    for name in (*values, *further):
        how = "mean" if name in further else source.aggregate
        one = _aggregated(source, reading, (name,), how).rename(columns={"y": name})
        frame = one if frame.empty else frame.merge(one, on=["unique_id", "ds"], how="outer", sort=False)
    return frame.sort_values(["unique_id", "ds"], kind="stable", ignore_index=True)


def _aggregated(source: Upload, reading: Reading, values: Sequence[str], how: str) -> pd.DataFrame:
    frame = series_of(reading, values)
    if not source.frequency:
        return frame
    return resample(frame, source.frequency, how, reading.frequency)  # type: ignore[arg-type]


def series_of(reading: Reading, values: Sequence[str], frequency: str | None = None) -> pd.DataFrame:
    """Columns of a file that was read, as a frame `unique_id, ds, y` on the even grid of their frequency, or another.

    Of several columns each is a series of its own, with the column's name; where the file has several series, with both.

    Args:
        reading: the file.
        values: names of the columns.
        frequency: pandas' alias of the grid; None: the file's own.

    Raises:
        BadInput: when the gaps would make far more rows than there are, or a series is too short.
    """
    frames = [reading.frame[["unique_id", "ds", value]].rename(columns={value: "y"}) for value in values]
    if len(values) > 1:
        several = reading.frame["unique_id"].nunique() > 1
        for frame, value in zip(frames, values, strict=True):
            frame["unique_id"] = frame["unique_id"].astype(str) + f" · {value}" if several else value
    return on_grid(pd.concat(frames, ignore_index=True), frequency or reading.frequency)


@cache
def n_series(name: str) -> int:
    """How many series a sample has."""
    return int(read_sample(name)["unique_id"].nunique())


def n_channels(source: Sample | Upload) -> int:
    """How many values a step of a real source has, as its settings say."""
    if isinstance(source, Sample):
        return n_series(source.name) if source.multivariate else 1
    return (len(source.value) if source.multivariate else 1) + len(source.past_covariates)
