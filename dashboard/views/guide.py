"""The Guide: the chapter in ten steps. Each explains, asks for a guess, measures, and adds its lines to a table."""

from statistics import mean, stdev
from typing import Literal

import streamlit as st

from dashboard import actions, computed, service
from dashboard.chart import theme
from dashboard.components import asked_again, show_error, show_errors
from dashboard.drawings import drawing
from dashboard.estimate import in_words, waiting
from dashboard.identity import visitor
from dashboard.results import Row, rows_of
from dashboard.state import encode
from dashboard.views.guide_pictures import pictures
from dashboard.views.guide_steps import LEFT_OUT, STEPS, Step
from dashboard.views.progress import progress
from dashboard.words import digits
from forecasting.data import floor_of
from forecasting.evaluation.fits import window_fits
from forecasting.experiment import BadInput, Experiment, Fit, ModelChoice
from forecasting.models import MODELS, resolve
from forecasting.runs.database import Unavailable
from forecasting.runs.records import GUIDE
from forecasting.runs.views import FitView
from forecasting.studies.chapter import LINES, Line

SEEDS = (1, 2, 3)
QUICK = {"n_series": 200, "epochs": 2}
GUESSES = (0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5)
TICK_S = 0.7
LINE = {line.key: line for line in LINES}


def page() -> None:
    """Draw the step that the address names; where the server itself has trouble, say so in words."""
    st.session_state["page"] = "guide"
    try:
        service.engine()
        _keep_guesses()
        _page(_step_number())
    except (BadInput, Unavailable) as error:  # a wrong setting of the server, or a database that is away
        show_error(error)


def _step_number() -> int:
    """The step of the address, from 1, or the one that was left for another page; one beyond the last is the end."""
    left: dict[str, str] = st.session_state.setdefault("guide", {})
    if "step" not in st.query_params:
        st.query_params.update(left)
    left.update({name: st.query_params[name] for name in ("step", "quick") if name in st.query_params})
    asked = st.query_params.get("step", "1")
    return min(len(STEPS) + 1, max(1, int(asked))) if asked.isdecimal() and len(asked) < 4 else 1


def _keep_guesses() -> None:
    """Guesses are kept in the address, as `step-guess` joined by `_`, so that a reload or a link brings the table back."""
    guesses = st.session_state.setdefault("guesses", {})
    for pair in st.query_params.get("guesses", "").split("_")[: len(STEPS)]:
        number, _, guess = pair.partition("-")
        known = {f"{value:g}": value for value in GUESSES}
        if number in map(str, range(1, len(STEPS) + 1)) and guess in known:
            guesses.setdefault(int(number), known[guess])
    text = "_".join(f"{number}-{guess:g}" for number, guess in sorted(guesses.items()))
    if text != st.query_params.get("guesses", ""):
        st.query_params["guesses"] = text


def _page(number: int) -> None:
    error = st.session_state.pop("error", None)
    if error:
        show_error(error)
    if _quick():
        st.caption(
            f"A quick version to try the page: {QUICK['n_series']} series, {QUICK['epochs']} epochs, one seed. Its figures "
            "are not the chapter's."
        )
    if number > len(STEPS):
        st.caption("The end")
        st.header("What the text leaves out", anchor=False)
        st.markdown(LEFT_OUT)
    else:
        _step(number, STEPS[number - 1])
    _navigation(number)
    _table(number)


def _quick() -> bool:
    return st.query_params.get("quick") == "1"


def _experiment(row: Line) -> Experiment:
    """What a line measures here."""
    if not _quick():
        return row.experiment(SEEDS)
    full = row.experiment(SEEDS[:1])
    source = full.source.model_copy(update={"n_series": QUICK["n_series"]})
    training = full.training.model_copy(update={"epochs": QUICK["epochs"]})
    return full.model_copy(update={"source": source, "training": training})


def _fits(row: Line) -> list[Fit]:
    """The fits of a line's own model."""
    name = row.model
    return [fit for fit in window_fits(_experiment(row)) if fit.model.name == name]


# ------------------------------------------------------------------------------------------------------------ a step


