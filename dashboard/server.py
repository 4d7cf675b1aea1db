"""What the server does beside showing the page: it starts and ends the engine, tells whether it is ready, and sets headers.

All that needs NumPy is imported in a thread, in functions: the server answers before it is there.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.starlette import App

log = logging.getLogger("forecasting.dashboard")


@asynccontextmanager
async def with_engine(_app: App) -> AsyncIterator[None]:
    """Start the engine beside the server, and end it before the server.

    Where it cannot be started the server shows a page that says why, and that tries again, as `/ready` does.
    """
    starting = asyncio.create_task(asyncio.to_thread(_start))
    yield
    await starting
    await asyncio.to_thread(_close)


def _start() -> None:
    try:
        if trouble := _trouble():
            log.error("%s", trouble)
    except Exception:  # whatever it is, the server shall live to show it
        log.exception("the engine could not be started")


def _close() -> None:
    from dashboard import service

    service.close()


async def _ready(_request: Request) -> PlainTextResponse:
    """`ok`, or status 503 and why no fit can be worked on."""
    trouble = await asyncio.to_thread(_trouble)
    return PlainTextResponse(trouble or "ok", 503 if trouble else 200)


def _trouble() -> str:
    from dashboard import service

    return service.trouble()


class SecurityHeaders:
    """Tells browsers, with every answer, not to guess types, not to tell other sites addresses of pages, and whose pages may
    show this one in a frame: its own, and those of the origins that `server.corsAllowedOrigins` trusts."""

    def __init__(self, app: ASGIApp) -> None:
        ancestors = " ".join(["'self'", *st.get_option("server.corsAllowedOrigins")])
        self.headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Content-Security-Policy": f"frame-ancestors {ancestors}",
        }
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; what is no HTTP, as websockets, passes untouched."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class LateIdentity:
    """`identity.Identity`, which is imported with the first request: the server answers before the database is there."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.identity: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if self.identity is None and scope["type"] == "http":
            self.identity = await asyncio.to_thread(_identity, self.app)
        await (self.identity or self.app)(scope, receive, send)


def _identity(app: ASGIApp) -> ASGIApp:
    from dashboard.identity import Identity

    return Identity(app)


HEADERS, IDENTITY = Middleware(SecurityHeaders), Middleware(LateIdentity)
_base = str(st.get_option("server.baseUrlPath")).strip("/")
READY = Route(f"/{_base}/ready" if _base else "/ready", _ready)
"""Below the base path, as all of Streamlit's own."""
