"""The next values of every series, with intervals, by models that backtests have judged."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from forecasting.evaluation.significance import Difference
from forecasting.experiment import BadInput, Experiment, Fit, SeriesFit
from forecasting.models import MODELS, Arrays
from forecasting.panels.backtest import backtest
from forecasting.panels.fits import Say, by_cutoff, chosen_fits, left_out_of, plan_of, run_all, silent
from forecasting.panels.judging import BASELINES_OF_SKILL, Backtest, judged
from forecasting.panels.members import by_model
from forecasting.panels.mixing import trims, with_ensemble, with_mean
from forecasting.panels.panel import Panel


@dataclass(frozen=True)
class Forecast:
    """The next h values of every series.

    Attributes:
        panel: the series.
        tested: the backtest of the models.
        ahead: forecasts by model, `(n_series, h)`, in units.
    """

    panel: Panel
    tested: Backtest
    ahead: dict[str, np.ndarray]

    @cached_property
    def chosen(self) -> str:
        """The model that the backtest chooses."""
        return self.tested.best()

    @cached_property
    def leads(self) -> dict[str, Difference]:
        """By how much the chosen model's mean scaled absolute error lies below that of each other one, over all cutoffs."""
        return {name: self.tested.apart(self.chosen, name) for name in self.tested.y_hat if name != self.chosen}

    @property
    def why(self) -> str:
        """Why, in sentences: what chose it, and how it does where nothing was chosen by."""
        tested, name = self.tested, self.chosen
        n_chosen, h = len(tested.cutoff_offsets[tested.choosing]), tested.y.shape[2]
        table = tested.scores(tested.choosing)
        lower = [other for other in table if table[other]["mase"] < table[name]["mase"]]
        what = "a MASE" if lower else "the lowest MASE"
        text = f"{name} has {what}, {table[name]['mase']:.3f}, over {_counted(n_chosen, 'cutoff')} of {h} steps"
        if lower:
            lowest = min(lower, key=lambda other: table[other]["mase"])
            text += f"; {lowest} has {table[lowest]['mase']:.3f}, which may well be chance: a mean of models is safer"
        against = next((rule for rule in BASELINES_OF_SKILL if rule in table and rule != name), None)
        text += f"; {MODELS[against].title.lower()} has {table[against]['mase']:.3f}" if against else ""
        if not tested.keeps_one:
            return f"{text}. The same cutoffs chose it: what comes may well be worse."
        return f"{text}. On the last cutoff, which chose nothing, it has {tested.headline(name)['mase']:.3f}."

    def bounds(self, name: str, level: float) -> tuple[np.ndarray, np.ndarray]:
        """The interval of a model's forecast, `(n_series, h)` each; `level` in percent."""
        width = self.tested.conformal(name).half_width(level)
        return self.tested.interval(self.ahead[name], width, level)

    def frame(self, names: Mapping[str, str], levels: Sequence[float]) -> pd.DataFrame:
        """A table `unique_id, ds`, and per model its forecast, `-lo-` and `-hi-` at each level.

        Args:
            names: of the models, each with what its columns are called.
            levels: in percent.
        """
        h = self.tested.y.shape[2]
        times = [self.panel.times_after(i, 0, h).to_numpy() for i in range(len(self.panel.ids))]
        columns: dict[str, object] = {"unique_id": np.repeat(self.panel.ids, h), "ds": np.concatenate(times)}
        for name, shown in names.items():
            columns[shown] = self.ahead[name].ravel()
            for level in sorted(levels):
                low, high = self.bounds(name, level)
                columns |= {f"{shown}-lo-{level:g}": low.ravel(), f"{shown}-hi-{level:g}": high.ravel()}
        return pd.DataFrame(columns)


def assembled(
    panel: Panel,
    experiment: Experiment,
    made: Mapping[str, Mapping[int, np.ndarray]],
    left_out: Mapping[str, str] | None = None,
    partial: Collection[str] = (),
) -> Forecast:
    """The forecast of an experiment with a plan, of the models that have forecast from all of its cutoffs.

    Args:
        panel: the series.
        experiment: what was asked.
        made: forecasts by model and cutoff, `(n_series, h)` each; see `by_cutoff`.
        left_out: models that cannot forecast these series, and why.
        partial: models that were stopped before they were done.

    Raises:
        BadInput: when it has no plan, or none is done.
    """
    plan = plan_of(experiment)
    whole = {name: forecasts for name, forecasts in made.items() if {*plan.cutoff_offsets(), 0} <= forecasts.keys()}
    if not whole:
        raise BadInput("No model has forecast these series yet.")
    y_hat = {name: np.stack([forecasts[back] for back in plan.cutoff_offsets()]) for name, forecasts in whole.items()}
    ahead = {name: forecasts[0] for name, forecasts in whole.items()}
    tested = judged(panel, plan, y_hat, left_out_of(experiment) | dict(left_out or {}))
    tested = with_ensemble(replace(tested, partial=frozenset(partial) & y_hat.keys()), experiment)
    return Forecast(panel, tested, with_mean(ahead, tested.shares, trims(tested)))


def of_stored(
    panel: Panel, experiment: Experiment, stored: Iterable[tuple[Fit, Arrays]], left_out: Mapping[str, str]
) -> Forecast:
    """The forecast of an experiment with a plan, of what its fits have stored.

    Args:
        panel: its series.
        experiment: the settings.
        stored: fits, each with the arrays of its forecasts.
        left_out: models that are not tried, or could not forecast these series, and why.

    Raises:
        BadInput: when no model could forecast them.
    """
    made = [(fit, by_cutoff(fit.cutoff_offsets, arrays)) for fit, arrays in stored if isinstance(fit, SeriesFit)]
    return assembled(panel, experiment, by_model(made, panel), left_out)


def forecast(panel: Panel, experiment: Experiment, say: Say = silent, *, only_best: bool = False) -> Forecast:
    """Forecast with the models of an experiment.

    Args:
        panel: the series.
        experiment: with a plan, and what its time budget came to (`runs.budget.allotted`).
        say: is told of each model as it is done.
        only_best: let the model alone forecast that backtests choose.

    Raises:
        BadInput: when the series are too short, or no model could forecast them.
    """
    tested = backtest(panel, experiment, say)
    if not tested.y_hat:
        raise BadInput("No model could forecast these series: " + "; ".join(tested.left_out.values()))
    needed = [tested.best()] if only_best else list(tested.y_hat)
    members = tested.shares if any(MODELS[name].combines for name in needed) else {}
    fits = [fit for fit in chosen_fits(experiment) if fit.forecasts_the_future and fit.model.name in {*needed, *members}]
    made, left_out = run_all(fits, panel, say)
    if left_out:
        raise BadInput("A model could forecast the past and not what comes: " + "; ".join(left_out.values()))
    ahead = {name: forecasts[0] for name, forecasts in made.items()}
    return Forecast(panel, tested, with_mean(ahead, members, trims(tested)))


def _counted(n: int, what: str) -> str:
    return f"one {what}" if n == 1 else f"{n} {what}s"
