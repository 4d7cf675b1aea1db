"""How each kind of model forecasts whole series: rules of thumb, statistical models series by series, and one network or
linear model that learns from all windows of all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from forecasting.data.transforms import Differences
from forecasting.data.windows import Split, Windows
from forecasting.experiment import BadInput, ModelChoice, SeriesFit, SeriesTask, Task, Training
from forecasting.models import MODELS, Control, Learned, Model, Shape, resolve
from forecasting.models.naive import Baseline
from forecasting.panels.covariates import FutureCovariates
from forecasting.panels.cutting import ends_of, n_windows, split_of
from forecasting.panels.filling import filling
from forecasting.panels.panel import Panel
from forecasting.panels.tasks import task_of
from forecasting.panels.transform import SeriesTransform

ENOUGH_WINDOWS = 300
"""Windows below which networks are not offered: they cannot learn from so little."""
HISTORY = 1_000
"""Values at the end of a history that a statistical model is fitted to, at least; or three of the longest season."""
FEWEST_KNOWN = 3
"""Values of a series that are known at a cutoff from which it is judged, at least."""
ENOUGH_TO_FIT = 8
"""Values of a history that any statistical model must be able to be fitted to."""
MOST_WINDOWS = 30_000
"""Windows that a model learns from at most, drawn evenly: more of them take longer and gain nothing."""
FAR = 50.0
"""Levels of its look-back by which a value ahead may differ, to be learned from."""

Forecast = Callable[[int], np.ndarray]
"""Forecasts `(n_series, h)` in units from what was known so many steps before the end."""


@dataclass(frozen=True)
class Forecaster:
    """A model that is ready to forecast a panel, and what it has learned; None where there was nothing to learn."""

    forecast: Forecast
    learned: Learned | None = None
    parameters: int = 0


def places_at(panel: Panel, back: int) -> np.ndarray:
    """The places of the series that are long enough to be judged from a cutoff; from the end (0) all are forecast.

    Raises:
        BadInput: when there are none.
    """
    lengths = np.array([len(y) for y in panel.y])
    places = np.flatnonzero(lengths >= back + FEWEST_KNOWN) if back else np.arange(len(lengths))
    if not len(places):
        raise BadInput(f"No series has {back + FEWEST_KNOWN} values: take a shorter horizon or fewer cutoffs.")
    return places


def judged_places(panel: Panel, places: np.ndarray, most: int | None) -> np.ndarray:
    """So many of the places of series at most, spread evenly; those of a multivariate series all together.

    Args:
        panel: the series.
        places: those to take from, in ascending order, `(n,)`.
        most: how many; None: all.
    """
    if most is None or len(places) <= most or panel.n_targets > 1:
        return places
    return places[np.linspace(0, len(places) - 1, most).round().astype(int)]


def places_of(fit: SeriesFit, panel: Panel) -> np.ndarray:
    """The places of the series that a fit forecasts, in ascending order.

    Raises:
        BadInput: when no series is long enough to be judged from its first cutoff.
    """
    judged = judged_places(panel, places_at(panel, fit.cutoff_offsets[0]), fit.n_judged)
    return judged if fit.chunk is None else np.array_split(judged, fit.chunk[1])[fit.chunk[0]]


def model_of(choice: ModelChoice, task: SeriesTask) -> Model:
    """A model, set for whole series and their seasons where nothing else was chosen."""
    if choice.name not in MODELS:
        return resolve(choice)
    usual = MODELS[choice.name].for_series(task.season_length, task.longer_seasons)
    return resolve(ModelChoice(name=choice.name, params=usual | choice.params))


def history_of(task: SeriesTask) -> int:
    """Values at the end of a history that a statistical model is fitted to."""
    return max(HISTORY, 3 * max(task.seasons, default=1))


def forecaster_of(
    choice: ModelChoice,
    panel: Panel,
    task: SeriesTask,
    offsets: Sequence[int],
    control: Control,
    max_windows: int | None = None,
) -> Forecaster:
    """Let a model learn what was known at the first of these cutoffs.

    Args:
        choice: which model.
        panel: the series.
        task: what is asked.
        offsets: from how many steps before the end it will forecast, the earliest first; 0: from the end itself.
        control: training settings, seed, and callbacks for progress and stop.
        max_windows: windows that a network learns from at most, drawn evenly; None: all.

    Raises:
        BadInput: when the model cannot forecast these series.
        Stopped: when it was stopped, and there is nothing to keep.
    """
    model = model_of(choice, task)
    if isinstance(model, Baseline) or (task.transform, task.detrend, task.deseasonalize) == ("none", False, False):
        return _of_these_values(model, panel, task, offsets, control, max_windows)
    transform = SeriesTransform.learn(panel, task, offsets[0])
    inner = _of_these_values(model, transform.panel(panel), task, offsets, control, max_windows)
    return replace(inner, forecast=lambda back: transform.undo(inner.forecast(back), panel, back))


def _of_these_values(
    model: Model, panel: Panel, task: SeriesTask, offsets: Sequence[int], control: Control, max_windows: int | None
) -> Forecaster:
    if model.reference or model.combines:
        raise BadInput(f"{model.title} cannot forecast the series of a file.")
    panel = filling(panel, offsets[0], control)
    if isinstance(model, Baseline) and not model.learns_from_windows:
        return Forecaster(_rule(model, panel, task))
    if model.local:
        return Forecaster(_local(model, panel, task, len(offsets), control))
    windows = task_of(panel, task, offsets[0], model)
    if model.trained and (n := n_windows(panel, windows, offsets[0])) < ENOUGH_WINDOWS:
        raise BadInput(too_few(n))
    return _learner(model, panel, windows, task, offsets[0], control, max_windows)


def too_few(n_windows: int) -> str:
    """Why a network does not learn from so few windows."""
    windows = "One window is" if n_windows == 1 else f"{n_windows:,} windows are"
    return f"{windows} too few for a network to learn from: {ENOUGH_WINDOWS} are needed."


def _rule(model: Baseline, panel: Panel, plan: SeriesTask) -> Forecast:
    """A rule of thumb, applied to all that is known of a series; of less than a season, without one."""
    steps, season = np.arange(1, plan.h + 1), getattr(model, "season_length", 1)
    without = model.model_copy(update={"season_length": 1})

    def one(known: np.ndarray) -> np.ndarray:
        return (model if len(known) >= season else without).forecast(known[None], steps)[0]

    return lambda back: np.stack([one(known) for known in panel.before(back)])


def _local(model: Model, panel: Panel, task: SeriesTask, n_cutoffs: int, control: Control) -> Forecast:
    """A statistical model, fitted anew to each history; where one is too short for it, its last value is repeated.

    Raises:
        BadInput: when it can be fitted to fewer than half of the series, those aside that are too short for any.
    """
    history = history_of(task)
    fitted = model.load([], Shape(history, 1, task.h), Control(should_stop=control.should_stop))
    done, total = count(1), n_cutoffs * len(panel.ids)

    failed: list[BadInput] = []

    def one(known: np.ndarray) -> np.ndarray:
        try:
            y_hat = np.asarray(fitted.predict(known[None, -history:, None])[0])
        except BadInput as error:
            if len(known) >= ENOUGH_TO_FIT:
                failed.append(error)
            y_hat = np.full(task.h, known[-1])
        control.on_fraction(0, next(done) / total)
        return y_hat

    def forecast(back: int) -> np.ndarray:
        failed.clear()
        y_hat = np.stack([one(values) for values in panel.before(back)])
        if 2 * len(failed) > len(y_hat):
            raise failed[0]
        return y_hat

    return forecast


def _learner(
    model: Model, panel: Panel, windows: Task, task: SeriesTask, origin: int, control: Control, max_windows: int | None
) -> Forecaster:
    """A model that learns from all windows of all series."""
    known = FutureCovariates.of(panel, task.h, task.calendar) if model.trained else None
    most = min(max_windows or MOST_WINDOWS, MOST_WINDOWS)
    split = split_of(panel, windows, origin, most, control.seed)
    if windows.scaling == "level":
        split = _without_outliers(split)
        size = batch_for(len(split.train), control.training)
        control = replace(control, training=control.training.model_copy(update={"batch_size": size}))
    differences = Differences.learn(windows, split.train) if model.takes_differences else Differences()

    def shown(part: Windows) -> Windows:
        part = differences.windows(part)
        return _fold(part if known is None else known.windows(part), model, task.season_length)

    seen = split.with_parts(shown(part) for part in split.parts)
    learned = model.fit(seen, control)

    def forecast(back: int) -> np.ndarray:
        ends = ends_of(panel, windows, back)
        y_hat = np.asarray(learned.fitted.predict(shown(ends).x), "float64")
        in_units = ends.in_units(differences.undo(ends.x, y_hat, ends.n_targets))
        return in_units.reshape(len(ends), task.h, -1).swapaxes(1, 2).reshape(-1, task.h)

    return Forecaster(forecast, learned, model.n_parameters(Shape.of(seen)))


def _folds(model: Model, steps: int, season: int) -> bool:
    """Whether a recurrent network is shown a whole season per step, and not a value."""
    return model.trained and model.variable_length and season > 1 and steps > season and steps % season == 0


def _fold(part: Windows, model: Model, season: int) -> Windows:
    n, steps, n_features = part.x.shape
    if not _folds(model, steps, season):
        return part
    return replace(part, x=np.ascontiguousarray(part.x.reshape(n, steps // season, season * n_features)))


def shape_of(model: Model, panel: Panel, task: SeriesTask, windows: Task) -> Shape:
    """The shape that a model sees of the windows of a panel, without what is known in advance (`FutureCovariates`).

    Args:
        model: whether it takes differences, and whether it is shown a whole season per step.
        panel: the series.
        task: what is asked of them; of it the season is used.
        windows: what is asked of their windows, from `task_of`.
    """
    steps = windows.input_size - (sum(windows.lags) if model.takes_differences else 0)
    beside = 0 if panel.past_covariates is None else panel.past_covariates[0].shape[1]
    features = panel.n_targets + beside
    n_outputs = len(windows.steps) * panel.n_targets
    if _folds(model, steps, task.season_length):
        steps, features = steps // task.season_length, features * task.season_length
    return Shape(steps, features, n_outputs, windows.h, panel.n_targets)


def _without_outliers(split: Split) -> Split:
    """Without windows whose values ahead are absurdly far from their level: a series that was next to nothing before."""
    sane = np.abs(split.train.y).max(axis=1) < FAR
    return split if sane.all() or not sane.any() else replace(split, train=split.train.take(np.flatnonzero(sane)))


def batch_for(n_windows: int, training: Training) -> int:
    """The size of batches: few windows are dealt into small ones, so that an epoch has some gradient steps.

    Args:
        n_windows: windows that are learned from.
        training: with the batch size that is asked for.
    """
    return min(training.batch_size, max(16, n_windows // 16))
