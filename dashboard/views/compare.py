"""Runs beside each other: which settings differ, and, on the same data alone, scores, learning curves and forecasts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import computed, curves, figures
from dashboard.access import run_for
from dashboard.chart import show
from dashboard.differences import differing
from dashboard.forecast_state import forecast_state_of, scores_of
from dashboard.results import Row, in_order, rows_of
from dashboard.titles import unit_of
from dashboard.verdict import verdict
from dashboard.views.header import ago, open_run
from dashboard.words import escaped
from forecasting.experiment import Experiment
from forecasting.runs.views import RunView

MOST = 10
"""Runs that are compared at once."""


@dataclass(frozen=True)
class OfRun(Row):
    """A model of one of several runs.

    Attributes:
        run: the letter of the run; empty where all of them have the very same fits.
    """

    run: str = ""

    @property
    def label(self) -> str:
        """The model's name, and the run's letter."""
        return f"{self.model.label} · {self.run}" if self.run else self.model.label


def compare(run_ids: Sequence[str]) -> None:
    """Draw the comparison of some runs.

    Args:
        run_ids: which; those that there are no longer are left out, and said.
    """
    found = [run_for(run_id) for run_id in run_ids[:MOST]]
    runs = dict(zip(ascii_uppercase, [run for run in found if run is not None], strict=False))
    if len(runs) < len(run_ids):
        st.caption(f"{len(run_ids) - len(runs)} of {len(run_ids)} runs are not there any more.")
    if len(runs) < 2:
        st.info("Two runs at least are needed for a comparison.", icon=":material/compare_arrows:")
        return
    for letter, run in runs.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            when = ago(time.time() - run.created_at)
            st.markdown(f"**{letter}** · {escaped(run.title)} · {when}", width="stretch")
            icon = ":material/open_in_new:"
            st.button("Open", f"open-{letter}", on_click=open_run, args=(run.id,), icon=icon, type="tertiary")
    _settings(runs)
    _scores(runs)


def _settings(runs: dict[str, RunView]) -> None:
    st.markdown("#### What differs")
    table = differing({letter: run.experiment for letter, run in runs.items()})
    if table.empty:
        st.caption("Nothing: these runs have the same settings.")
        return
    st.dataframe(table, hide_index=True, height="content", key="compare-settings")


def _scores(runs: dict[str, RunView]) -> None:
    experiments = [run.experiment for run in runs.values()]
    data = {(experiment.source, experiment.task, _judged(experiment)) for experiment in experiments}
    st.markdown("#### Scores")
    if len(data) > 1:
        st.caption("Their series, their task or how they are judged differ: the scores of these runs cannot be ranked.")
        return
    if experiments[0].plan is not None:
        _whole_series(runs)
        return
    experiment, split = experiments[0], computed.windows(experiments[0].source, experiments[0].task)
    rows = in_order(_rows(runs))
    st.markdown(verdict(rows, split.noise_floor))
    unit = unit_of(experiment)
    left, right = st.columns(2, gap="medium")
    with left:
        alt = "A point per model and run: its validation MSE on a log axis."
        show(figures.mse_figure(rows, split.noise_floor, unit), "compare-mse", alt)
    trained = [row for row in rows if any(outcome.view and outcome.view.epochs for outcome in row.outcomes)]
    if trained:
        with right:
            lines = curves.lines_of(rows, split.noise_floor, experiment)
            chart = curves.curves_figure(trained, lines, curves.in_another_scale(experiment))
            show(chart, "compare-learning", "Training loss thin and validation loss thick, per epoch, on a log axis.")
    index = st.number_input("Window of the validation part", 0, len(split.valid) - 1, key="compare-window", width=220)
    chart = figures.forecast_figure(rows, split, int(index), 0, experiment.task.steps, unit)
    show(chart, "compare-forecast", "One window: look-back, truth as crosses, and a line per model and run.")


def _judged(experiment: Experiment) -> Any:
    """By what whole series are judged; windows are judged by their task."""
    plan = experiment.plan
    return None if plan is None else (plan.h, plan.n_windows, plan.step_size, plan.season_length)


def _rows(runs: dict[str, RunView]) -> list[Row]:
    """The models of all runs that have a score: fits that several runs share are there once."""
    by_fits: dict[tuple[str, ...], list[tuple[str, Row]]] = {}
    for letter, run in runs.items():
        for row in rows_of(run.experiment, run):
            if row.scored:
                by_fits.setdefault(tuple(outcome.fit.id for outcome in row.outcomes), []).append((letter, row))
    made: list[Row] = []
    for having in by_fits.values():
        letters, row = "".join(letter for letter, _ in having), having[0][1]
        made.append(OfRun(row.model, row.outcomes, row.shape, "" if len(letters) == len(runs) else letters))
    return made


def _whole_series(runs: dict[str, RunView]) -> None:
    """MASE by model and run."""
    columns = {}
    for letter, run in runs.items():
        table = scores_of(forecast_state_of(run.experiment, run))
        if not table.empty:
            columns[letter] = table.set_index("Model")["MASE"]
    if not columns:
        st.caption("No model has forecast yet.")
        return
    table = pd.DataFrame(columns).sort_values(next(iter(columns))).reset_index(names="Model")
    about = "MASE over the cutoffs: below 1 is better than seasonal naive."
    number = st.column_config.NumberColumn(format="%.3f", help=about)
    shown = table.style.highlight_min(subset=list(columns), props="font-weight: 700")
    st.dataframe(shown, hide_index=True, height="content", key="compare-mase", column_config=dict.fromkeys(columns, number))
