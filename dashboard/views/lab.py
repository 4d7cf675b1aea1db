"""The Lab: settings at the side; series, scores, learning, forecasts and errors in the middle."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from dashboard import address, computed, curves, figures, service
from dashboard.access import run_for
from dashboard.chart import show
from dashboard.components import show_error
from dashboard.results import Row, ensemble_rows, in_order, rows_of, with_known_filled
from dashboard.state import OPENING, NothingChosen, about_the_same, draft, experiment_of, key, take
from dashboard.titles import unit_of
from dashboard.verdict import best_of
from dashboard.views import learning, look_backs, progress, scores, sidebar, upload, welcome
from dashboard.views.header import header, open_run, stop_button
from dashboard.views.understood import understood
from dashboard.words import escaped
from forecasting.data import Split
from forecasting.evaluation.fits import ensembles_of, fits_of
from forecasting.experiment import BadInput, Experiment
from forecasting.runs.database import Unavailable
from forecasting.runs.views import RunView

BELOW_THE_FOLD_S = 2.0


def page() -> None:
    """Draw the page; where the server itself has trouble, say so in words."""
    try:
        _page()
    except Unavailable as error:
        show_error(error)
        st.button("Try again", key="again", icon=":material/refresh:")


def _page() -> None:
    """Draw the page from its address, the settings and what is known about them."""
    address.chosen_run("lab")
    _adopt_address()
    if address.cannot_be_shown("lab"):
        return
    try:
        service.engine()
    except BadInput as error:  # a wrong setting of the server, or a database that cannot be opened: nothing works without
        show_error(error)
        return
    sidebar.settings()
    run = _current_run()
    try:
        experiment = computed.decided(experiment_of(draft()), st.session_state.get("taken"))
        split, rows = _known_about(experiment, run)
    except NothingChosen:
        upload.drop_zone(draft(), sidebar.take_sample)
        return
    except BadInput as error:
        show_error(error)
        if draft()["kind"] == "upload":
            understood(draft(), error)
        _offer_ways_out()
        if run is not None:
            _offer_way_back(run)
        _as_before(run)
        return
    st.session_state["worked"] = experiment
    mine = run is not None and _same(run.experiment, experiment)
    address.write("lab", run.id if run and mine else None, experiment, OPENING)
    welcome.cards()
    header(experiment, rows, run if mine else None, split)
    if draft()["kind"] == "upload":
        understood(draft())
    if run is not None and not mine:
        _offer_way_back(run)
    _sections(experiment, split, rows, run if mine else None)


def _known_about(experiment: Experiment, run: RunView | None) -> tuple[Split, list[Row]]:
    """The windows of an experiment, and its models with what is known of each.

    Raises:
        BadInput: when source, task and models do not fit together.
    """
    split = computed.windows(experiment.source, experiment.task)
    rows = rows_of(experiment, run)
    split = with_known_filled(split, rows)
    return split, in_order([*rows, *ensemble_rows(experiment, rows, split)])


def _as_before(run: RunView | None) -> None:
    """While settings cannot be used, the results of those before."""
    experiment: Experiment | None = st.session_state.get("worked")
    if experiment is None or not about_the_same(experiment, draft()["kind"]):
        return
    try:
        split, rows = _known_about(experiment, run)
    except BadInput:  # as with a file that has been deleted
        return
    st.caption("Below are the results of the settings before the last change.")
    _sections(experiment, split, rows, run if run is not None and _same(run.experiment, experiment) else None)


def _offer_ways_out() -> None:
    """From settings that cannot be used: back to the last that could, or to the chapter's."""
    with st.container(horizontal=True):
        if "worked" in st.session_state:
            worked = (st.session_state["worked"],)
            st.button("Undo the last change", key="undo", icon=":material/undo:", on_click=take, args=worked)
        st.button(
            "The chapter's settings", key="start-over", icon=":material/restart_alt:", on_click=take, args=(Experiment(),)
        )


def _adopt_address() -> None:
    """Take settings and run from the address, when somebody has changed it."""
    wanted = address.asked("lab")
    if wanted is None:
        return
    st.session_state["reveal"], st.session_state["not_shown"] = None, {}
    try:
        run, experiment = address.found(wanted, OPENING)
        if experiment.plan is not None:
            address.go("forecast", wanted)
        if experiment.search is not None:
            address.go("search", wanted)
        st.session_state["run_id"] = None if run is None else run.id
        take(experiment)
    except BadInput as error:
        address.has_failed("lab", error)


def _same(one: Experiment, other: Experiment) -> bool:
    """Whether two experiments have the same fits, however they are written down."""
    ids, others = ([fit.id for fit in (*fits_of(e), *ensembles_of(e))] for e in (one, other))
    return ids == others


def _current_run() -> RunView | None:
    run_id = st.session_state.get("run_id")
    try:
        return None if run_id is None else run_for(run_id)
    except BadInput as error:
        st.session_state["run_id"], st.session_state["error"] = None, error
        return None


