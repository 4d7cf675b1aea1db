"""What a step of the Guide shows: series first; once it is measured, forecasts of one of them, and how networks learned."""

import streamlit as st

from dashboard import computed, curves, figures
from dashboard.chart import show
from dashboard.results import Row
from forecasting.experiment import Experiment

UNIT = "value"


def pictures(title: str, experiment: Experiment, rows: list[Row], answered: bool) -> None:
    """Draw the series of a step, or what its models make of them.

    Args:
        title: of the step.
        experiment: what its first line measures.
        rows: the models of its lines that are measured on the same windows.
        answered: whether the visitor has made a guess: before, nothing is given away.
    """
    st.session_state["about"] = title
    split, steps = computed.windows(experiment.source, experiment.task), experiment.task.steps
    if not answered or not any(row.scored for row in rows):
        alt = "Three series of the validation part: the look-back as a line, the values to forecast as crosses."
        show(figures.series_figure(split, [0, 7, 14], steps, UNIT), "guide-series", alt)
        return
    trained = [row for row in rows if row.model.trained and any(o.view and o.view.epochs for o in row.outcomes)]
    left, right = st.columns(2, gap="medium") if trained else (st.container(), None)
    with left:
        alt = "One series: look-back, truth as crosses, and a line per model."
        show(figures.forecast_figure(rows, split, 0, 0, steps, UNIT), "guide-forecast", alt)
    if right is not None:
        with right:
            alt = "Training loss thin and validation loss thick, per epoch, on a log axis."
            lines = curves.lines_of(rows, split.noise_floor, experiment)
            show(curves.curves_figure(trained, lines, curves.in_another_scale(experiment)), "guide-learning", alt)
