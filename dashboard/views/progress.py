"""What moves: a run under way, in a line and fit by fit, and its learning curves while they grow."""

import math
import time
from collections.abc import Mapping

import streamlit as st

from dashboard import computed, curves
from dashboard.access import run_for
from dashboard.chart import theme
from dashboard.components import asked_again
from dashboard.results import fits_of_run
from dashboard.views.header import is_mine, stop
from dashboard.words import digits, duration, escaped, part_of
from forecasting.experiment import LookBackFit, SeriesFit, Training, WindowFit
from forecasting.runs.views import FitView, RunView

TICK_S = 0.5
SCORING = ("scoring", "backtesting", "forecasting")
"""Stages in which a fit makes something of what it has learned."""
STAGES = {
    "starting": "starting: its worker gets ready",
    "preparing": "cutting windows",
    "compiling": "compiling its network, once per shape: some seconds",
}
"""What is said of a stage where its name does not say it."""
FIRST_EPOCH_WAIT_S = 0.6


def in_a_line(run: RunView) -> None:
    """How far a run under way is, in a line; when it has ended the page is drawn anew."""
    st.fragment(_line, run_every=TICK_S)(run.id)


@asked_again
def _line(run_id: str) -> None:
    run = run_for(run_id)
    if run is None or not trains(run):
        st.rerun()
    waited = [fit for fit in run.fits if _waited_for(fit) and fit.id not in run.withdrawn]
    st.markdown(f":blue[**{sum(fit.ended for fit in waited)} of {len(waited)} fits done**] · {_now(waited)}")


def _now(fits: list[FitView]) -> str:
    """What a run is at, in words."""
    running = [f"{fit.label}: {_words(fit, None)}" for fit in fits if fit.status == "running"]
    if running:
        return "; ".join(running)
    waiting = [fit.queue_place for fit in fits if fit.queue_place]
    return f"waiting, place {min(waiting)} in the queue" if waiting else "starting"


def growing(run: RunView, lines: Mapping[str, float]) -> None:
    """The learning curves of a run under way, and how far each fit is.

    Args:
        run: the run.
        lines: what curves are held against: see `curves.lines_of`.
    """
    st.fragment(_live, run_every=TICK_S)(run.id, _ended(run), lines)


@asked_again
def _live(run_id: str, ended_before: int, lines: Mapping[str, float]) -> None:
    """One tick: read the run, redraw what moves, and the whole page once another fit has ended."""
    run = _read(run_id)
    if run is None or not trains(run) or _ended(run) != ended_before:
        st.rerun()
    waited = list(filter(_waited_for, run.fits))
    done = sum(1.0 if fit.ended else _share_done(fit) for fit in waited) / max(1, len(waited))
    st.set_page_config(page_title=f"{done:.0%} · Forecasting lab")  # seen in the tab by who looks at another one meanwhile
    left, right = st.columns([3, 2], gap="medium")
    with left:
        chart = curves.live_chart(fits_of_run(run), lines, theme(), curves.in_another_scale(run.experiment))
        st.echarts_chart(chart, height=curves.HEIGHT, key="live-chart")
    with right, st.container(key="fits"):
        if run.experiment.plan is not None:
            _models(run)
        else:
            for fit in waited:
                _progress(fit, run)


def trains(run: RunView) -> bool:
    """Whether a run still waits for one of its models; scores at other look-backs are asked for later."""
    fits = (fit for fit in run.fits if not isinstance(fit.fit, LookBackFit))
    return any(not fit.ended and fit.id not in run.withdrawn for fit in fits)


def _ended(run: RunView) -> int:
    """How many fits have ended of those whose scores were not on the page from the beginning."""
    return sum(fit.ended for fit in run.fits if _waited_for(fit))


def _waited_for(fit: FitView) -> bool:
    """Whether a worker alone can do a fit."""
    if isinstance(fit.fit, LookBackFit):
        return False
    return isinstance(fit.fit, SeriesFit) or not computed.is_instant(fit.fit)