def _step(number: int, step: Step) -> None:
    rows = [LINE[key] for key in step.rows]
    st.caption(f"Step {number} of {len(STEPS)}")
    st.header(step.title, anchor=False)
    left, right = st.columns([3, 2], gap="large")
    with right:
        for row in {row.model: row for row in reversed(rows)}.values():  # of variants the first
            if MODELS[row.model].trained or len(rows) == 1:
                model = resolve(ModelChoice(name=row.model, params=row.params))
                st.image(drawing(model, theme()), alt=f"Drawing of {model.label}")
    with left:
        st.markdown(step.text)
        _guess_or_answer(number, rows)
    first = _experiment(rows[0])
    alike = [row for row in rows if _alike(_experiment(row), first)]
    pictures(step.title, first, [one for row in alike for one in _models(row)], number in st.session_state["guesses"])


def _alike(one: Experiment, other: Experiment) -> bool:
    """Whether two experiments have the same windows."""
    return (one.source, one.task) == (other.source, other.task)


def _models(row: Line) -> list[Row]:
    """A line's own model, with what is known of it."""
    return [one for one in rows_of(_experiment(row)) if one.model.name == row.model]


def _guess_or_answer(number: int, rows: list[Line]) -> None:
    """Ask for a guess first; then show how it went."""
    guesses = st.session_state.setdefault("guesses", {})
    if number not in guesses:
        steps = "the next step" if rows[0].task == "next" else "ten steps"
        guess = st.pills(
            f"Your guess: the validation MSE of “{rows[0].title}” for {steps}",
            GUESSES,
            key=f"guess-{number}",
            format_func=lambda value: f"{value:g}",
            wrap=True,
        )
        _run_button(number, guess, rows)
        return
    views = _views(rows)
    if any(view is None or not view.ended for view in views.values()):
        if any(view is None for view in views.values()):
            _run_button(number, guesses[number], rows)
            return
        st.fragment(_live, run_every=TICK_S)(list(views))
        st.button("Stop", key="stop", icon=":material/stop:", type="tertiary", on_click=_stop, args=(list(views),))
        return
    for row in rows:
        _say(row, guesses[number] if row is rows[0] else None)
    if any(view and view.status != "finished" for view in views.values()):
        _run_button(number, guesses[number], rows)


def _run_button(number: int, guess: float | None, rows: list[Line]) -> None:
    """The button that takes the guess and measures; before there is a guess it waits for one."""
    models, first = [one for row in rows for one in _models(row)], _experiment(rows[0])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Run it",
            key="run-it",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_run,
            args=(number, guess),
            disabled=guess is None,
            help="First a guess: choose a number above." if guess is None else None,
            shortcut="Ctrl+Enter",
        )
        if waiting(models):
            st.caption(f"{in_words(models, len(computed.windows(first.source, first.task).train))}.")
        elif any(not one.instant for one in models):
            st.caption("Known already: somebody has measured it here.")


@show_errors
def _run(number: int, guess: float) -> None:
    """Take the guess, and start what is not known yet."""
    st.session_state["guesses"][number] = guess
    for key in STEPS[number - 1].rows:
        if any(fit.training is not None for fit in _fits(LINE[key])):
            actions.start_run(_experiment(LINE[key]), visitor(), tags=(GUIDE,))


@show_errors
def _stop(fit_ids: list[str]) -> None:
    """Stop the visitor's own runs of these fits."""
    store = service.store()
    for run_id, *_ in store.recent_runs(visitor()):
        run = store.run(run_id)
        if run is not None and not run.ended and any(fit.id in fit_ids for fit in run.fits):
            store.stop(run_id, owner=visitor())


def _views(rows: list[Line]) -> dict[str, FitView | None]:
    """The trained fits of some lines as they stand, by id."""
    ids = [fit.id for row in rows for fit in _fits(row) if fit.training is not None]
    known = service.store().fits(ids)
    return {fit_id: known.get(fit_id) for fit_id in ids}


