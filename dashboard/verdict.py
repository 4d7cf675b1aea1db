"""What the results of the Lab say: the table, the states, the verdict in sentences."""

import pandas as pd

from dashboard.results import ROUNDING, Outcome, Row, held_against
from dashboard.words import digits
from forecasting.models import resolve


def best_of(rows: list[Row]) -> Row | None:
    """The model with the lowest median validation error; references are not ranked."""
    ranked = (row for row in rows if row.scored and not row.model.reference)
    return min(ranked, key=lambda row: row.error or 0.0, default=None)


def table_of(rows: list[Row], floor: float | None, reveal_test: bool) -> pd.DataFrame:
    """The table of models, numbers unrounded; missing scores are NaN.

    Args:
        rows: the models, in the order of the table.
        floor: the noise floor, in units squared; None where it is not known.
        reveal_test: whether test scores are among the columns.
    """
    lines, against = [], held_against(rows)
    for row in rows:
        mse, gained = row.middle("valid_mse"), row.skill(against)
        line = {
            "Model": row.label,
            "Validation MSE": mse,
        }
        if any(row.spread for row in rows):
            line |= {"Mean": row.spread[0] if row.spread else None, "± SD": row.spread[1] if row.spread else None}
        for i in range(row.shape.n_targets if row.shape.n_targets > 1 else 0):
            line[f"Channel {i + 1}"] = row.per_channel[i] if row.per_channel else None
        line |= {
            "RMSE": None if mse is None else mse**0.5,
            "Skill": None if gained is None else 100 * gained if abs(gained) > ROUNDING else 0.0,
            "× floor": None if mse is None or not floor else mse / floor,
            "Windows": row.windows,
            "Parameters": None if row.model.local or row.model.combines else row.model.n_parameters(row.shape),
            "Fit": row.middle("fit_s"),
            "Per epoch": row.middle("epoch_s"),
        }
        if reveal_test:
            line["Test MSE"] = row.middle("test_mse")
        lines.append(line | {"State": state_of(row)})
    table = pd.DataFrame(lines)
    return table if table["Windows"].nunique() > 1 else table.drop(columns="Windows")


def state_of(row: Row) -> str:
    """The state of a model in words, over all its seeds."""
    statuses = [_spoken(outcome) for outcome in row.outcomes]
    counts = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
    if len(counts) == 1:
        return statuses[0]
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def _spoken(outcome: Outcome) -> str:
    """A status in the visitor's words; what was computed on the page is done, whatever the queue makes of it."""
    if outcome.result is None and resolve(outcome.fit.model).combines:
        return "needs two fits"
    words = {"finished": "done", "new": "not trained", "queued": "waiting", "running": "training"}
    if outcome.trouble:
        return "not possible"
    if outcome.result is not None and not outcome.fit.training:
        return "done"
    return words.get(outcome.status, outcome.status)


def verdict(rows: list[Row], floor: float | None) -> str:
    """One plain sentence: which model leads, by how much, and whether that means anything."""
    best = best_of(rows)
    if best is None:
        return ""
    best_mse = best.middle("valid_mse") or 0.0
    rival = best_of([row for row in rows if row is not best])
    if rival is None:
        return f"{best.label} has a validation MSE of {digits(best_mse)}."
    most = max(row.windows or 0 for row in rows)
    text = f"**{best.label}**{_sampled(best, most)} has the lowest validation error"
    if rival.error:
        gained = 1 - (best.error or 0.0) / rival.error
        apart = f"**{gained:.0%}** below" if gained >= 0.005 else "hardly below"
        text += f", {apart} {rival.label}{_sampled(rival, most)}{_meaning(best, rival)}"
    if floor:
        text += f"; it stands **{best_mse / floor:.1f} times** above the noise floor"
    asked = [row for row in rows if not row.model.combines]
    waiting = [row for row in asked if not row.scored and not any(outcome.trouble for outcome in row.outcomes)]
    ending = "." if not waiting else f". {_count(len(waiting))} not trained yet."
    return text + ending


def _sampled(row: Row, most: int) -> str:
    """On how many windows a model is scored, where they are fewer than there are."""
    return f" (on {row.windows:,} of {most:,} windows)" if row.windows is not None and row.windows < most else ""


def _meaning(best: Row, rival: Row) -> str:
    """What the spread over seeds says about a difference; nothing where a trained model has one seed only."""
    spreads = [row.spread[1] for row in (best, rival) if row.spread is not None]
    if any(row.model.trained and row.spread is None for row in (best, rival)) or not spreads:
        return " (one seed)" if best.model.trained or rival.model.trained else ""
    gap = (rival.middle("valid_mse") or 0.0) - (best.middle("valid_mse") or 0.0)
    return ", more than the spread over seeds" if gap > sum(spreads) else ", within the spread over seeds"


def _count(n: int) -> str:
    return "One model is" if n == 1 else f"{n} models are"