def _offer_way_back(run: RunView) -> None:
    """What becomes of the run before the settings were changed, and a way to see it."""
    under_way = progress.trains(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container():
            if under_way:
                st.caption("The settings have changed. The run before goes on:")
                progress.in_a_line(run)
            else:
                st.caption("The settings have changed since the last run. Its results are kept.")
        if under_way:
            stop_button(run)
        st.button("Show it", key="back", icon=":material/undo:", on_click=open_run, args=(run.id,))


def _sections(experiment: Experiment, split: Split, rows: list[Row], run: RunView | None) -> None:
    unit, scored = unit_of(experiment), any(row.scored for row in rows)
    under_way = run is not None and progress.trains(run)
    if run is not None and under_way:  # first what one has just asked for
        progress.growing(run, curves.lines_of(rows, split.noise_floor, experiment))
    scores.headlines(rows, split, unit)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        scores.series(experiment, split, unit)
    with right:
        st.markdown("#### Validation MSE")
        if scored:
            alt = "A point per model: its validation MSE on a log axis; the table below holds the numbers."
            show(figures.mse_figure(rows, split.noise_floor, unit), "mse", alt)
        else:
            st.caption("Nothing is scored yet: press Train.")
    scores.troubles(rows)
    if not experiment.task.lags:  # outputs are bounded, and sums of differences are not
        scores.warnings(rows, split)
    scores.scores(experiment, rows, split, unit)
    scores.leaders(experiment)
    if experiment.task.masked:
        scores.fillings(experiment, split)
    if not under_way:
        learning.learning(rows, run, split, experiment)
    if "opened" not in st.session_state:
        st.session_state["opened"] = "now"
        st.fragment(_below_the_fold, run_every=BELOW_THE_FOLD_S)()
        return
    _forecasts(experiment, split, rows, unit)
    if scored:
        _errors(experiment, split, rows, unit)
    if run is not None and not under_way:
        look_backs.other_look_backs(rows, run, experiment)
    st.segmented_control("Charts are saved as", ["png", "svg"], key="picture", default="png", format_func=str.upper)


def _below_the_fold() -> None:
    """Keep the places of what nobody sees yet, and draw it a moment later: the first chart is there a third sooner."""
    if st.session_state["opened"] == "now":
        st.session_state["opened"] = "before"
        for height in (340, 300):
            st.skeleton(height)
    else:
        st.rerun()


def _forecasts(experiment: Experiment, split: Split, rows: list[Row], unit: str) -> None:
    last = len(split.valid) - 1
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("#### Forecasts", width="stretch")
        channel, n_targets = 1, split.valid.n_targets
        if n_targets > 1:
            names = ", ".join(map(split.valid.channel_name, range(n_targets)))
            channel = st.number_input(
                "Channel", 1, n_targets, key=key("channel", str(n_targets)), width=120, help=f"In order: {escaped(names)}."
            )
        window = key("window", str(last))
        for label, find in (("Worst for the best", _worst), ("Where they differ most", _differing)):
            st.button(
                label, key=f"find-{find.__name__}", on_click=_show_window, args=(window, find, rows, split), type="tertiary"
            )
        index = st.number_input("Window of the validation part", 0, last, key=window, width=220)
    alt = "One window: look-back, truth as crosses, and a line per model."
    chart = figures.forecast_figure(rows, split, int(index), int(channel) - 1, experiment.task.steps, unit)
    show(chart, "forecast", alt)
    for row in rows:
        sample = row.model.sampled(len(split.valid))
        if row.scored and index not in sample:
            nearest = sample[abs(sample - index).argmin()]
            st.caption(f"{row.label}: this window is not in its sample; the nearest that is has the number {nearest}.")
    seeded = [row.label for row in rows if len(row.scored) > 1]
    if seeded:
        st.caption(f"{', '.join(seeded)}: the seed whose validation error is nearest to the median.")


def _show_window(widget: str, find: Callable[[list[Row], Split], int], rows: list[Row], split: Split) -> None:
    st.session_state[widget] = find(rows, split)


def _forecast_by(rows: list[Row]) -> np.ndarray:
    """What each scored model forecasts of the validation windows, `(n_models, n_windows, n_outputs)` in units."""
    found = [None if row.typical is None else row.typical.forecasts("valid") for row in rows]
    return np.stack([y_hat for y_hat in found if y_hat is not None])


def _worst(rows: list[Row], split: Split) -> int:
    """The window on which the best model errs most."""
    best = best_of(rows)
    if best is None:
        return 0
    errors = np.square(_forecast_by([best])[0] - split.valid.in_units(split.valid.y)).sum(axis=1)
    return int(np.argmax(np.nan_to_num(errors, nan=-1.0)))


def _differing(rows: list[Row], _: Split) -> int:
    """The window for which forecasts lie farthest apart."""
    y_hat = _forecast_by(rows)
    whole = y_hat[np.isfinite(y_hat).all(axis=(1, 2))]  # without those that are fitted to a sample
    return int(np.argmax(np.ptp(whole, axis=0).sum(axis=1))) if len(whole) else 0


def _errors(experiment: Experiment, split: Split, rows: list[Row], unit: str) -> None:
    several = len(experiment.task.steps) > 1
    left, right = st.columns(2, gap="medium") if several else (None, st.container())
    if left is not None:
        with left:
            st.markdown("#### Error by step ahead")
            chart = figures.per_step_figure(rows, experiment.task.steps, split.noise_floor, unit)
            show(chart, "steps", "Validation MSE of every model at each step ahead.")
    with right:
        st.markdown("#### Distribution of errors")
        show(figures.distribution_figure(rows, split, unit), "distribution", "How each model's errors are spread.")
