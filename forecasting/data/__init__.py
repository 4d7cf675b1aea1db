"""Where series come from and how they become windows."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from forecasting.data import waves as synthetic
from forecasting.data.holes import hide
from forecasting.data.panel import Panel
from forecasting.data.reading import Choices, Reading, read
from forecasting.data.reading.frequency import season_of
from forecasting.data.repair import Repair, on_grid, resample
from forecasting.data.samples import SAMPLES, read_sample
from forecasting.data.windows import Split, Windows, split_by_series, split_by_time
from forecasting.experiment import BadInput, Plan, Sample, Source, Task, Upload, Waves

__all__ = [
    "SAMPLES",
    "ReadUpload",
    "Split",
    "Windows",
    "describe",
    "floor_of",
    "grid_length",
    "load",
    "n_features",
    "read_file",
    "panel_of",
    "read_file",
    "read_panel",
    "read_series",
    "series_of",
]

MAX_VALUES = 25_000_000
"""Values of a synthetic source, at most: about 350 MB while they are made, and 100 MB afterwards."""
ReadUpload = Callable[[str], bytes]
"""Gives the content of an upload by its id."""


def no_uploads(upload_id: str) -> bytes:
    """The reader for callers that hold no uploads."""
    raise BadInput(f"The upload {upload_id} is not here: it was deleted, or belongs to another server.")


def grid_length(waves: Waves, task: Task) -> int:
    """Return the points of the grid: look-back plus horizon unless fixed.

    Raises:
        BadInput: when a fixed grid is too short for look-back and horizon.
    """
    need = task.input_size + task.h
    if waves.n_steps is not None and waves.n_steps < need:
        raise BadInput(
            f"The grid is fixed to {waves.n_steps} points, but look-back {task.input_size} and horizon {task.h} need "
            f"{need}: lengthen the grid or shorten them."
        )
    return waves.n_steps or need


def read_series(
    source: Sample | Upload, read_upload: ReadUpload = no_uploads
) -> tuple[pd.DataFrame, str | None, Repair, int]:
    """Return a real source as a frame `unique_id, ds, y` on an even grid, what is missing NaN; its frequency; how missing
    values are to be filled in; and the steps of its season.

    Raises:
        BadInput: when it cannot be read surely.
    """
    if isinstance(source, Sample):
        frame, sample = read_sample(source.name), SAMPLES[source.name]
        return frame, sample.frequency, "leave", sample.season
    return _series(source, read_file(source, read_upload(source.upload_id)))


def _series(source: Upload, reading: Reading) -> tuple[pd.DataFrame, str | None, Repair, int]:
    chosen = source.every_value or source.value
    frame = series_of(reading, reading.value_columns if chosen else reading.value_columns[:1])
    if not source.frequency:
        return frame, reading.frequency, source.repair, reading.season_length
    return resample(frame, source.frequency, source.aggregate), source.frequency, source.repair, season_of(source.frequency)


def read_panel(source: Source, read_upload: ReadUpload = no_uploads) -> Panel:
    """Return a real source as whole series.

    Raises:
        BadInput: when it is none, or cannot be read surely.
    """
    if isinstance(source, Waves):
        raise BadInput("The waves have no calendar to be forecast on: choose a sample or upload a file.")
    if isinstance(source, Sample):
        return Panel.of(*read_series(source))
    content = read_upload(source.upload_id)
    return panel_of(source, read_file(source, content), content)


def panel_of(source: Upload, reading: Reading, content: bytes) -> Panel:
    """Whole series of a file that was read, with the columns that are known in advance.

    Of these the mean of a step counts where series are aggregated.

    Raises:
        BadInput: when there are none of these names, or series cannot share them.
    """
    frame, frequency, fill, season_length = _series(source, reading)
    if source.known and (source.every_value or len(source.value) > 1):
        raise BadInput("Columns known in advance go with one column of values: choose it.")
    for column in source.known:
        as_value = {"value": (column,), "known": (), "aggregate": "mean"}
        other = source.model_copy(update=as_value)
        known = _series(other, read_file(other, content))[0].rename(columns={"y": column})
        frame = frame.merge(known, on=["unique_id", "ds"], how="outer", sort=False)
    if source.known:
        frame = frame.sort_values(["unique_id", "ds"], kind="stable", ignore_index=True)
    return Panel.of(frame, frequency, fill, season_length)


def _title_of(source: Source) -> str:
    """What the series are called."""
    if isinstance(source, Waves):
        return "Sum of two sines" + (f" in {source.n_channels} channels" if source.n_channels > 1 else "")
    if isinstance(source, Sample):
        return SAMPLES[source.name].title if source.name in SAMPLES else source.name
    return "Uploaded series"


def read_file(source: Upload, content: bytes) -> Reading:
    """Read an upload as its settings say.

    Raises:
        BadInput: when it cannot be read surely.
    """
    choices = Choices(
        time=source.time or None,
        value=None if source.every_value else source.value or None,
        id=source.id or None,
        day_first=source.day_first,
        missing=source.missing,
    )
    return read(content, choices)


def series_of(reading: Reading, values: Sequence[str], frequency: str | None = None) -> pd.DataFrame:
    """Columns of a file that was read, as a frame `unique_id, ds, y` on the even grid of their frequency, or another.

    Of several columns each is a series of its own, with the column's name; where the file has several series, with both.
    """
    frames = [reading.frame[["unique_id", "ds", value]].rename(columns={value: "y"}) for value in values]
    if len(values) > 1:
        several = reading.frame["unique_id"].nunique() > 1
        for frame, value in zip(frames, values, strict=True):
            frame["unique_id"] = frame["unique_id"].astype(str) + f" · {value}" if several else value
    return on_grid(pd.concat(frames, ignore_index=True), frequency or reading.frequency)


def load(source: Source, task: Task, read_upload: ReadUpload = no_uploads, look_back: int | None = None) -> Split:
    """Read or make the series of a source and cut them into the windows of a task.

    Args:
        source: where the series come from.
        task: what is asked of them.
        read_upload: gives the content of an upload.
        look_back: let the look-backs be so long, with the targets that `task.input_size` gives.

    Raises:
        BadInput: when the source and the task do not fit together.
    """
    if not isinstance(source, Waves):
        frame, _, fill, season = read_series(source, read_upload)
        return hide(split_by_time(frame, task, look_back, fill, season), task)
    n_steps = grid_length(source, task)
    count = source.n_series * n_steps * source.n_channels
    if count > MAX_VALUES:
        channels = f" and {source.n_channels} channels" if source.n_channels > 1 else ""
        raise BadInput(
            f"{source.n_series:,} series of {n_steps} steps{channels} are {count:,} values, and at most {MAX_VALUES:,} are "
            "made: take fewer series or a shorter look-back."
        )
    earlier = max(0, (look_back or 0) - task.input_size)
    values = synthetic.generate(source, n_steps, earlier)
    split = split_by_series(values, task, earlier + task.input_size, look_back or task.input_size)
    if source.train_n_steps is not None and source.train_n_steps != n_steps:
        split = replace(split, train=_on_other_grid(source, source.train_n_steps, task))
    return replace(hide(split, task), noise_floor=synthetic.noise_floor(source), formula=synthetic.Formula(source, n_steps))


def _on_other_grid(source: Waves, n_steps: int, task: Task) -> Windows:
    """The training part on a grid of its own, as far ahead as it goes."""
    if n_steps <= task.input_size:
        raise BadInput(
            f"The training grid has {n_steps} points, and a look-back of {task.input_size} needs one more: lengthen it."
        )
    ahead = task.model_copy(update={"h": min(task.h, n_steps - task.input_size)})
    return split_by_series(synthetic.generate(source, n_steps), ahead, task.input_size, task.input_size).train


def floor_of(source: Source) -> float | None:
    """The lowest expected MSE that any model can have, where it is known: for the waves, the variance of their noise."""
    return synthetic.noise_floor(source) if isinstance(source, Waves) else None


def n_features(source: Source) -> int:
    """How many values a step of the series has."""
    return source.n_channels if isinstance(source, Waves) else 1


def describe(source: Source, task: Task, plan: Plan | None = None) -> str:
    """A short title: what the series are and what is asked of them."""
    if plan is not None:
        return f"{_title_of(source)}: the next {plan.h} steps"
    asked = {"next": "next step", "at_h": f"value {task.h} steps ahead", "all_h": f"next {task.h} steps"}
    return f"{_title_of(source)}, {asked[task.target]}"
