"""Where series come from and how they become windows."""

from dataclasses import replace

from forecasting.data import waves as synthetic
from forecasting.data.masking import mask
from forecasting.data.reading import read
from forecasting.data.reading.frequency import ahead_in_words
from forecasting.data.samples import SAMPLES
from forecasting.data.series import (
    Reader,
    ReadUpload,
    n_channels,
    no_uploads,
    read_file,
    read_series,
    series_of,
    series_of_file,
)
from forecasting.data.splitting import split_by_series, split_by_time
from forecasting.data.windows import Split, Windows
from forecasting.experiment import BadInput, Plan, Sample, Source, Task, Waves

__all__ = [
    "SAMPLES",
    "ReadUpload",
    "Reader",
    "Split",
    "Windows",
    "describe",
    "floor_of",
    "grid_length",
    "load",
    "n_features",
    "no_uploads",
    "read_file",
    "read_series",
    "series_of",
    "series_of_file",
]

MAX_VALUES = 25_000_000
"""Values of a synthetic source, at most: about 350 MB while they are made, and 100 MB afterwards."""


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


def _title_of(source: Source) -> str:
    """What the series are called."""
    if isinstance(source, Waves):
        return "Sum of two sines" + (f" in {source.n_channels} channels" if source.n_channels > 1 else "")
    if isinstance(source, Sample):
        return SAMPLES[source.name].title if source.name in SAMPLES else source.name
    return "Uploaded series"


def load(
    source: Source,
    task: Task,
    read_upload: ReadUpload = no_uploads,
    look_back: int | None = None,
    reader: Reader = read,
) -> Split:
    """Read or make the series of a source and cut them into the windows of a task.

    Args:
        source: where the series come from.
        task: what is asked of them.
        read_upload: gives the content of an upload.
        look_back: let the look-backs be so long, with the targets that `task.input_size` gives.
        reader: reads the file of an upload.

    Raises:
        BadInput: when the source and the task do not fit together.
    """
    if not isinstance(source, Waves):
        series = read_series(source, read_upload, reader)
        if task.masked and series.fill == "network" and task.fill != "network":
            raise BadInput("A network fills in what the file lacks, so it fills in what is masked, too: choose it for both.")
        return mask(
            split_by_time(series.channels, task, look_back, series.fill, series.season_length, len(series.values)), task
        )
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
    return replace(mask(split, task), noise_floor=synthetic.noise_floor(source), formula=synthetic.Formula(source, n_steps))


def _on_other_grid(source: Waves, n_steps: int, task: Task) -> Windows:
    """The training part on a grid of its own, as far ahead as it goes."""
    if task.transform != "none":
        raise BadInput("Another grid for training goes with no transform: switch one of them off.")
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
    return source.n_channels if isinstance(source, Waves) else n_channels(source)


def describe(source: Source, task: Task, plan: Plan | None = None, name: str = "", frequency: str | None = None) -> str:
    """A short title: what the series are and what is asked of them.

    Args:
        source: where the series come from.
        task: what is asked of windows.
        plan: what is asked of whole series, in the place of `task`; None for windows.
        name: of the series, where it is known better than by the source.
        frequency: pandas' alias of the step; None: a sample's own, or not known.
    """
    name = name or _title_of(source)
    if isinstance(source, Sample) and source.name in SAMPLES:
        frequency = frequency or SAMPLES[source.name].frequency
    if plan is not None:
        return f"{name}: the {ahead_in_words(plan.h, frequency)}"
    ahead = ahead_in_words(task.h, frequency)
    asked = {"next": ahead_in_words(1, frequency), "at_h": f"value {task.h} steps ahead", "all_h": ahead}
    return f"{name}, {asked[task.target]}"
