"""The forecast of whole series, of what the fits of a run have stored."""

from forecasting.panels.forecast import Forecast, of_stored
from forecasting.panels.panel import Panel
from forecasting.runs.store import Store
from forecasting.runs.views import RunView


def forecast_of(done: RunView, panel: Panel, store: Store) -> Forecast:
    """What a run that has ended forecasts of whole series.

    Raises:
        BadInput: when no model could forecast them.
    """
    left_out = {fit.fit.model.name: fit.reason or fit.status for fit in done.fits if fit.status != "finished"}
    stored = ((fit.fit, store.arrays(fit.id, "forecasts")) for fit in done.fits if fit.fit.model.name not in left_out)
    return of_stored(panel, done.experiment, stored, left_out)
