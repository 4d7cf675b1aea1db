"""Whole series: how they are read, forecast from moments in their past, and judged."""

from forecasting.data.reading import read
from forecasting.data.series import Reader, ReadUpload, Series, no_uploads, read_series
from forecasting.experiment import BadInput, Source, Waves
from forecasting.panels.panel import Panel

__all__ = ["Panel", "panel_of", "read_panel"]


def read_panel(source: Source, read_upload: ReadUpload = no_uploads, reader: Reader = read) -> Panel:
    """Return a real source as whole series.

    Args:
        source: which sample, or which upload and how it is read.
        read_upload: gives the content of an upload by its id.
        reader: reads the file of an upload.

    Raises:
        BadInput: when it is none, or cannot be read surely.
    """
    if isinstance(source, Waves):
        raise BadInput("The waves have no calendar to be forecast on: choose a sample or upload a file.")
    return panel_of(read_series(source, read_upload, reader))


def panel_of(series: Series) -> Panel:
    """Real series as a panel."""
    return Panel.of(
        series.frame,
        series.frequency,
        series.fill,
        series.season_length,
        series.values,
        past_covariates=series.past_covariates,
        future_covariates=series.future_covariates,
    )
