"""Who a visitor is: who has signed in, or else a random id in a signed cookie of our own. Either owns runs and uploads.

The id alone is no proof: it stands in the database beside what it owns. Whoever brings it with the signature is its owner.
"""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from functools import cache

import streamlit as st
from itsdangerous import BadSignature, Signer
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard import service
from forecasting.experiment import BadInput
from forecasting.runs.database import Unavailable

COOKIE = "forecasting_visitor"
YEAR_S = 365 * 86_400
EARLIER = "_streamlit_xsrf"
"""Streamlit's cookie against forged requests, whose token was the owner before there was a cookie of our own."""


@cache
def _signer() -> Signer:
    """What signs: all servers of one database have the same secret."""
    return Signer(service.store().secret("visitor"), salt="visitor")


def signed(visitor_id: str) -> str:
    """The cookie of a visitor."""
    return _signer().sign(visitor_id).decode()


def read(cookie: str) -> str | None:
    """The visitor whose cookie this is; None where its signature is not ours."""
    try:
        return _signer().unsign(cookie).decode()
    except (BadSignature, UnicodeError):
        return None


@dataclass(frozen=True)
class Account:
    """Somebody who has signed in.

    Attributes:
        id: owns runs and uploads; a hash of who the provider says it is.
        name: to show others.
        administrator: may change and delete everything.
    """

    id: str
    name: str
    administrator: bool


def can_sign_in() -> bool:
    """Whether visitors can sign in: Streamlit's secrets have a section `auth`."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def account() -> Account | None:
    """Who has signed in; None where nobody has."""
    if not can_sign_in() or not st.user.is_logged_in:
        return None
    said = st.user.to_dict()
    who = f"{said.get('iss', '')} {said.get('sub', '')}"
    email = str(said.get("email") or "")
    names = {str(said.get("sub", "")).lower()} | ({email.lower()} if said.get("email_verified") is True else set())
    administrates = bool(names & service.settings().administrates)
    name = str(said.get("name") or email or "somebody")[:120]
    return Account(f"user-{hashlib.sha256(who.encode()).hexdigest()[:32]}", name, administrates)


def starts_private() -> bool:
    """Whether what the visitor starts now opens for the visitor alone."""
    known = account()
    return known is not None and service.store().starts_private(known.id)


def visitor() -> str:
    """Who owns what is started and uploaded on this page."""
    known = account()
    return browser_id() if known is None else known.id


def acting() -> str | None:
    """Who asks to change something: the visitor; None for administrators, who may change everything."""
    known = account()
    return None if known is not None and known.administrator else visitor()


def browser_id() -> str:
    """The id of this browser. Without cookies it lasts as long as the page."""
    known = read(st.context.cookies.get(COOKIE, ""))
    return known or st.session_state.setdefault("visitor", secrets.token_hex(16))


def keeps_cookies() -> bool:
    """Whether this browser has brought the cookie: some hosts drop it."""
    return read(st.context.cookies.get(COOKIE, "")) is not None


def earlier_id(cookie: str) -> str | None:
    """The id by Streamlit's cookie, `2|mask|masked token|time`: the mask changes with every request, the token does not."""
    parts = cookie.split("|")
    if len(parts) != 4 or parts[0] != "2":
        return None
    try:
        mask, masked = bytes.fromhex(parts[1]), bytes.fromhex(parts[2])
    except ValueError:
        return None
    if not mask or not masked:
        return None
    token = bytes(byte ^ mask[i % len(mask)] for i, byte in enumerate(masked))
    return hashlib.sha256(b"visitor" + token).hexdigest()[:32]


ASKED_FIRST = "/_stcore/host-config"
"""What a page asks for before it connects: its answer brings the cookie, and the page itself waits for no database."""


class Identity:
    """Gives every browser that has none a cookie, and one that was here before the id that it had."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; the answer to what a page asks for first takes the cookie along."""
        if scope["type"] != "http" or not scope["path"].endswith(ASKED_FIRST):
            await self.app(scope, receive, send)
            return
        cookie = await asyncio.to_thread(_cookie_for, HTTPConnection(scope))

        async def send_with_cookie(message: Message) -> None:
            if cookie and message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", cookie)
            await send(message)

        await self.app(scope, receive, send_with_cookie)


def _cookie_for(request: HTTPConnection) -> str | None:
    """The header that sets the cookie; None for who has one, or while the database does not answer."""
    try:
        if read(request.cookies.get(COOKIE, "")) is not None:
            return None
        value = signed(earlier_id(request.cookies.get(EARLIER, "")) or secrets.token_hex(16))
    except (BadInput, Unavailable):
        return None
    encrypted = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
    kept = f"Path=/; Max-Age={YEAR_S}; HttpOnly; SameSite=Lax" + ("; Secure" if encrypted else "")
    return f"{COOKIE}={value}; {kept}"
