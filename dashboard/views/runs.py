"""The Runs page: found again, noted on, pinned, deleted and taken back."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import computed, service
from dashboard.components import show_error, show_errors
from dashboard.identity import acting, can_sign_in, keeps_cookies, visitor
from dashboard.views.account import account_menu
from dashboard.views.compare import MOST, compare
from dashboard.views.header import ago, open_run
from dashboard.words import duration, escaped
from forecasting.data import SAMPLES
from forecasting.experiment import BadInput
from forecasting.models import MODELS
from forecasting.runs.archive import read_archive
from forecasting.runs.database import Unavailable
from forecasting.runs.records import DAY_S, KEPT_DAYS, Record, State, Wanted

PER_PAGE = 25
SOURCES = {"waves": "Waves", "sample": "Samples", "upload": "Uploads"}
TASKS = {"next": "Next step", "at_h": "h-th step", "all_h": "All h", "series": "Whole series"}
STATES: dict[State, str] = {"open": "Under way", "finished": "Finished", "ended early": "Ended early"}
SINCE = {1: "Since yesterday", 7: "A week", 30: "A month", 365: "A year"}
WHOSE = {"mine": "Mine", "all": "Everyone's"}
ORDERS: dict[Any, str] = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "title": "By title",
    "error": "Lowest error first",
    "skill": "Highest skill first",
}


def page() -> None:
    """Draw the page; where the server itself has trouble, say so in words."""
    st.session_state["page"] = "runs"
    try:
        service.engine()
        if "go" in st.session_state:
            name, run_id = st.session_state.pop("go")
            st.switch_page(st.session_state["pages"][name], query_params={"run": run_id})
        _page()
    except (BadInput, Unavailable) as error:
        show_error(error)


def _page() -> None:
    if "error" in st.session_state:
        show_error(st.session_state.pop("error"))
    compared = [run_id for run_id in st.query_params.get("compare", "").split(",") if run_id]
    st.session_state["about"] = "Runs beside each other" if compared else "Runs"
    st.subheader(st.session_state["about"], anchor=False)
    if compared:
        st.button("All runs", key="all-runs", icon=":material/arrow_back:", on_click=_show_list)
        compare(compared)
        return
    if not keeps_cookies():
        ways = ", unless you sign in" if can_sign_in() else ""
        st.caption(
            f"This browser keeps no cookie: what is started here belongs to this page alone, and to nobody later{ways}."
        )
    with st.container(horizontal=True, horizontal_alignment="right"):
        _bring()
        account_menu()
    wanted = _wanted()
    place = st.session_state.get("runs-place", 1)
    found, n = service.store().listed(wanted, (place - 1) * PER_PAGE, PER_PAGE)
    if not found and place > 1:  # fewer are found than before
        st.session_state["runs-place"] = 1
        st.rerun()
    if not n:
        st.info("No run is found. Train one in the Lab, or make a forecast: it stays here.", icon=":material/search:")
        return
    chosen = _table(found)
    n_pages = -(-n // PER_PAGE)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{n:,} {'run' if n == 1 else 'runs'}. Choose one or more by the boxes at the left.", width="stretch")
        if n_pages > 1:
            st.number_input(f"Page of {n_pages:,}", 1, n_pages, key="runs-place", width=140)
    if chosen:
        _what_to_do(chosen, wanted)


def _bring() -> None:
    """A way to restore a run that was taken away, here or on another server."""
    with st.popover("Bring a run", icon=":material/upload:"):
        st.caption(
            "The zip of everything that *Take away* of a run gave, here or on another server. It is kept as it came, and "
            "serves no other run. Links to it can be opened by everybody."
        )
        most = service.settings().max_upload_mb
        file = st.file_uploader(
            "Archive of a run", "zip", key="bring-file", max_upload_size=most, label_visibility="collapsed"
        )
        if file is not None and st.button("Restore it", key="bring", type="primary", icon=":material/restore:"):
            with st.spinner("Reading it"):
                _restore(file.getvalue())


def _restore(content: bytes) -> None:
    try:
        archive = read_archive(content, computed.reader)
        run_id = service.store().bring_run(archive, visitor(), service.settings().quota)
    except BadInput as error:
        show_error(error)
        return
    open_run(run_id)
    st.rerun()


def _wanted() -> Wanted:
    """What the filters ask for."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search", key="runs-text", placeholder="Title, tag, note or name", width=260, on_change=_first_page
        )
        whose = st.segmented_control(
            "Whose", list(WHOSE), default="mine", key="runs-whose", format_func=WHOSE.__getitem__, required=True
        )
        source, task, state = _any("Source", SOURCES), _any("Task", TASKS), _any("State", STATES)
        model = _any("Model", {name: model.title for name, model in MODELS.items()})
        since = _any("Since", SINCE)
        order = st.selectbox("Order", list(ORDERS), key="runs-order", format_func=ORDERS.__getitem__, on_change=_first_page)
        guide = st.toggle("Those of the Guide", key="runs-guide", on_change=_first_page)
        deleted = st.toggle("Deleted", key="runs-deleted", help=f"They can be taken back for {KEPT_DAYS} days.")
    return Wanted(
        owner=visitor(),
        only_own=whose == "mine",
        text=text.strip()[:200],
        source=source or "",
        task=task or "",
        model=model or "",
        state=state,
        since=time.time() - since * DAY_S if since else None,
        deleted=deleted,
        guide=guide,
        order=order or "newest",
        of_everybody=acting() is None,
    )


