"""The address of a page: what it shows, as a link. Each page writes it, and reads what others wrote.

A run is written at once; settings when they have rested for a moment, so that a slider that is dragged makes one entry in
the browser's history. Until the browser says that it has the new address, the one before is ignored: it comes with what the
browser had sent earlier. An address that is lost on the way, as those of a page that is drawn anew in between, is sent
again. A page that one comes back to by the navigation has a plain address, and shows what it has shown.
"""

import time
from typing import Any

import streamlit as st

from dashboard.access import refuse_hidden, run_for
from dashboard.components import show_error
from dashboard.state import decode, encode
from forecasting.experiment import BadInput, Experiment
from forecasting.runs.views import RunView

Address = dict[str, str]

ECHO_S = 10.0
"""How long the browser is waited for: one without scripts never says that it has the new address."""
RESTED_MS, LOST_MS = 700, 3_000
NAMES = ("run", "e", "newer")
"""Of what an address may hold: a run, settings, and a newer file to hold a forecast against."""
_rested = st.components.v2.component(
    "rested_address",
    js="""
    let timer, turn = 0, went = false;
    window.addEventListener("popstate", () => { went = true; });
    const idle = window.requestIdleCallback ?? ((call) => setTimeout(call, 20));
    export default ({ data, setTriggerValue }) => {
      clearTimeout(timer);
      const mine = ++turn, until = Date.now() + data.lost_ms;
      if (data.awaited) arrived();
      else {
        went = false;
        if (!here(data.address)) timer = setTimeout(rested, data.rested_ms);
      }
      function here(address) {
        const params = new URLSearchParams(window.location.search);
        return data.names.every((name) => (params.get(name) ?? "") === (address[name] ?? ""));
      }
      function arrived() {
        if (here(data.put)) say("arrived", "here");
        else if (went) say("arrived", "gone on");
        else if (Date.now() > until) say("arrived", "lost");
        else timer = setTimeout(arrived, 100);
      }
      function rested() {  // not while the page is drawn anew, as under a slider that is still dragged
        if (document.querySelector("[data-test-script-state=running]")) timer = setTimeout(rested, 200);
        else say("address", data.address);
      }
      function say(name, value) {  // when nothing else is under way, with which it would go into one message
        idle(() => { if (mine === turn) setTriggerValue(name, value); });
      }
    };
    """,
)


def asked(page: str) -> Address | None:
    """What the address asks for, when somebody has changed it: by a link, or by going back; None when nobody has."""
    wanted = {name: st.query_params[name] for name in NAMES if name in st.query_params}
    here, st.session_state["page"] = st.session_state.get("page"), page
    browsers = st.session_state.setdefault("addresses", {})  # what the browser has, by page
    if here not in (None, page) and page in browsers and not wanted:
        browsers[page] = {}
        return None
    if wanted == browsers.get(page, {}):
        st.session_state["left"] = None
        return None
    left, left_at = st.session_state.get("left") or (None, 0.0)
    if wanted == left and time.monotonic() - left_at < ECHO_S:
        return None
    browsers[page], st.session_state["adopted"] = wanted, True
    return wanted


def found(wanted: Address, opening: Experiment) -> tuple[RunView | None, Experiment]:
    """The run and the experiment that an address names.

    Raises:
        BadInput: when there are none.
    """
    if "run" in wanted:
        run = run_for(wanted["run"][:16])
        if run is None:
            raise BadInput("There is no run under this address: it was deleted, or the link is incomplete.")
        return run, run.experiment
    experiment = decode(wanted["e"]) if "e" in wanted else opening
    refuse_hidden(experiment.source)
    return None, experiment


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


def write(page: str, run_id: str | None, experiment: Experiment, opening: Experiment, newer: str | None = None) -> None:
    """Let the address of this page name a run, or the settings.

    Args:
        page: which page.
        run_id: the run that it shows; None where it shows settings.
        experiment: the settings.
        opening: those that the page shows under its plain address.
        newer: the file that the run's forecast is held against; None where there is none.
    """
    address: Address = {"e": encode(experiment)}
    if run_id is not None:
        address = {"run": run_id} | ({"newer": newer} if newer else {})
    elif experiment == opening:
        address = {}
    st.session_state["link"] = address
    adopted = st.session_state.pop("adopted", False)
    if adopted or run_id is not None:
        _put(page, address)
    with st.container(key="rested"):
        _put_when_rested(page, address, _said())


def _put(page: str, address: Address) -> None:
    browsers = st.session_state["addresses"]
    if browsers.get(page, {}) != address:
        st.session_state["left"] = (browsers.get(page, {}), time.monotonic())
        browsers[page] = address
    if {name: st.query_params[name] for name in st.query_params} != address:
        st.query_params.from_dict(address)


@st.fragment
def _put_when_rested(page: str, address: Address, before: dict[str, Any]) -> None:
    """Let the browser have the address a moment after the last change: nothing else is drawn anew for it.

    Streamlit's side in the browser sends all that changes within a moment as one message, for the part of the page that was
    the first to change. So a setting that differs from what it was `before` came with a message of this part: the page is
    drawn anew.
    """

    def rested() -> None:
        said: dict[str, Any] = st.session_state["rested-address"]
        if said.get("address") == address:  # and not one of settings that have changed since
            _put(page, address)

    def arrived() -> None:
        if st.session_state["rested-address"].get("arrived") == "lost":
            st.query_params.from_dict(put)
        else:
            st.session_state["left"] = None

    put, awaited = st.session_state["addresses"].get(page, {}), st.session_state.get("left") is not None
    data = {"address": address, "put": put, "names": NAMES, "awaited": awaited, "rested_ms": RESTED_MS, "lost_ms": LOST_MS}
    said = _rested(key="rested-address", data=data, on_address_change=rested, on_arrived_change=arrived)
    if said.arrived == "gone on" or any(value != before.get(key, value) for key, value in _said().items()):
        st.rerun()  # the visitor went back at once, or has changed something else meanwhile


def _said() -> dict[str, Any]:
    """What the widgets of the settings say."""
    return {key: st.session_state[key] for key in st.session_state["starts"] if key in st.session_state}


def go(page: str, wanted: Address) -> None:
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
    address = "&".join(f"{name}={value}" for name, value in st.session_state["link"].items())
    base = (st.context.url or "").split("?")[0]
    return f"{base}?{address}" if address else base