@asked_again
def _live(ids: list[str]) -> None:
    """One tick: a bar per fit, and the whole page once all have ended."""
    views = service.store().fits(ids)
    if all(view.ended for view in views.values()):
        st.rerun()
    for view in (views[fit_id] for fit_id in ids if fit_id in views):
        progress(view)


def _scores(row: Line) -> list[float]:
    """The validation MSE of every seed that is known."""
    fits = _fits(row)
    if fits[0].training is None:
        return [computed.result_of(fit.canonical()).valid.mse for fit in fits]
    views = service.store().fits([fit.id for fit in fits])
    return [view.result["valid_mse"] for view in views.values() if view.result]


def _say(row: Line, guess: float | None) -> None:
    """The answer in a sentence, beside the guess."""
    scores = _scores(row)
    if not scores:
        if any(view and view.status in ("failed", "lost") for view in _views([row]).values()):
            st.warning(f"{row.title} has not been measured: its training failed. Run it again.", icon=":material/error:")
        else:
            st.info(f"{row.title} has not been measured: it was stopped before its first epoch had ended. Run it again.")
        return
    spread = f" ± {digits(stdev(scores))} over {len(scores)} seeds" if len(scores) > 1 else ""
    told_by = f" You guessed {guess:g}." if guess is not None else ""
    text = " The chapter has no figure for it."
    if row.text_mse or row.notebook_mse:
        text = f" The text says {row.text_mse:g}." if row.text_mse else f" Its notebook says {row.notebook_mse:g}."
    text += f" {row.remark}" if row.remark else ""
    if any(view and view.status == "stopped" for view in _views([row]).values()):
        text += " It was stopped before its last epoch."
    st.markdown(f"**{row.title}: {digits(mean(scores))}**{spread}.{told_by}{text}")


# ------------------------------------------------------------------------------------------------- the walk, the table


def _navigation(number: int) -> None:
    """Back, on, and to the Lab."""
    answered = number in st.session_state["guesses"]
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, icon, to in (("Back", "arrow_back", number - 1), ("Next", "arrow_forward", number + 1)):
            style: Literal["primary", "secondary"] = "primary" if label == "Next" and answered else "secondary"
            outside = not 1 <= to <= len(STEPS) + 1
            st.button(label, key=label, icon=f":material/{icon}:", type=style, disabled=outside, on_click=_go, args=(to,))
        lab, icon = st.session_state["pages"]["lab"], ":material/science:"
        if number > len(STEPS):
            st.page_link(lab, label="To the Lab", icon=icon)
        else:
            address = {"e": encode(_experiment(LINE[STEPS[number - 1].rows[0]]))}
            st.page_link(lab, label="Open in the Lab", icon=icon, query_params=address)


def _go(number: int) -> None:
    st.query_params["step"] = str(number)


def _table(number: int) -> None:
    """Every line that has been measured on the way."""
    guessed = st.session_state.get("guesses", {})
    keys = [key for i, step in enumerate(STEPS, 1) if i <= number and i in guessed for key in step.rows]
    measured = {key: _scores(LINE[key]) for key in keys}
    lines = [_line(LINE[key], scores) for key, scores in measured.items() if scores]
    if not lines:
        return
    st.markdown("#### So far")
    figure = st.column_config.NumberColumn(format="%.3g")
    names = ("In the text", "In the notebook", "Here", "± SD", "Noise floor")
    st.dataframe(
        lines,
        hide_index=True,
        height="content",
        key="guide-table",
        placeholder="–",
        column_config={"Model": st.column_config.TextColumn(pinned=True, width=230), **dict.fromkeys(names, figure)},
    )
    st.caption(
        "Validation MSE, mean over seeds. The text is the book's chapter, the notebook the code that its author publishes "
        "beside it. The next step is measured on 51 points and ten steps on 60: other series."
    )


def _line(row: Line, scores: list[float]) -> dict:
    return {
        "Model": row.title,
        "Here": mean(scores),
        "± SD": stdev(scores) if len(scores) > 1 else None,
        "In the text": row.text_mse,
        "In the notebook": row.notebook_mse,
        "Task": "next step" if row.task == "next" else "10 steps",
        "Noise floor": floor_of(_experiment(row).source),
    }
