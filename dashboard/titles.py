"""What the page calls the series: by the visitor's file and column, in the unit of their step."""

from pathlib import PurePath

from dashboard import computed, service
from forecasting.data import SAMPLES, describe
from forecasting.experiment import BadInput, Experiment, Sample, Upload

UNKNOWN = "value"


def title_of(experiment: Experiment) -> str:
    """What an experiment is about, in a line: `sales: the next 28 days`."""
    source = experiment.source
    if not isinstance(source, Upload):
        return describe(source, experiment.task, experiment.plan)
    return describe(source, experiment.task, experiment.plan, _name(source), _frequency(source))


def unit_of(experiment: Experiment) -> str:
    """The unit of the series, as far as it is known; of a file the name of the column."""
    source = experiment.source
    if isinstance(source, Sample) and source.name in SAMPLES:
        return SAMPLES[source.name].unit
    return (_column(source) if isinstance(source, Upload) else "") or UNKNOWN


def _name(source: Upload) -> str:
    """The file's name without its ending, and the column's where it says more."""
    known, column = service.store().upload(source.upload_id), _column(source)
    if known is None:
        return ""
    stem = PurePath(known.name).name.split(".")[0] or known.name
    return stem if not column or column.lower() in ("y", UNKNOWN, stem.lower()) else f"{column} in {stem}"


def _column(source: Upload) -> str:
    """The only column that is forecast; nothing where there are several, or the file cannot be read."""
    if len(source.value) == 1:
        return source.value[0]
    try:
        columns = () if source.value or source.every_value else computed.reading_of(source).value_columns
    except BadInput:
        return ""
    return columns[0] if columns else ""


def _frequency(source: Upload) -> str | None:
    try:
        return source.frequency or computed.reading_of(source).frequency
    except BadInput:
        return None


def named_as_in(source: Upload) -> dict[str, str]:
    """What the file calls the columns of series, times and values, by their names in tables."""
    reading = computed.reading_of(source)
    names = {"unique_id": reading.id_columns, "ds": reading.time_columns, "y": (_column(source),)}
    return {name: " ".join(filter(None, columns)) or name for name, columns in names.items()}
