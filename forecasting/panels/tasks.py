"""The windows that models learn from on whole series, where a plan does not say it: by how long the series are."""

import numpy as np

from forecasting.experiment import BadInput, SeriesTask, Task
from forecasting.experiment.tasks import lags_of
from forecasting.models import Model, NetworkModel
from forecasting.panels.panel import Panel

LONGEST_LOOK_BACK = 2_000
"""Steps that models see at most."""
WITH_A_WEEK = (24, 48, 96)
"""Seasons of a day, which have a week around them."""


def task_of(panel: Panel, plan: SeriesTask, furthest: int, model: Model | None = None) -> Task:
    """The windows that a model learns from, where the plan does not say it, by how long the series are.

    A network that learns from the values ahead alone, and sees a series by itself, sees levels, and learns the difference to
    the last season repeated. Other models see some seasons, as differences to the season before; so do networks that see
    several channels, whose levels say nothing of how much each of them moves.

    Args:
        panel: the series.
        plan: what is asked.
        furthest: how many steps before the end the earliest cutoff lies: the look-back must fit into what was known there.
        model: whose windows they are; None: of a linear one.

    Raises:
        BadInput: when the plan asks for differences that the look-back is too short for.
    """
    known = int(np.median([max(0, len(values) - furthest) for values in panel.y]))
    asked, alone = plan.differencing, panel.n_targets == 1 and panel.past_covariates is None
    by_model = alone and isinstance(model, NetworkModel) and model.learns_ahead_alone
    if asked == "last_season" or (asked == "by_model" and by_model):
        return _to_the_last_season(known, plan, getattr(model, "extra_seasons", 0))
    season, most = plan.season_length, min(known // 2 - plan.h, known - 2 * plan.h - 2, LONGEST_LOOK_BACK)
    seasons = min(1 + (8 if season in WITH_A_WEEK else 3), most // season) if season > 1 else 0
    seasonal = seasons >= 2
    wanted = plan.input_size or (seasons * season if seasonal else max(3 * plan.h // 2, 8))
    input_size = max(2, min(wanted, most))
    seasonal = seasonal and input_size > season
    differencing = plan.differencing
    if differencing in ("fitting", "by_model"):
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


def _to_the_last_season(known: int, plan: SeriesTask, extra: int) -> Task:
    """Windows in their own level, whose values ahead are differences to the last season repeated; without a season, to the
    last value.

    They see as many seasons as cover the horizon and a dozen steps, two at least, and some more; of days more than a week.
    """
    season = plan.season_length if plan.season_length + plan.h <= known else 1
    fewest = 8 if season in WITH_A_WEEK else 2
    seasons = max(fewest, -(-plan.h // season), -(-12 // season)) + extra if season > 1 else 1
    wanted = plan.input_size or (seasons * season if season > 1 else max(8, plan.h))
    return Task(
        input_size=max(2, season, min(wanted, known - plan.h, LONGEST_LOOK_BACK)),
        target="next" if plan.h == 1 else "all_h",
        h=plan.h,
        scaling="level",
        differencing="last_season" if season > 1 else "none",
        season_length=max(2, season),
    )
