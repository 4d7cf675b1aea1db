"""The backtest of whole series: the table of models, their errors by step and by cutoff, and what was left out."""

import streamlit as st

from dashboard import series_figures
from dashboard.chart import file_name, show
from dashboard.components import csv_menu
from dashboard.forecast_state import JUDGED_AT, ForecastState, scores_of
from dashboard.views import forecast_settings
from dashboard.words import escaped
from forecasting.experiment import Experiment
from forecasting.models import MODELS
from forecasting.runs.budget import budget_with


def scores(state: ForecastState, unit: str) -> None:
    """The table of models, and their errors by step ahead and by cutoff."""
    table = scores_of(state)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("#### Backtest", width="stretch")
        csv_menu(table, file_name(st.session_state["about"], "backtest"), "backtest-csv")
    figure, bold = st.column_config.NumberColumn, "font-weight: 700"
    lowest = ["MASE", "RMSSE", "sMAPE", "MAE", "RMSE", "Interval score"]
    st.dataframe(
        table.style.highlight_min(subset=lowest, props=bold).highlight_max(subset=["Skill"], props=bold),
        hide_index=True,
        height="content",
        placeholder="undefined",
        key="backtest",
        column_config={
            "Model": st.column_config.TextColumn(pinned=True, width=150),
            "MASE": figure(format="%.3f", help="Mean absolute error over that of seasonal naive within the history."),
            "Beside the choice": st.column_config.TextColumn(
                width=210,
                help="How far its error lies from the chosen model's, over all cutoffs, and whether that may be chance.",
            ),
            "Skill": figure("Skill (%)", format="%.1f", help="Share of seasonal naive's MASE that it takes away."),
            "RMSSE": figure(format="%.3f", help="The same with squared errors, and their root."),
            "sMAPE": figure("sMAPE (%)", format="%.1f", help="Error over the sum of truth and forecast: 0 to 100 %."),
            "MAE": figure(f"MAE ({unit})", format="%.4g", help="Mean absolute error."),
            "RMSE": figure(f"RMSE ({unit})", format="%.4g", help="Root of the mean squared error."),
            "Bias": figure(f"Bias ({unit})", format="%.3g", help="Mean of forecast minus truth."),
            "Covered": figure(
                f"Covered (%) of {JUDGED_AT:g}",
                format="%.1f",
                help="Truths of the later cutoffs within intervals that were calibrated on the earlier ones.",
            ),
            "Interval score": figure(format="%.4g", help="Width, and a penalty for what lies outside: lower is better."),
            "Fit": figure("Time (s)", format="%.1f", help="For backtest and forecast."),
            "State": st.column_config.TextColumn(help="A model that was stopped is judged, and not chosen."),
        },
    )
    forecast = state.forecast
    if forecast is None:
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("#### Error by step ahead")
        show(series_figures.mase_figure(forecast, "step"), "by-step", "MASE of every model at each step ahead.")
    with right:
        st.markdown("#### Error by cutoff")
        show(series_figures.mase_figure(forecast, "cutoff"), "by-cutoff", "MASE of every model at each cutoff.")


def left_out(experiment: Experiment, state: ForecastState) -> None:
    """Models that are not tried, and why; those for which there is no time, with a way to include them."""
    shares = {choice.name: share for choice, share in zip(experiment.models, experiment.allotted, strict=False)}
    for name, why in state.left_out.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{MODELS[name].title} was left out: {escaped(why)}", width="stretch")
            work_s = shares[name].work_s if name in shares and shares[name].left_out else None
            if work_s is not None:
                st.button(
                    f"Include it, about {_duration(work_s)} more",
                    key=f"include-{name}",
                    icon=":material/add:",
                    on_click=forecast_settings.allow,
                    args=(budget_with(experiment, name),),
                    help="Raises the time budget so far. One core takes about as long; slots share it.",
                )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"
