"""What moves: the fits of a run while they wait and train, their learning curves, and scores at other look-backs."""

import time

import streamlit as st

from dashboard import actions, computed, curves, service
from dashboard.chart import show, theme
from dashboard.components import show_error, show_errors
from dashboard.results import Row, fits_of_run
from dashboard.state import visitor
from dashboard.views.header import open_run, stop
from dashboard.words import digits, escaped, part_of
from forecasting.data import Split
from forecasting.experiment import Experiment, LookBackFit, SeriesFit, Training, WindowFit
from forecasting.experiment.tasks import LOOK_BACKS
from forecasting.runs.database import Unavailable
from forecasting.runs.views import FitView, RunView

TICK_S = 0.5
SCORING = ("scoring", "backtesting", "forecasting")
"""Stages in which a fit makes something of what it has learned."""
FIRST_EPOCH_WAIT_S = 0.6


def learning(rows: list[Row], run: RunView | None, split: Split, experiment: Experiment) -> None:
    """The learning curves: growing while a run is under way, standing still when it has ended.

    Args:
        rows: the models of the experiment; those that the page computes have no curve.
        run: the run that is shown; None where none was started.
        split: its windows.
        experiment: the settings.
    """
    fitted = [row for row in rows if not row.instant]
    if not fitted:
        return
    st.markdown("#### Learning")
    if run is not None and trains(run):
        growing(run)
        return
    trained = [row for row in fitted if row.model.trained]
    if any(outcome.view and outcome.view.epochs for row in trained for outcome in row.outcomes):
        scaled = curves.in_another_scale(experiment)
        alt = "Training loss thin and validation loss thick, per epoch, on a log axis."
        show(curves.curves_figure(trained, split.noise_floor, scaled), "learning", alt)
        st.caption(f"Thin: training loss. Thick: validation loss.{_unlike(trained)}")
        if run is not None:
            offer_to_continue(run)
    elif trained:
        st.caption("Press Train: the loss of every network appears here, epoch by epoch.")
    _say_samples([row for row in fitted if row.model.local], split)
    for row in fitted:
        for outcome in row.outcomes:
            if outcome.view is not None and outcome.view.reason and outcome.view.status != "finished":
                say_why(outcome.view)


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


def growing(run: RunView) -> None:
    """The learning curves of a run under way, and how far each fit is."""
    st.fragment(_live, run_every=TICK_S)(run.id, _ended(run))


def _live(run_id: str, ended_before: int) -> None:
    """One tick: read the run, redraw what moves, and the whole page once another fit has ended."""
    try:
        run = _read(run_id)
    except Unavailable as error:  # the next tick asks again
        show_error(error)
        return
    if run is None or not trains(run) or _ended(run) != ended_before:
        st.rerun()
    left, right = st.columns([3, 2], gap="medium")
    with left:
        chart = curves.live_chart(fits_of_run(run), theme(), curves.in_another_scale(run.experiment))
        st.echarts_chart(chart, height=330, key="live-chart")
    with right, st.container(key="fits"):
        if run.experiment.plan is not None:
            _models(run)
        else:
            for fit in filter(_waited_for, run.fits):
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
        run = service.store().run(run_id)
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
        elif not fit.ended:
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
            if left:
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
        return f"{fit.fraction:.0%} of its {things}" if fit.fraction and not fit.fit.training else fit.stage or "starting"
    last, training = fit.epochs[-1], fit.fit.training or Training()
    validation = f"validation {digits(last.valid_loss)}"
    left = (training.epochs - last.epoch) * _epoch_seconds(fit)
    late = f" (more than the {budget_s:g} s: this machine is slower, or busy)" if last.elapsed_s > (budget_s or 1e9) else ""
    words = f"epoch {last.epoch} of {training.epochs} · {validation} · {last.elapsed_s:.0f} s, about {left:.0f} s left"
    return words + late


def _epoch_seconds(fit: FitView) -> float:
    """Seconds per epoch so far; the first epoch, which holds the compilation, counts only while it is alone."""
    first, last = fit.epochs[0], fit.epochs[-1]
    return first.elapsed_s if last is first else (last.elapsed_s - first.elapsed_s) / (last.epoch - first.epoch)


def say_why(fit: FitView) -> None:
    """Why a fit ended as it did."""
    part, button = part_of(fit.fit), "Forecast" if isinstance(fit.fit, SeriesFit) else "Train"
    text = f"{fit.label}{part and f', {part}'}: {escaped(fit.reason or '')}"
    if fit.status in ("failed", "lost"):
        st.error(f"{text} Press {button} to try again.", icon=":material/error:")
    else:
        st.info(f"{text} Press {button} to go on.", icon=":material/stop_circle:")


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
        st.button("Score", key="score-look-back", on_click=_score, args=(run.id, parents, look_back))
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


def _await_scores(run_id: str) -> None:
    try:
        run = service.store().run(run_id)
    except Unavailable as error:  # the next tick asks again
        show_error(error)
        return
    if run is None or run.ended:
        st.rerun()


@show_errors
def _score(run_id: str, parents: list[WindowFit], look_back: int) -> None:
    fits = [LookBackFit(parent=parent, look_back=look_back) for parent in parents]
    actions.add_to_run(run_id, fits, visitor())
