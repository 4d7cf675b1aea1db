"""Messages as a browser sends them, and as somebody sends them past all buttons."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from urllib.request import urlopen

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState

from dashboard.identity import COOKIE
from dashboard.state import encode
from forecasting import Experiment, ModelChoice, Training, Waves
from forecasting.runs.records import Wanted
from forecasting.runs.store import Store
from tests.browser.conftest import Dashboard
from tests.load import Tab, Watch, cookie, opened

LONG = Experiment(
    source=Waves(n_series=2_000, seed=91), models=(ModelChoice(name="gru"),), training=Training(epochs=400, batch_size=8)
)
FIRST_ROW = json.dumps({"selection": {"rows": [0], "columns": [], "cells": []}})
OWNERS = ("stop-all", "runs-pin", "runs-note", "note-keep", "runs-delete", "delete-runs")
"""Keys of the buttons that are an owner's alone."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Dashboard(tmp_path_factory.mktemp("forged"))
    made.environment |= {"FORECASTING_SLOTS": "1"}
    made.start()
    yield made
    made.stop()


@asynccontextmanager
async def somebody(server: Dashboard, query: str) -> AsyncIterator[Tab]:
    """A browser of its own, with the cookies that it was given."""
    token = await asyncio.to_thread(cookie, server.url)
    with urlopen(f"{server.url}/_stcore/host-config", timeout=30) as answer:
        given = SimpleCookie(answer.headers["Set-Cookie"])[COOKIE].value
    async with opened(Watch(server.url), token, query, f"; {COOKIE}={given}") as tab:
        yield tab


def keys(tab: Tab) -> dict[str, str]:
    """The ids of all widgets that the page has shown, by their keys."""
    return {found.split("-", 2)[2]: found for found in tab.ids}


def pressed(widget: str) -> WidgetState:
    return WidgetState(id=widget, trigger_value=True)


async def chosen(tab: Tab, whose: str) -> tuple[WidgetState, WidgetState]:
    """Choose the first run of the list."""
    everybody = WidgetState(id=keys(tab)["runs-whose"], string_array_value={"data": [whose]})
    await tab.rerun(everybody, page="runs")
    return everybody, WidgetState(id=keys(tab)["runs"], string_value=FIRST_ROW)


def as_it_is(store: Store, run_id: str) -> tuple:
    (record,) = store.listed(Wanted(owner="nobody", only_own=False))[0]
    fits = [(fit.status, fit.id) for fit in store.run(run_id).fits if fit.fit.training]
    return record.title, record.tags, record.note, record.pinned, record.deleted_at, record.owner, fits


async def attack(server: Dashboard) -> None:
    store = Store(server.database)
    async with somebody(server, f"e={encode(LONG)}") as owner, somebody(server, "") as guest:
        await owner.rerun()
        await owner.rerun(pressed(keys(owner)["train"]))
        ((run_id, *_),) = store.recent_runs(store.listed(Wanted(owner="", only_own=False))[0][0].owner)
        for _ in range(300):
            if any(fit.epochs for fit in store.run(run_id).fits):
                break
            await asyncio.sleep(0.2)
        await owner.rerun()
        owner.query = ""
        await owner.rerun(page="runs")
        first = await chosen(owner, "Mine")
        await owner.rerun(*first, page="runs")
        await owner.rerun(*first, pressed(keys(owner)["runs-note"]), page="runs")
        await owner.rerun(*first, pressed(keys(owner)["runs-delete"]), page="runs")
        theirs = {key: keys(owner)[key] for key in OWNERS}

        before = as_it_is(store, run_id)
        guest.query = f"run={run_id}"
        await guest.rerun()
        assert "stop-all" not in keys(guest)
        await guest.rerun(pressed(theirs["stop-all"]))
        guest.query = ""
        await guest.rerun(page="runs")
        first = await chosen(guest, "Everyone's")
        await guest.rerun(*first, page="runs")
        assert "runs-open" in keys(guest), "the guest has chosen the owner's run"
        for widget in theirs.values():
            await guest.rerun(*first, pressed(widget), page="runs")
            await guest.rerun(*first, pressed(theirs["note-keep"]), pressed(theirs["delete-runs"]), page="runs")
        assert as_it_is(store, run_id) == before and before[-1][0][0] == "running"

        owner.query = f"run={run_id}"
        await owner.rerun()
        await owner.rerun(pressed(theirs["stop-all"]))
        for _ in range(100):
            if store.run(run_id).ended:
                break
            await asyncio.sleep(0.2)
        assert store.run(run_id).fits[-1].status in ("stopped", "cancelled"), "the same message with the owner's cookie"


@pytest.mark.slow
def test_nothing_comes_of_an_owners_messages_with_another_cookie(server):
    asyncio.run(attack(server))


async def moved_with_the_address(server: Dashboard) -> str:
    """What the page says of the noise after a message of the address's part of the page that has a new value of a slider."""
    async with somebody(server, "") as tab:
        await tab.rerun()
        (address,) = {fragment for widget, fragment in tab.fragments.items() if widget.endswith("rested-address")}
        noise = next(widget for widget in tab.ids if "-noise_width-" in widget)
        assert address and tab.text(r"Noise floor [\d.]+") == "Noise floor 0.000833"
        await tab.rerun(WidgetState(id=noise, double_array_value={"data": [0.2]}), fragment=address)
        return tab.text(r"Noise floor [\d.]+")


def test_a_slider_whose_value_comes_with_another_message_is_not_forgotten(server):
    assert asyncio.run(moved_with_the_address(server)) == "Noise floor 0.00333"
