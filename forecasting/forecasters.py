"""How each kind of model forecasts whole series: rules of thumb, statistical models series by series, and one network or
linear model that learns from all windows of all of them."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from forecasting.data.known import Known
from forecasting.data.panel import Panel
from forecasting.data.reshaping import Reshaping
from forecasting.data.transforms import Differences
from forecasting.data.windows import Split, Windows
from forecasting.experiment import BadInput, ModelChoice, Plan, Task
from forecasting.experiment.tasks import lags_of
from forecasting.models import Control, Fitted, Model, Shape, resolve
from forecasting.models.imputing import filling
from forecasting.models.naive import Baseline, WeightedAverage
from forecasting.recipes import RECIPES

ENOUGH_WINDOWS = 300
"""Windows below which networks are not offered: they cannot learn from so little."""
HISTORY = 1_000
"""Values at the end of a history that a statistical model is fitted to."""
SHARE = {"ets": 0.3, "theta": 0.15, "arima": 0.4}
"""Of the time budget, what a statistical model may take."""
LONGEST_SEASON = 60
"""Steps of a season that the statistical models take; beyond, they see none."""
CELLS_PER_S = 12e6
"""Windows × steps × units that a network takes in per second, a cautious guess."""
LONGEST_LOOK_BACK = 2_000
"""Steps that models see at most."""
LONG = 60
"""Steps beyond which a look-back is long for a recurrent network."""
WITH_A_WEEK = (24, 48, 96)
"""Seasons of a day, which have a week around them."""

Forecaster = Callable[[int], np.ndarray]
"""Forecasts `(n_series, h)` in units from what was known so many steps before the end."""


def model_of(choice: ModelChoice, plan: Plan) -> Model:
    """A model, set for the season where nothing else was chosen."""
    name: str = choice.name
    params: dict = {}
    if name == "seasonal_naive":
        params = {"season_length": plan.season_length}
    elif name in SHARE and plan.season_length <= LONGEST_SEASON:
        params = {"season_length": plan.season_length}
    elif name in ("gru", "lstm", "deep_rnn_dense"):
        params = {"units": [32, 32]}
    return resolve(ModelChoice(name=name, params=params | choice.params))


def task_of(panel: Panel, plan: Plan, furthest: int) -> Task:
    """What windows see and forecast: some seasons, as far as the series are long, and unless the plan says otherwise as
    differences to the season before.

    Raises:
        BadInput: when the plan asks for differences that the look-back is too short for.
    """
    known = int(np.median([max(0, len(values) - furthest) for values in panel.y]))
    season, most = plan.season_length, min(known // 2 - plan.h, known - 2 * plan.h - 2, LONGEST_LOOK_BACK)
    seasons = min(1 + (8 if season in WITH_A_WEEK else 3), most // season) if season > 1 else 0
    seasonal = seasons >= 2
    wanted = plan.input_size or (seasons * season if seasonal else max(3 * plan.h // 2, 8))
    input_size = max(2, min(wanted, most))
    seasonal = seasonal and input_size > season
    differencing = plan.differencing
    if differencing == "fitting":
        differencing = "seasonal" if seasonal else "first"
    if season == 1 and differencing in ("seasonal", "both"):
        raise BadInput("Differences to the season before need a season: give its length, or choose others.")
    needed = sum(lags_of(differencing, season)) + 1
    if input_size < needed:
        raise BadInput(
            f"These differences need a look-back of {needed} steps, and the series allow {input_size}: choose others, or a "
            "shorter horizon."
        )
    return Task(
        input_size=input_size,
        target="next" if plan.h == 1 else "all_h",
        h=plan.h,
        differencing=differencing,
        season_length=season if differencing in ("seasonal", "both") else 12,
    )


def forecaster_of(
    choice: ModelChoice, panel: Panel, plan: Plan, backs: list[int], control: Control | None = None
) -> Forecaster:
    """A model that is ready to forecast from each of these moments.

    Args:
        choice: which model.
        panel: the series.
        plan: what is asked.
        backs: from how many steps before the end it will forecast, the earliest first; 0: from the end itself.
        control: callbacks for progress and stop.

    Raises:
        BadInput: when the model cannot forecast these series, or would need more than its share of the time.
    """
    model, control = model_of(choice, plan), control or Control()
    if isinstance(model, Baseline) or (plan.power, plan.take_out) == ("none", "nothing"):
        return _of_these_values(model, panel, plan, backs, control)
    reshaping = Reshaping.learn(panel, plan, backs[0])
    inner = _of_these_values(model, reshaping.panel(panel), plan, backs, control)
    return lambda back: reshaping.undo(inner(back), panel, back)


def _of_these_values(model: Model, panel: Panel, plan: Plan, backs: list[int], control: Control) -> Forecaster:
    if model.reference or model.combines:
        raise BadInput(f"{model.title} cannot forecast the series of a file.")
    panel = filling(panel, backs[0], control)
    if isinstance(model, Baseline) and not isinstance(model, WeightedAverage):
        return _rule(model, panel, plan)
    if model.local:
        return _local(model, panel, plan, len(backs), control)
    task = task_of(panel, plan, backs[0])
    if model.trained and (n := len(panel.split(task, backs[0]).train)) < ENOUGH_WINDOWS:
        raise BadInput(f"{n:,} windows are too few for a network to learn from: {ENOUGH_WINDOWS} are needed.")
    return _learner(model, panel, task, plan, backs, control)


def _rule(model: Baseline, panel: Panel, plan: Plan) -> Forecaster:
    """A rule of thumb, applied to all that is known of a series."""
    steps, season = np.arange(1, plan.h + 1), getattr(model, "season_length", 1)

    def forecast(back: int) -> np.ndarray:
        rows = []
        for known in panel.before(back):
            padded = np.concatenate([np.full(max(0, season - len(known)), known[0]), known])
            rows.append(model.forecast(padded[None], steps)[0])
        return np.stack(rows)

    return forecast


def _local(model: Model, panel: Panel, plan: Plan, n_cutoffs: int, control: Control) -> Forecaster:
    """A statistical model, fitted anew to each history.

    Raises:
        BadInput: when all of them would take longer than its share of the time.
    """
    shape = Shape(HISTORY, 1, plan.h)
    fitted = model.load([], shape, Control(should_stop=control.should_stop))

    def one(known: np.ndarray) -> np.ndarray:
        return np.asarray(fitted.predict(known[None, -HISTORY:, None])[0])

    known = panel.before(0)
    one(known[0])  # the first call loads the library
    tried, began = known[:: max(1, len(known) // 3)][:3], time.monotonic()
    for values in tried:
        one(values)
    needed = (time.monotonic() - began) / len(tried) * len(known) * (n_cutoffs + 1)
    share = SHARE[model.name] * plan.seconds
    if needed > share:
        raise BadInput(
            f"It would take {needed:,.0f} s for {len(known):,} series, and {share:,.0f} s are its share of the time."
        )

    def forecast(back: int) -> np.ndarray:
        rows = []
        for i, values in enumerate(panel.before(back)):
            rows.append(one(values))
            control.on_fraction(0, (i + 1) / len(panel.ids))
        return np.stack(rows)

    return forecast


def _learner(model: Model, panel: Panel, task: Task, plan: Plan, backs: list[int], control: Control) -> Forecaster:
    """A model that learns from all windows of all series: at the first cutoff, or at each of them."""
    learned: dict[int, tuple[Fitted, Differences]] = {}
    n_fits = 1 + (len(backs) if plan.refit else 1)  # and the one of the forecast itself
    training = RECIPES["tuned"]
    listening = Control(
        training,
        plan.seed,
        on_epoch=lambda progress: control.on_fraction(0, progress.epoch / training.epochs),
        should_stop=control.should_stop,
    )

    known = Known.of(panel, plan.h, plan.calendar) if model.trained else None

    def shown(part: Windows, differences: Differences) -> Windows:
        part = differences.windows(part)
        return _fold(part if known is None else known.windows(part), model, plan.season_length)

    def learn(split: Split) -> tuple[Fitted, Differences]:
        differences = Differences.learn(task, split.train) if model.takes_differences else Differences()
        if model.trained:
            steps = split.train.x.shape[1] - sum(task.lags)
            steps //= plan.season_length if _folds(model, steps, plan.season_length) else 1
            cells = model.width(Shape.of(split)) * steps * training.epochs
            split = _thinned(split, cells, plan.seconds / 2 / n_fits, plan.seed)
        seen = split.with_parts(shown(part, differences) for part in split.parts)
        return model.fit(seen, listening).fitted, differences

    def forecast(back: int) -> np.ndarray:
        origin = back if plan.refit else backs[0]
        if origin not in learned:
            learned[origin] = learn(panel.split(task, origin))
        (fitted, differences), ends = learned[origin], panel.ends(task, back)
        y_hat = np.asarray(fitted.predict(shown(ends, differences).x), "float64")
        in_units = ends.in_units(differences.undo(ends.x, y_hat, ends.n_targets))
        return in_units.reshape(len(ends), plan.h, -1).swapaxes(1, 2).reshape(-1, plan.h)

    return forecast


def _folds(model: Model, steps: int, season: int) -> bool:
    """Whether a look-back is so long that a recurrent network is shown a whole season per step, and not a value."""
    return model.trained and model.open_time and season > 1 and steps > LONG and steps % season == 0


def _fold(part: Windows, model: Model, season: int) -> Windows:
    n, steps, n_features = part.x.shape
    if not _folds(model, steps, season):
        return part
    return replace(part, x=np.ascontiguousarray(part.x.reshape(n, steps // season, season * n_features)))


def _thinned(split: Split, cells: int, seconds: float, seed: int) -> Split:
    """As many windows, drawn evenly, as a network can learn from in the time that there is.

    Args:
        split: all windows.
        cells: steps × units × epochs that one window takes.
        seconds: the time.
        seed: of the draw.
    """
    n = len(split.train)
    most = int(seconds * CELLS_PER_S / cells)
    if n <= most:
        return split
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[: max(most, ENOUGH_WINDOWS)])
    return replace(split, train=split.train.take(chosen))
