"""Backtests with a rolling origin: from which moments in the past models forecast, and how they do."""

from collections.abc import Sequence

import numpy as np

from forecasting.data.seasons import seasons_of
from forecasting.experiment import Experiment, Plan
from forecasting.models import MODELS
from forecasting.panels.fits import Say, chosen_fits, left_out_of, plan_of, run_all, silent
from forecasting.panels.forecasters import FEWEST_KNOWN
from forecasting.panels.judging import Backtest, judged, long_enough
from forecasting.panels.mixing import with_ensemble
from forecasting.panels.panel import Panel

ENOUGH_TO_JUDGE = 200
"""Series × cutoffs that tell models apart: of many series two cutoffs do."""
DEFAULT = tuple(name for name, model in MODELS.items() if model.in_default_comparison)
"""Models that are tried where none are named."""
FAST = tuple(name for name, model in MODELS.items() if model.in_fast_comparison)
"""Models for very many series, or a first answer."""
CHOICES = {"default": DEFAULT, "fast": FAST}
"""Models to try by the name of the choice; the best of them forecasts."""


def default_plan(panel: Panel, h: int | None = None, seasons: Sequence[int] | None = None) -> Plan:
    """A horizon of one season, and two to eight cutoffs: as many as leave most values of most series to learn from; one
    where series are too short for two.

    Args:
        panel: the series.
        h: steps ahead; None: the shortest season, or 6 where there is none, at most 48 and a twelfth of `Panel.usual`.
        seasons: in steps, the shortest first, none or 1 for no season; None: those that the series show.
    """
    found = seasons_of(panel.y, panel.likely_seasons) if seasons is None else [m for m in seasons if m > 1]
    season, *longer = found or [1]
    asked = h or max(1, min(season if season > 1 else 6, panel.usual // 12, 48))
    most = max(2, min(8, -(-ENOUGH_TO_JUDGE // len(panel.ids))))
    return Plan(
        h=asked,
        season_length=season,
        longer_seasons=tuple(longer),
        n_windows=max(1 if panel.usual < 2 * asked + FEWEST_KNOWN else 2, min(most, (panel.usual - 3) // asked - 2)),
        members="by_season" if panel.n_targets == 1 and panel.past_covariates is None else "single",
    )


def backtest(panel: Panel, experiment: Experiment, say: Say = silent) -> Backtest:
    """Let the models of an experiment forecast from cutoffs in the past, each knowing nothing of what came later.

    Args:
        panel: the series.
        experiment: with a plan, and what its time budget came to (`runs.budget.allotted`).
        say: is told of each model as it is done.

    Raises:
        BadInput: when the series are too short.
    """
    plan = plan_of(experiment)
    long_enough(panel, plan)
    fits = [fit for fit in chosen_fits(experiment) if not fit.forecasts_the_future]
    made, left_out = run_all(fits, panel, say)
    y_hat = {name: np.stack([forecasts[back] for back in plan.cutoff_offsets()]) for name, forecasts in made.items()}
    tested = judged(panel, plan, y_hat, left_out_of(experiment) | left_out)
    return with_ensemble(tested, experiment)
