"""How networks have learned: their curves, that can be watched growing again, and how to train on."""

import time
from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from dashboard import actions, curves, service
from dashboard.chart import show, theme
from dashboard.components import show_errors
from dashboard.identity import visitor
from dashboard.results import Fits, Outcome, Row
from dashboard.views.header import ago, open_run
from dashboard.words import duration, escaped, part_of
from forecasting.data import Split
from forecasting.experiment import Experiment, SeriesFit
from forecasting.runs.views import FitView, RunView

REPLAY_S = 6.0
FRAME_S = 0.15


def learning(rows: list[Row], run: RunView | None, split: Split, experiment: Experiment) -> None:
    """The learning curves of an experiment whose networks are trained, or a word about how they come to be.

    Args:
        rows: the models of the experiment; those that the page computes have no curve.
        run: the run that is shown; None where none was started.
        split: its windows.
        experiment: the settings.
    """
    fitted = [row for row in rows if not row.instant]
    if not fitted:
        return
    trained = [row for row in fitted if row.model.trained]
    st.markdown("#### Learning")
    if any(outcome.view and outcome.view.epochs for row in trained for outcome in row.outcomes):
        finished_curves(trained, curves.lines_of(rows, split.noise_floor, experiment), run, experiment, _unlike(trained))
        if run is not None:
            offer_to_continue(run)
    elif trained:
        st.caption("Press Train: the loss of every network appears here, epoch by epoch.")
    _say_samples([row for row in fitted if row.model.local], split)
    for row in fitted:
        for outcome in row.outcomes:
            if outcome.view is not None and outcome.view.reason and outcome.view.status != "finished":
                say_why(outcome.view)


def finished_curves(
    trained: list[Fits] | list[Row], lines: Mapping[str, float], run: RunView | None, experiment: Experiment, said: str
) -> None:
    """Curves that grow no more; on request they are drawn once more as they grew.

    Args:
        trained: the networks.
        lines: what they are held against: see `curves.lines_of`.
        run: the run that is shown; None where none was started.
        experiment: the settings.
        said: further words below the chart.
    """
    scaled = curves.in_another_scale(experiment)
    shown = "-".join(outcome.view.id for fits in trained for outcome in fits.outcomes if outcome.view)
    began = st.session_state.get("replay", {}).get(shown)
    if began is not None:
        st.fragment(_replay, run_every=FRAME_S)(trained, lines, scaled, began)
    else:
        alt = "Training loss thin and validation loss thick, per epoch, on a log axis."
        show(curves.curves_figure(trained, lines, scaled), "learning", alt)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Thin: training loss. Thick: validation loss, its best epoch in a ring.{said}{_known(trained, run)}")
        st.button(
            "Watch it learn",
            key="replay-curves",
            icon=":material/replay:",
            type="tertiary",
            on_click=_start_replay,
            args=(shown,),
            disabled=began is not None,
            help=f"Draws these curves once more as they grew, in {REPLAY_S:g} seconds.",
        )


def _known(trained: list[Fits] | list[Row], run: RunView | None) -> str:
    """That nothing had to be trained for a run, since when, and how long that took."""
    views = [outcome.view for fits in trained for outcome in fits.outcomes if outcome.view]
    ends = [view.ended_at for view in views if view.ended_at]
    if run is None or not views or len(ends) < len(views) or max(ends) >= run.created_at:
        return ""
    took = duration(sum(end - (view.started_at or end) for view, end in zip(views, ends, strict=True)))
    return f" All of it was known already: trained {ago(time.time() - max(ends))}, in {took}."


def _start_replay(shown: str) -> None:
    st.session_state["replay"] = {shown: time.time()}


def _replay(trained: list[Fits] | list[Row], lines: Mapping[str, float], scaled: bool, began: float) -> None:
    """One frame: as much of every curve as there was after the same share of the time."""
    share = (time.time() - began) / REPLAY_S
    if share >= 1:
        del st.session_state["replay"]
        st.rerun()
    rows = [Fits(fits.model, [_until(outcome, share) for outcome in fits.outcomes]) for fits in trained]
    st.echarts_chart(curves.live_chart(rows, lines, theme(), scaled), height=curves.HEIGHT, key="replay-chart")


def _until(outcome: Outcome, share: float) -> Outcome:
    """What was known of a fit after a share of its time."""
    view = outcome.view
    if view is None:
        return outcome
    return replace(outcome, view=replace(view, epochs=view.epochs[: round(share * len(view.epochs))]))


def _say_samples(rows: list[Row], split: Split) -> None:
    """On how many windows the statistical models are scored, and the time that it took."""
    for row in rows:
        said = "press Train, and it is fitted to a sample of the windows."
        if row.windows is not None:
            seconds = f"{row.middle('fit_s') or 0:.1f} s"
            test = len(row.model.sampled(len(split.test)))
            said = f"fitted anew to {row.windows:,} of {len(split.valid):,} validation windows and {test:,} of "
            said += f"{len(split.test):,} test windows in {seconds}, and scored on them."
        st.caption(f"{row.label}: {said}")


def _unlike(rows: list[Row]) -> str:
    """Which losses do not measure what is scored."""
    iterated = [row.label for row in rows if getattr(row.model, "strategy", "direct") == "iterated"]
    sequence = [row.label for row in rows if row.label not in iterated and row.model.return_sequences]
    text = f" {', '.join(sequence)}: the training loss counts every step of the look-back." if sequence else ""
    return text + (f" {', '.join(iterated)}: both are for the next step alone." if iterated else "")


def offer_to_continue(run: RunView) -> None:
    """A way to train the networks of a run for further epochs, from where they are."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        most = service.settings().max_epochs
        epochs = st.number_input("Further epochs", 1, most, min(20, most), key="further-epochs", width=150)
        st.button(
            "Continue",
            key="continue",
            icon=":material/resume:",
            on_click=_continue,
            args=(run, int(epochs)),
            help="Trains on from the last epoch of every network, as if it had never ended. This run keeps its results.",
        )


@show_errors
def _continue(run: RunView, epochs: int) -> None:
    open_run(actions.start_run(run.further(epochs), visitor()))


def say_why(fit: FitView) -> None:
    """Why a fit ended as it did."""
    part, button = part_of(fit.fit), "Forecast" if isinstance(fit.fit, SeriesFit) else "Train"
    text = f"{fit.label}{part and f', {part}'}: {escaped(fit.reason or '')}"
    if fit.status in ("failed", "lost"):
        st.error(f"{text} Press {button} to try again.", icon=":material/error:")
    else:
        st.info(f"{text} Press {button} to go on.", icon=":material/stop_circle:")