def _read(run_id: str) -> RunView | None:
    """Read a run; before its first epoch wait for it a little, so that it is on screen as soon as it is there."""
    until = time.monotonic() + FIRST_EPOCH_WAIT_S
    while True:
        run = run_for(run_id)
        begun = run is None or run.ended or any(fit.epochs for fit in run.fits)
        idle = run is None or all(fit.status != "running" for fit in run.fits)
        if begun or idle or time.monotonic() > until:
            return run
        time.sleep(0.03)


def progress(fit: FitView, budget_s: float | None = None) -> None:
    """One fit: its state in words, and a bar."""
    part = part_of(fit.fit)
    st.progress(_share_done(fit), text=f"**{fit.label}**{part and f', {part}'} · {_words(fit, budget_s)}")


def _progress(fit: FitView, run: RunView) -> None:
    """One fit, with a way to stop it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        progress(fit, run.experiment.budget_s if isinstance(fit.fit, WindowFit) else None)
        if fit.id in run.withdrawn and not fit.ended:
            st.caption("goes on for another run")
        elif not fit.ended and is_mine(run):
            st.button(
                "Stop",
                key=f"stop-{fit.id}",
                icon=":material/stop:",
                type="tertiary",
                on_click=stop,
                args=(run.id, fit.id),
            )


def _models(run: RunView) -> None:
    """The models of a run on whole series, a line each: what is being done of its fits, and a way to stop them."""
    models: dict[str, list[FitView]] = {}
    for fit in run.fits:
        models.setdefault(fit.label, []).append(fit)
    done = [label for label, fits in models.items() if all(fit.status == "finished" for fit in fits)]
    if done:
        st.caption(f"Done: {', '.join(done)}.")
    for label, fits in models.items():
        left = [fit for fit in fits if not fit.ended]
        if label in done:
            continue
        now = next((fit for fit in fits if fit.status == "running"), left[0] if left else fits[-1])
        share = sum(1.0 if fit.ended else _share_done(fit) for fit in fits) / len(fits)
        part = f", {part_of(now.fit)}" if now.status != "queued" else ""
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(share, text=f"**{label}**{part} · {_words(now, None)}")
            if left and is_mine(run):
                ids = [fit.id for fit in left]
                key = f"stop-{now.id}"
                st.button("Stop", key=key, icon=":material/stop:", type="tertiary", on_click=_stop, args=(run.id, ids))


def _stop(run_id: str, fit_ids: list[str]) -> None:
    for fit_id in fit_ids:
        stop(run_id, fit_id)


def _share_done(fit: FitView) -> float:
    """How much of a fit is done, from 0 to 1."""
    training = fit.fit.training
    if training is None:
        return 1.0 if fit.ended else fit.fraction or 0.0
    return min(1.0, (len(fit.epochs) + (fit.fraction or 0.0)) / training.epochs)


def _words(fit: FitView, budget_s: float | None) -> str:
    if fit.status == "queued":
        return f"waiting, place {fit.queue_place}"
    if fit.status != "running":
        return f"{fit.status}: {escaped(fit.reason)}" if fit.status in ("failed", "lost") and fit.reason else fit.status
    if not fit.epochs or fit.stage in SCORING:
        things = "series" if isinstance(fit.fit, SeriesFit) else "windows"
        stage = STAGES.get(fit.stage or "starting", fit.stage or "")
        return f"{fit.fraction:.0%} of its {things}" if fit.fraction and not fit.fit.training else stage
    first, last, training = fit.epochs[0], fit.epochs[-1], fit.fit.training or Training()
    words = f"epoch {last.epoch} of {training.epochs} · validation {digits(last.valid_loss)} · {duration(last.elapsed_s)}"
    if last is not first:  # the first epoch holds the compilation, and tells nothing of those to come
        an_epoch = (last.elapsed_s - first.elapsed_s) / (last.epoch - first.epoch)
        words += f", about {duration((training.epochs - last.epoch) * an_epoch)} left"
    late = last.elapsed_s > (budget_s or math.inf)
    return f"{words} (more than the {budget_s:g} s: this machine is slower, or busy)" if late else words
