"""The head of the page: what it is about, how it stands, and the one thing to press."""

import time

import streamlit as st

from dashboard import actions, address, service
from dashboard.access import run_for
from dashboard.components import show_error, show_errors
from dashboard.differences import differing
from dashboard.estimate import in_words, waiting
from dashboard.identity import account, acting, visitor
from dashboard.results import Row
from dashboard.state import take
from dashboard.titles import title_of
from dashboard.verdict import verdict
from dashboard.views.account import account_menu
from dashboard.views.take_away import take_away
from dashboard.words import duration, escaped
from forecasting.data import Split
from forecasting.experiment import BadInput, Experiment, LookBackFit
from forecasting.runs.views import RunView


def header(experiment: Experiment, rows: list[Row], run: RunView | None, split: Split) -> None:
    """Title, state, recent runs, link, Train or Stop; and the verdict in a sentence.

    Args:
        experiment: the settings.
        rows: its models.
        run: the run that is shown; None where none was started.
        split: its windows; of them the noise floor is used, and how many there are to learn from.
    """
    error = st.session_state.pop("error", None)
    if error:
        show_error(error)
    small_enough = _within_limits(experiment)
    with st.container(horizontal=True, vertical_alignment="center", key="header"):
        st.session_state["about"] = title_of(experiment)
        st.subheader(st.session_state["about"], width="stretch", anchor=False)
        if run is not None:
            _pill(run)
        recent()
        share(run)
        take_away(run)
        account_menu()
        _train_or_stop(experiment, rows, run, small_enough)
    st.markdown(f"{verdict(rows, split.noise_floor)} {_estimate(rows, run, len(split.train))}")
    say_earlier(run)


def say_earlier(run: RunView | None) -> None:
    """Say that results are those of another server, or of an earlier version, which may have come to others."""
    if run is not None and run.brought:
        st.caption("Computed by another server and brought here: its figures are as they came, and serve no other run.")
    elif run is not None and run.earlier:
        st.caption(
            "Computed by an earlier version of this app: these results are kept as they are. Asked for anew, they may "
            "come out a little different."
        )


def _pill(run: RunView) -> None:
    if not run.ended:
        st.badge("training", color="blue")
        return
    statuses = {
        "stopped" if fit.id in run.withdrawn else fit.status for fit in run.fits if not isinstance(fit.fit, LookBackFit)
    }
    for status, colour, word in (
        ("failed", "red", "failed"),
        ("lost", "red", "lost"),
        ("stopped", "orange", "stopped"),
        ("cancelled", "orange", "stopped"),
    ):
        if status in statuses:
            st.badge(word, color=colour)  # type: ignore[arg-type]  # a literal, listed above
            return
    st.badge("finished", color="green")


def recent() -> None:
    """The visitor's latest runs, to open one; nothing where there are none."""
    runs = service.store().recent_runs(visitor())
    if not runs:
        return
    with st.popover("Recent", icon=":material/history:"):
        for run_id, title, created_at in runs:
            since = ago(time.time() - created_at)
            st.button(
                f"{escaped(title)} · {since}", key=f"recent-{run_id}", on_click=open_run, args=(run_id,), type="tertiary"
            )


def ago(seconds: float) -> str:
    """How long since something, in words."""
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        n = int(seconds // size)
        if n:
            return f"{n} {word}{'s' if n > 1 else ''} ago"
    return "just now"


@show_errors
def open_run(run_id: str) -> None:
    """Show a run with its settings."""
    run = run_for(run_id)
    if run is None:
        return
    if run.experiment.plan is not None:
        st.session_state["go"] = ("forecast", run_id)
    elif run.experiment.search is not None:
        st.session_state["go"] = ("search", run_id)
    else:
        st.session_state["go"], st.session_state["run_id"] = ("lab", run_id), run_id
        take(run.experiment)


def share(run: RunView | None) -> None:
    """The link to what the page shows: a run, or settings."""
    with st.popover("Share", icon=":material/link:"):
        st.caption("This link opens the run with its results." if run else "This link opens these settings.")
        st.code(address.link(), language=None, wrap_lines=True)
        if run is not None:
            _about(run)
            _keep_private(run)


def _keep_private(run: RunView) -> None:
    """A switch by which who has signed in keeps a run for oneself."""
    if account() is None or not is_mine(run):
        return
    about = "Whoever else has the link sees what one sees of a run that there is not; its file is private too."
    st.toggle("Private", run.private, key=f"private-{run.id}", on_change=_switch, args=(run,), help=about)


@show_errors
def _switch(run: RunView) -> None:
    service.store().keep_private(run.id, acting(), not run.private)


def _about(run: RunView) -> None:
    """Who has started a run, when, how long it took, and what it does unlike the chapter."""
    took = sum((fit.ended_at or 0.0) - fit.started_at for fit in run.fits if fit.started_at and fit.ended_at)
    whose = "Started here" if run.owner == visitor() else f"Started by {escaped(run.author or 'somebody else')}"
    st.caption(f"{whose} {ago(time.time() - run.created_at)}; its fits took {duration(took)}.")
    unlike = differing({"Chapter": Experiment(), "Here": run.experiment})
    if len(unlike):
        st.caption("Unlike the chapter's settings:")
        st.table(unlike.set_index("Setting").map(escaped), height=min(300, 30 * (len(unlike) + 1)))


def _within_limits(experiment: Experiment) -> bool:
    try:
        actions.refuse_too_large(experiment)
    except BadInput as error:
        show_error(error)
        return False
    return True


def _estimate(rows: list[Row], run: RunView | None, n_windows: int) -> str:
    """What Train would do and about how long that takes, in a sentence; nothing while it goes on or where all is done."""
    if not waiting(rows) or (run is not None and not run.ended):
        return ""
    return f"*Train* does {in_words(rows, n_windows)}."


def _train_or_stop(experiment: Experiment, rows: list[Row], run: RunView | None, small_enough: bool) -> None:
    if run is not None and not run.ended:
        stop_button(run)
        return
    left = waiting(rows)
    known = sum(len(row.outcomes) for row in rows if not row.instant and not row.model.combines) - len(left)
    words = f"{len(left)} {'fit' if len(left) == 1 else 'fits'} to train, {known} already known."
    words += f" {service.settings().max_waiting} of your fits may wait at a time."
    label = "Train" if left or run is None else "Trained"
    st.button(
        label,
        key="train",
        type="primary",
        icon=":material/play_arrow:",
        on_click=_train,
        args=(experiment,),
        disabled=not small_enough or (run is not None and not left),
        help=words,
        shortcut="Ctrl+Enter",
    )


def is_mine(run: RunView) -> bool:
    """Whether the visitor may stop and change a run: who has started it, or an administrator."""
    return acting() in (None, run.owner)


def stop_button(run: RunView) -> None:
    """The button that ends a run, for whoever has started it."""
    if not is_mine(run):
        st.caption("Started by somebody else, who alone can stop it.")
        return
    st.button("Stop", key="stop-all", icon=":material/stop:", on_click=stop, args=(run.id,), shortcut="Esc")


@show_errors
def stop(run_id: str, fit_id: str | None = None) -> None:
    """Withdraw a run's claim on one fit or on all."""
    service.store().stop(run_id, fit_id, acting())


@show_errors
def _train(experiment: Experiment) -> None:
    """Start a run; fits that are known or under way are shared, not repeated."""
    titled = experiment.model_copy(update={"title": title_of(experiment)})
    st.session_state["run_id"] = actions.start_run(titled, visitor())
