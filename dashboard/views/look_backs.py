"""Scores of recurrent networks at other look-backs than those that they were trained on."""

import streamlit as st

from dashboard import actions, service
from dashboard.access import run_for
from dashboard.components import asked_again, show_errors
from dashboard.identity import visitor
from dashboard.results import Row
from dashboard.views.header import is_mine
from dashboard.views.progress import TICK_S
from forecasting.experiment import Experiment, LookBackFit, WindowFit
from forecasting.experiment.tasks import LOOK_BACKS
from forecasting.runs.views import RunView


def other_look_backs(rows: list[Row], run: RunView, experiment: Experiment) -> None:
    """Score the recurrent fits of a run at another look-back: their time is open.

    Args:
        rows: the models of the experiment.
        run: the run, to which the scores are added.
        experiment: the settings.
    """
    parents = [
        outcome.fit
        for row in rows
        if row.model.trained and row.model.variable_length
        for outcome in row.outcomes
        if outcome.status == "finished" and isinstance(outcome.fit, WindowFit)
    ]
    if not parents:
        return
    st.markdown("#### Another look-back")
    st.caption(
        "A recurrent network takes a past of any length. Score the fits above on the same targets, seeing more or fewer "
        "steps than they were trained on."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        half = max(1, experiment.task.input_size // 2)
        look_back = st.select_slider("Look-back to score at", sorted({*LOOK_BACKS, half}), half, key="other-look-back")
        wanted = (run.id, parents, look_back)
        own = is_mine(run)
        why = None if own else "Somebody else has started this run, who alone can add to it: train a copy of your own."
        st.button("Score", key="score-look-back", on_click=_score, args=wanted, disabled=not own, help=why)
    scored = [(fit, fit.fit) for fit in run.fits if isinstance(fit.fit, LookBackFit)]
    if not scored:
        return
    known = service.store().fits([asked.parent.id for _, asked in scored])
    lines = []
    for fit, asked in sorted(scored, key=lambda one: (one[0].label, one[1].seed or 0, one[1].look_back)):
        parent = known.get(asked.parent.id) or run.kept(asked.parent)
        lines.append(
            {
                "Model": fit.label,
                "Seed": asked.seed,
                "Look-back": asked.look_back,
                "Validation MSE": (fit.result or {}).get("valid_mse"),
                f"… at {experiment.task.input_size}": (parent.result or {}).get("valid_mse") if parent else None,
                "State": fit.reason or fit.status,
            }
        )
    number = st.column_config.NumberColumn(format="%.3g")
    columns = {"Validation MSE": number, f"… at {experiment.task.input_size}": number}
    st.dataframe(lines, hide_index=True, key="look-backs", column_config=columns)
    if not run.ended:
        st.fragment(_await_scores, run_every=TICK_S)(run.id)


@asked_again
def _await_scores(run_id: str) -> None:
    run = run_for(run_id)
    if run is None or run.ended:
        st.rerun()


@show_errors
def _score(run_id: str, parents: list[WindowFit], look_back: int) -> None:
    fits = [LookBackFit(parent=parent, look_back=look_back) for parent in parents]
    actions.add_to_run(run_id, fits, visitor())