def _show_list() -> None:
    st.query_params.pop("compare", None)


def _compare(run_ids: list[str]) -> None:
    st.query_params["compare"] = ",".join(run_ids)


def _any(label: str, options: Mapping[Any, str]) -> Any:
    """A filter: one of the options, or none."""
    how: dict[str, Any] = {"placeholder": "Any", "on_change": _first_page, "format_func": options.__getitem__}
    return st.selectbox(label, list(options), None, key=f"runs-{label.lower()}", **how)


def _first_page() -> None:
    st.session_state["runs-place"] = 1


def _table(found: list[Record]) -> list[Record]:
    """The list; return what is chosen in it."""
    lines = pd.DataFrame(
        [
            {
                "Pinned": "★" if run.pinned else "",
                "Title": run.title,
                "Source": source_in_words(run.source),
                "Task": TASKS.get(run.task, run.task),
                "Models": ", ".join(MODELS[name].title for name in run.models if name in MODELS),
                "Best": MODELS[run.best].title if run.best in MODELS else None,
                "Error": run.error,
                "Skill": None if run.skill is None else 100 * run.skill,
                "State": STATES[run.state],
                "Took": duration(run.seconds),
                "When": ago(time.time() - run.created_at),
                "By": _by(run),
                "Tags": ", ".join(run.tags),
                "Note": run.note,
            }
            for run in found
        ]
    )
    number = st.column_config.NumberColumn
    event: Any = st.dataframe(
        lines,
        hide_index=True,
        height="content",
        key="runs",
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="–",
        column_config={
            "Pinned": st.column_config.TextColumn("★", width=40),
            "Title": st.column_config.TextColumn(width=280),
            "Error": number(format="%.3g", help="Of the best model: its validation MSE; of whole series its MASE."),
            "Skill": number("Skill (%)", format="%.1f", help="Share of the baseline's error that it takes away."),
        },
    )
    return [found[i] for i in event.selection.rows if i < len(found)]


def _by(run: Record) -> str:
    """Who owns a run, and whether it is private."""
    who = "me" if run.owner == visitor() else run.author or "somebody else"
    return f"{who}, private" if run.private else who


