"""The address of a page: what it shows, as a link. Each page writes it as settings change, and reads what others wrote.

Addresses that this page wrote within the last seconds are ignored: while settings change quickly, the browser may send them
again. A page that one comes back to by the navigation has a plain address, and shows what it has shown.
"""

import time

import streamlit as st

from dashboard import service
from dashboard.components import show_error
from dashboard.state import decode, encode
from forecasting.experiment import BadInput, Experiment
from forecasting.runs.views import RunView

ECHO_S = 5.0


def asked(page: str) -> dict[str, str] | None:
    """What the address asks for, when somebody has changed it: by a link, or by going back; None when nobody has."""
    wanted = {name: st.query_params[name] for name in ("run", "e") if name in st.query_params}
    here, st.session_state["page"] = st.session_state.get("page"), page
    known = st.session_state.setdefault("addresses", {})
    if here not in (None, page) and page in known and not wanted:
        return None
    written_at = st.session_state.setdefault("written", {}).get(str(wanted), -ECHO_S)
    if wanted == known.get(page, {}) or time.monotonic() - written_at < ECHO_S:
        return None
    known[page] = wanted
    return wanted


def found(wanted: dict[str, str], opening: Experiment) -> tuple[RunView | None, Experiment]:
    """The run and the experiment that an address names.

    Raises:
        BadInput: when there are none.
    """
    if "run" in wanted:
        run = service.store().run(wanted["run"][:16])
        if run is None:
            raise BadInput("There is no run under this address: it was deleted, or the link is incomplete.")
        return run, run.experiment
    return None, decode(wanted["e"]) if "e" in wanted else opening


def has_failed(page: str, error: BadInput) -> None:
    """Remember that the address of a page cannot be shown, until the visitor leaves it."""
    st.session_state["not_shown"] = {page: error}


def cannot_be_shown(page: str) -> bool:
    """Say that the address of a page cannot be shown, and offer the way out; whether it is so.

    Nothing else is drawn then: other results below would pass for those that the link has promised.
    """
    error = st.session_state.get("not_shown", {}).get(page)
    if error is None:
        return False
    show_error(error)
    st.button("Open the page without it", key="leave-address", icon=":material/home:", on_click=_leave, args=(page,))
    return True


def _leave(page: str) -> None:
    st.session_state["not_shown"], st.session_state["addresses"][page] = {}, {}
    st.query_params.clear()


def write(page: str, run_id: str | None, experiment: Experiment, opening: Experiment) -> None:
    """Let the address of this page name a run, or the settings.

    Args:
        page: which page.
        run_id: the run that it shows; None where it shows settings.
        experiment: the settings.
        opening: those that the page shows under its plain address.
    """
    if run_id is not None:
        address = {"run": run_id}
    elif experiment == opening:
        address = {}
    else:
        address = {"e": encode(experiment)}
    written, known = st.session_state["written"], st.session_state["addresses"]
    left, known[page] = known.get(page, {}), address
    for old in [text for text, at in written.items() if time.monotonic() - at >= ECHO_S]:
        del written[old]
    written[str(left)] = written[str(address)] = time.monotonic()  # an address just left still comes back as an echo
    if {name: st.query_params[name] for name in st.query_params} != address:
        st.query_params.from_dict(address)


def go(page: str, wanted: dict[str, str]) -> None:
    """Turn to another page, with what its address is to ask for."""
    st.switch_page(st.session_state["pages"][page], query_params=wanted)


def chosen_run(here: str) -> str:
    """The run that somebody has chosen from a list, or none; when another page shows it, turn there."""
    page, run_id = st.session_state.pop("go", (here, ""))
    if page != here:
        go(page, {"run": run_id})
    return run_id


def link() -> str:
    """The link to what this page shows."""
    address = "&".join(f"{name}={value}" for name, value in st.session_state["addresses"][st.session_state["page"]].items())
    base = (st.context.url or "").split("?")[0]
    return f"{base}?{address}" if address else base
