"""A look at whole series: drawn, taken apart, and the season that they propose."""

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import series_figures
from dashboard.chart import show
from dashboard.state import key
from dashboard.words import escaped
from forecasting.data.diagnostics import autocorrelation, decomposition, proposed_season, spectrum
from forecasting.experiment import Experiment
from forecasting.panels.panel import Panel

RECENT = 5_000
"""Values at the end of a series that are taken apart, so that the page does not wait for a long one."""
LOOKS = ("Series", "Trend and season", "Autocorrelation", "Spectrum", "Distribution")


def look(panel: Panel, experiment: Experiment, unit: str) -> None:
    """The series themselves: drawn, taken apart, and the season that they propose.

    Args:
        panel: the series.
        experiment: the settings; the season is that of its plan.
        unit: of the series.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown("#### A look at the series", width="stretch")
        i = series_chosen(panel, "look-series")
    y, ds, recent = panel.y[i], panel.ds[i], panel.y[i][-RECENT:]
    season = experiment.plan.season_length if experiment.plan else 1
    view = st.segmented_control("Look", LOOKS, default=LOOKS[0], key="look", label_visibility="collapsed", required=True)
    if view == "Series":
        _history(y, ds, f"{experiment.source.canonical()} {i}", unit)
    elif view == "Trend and season":
        parts = decomposition(recent, season)
        show(
            series_figures.decomposition_figure(ds[-RECENT:], parts, unit), "parts", "Trend, season and rest, which add up."
        )
    elif view == "Autocorrelation":
        values = autocorrelation(recent, min(max(40, 3 * season), len(recent) - 1))
        alt = "Correlation of the series with itself, by lag; beyond the dotted lines it means something."
        show(series_figures.autocorrelation_figure(values, len(recent), season), "autocorrelation", alt)
    elif view == "Spectrum":
        chart = series_figures.spectrum_figure(*spectrum(recent), season)
        show(chart, "spectrum", "How much of the variance lies at each period.")
    else:
        show(series_figures.values_figure(recent, unit), "values", "How the values are distributed.")
    n_missing, proposed = int(np.isnan(y).sum()), proposed_season(recent)
    said = "no season" if proposed == 1 else f"a season of {proposed} steps"
    st.caption(
        f"{len(y):,} values, {ds[0]:%Y-%m-%d} to {ds[-1]:%Y-%m-%d}, {n_missing:,} missing. The series itself proposes "
        f"{said}; {'none is' if season == 1 else f'{season} are'} set."
        + (f" Taken apart are the last {RECENT:,} values." if len(y) > RECENT else "")
        + (" Drag over a stretch to see all of it." if view == "Series" else "")
    )


def _history(y: np.ndarray, ds: pd.DatetimeIndex, whose: str, unit: str) -> None:
    """A series, or the stretch of it that was chosen by dragging over it, with all the detail that there is."""
    stretch = st.session_state.get("stretch")
    if stretch is None or stretch[0] != whose:
        since = how_far_back(len(y), len(y), "look-since")
        shown = slice(len(y) - since, len(y))
    else:
        shown = slice(*ds.searchsorted(stretch[1:]))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{shown.stop - shown.start:,} of {len(y):,} values.", width="stretch")
            st.button("Whole series", icon=":material/zoom_out_map:", on_click=st.session_state.pop, args=("stretch", None))
    chart = series_figures.history_figure(ds[shown], y[shown], unit)
    show(chart, "history", "The series, missing values as crosses at its foot.", partial(_choose_stretch, whose, ds))


def _choose_stretch(whose: str, ds: pd.DatetimeIndex) -> None:
    """Keep the stretch that was dragged over, of three values at least."""
    boxes = st.session_state["chart-history"]["selection"]["box"]
    if boxes:
        first, last = sorted(pd.to_datetime(boxes[0]["x"]))
        if np.diff(ds.searchsorted([first, last]))[0] >= 3:
            st.session_state["stretch"] = (whose, first, last)


def series_chosen(panel: Panel, name: str) -> int:
    """Which series of a panel is drawn."""
    if len(panel.ids) == 1:
        return 0
    places = range(len(panel.ids))
    return st.selectbox("Series", places, key=key(name), format_func=lambda i: escaped(panel.ids[i]), width=240) or 0


def how_far_back(length: int, h: int, name: str) -> int:
    """How many of the last values are drawn.

    Args:
        length: how many values there are.
        h: steps ahead: the slider starts at eight times as many values, or at all of them.
        name: of the widget.
    """
    choices = sorted({n for n in (50, 100, 200, 500, 1_000, 5_000, 20_000, 100_000, 8 * h) if n < length} | {length})
    first = next((n for n in choices if n >= 8 * h), length)
    if len(choices) == 1:
        return length
    spoken = lambda n: "all" if n == length else f"last {n:,}"  # noqa: E731
    return st.select_slider("Past", choices, first, key=key(name, str(length), str(h)), format_func=spoken, width=360)