def source_in_words(source: str) -> str:
    """What a run is about, for its line: waves, the sample's title, or a file."""
    kind, _, named = source.partition(" ")
    if kind == "sample" and named in SAMPLES:
        return SAMPLES[named].title
    if kind == "upload":
        known = service.store().upload(named)
        return known.name if known else "A deleted file"
    return SOURCES.get(kind, "")


def _what_to_do(chosen: list[Record], wanted: Wanted) -> None:
    """The buttons for what is chosen; what only owners may do is there for them alone."""
    mine = wanted.of_everybody or all(run.owner == wanted.owner for run in chosen)
    ids = [run.id for run in chosen]
    with st.container(horizontal=True):
        if wanted.deleted:
            st.button("Take back", key="take-back", icon=":material/undo:", on_click=_take_back, args=(ids,))
            if st.button("Delete for good now", key="runs-for-good", icon=":material/delete_forever:"):
                _ask_for_good(chosen)
            return
        if len(chosen) == 1:
            st.button(
                "Open the run",
                key="runs-open",
                type="primary",
                icon=":material/open_in_new:",
                on_click=open_run,
                args=(ids[0],),
            )
        if 1 < len(chosen) <= MOST:
            icon = ":material/compare_arrows:"
            st.button("Compare", key="runs-compare", type="primary", icon=icon, on_click=_compare, args=(ids,))
        if not mine:
            st.caption("Only who has started a run can change or delete it; open it, and start a copy of your own.")
            return
        if len(chosen) == 1 and st.button("Title, tags, note", key="runs-note", icon=":material/edit:"):
            _ask_what_to_note(chosen[0])
        pin = not all(run.pinned for run in chosen)
        st.button("Pin" if pin else "Unpin", key="runs-pin", icon=":material/keep:", on_click=_pin, args=(ids, pin))
        if st.button("Delete", key="runs-delete", icon=":material/delete:"):
            _ask_to_delete(chosen)


@st.dialog("Title, tags and note")
def _ask_what_to_note(run: Record) -> None:
    """Change what is said about a run."""
    title = st.text_input("Title", run.title, max_chars=120)
    tags = st.text_input("Tags", " ".join(run.tags), help="Words with blanks between.")
    note = st.text_area("Note", run.note, max_chars=4_000, help="Whoever finds the run can read it, and its tags.")
    if st.button("Keep", key="note-keep", type="primary"):
        _do(lambda: service.store().note(run.id, acting(), title=title, tags=tags.split(), note=note))
        st.rerun()


@st.dialog("Delete?")
def _ask_to_delete(chosen: list[Record]) -> None:
    """Name what goes, and delete it when the visitor says so."""
    _name(chosen)
    st.caption(f"What is under way ends, and links are dead. For {KEPT_DAYS} days it can all be taken back.")
    if st.button("Delete", key="delete-runs", type="primary", icon=":material/delete:"):
        _do(lambda: service.store().delete_runs([run.id for run in chosen], acting()))
        st.rerun()


@st.dialog("Delete for good?")
def _ask_for_good(chosen: list[Record]) -> None:
    """Name what goes, and delete it for good when the visitor says so."""
    _name(chosen)
    st.caption("Nobody can take it back.")
    if st.button("Delete for good", key="delete-runs-for-good", type="primary", icon=":material/delete_forever:"):
        _do(lambda: service.store().delete_for_good([run.id for run in chosen], acting()))
        st.rerun()


def _name(chosen: list[Record]) -> None:
    shown = [f"**{escaped(run.title)}**, {ago(time.time() - run.created_at)}" for run in chosen[:10]]
    more = f"\n\nand {len(chosen) - 10} more" if len(chosen) > 10 else ""
    st.markdown("\n\n".join(shown) + more)


def _do(action: Callable[[], None]) -> None:
    show_errors(action)()


@show_errors
def _take_back(run_ids: list[str]) -> None:
    service.store().take_back(run_ids, acting())


@show_errors
def _pin(run_ids: list[str], pin: bool) -> None:
    for run_id in run_ids:
        service.store().note(run_id, acting(), pinned=pin)
