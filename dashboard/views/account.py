"""Signing in, where this server lets visitors: who one is, whether what one starts is private, what came before."""

from typing import Any

import streamlit as st

from dashboard import service
from dashboard.components import show_errors
from dashboard.identity import Account, account, browser_id, can_sign_in, starts_private
from dashboard.words import escaped


def account_menu() -> None:
    """A button to sign in, or the menu of who has; nothing where nobody can."""
    if not can_sign_in():
        return
    known = account()
    if known is None:
        st.button("Sign in", key="sign-in", icon=":material/login:", on_click=st.login)
        return
    with st.popover(known.name[:24], icon=":material/person:"):
        role = ", who administrates this server" if known.administrator else ""
        st.caption(f"Signed in as {escaped(known.name)}{role}.")
        private, about = starts_private(), "It opens for you alone, with the file that it is about."
        how: dict[str, Any] = {"help": about, "on_change": _switch, "args": (known, not private)}
        st.toggle("What I start is private", private, "starts-private", **how)
        n = service.store().n_owned(browser_id())
        if n:
            label = f"Take over {n} {'run' if n == 1 else 'runs'} of this browser"
            about = "What was started here before you signed in becomes yours, with its files."
            st.button(label, key="take-over", icon=":material/move_down:", on_click=_take_over, args=(known,), help=about)
        st.button("Sign out", key="sign-out", icon=":material/logout:", on_click=st.logout)


@show_errors
def _switch(known: Account, private: bool) -> None:
    service.store().start_private(known.id, private)


@show_errors
def _take_over(known: Account) -> None:
    service.store().hand_over(browser_id(), known.id, known.name)
