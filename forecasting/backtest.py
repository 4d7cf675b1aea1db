"""Backtests with a rolling origin, the choice of a model by them, and the forecast itself."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from forecasting.data.panel import Panel
from forecasting.data.transforms import Differences
from forecasting.data.windows import Split, Windows
from forecasting.evaluation.intervals import Conformal, coverage, interval_score
from forecasting.evaluation.metrics import scales, score
from forecasting.experiment import BadInput, ModelChoice, Task, Training
from forecasting.models import MODELS, Control, Fitted, Model, Shape, resolve
from forecasting.models.naive import Baseline
from forecasting.recipes import RECIPES

ENOUGH_WINDOWS = 300
"""Windows below which networks are not offered: they cannot learn from so little."""
HISTORY = 1_000
"""Values at the end of a history that a statistical model is fitted to."""
DEFAULT = ("naive", "seasonal_naive", "drift", "linear", "ets", "theta", "gru", "ensemble")
"""Models that are tried where none are named."""
SHARE = {"ets": 0.3, "theta": 0.15, "arima": 0.4}
"""Of the time budget, what a statistical model may take."""
LONGEST_SEASON = 60
"""Steps of a season that the statistical models take; beyond, they see none."""
CELLS_PER_S = 12e6
"""Windows × steps × units that a network takes in per second, a cautious guess."""
LONG = 60
"""Steps beyond which a look-back is long for a recurrent network."""
WITH_A_WEEK = (24, 48, 96)
"""Seasons of a day, which have a week around them."""

Say = Callable[[str], None]
"""Is told of each model as it is done."""
Forecaster = Callable[[int], np.ndarray]
"""Forecasts `(n_series, h)` in units from what was known so many steps before the end."""


def silent(_: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Plan:
    """What is asked of a panel.

    Attributes:
        h: steps ahead.
        season_length: steps of a season; 1 for none.
        input_size: steps that models see; None: four seasons, or nine days, as far as the series are long.
        n_windows, step_size: cutoffs of the backtest, and the steps between them (None: h).
        refit: learn anew at every cutoff; or else once, at the first.
        seconds: what all may take together, about.
        seed: of the networks.
    """

    h: int
    season_length: int = 1
    input_size: int | None = None
    n_windows: int = 4
    step_size: int | None = None
    refit: bool = False
    seconds: float = 120.0
    seed: int = 1

    def backs(self) -> list[int]:
        """How many steps before the end each cutoff lies, the earliest first."""
        step = self.step_size or self.h
        return [self.h + step * k for k in reversed(range(self.n_windows))]


@dataclass(frozen=True)
class Backtest:
    """What the models would have forecast in the past.

    Attributes:
        backs: how many steps before the end each cutoff lies, the earliest first.
        y: truth, `(n_cutoffs, n_series, h)`.
        y_hat: forecasts by model, of the same shape.
        scale: `metrics.scales` of each history, `(n_cutoffs, n_series, 2)`.
        left_out: models that were not tried, and why.
    """

    backs: list[int]
    y: np.ndarray
    y_hat: dict[str, np.ndarray]
    scale: np.ndarray
    left_out: dict[str, str] = field(default_factory=dict)

    def scores(self, some: slice = slice(None)) -> dict[str, dict[str, float]]:
        """All metrics of every model, over all cutoffs or some of them; `skill`: 1 - MASE over that of seasonal naive."""
        table = {name: score(self.y[some], y_hat[some], self.scale[some]) for name, y_hat in self.y_hat.items()}
        repeat = table.get("seasonal_naive", table.get("naive", {})).get("mase", np.nan)
        for line in table.values():
            line["skill"] = 1 - line["mase"] / repeat if repeat and repeat > 0 else np.nan
        return table

    def best(self, some: slice = slice(None)) -> str:
        """The model with the lowest MASE; where that is not defined, with the lowest RMSE."""
        table = self.scores(some)
        by = "mase" if any(np.isfinite(line["mase"]) for line in table.values()) else "rmse"
        known = {name: line[by] for name, line in table.items() if np.isfinite(line[by])}
        return min(known, key=lambda name: known[name]) if known else next(iter(table))

    def conformal(self, name: str, some: slice = slice(None)) -> Conformal:
        """Intervals that the errors of these cutoffs ask for."""
        return Conformal.learn(self.y_hat[name][some] - self.y[some], self.scale[some][-1, :, 0])

    def covered(self, name: str, level: float) -> tuple[float, float]:
        """How much intervals calibrated on the earlier half of the cutoffs cover on the later half, and their score."""
        half = max(1, len(self.backs) // 2)
        if half == len(self.backs):
            return np.nan, np.nan
        width = self.conformal(name, slice(half)).half_width(level)
        later = self.y[half:], self.y_hat[name][half:], width
        return coverage(*later), interval_score(*later, level)


def model_of(name: str, plan: Plan) -> Model:
    """A model by its name, set for the season."""
    params: dict = {}
    if name == "seasonal_naive":
        params = {"season_length": plan.season_length}
    elif name in SHARE and plan.season_length <= LONGEST_SEASON:
        params = {"season_length": plan.season_length}
    elif name in ("gru", "lstm", "deep_rnn_dense"):
        params = {"units": [32, 32]}
    return resolve(ModelChoice(name=name, params=params))


def task_of(panel: Panel, plan: Plan, furthest: int) -> Task:
    """What windows see and forecast: differences to the season before, over some seasons, as far as the series are long."""
    known = int(np.median([len(values) for values in panel.before(furthest)]))
    season, most = plan.season_length, min(known // 2 - plan.h, known - 2 * plan.h - 2)
    seasons = min(1 + (8 if season in WITH_A_WEEK else 3), most // season) if season > 1 else 0
    seasonal = seasons >= 2
    wanted = plan.input_size or (seasons * season if seasonal else max(3 * plan.h // 2, 8))
    input_size = max(2, min(wanted, most))
    seasonal = seasonal and input_size > season
    return Task(
        input_size=input_size,
        target="next" if plan.h == 1 else "all_h",
        h=plan.h,
        differencing="seasonal" if seasonal else "first",
        season_length=season if seasonal else 12,
    )


def backtest(panel: Panel, plan: Plan, names: tuple[str, ...] = DEFAULT, say: Say = silent) -> Backtest:
    """Let models forecast from cutoffs in the past, each knowing nothing of what came later.

    Raises:
        BadInput: when the series are too short.
    """
    backs = plan.backs()
    if panel.shortest - backs[0] < 3:
        raise BadInput(
            f"The shortest series has {panel.shortest} values, and {plan.n_windows} cutoffs of {plan.h} steps need "
            f"{backs[0] + 3}: take a shorter horizon or fewer cutoffs."
        )
    task = task_of(panel, plan, backs[0])
    y = np.stack([panel.after(back, plan.h) for back in backs])
    scale = np.array([[scales(known, plan.season_length) for known in panel.before(back)] for back in backs])
    y_hat: dict[str, np.ndarray] = {}
    left_out: dict[str, str] = {}
    for name in names:
        if name == "ensemble":
            continue
        began = time.monotonic()
        try:
            forecaster = _forecaster(name, panel, task, plan, backs)
            y_hat[name] = np.stack([forecaster(back) for back in backs])
        except BadInput as error:
            left_out[name] = str(error)
            say(f"{name}: left out. {error}")
            continue
        say(f"{name}: {time.monotonic() - began:.1f} s")
    if "ensemble" in names and len(members := _members(y_hat)) > 1:
        y_hat["ensemble"] = np.mean([y_hat[name] for name in members], axis=0)
    return Backtest(backs, y, y_hat, scale, left_out)


def _members(y_hat: dict[str, np.ndarray]) -> list[str]:
    """What the ensemble is the mean of: all that are no rules of thumb."""
    return [name for name in y_hat if MODELS[name].group != "baselines" and not MODELS[name].combines]


def _forecaster(name: str, panel: Panel, task: Task, plan: Plan, backs: list[int]) -> Forecaster:
    model = model_of(name, plan)
    if model.reference or model.combines:
        raise BadInput(f"{model.title} cannot forecast the series of a file.")
    if isinstance(model, Baseline):
        return _rule(model, panel, plan)
    if model.local:
        return _local(name, model, panel, plan, len(backs))
    if model.trained and (n := len(panel.split(task, backs[0]).train)) < ENOUGH_WINDOWS:
        raise BadInput(f"{n:,} windows are too few for a network to learn from: {ENOUGH_WINDOWS} are needed.")
    return _learner(model, panel, task, plan, backs)


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


def _local(name: str, model: Model, panel: Panel, plan: Plan, n_cutoffs: int) -> Forecaster:
    """A statistical model, fitted anew to each history.

    Raises:
        BadInput: when all of them would take longer than its share of the time.
    """
    shape = Shape(HISTORY, 1, plan.h)
    fitted = model.load([], shape, Control())

    def one(known: np.ndarray) -> np.ndarray:
        return np.asarray(fitted.predict(known[None, -HISTORY:, None])[0])

    known = panel.before(0)
    one(known[0])  # the first call loads the library
    tried, began = known[:: max(1, len(known) // 3)][:3], time.monotonic()
    for values in tried:
        one(values)
    needed = (time.monotonic() - began) / len(tried) * len(known) * (n_cutoffs + 1)
    share = SHARE[name] * plan.seconds
    if needed > share:
        raise BadInput(
            f"It would take {needed:,.0f} s for {len(known):,} series, and {share:,.0f} s are its share of the time."
        )
    return lambda back: np.stack([one(values) for values in panel.before(back)])


def _learner(model: Model, panel: Panel, task: Task, plan: Plan, backs: list[int]) -> Forecaster:
    """A model that learns from all windows of all series: at the first cutoff, or at each of them."""
    learned: dict[int, tuple[Fitted, Differences]] = {}
    n_fits = 1 + (len(backs) if plan.refit else 1)  # and the one of the forecast itself

    def learn(split: Split) -> tuple[Fitted, Differences]:
        differences = Differences.learn(task, split.train)
        seen = _folded(differences.split(split), model, plan.season_length)
        training = RECIPES["tuned"]
        if model.trained:
            seen = _thinned(seen, model, training, plan.seconds / 2 / n_fits, plan.seed)
        return model.fit(seen, Control(training, plan.seed)).fitted, differences

    def forecast(back: int) -> np.ndarray:
        origin = back if plan.refit else backs[0]
        if origin not in learned:
            learned[origin] = learn(panel.split(task, origin))
        (fitted, differences), ends = learned[origin], panel.ends(task, back)
        seen = _fold(differences.windows(ends), model, plan.season_length)
        y_hat = np.asarray(fitted.predict(seen.x), "float64")
        return ends.in_units(differences.undo(ends.x, y_hat))

    return forecast


def _folded(split: Split, model: Model, season: int) -> Split:
    return split.with_parts(_fold(part, model, season) for part in split.parts)


def _fold(part: Windows, model: Model, season: int) -> Windows:
    """Long look-backs are shown to a recurrent network a whole season per step, and not a value."""
    n, steps, _ = part.x.shape
    if not (model.trained and model.open_time) or season < 2 or steps <= LONG or steps % season:
        return part
    return replace(part, x=np.ascontiguousarray(part.x.reshape(n, steps // season, season)))


def _thinned(split: Split, model: Model, training: Training, seconds: float, seed: int) -> Split:
    """As many windows, drawn evenly, as a network can learn from in the time that there is."""
    n, steps = split.train.x.shape[:2]
    most = int(seconds * CELLS_PER_S / (training.epochs * steps * model.width(Shape.of(split))))
    if n <= most:
        return split
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[: max(most, ENOUGH_WINDOWS)])
    return replace(split, train=split.train.take(chosen))


# ---------------------------------------------------------------------------------------------------------- forecasts


@dataclass(frozen=True)
class Forecast:
    """The next h values of every series.

    Attributes:
        frame: `unique_id, ds`, and per model its forecast and `{model}-lo-{level}`, `{model}-hi-{level}`.
        chosen: the model that was chosen on the backtest.
        why: in a sentence.
    """

    frame: pd.DataFrame
    chosen: str
    why: str
    tested: Backtest


def forecast(
    panel: Panel,
    plan: Plan,
    names: tuple[str, ...] = (),
    levels: tuple[float, ...] = (80.0, 95.0),
    say: Say = silent,
) -> Forecast:
    """Forecast with intervals: with the models that are named, or as `best` with the one that backtests choose.

    Raises:
        BadInput: when the series are too short, or no model could forecast them.
    """
    tested = backtest(panel, plan, names or DEFAULT, say)
    if not tested.y_hat:
        raise BadInput("No model could forecast these series: " + "; ".join(tested.left_out.values()))
    chosen = tested.best()
    table, needed = tested.scores(), [chosen] if not names else list(tested.y_hat)
    ahead = _ahead(panel, plan, tested, needed)
    h, n = plan.h, len(panel.ids)
    columns: dict[str, object] = {
        "unique_id": np.repeat(panel.ids, h),
        "ds": np.concatenate([panel.times_after(i, 0, h).to_numpy() for i in range(n)]),
    }
    for name in needed:
        shown, y_hat = name if names else "best", ahead[name]
        columns[shown] = y_hat.ravel()
        for level in sorted(levels):
            width = tested.conformal(name).half_width(level)
            columns[f"{shown}-lo-{level:g}"] = (y_hat - width).ravel()
            columns[f"{shown}-hi-{level:g}"] = (y_hat + width).ravel()
    line = table[chosen]
    why = (
        f"{chosen} has the lowest MASE, {line['mase']:.3f}, over {len(tested.backs)} cutoffs of {h} steps; seasonal naive "
        f"has {table.get('seasonal_naive', table.get('naive', line))['mase']:.3f}."
    )
    return Forecast(pd.DataFrame(columns), chosen, why, tested)


def _ahead(panel: Panel, plan: Plan, tested: Backtest, names: list[str]) -> dict[str, np.ndarray]:
    """Forecasts from the end of the series, by models that have learned from all of it."""
    made: dict[str, np.ndarray] = {}
    task = task_of(panel, plan, 0)
    members = _members(tested.y_hat)
    for name in dict.fromkeys([*names, *(members if "ensemble" in names else [])]):
        if name != "ensemble":
            made[name] = _forecaster(name, panel, task, plan, [0])(0)
    if "ensemble" in names:
        made["ensemble"] = np.mean([made[name] for name in members], axis=0)
    return made
