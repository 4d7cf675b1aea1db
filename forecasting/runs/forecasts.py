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
    made = of_stored(panel, done.experiment, stored, left_out)
    note_choice(store, done, made)
    return made


def note_choice(store: Store, done: RunView, made: Forecast) -> None:
    """Write down what a run that has ended has chosen, so that lists can tell it."""
    if done.ended and made.chosen != done.best:
        scores = made.tested.headline(made.chosen)
        store.note_best_of_series(done.id, made.chosen, scores["mase"], scores["skill"])
