"""How many people one server bears: `python -m tests.load` prints how long visitors wait, measured without a browser.

Visitors speak Streamlit's own protocol with a server that has just started, and keep what its browser client keeps: cookie,
address, timers, cached messages. Half of them move a slider, and open the page anew now and then; the others train networks
and watch them, three people one experiment. All is measured twice: while nothing trains, and while every slot does. A time
runs from the message that is sent to the end of the script and of what it reruns. Aims are printed and not asserted, because
clocks differ between machines; only errors make the command fail.
"""

import argparse
import asyncio
import math
import os
import random
import re
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import psutil
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState, ContextInfo
from streamlit.proto.Common_pb2 import DoubleArray
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from dashboard.state import encode
from forecasting import Experiment, ModelChoice, Waves
from forecasting.experiment import Training
from forecasting.settings import Settings
from tests.browser.conftest import Dashboard

FIRST, REST, SLIDER = "first load", "the rest of the page", "slider move"
LIVE, SAME, QUEUED = "live tick, new epochs", "live tick, nothing new", "live tick, in the queue"
WAITS, ENDED = "live tick before epoch 1 (waits ≤ 0.6 s on purpose)", "live tick when a fit has ended: the whole page"
AIMS = {FIRST: None, REST: None, SLIDER: 0.8, LIVE: 0.2, SAME: 0.2, QUEUED: 0.2, WAITS: None, ENDED: None}
PHASES = IDLE, TRAINING = "nothing trains", "all slots train"
WATCHERS, MOVES = 3, 8
ARRIVAL_S, PATIENCE_S = 0.15, 30.0
WARM_UP_S = 10.0  # the workers import TensorFlow some seconds after the first page
CACHED = 12  # messages; the browser keeps them for two runs after their last use


@dataclass
class Watch:
    """What all visitors share: the server's address, the phase, and what they write down."""

    url: str
    phase: str = ""
    until: float = math.inf
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def over(self) -> bool:
        """Whether the phase has ended."""
        return time.monotonic() > self.until

    def note(self, name: str, seconds: float) -> None:
        """Write down a waiting time, unless nothing is measured now."""
        if self.phase:
            self.seconds[name, self.phase].append(seconds)


class Tab:
    """The page in a tab, as far as Streamlit's browser client keeps it."""

    def __init__(self, watch: Watch, socket: ClientConnection, query: str) -> None:
        self.watch, self.socket, self.query = watch, socket, query
        self.widgets: dict[str, str] = {}
        self.ids: set[str] = set()
        self.fragments: dict[str, str] = {}
        self.timers: dict[str, float] = {}
        self.redrawn = False
        self._texts: list[str] = []
        self._cache: dict[str, ForwardMsg] = {}

    async def rerun(self, *states: WidgetState, fragment: str = "", page: str = "") -> float:
        """Run the script, or one of its fragments, to the end; return the seconds that it took."""
        asked = ClientState(query_string=self.query, fragment_id=fragment, is_auto_rerun=bool(fragment), page_name=page)
        asked.context_info.CopyFrom(ContextInfo(url=self.watch.url, color_scheme="light"))
        asked.cached_message_hashes.extend(self._cache)
        asked.widget_states.widgets.extend(states)
        began = time.perf_counter()
        await self.socket.send(BackMsg(rerun_script=asked).SerializeToString())
        async with asyncio.timeout(PATIENCE_S):
            while not self._take(ForwardMsg.FromString(await self.socket.recv(decode=False))):
                pass
        return time.perf_counter() - began

    def text(self, pattern: str) -> str:
        """What the page says, or an empty text where it does not say it."""
        return next((found[0] for text in self._texts if (found := re.search(pattern, text))), "")

    def _take(self, message: ForwardMsg) -> bool:
        """Take in a message, and say whether it ends the run."""
        if message.WhichOneof("type") == "ref_hash":
            message = self._cache.pop(message.ref_hash)
        if message.metadata.cacheable:
            self._cache[message.hash] = message
        match message.WhichOneof("type"):
            case "new_session":
                self._texts = []
                if not message.metadata.run.fragment_ids:
                    self.widgets, self.timers = {}, {}
            case "delta" if message.delta.WhichOneof("type") == "new_element":
                self._learn(message.delta.new_element, message.delta.fragment_id)
            case "auto_rerun":
                self.timers[message.auto_rerun.fragment_id] = message.auto_rerun.interval
            case "page_info_changed":
                self.query = message.page_info_changed.query_string
            case "script_finished":
                self._cache = dict(list(self._cache.items())[-CACHED:])
                self.redrawn = message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
                return message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
        return False

    def _learn(self, element: Element, fragment: str) -> None:
        kind = element.WhichOneof("type")
        content = getattr(element, kind)
        if kind == "exception" or kind == "alert" and content.format == Alert.ERROR:
            self.watch.errors[f"on the page: {content.message if kind == 'exception' else content.body}"] += 1
        elif kind in ("markdown", "progress"):
            self._texts.append(content.body if kind == "markdown" else content.text)
        elif key := re.match(r"\$\$ID-\w+-(\w+)", getattr(content, "id", "")):
            self.widgets[key[1]] = content.id
            self.ids.add(content.id)
            self.fragments[content.id] = fragment


@asynccontextmanager
async def opened(watch: Watch, token: str, query: str, cookies: str = "") -> AsyncIterator[Tab]:
    """A tab on an address, connected as a browser with these cookies connects it."""
    options = {"origin": watch.url, "proxy": None, "max_size": None, "max_queue": None, "open_timeout": PATIENCE_S}
    headers, address = (
        {"Cookie": f"_streamlit_xsrf={token}{cookies}"},
        watch.url.replace("http", "ws", 1) + "/_stcore/stream",
    )
    async with connect(address, subprotocols=["streamlit", token], additional_headers=headers, **options) as socket:
        yield Tab(watch, socket, query)


def cookie(url: str) -> str:
    """The token by which the server tells browsers apart."""
    with urlopen(f"{url}/_stcore/health", timeout=PATIENCE_S) as answer:
        return SimpleCookie(answer.headers["Set-Cookie"])["_streamlit_xsrf"].value


# -------------------------------------------------------------------------------------------------------- visitors


async def visitor(watch: Watch, number: int, address: Callable[[int], str], do: Callable[[Tab], Awaitable[None]]) -> None:
    """Somebody who opens the page and does something there, over and over again."""
    await asyncio.sleep(number * ARRIVAL_S)
    token, visit = await asyncio.to_thread(cookie, watch.url), 0
    while not watch.over:
        try:
            async with opened(watch, token, address(visit)) as tab:
                watch.note(FIRST, await tab.rerun())
                for fragment, interval in list(tab.timers.items()):
                    await asyncio.sleep(interval)
                    watch.note(REST, await tab.rerun(fragment=fragment))
                await do(tab)
        except (WebSocketException, OSError, LookupError) as error:  # a TimeoutError is an OSError
            watch.errors[f"{type(error).__name__}: {error}"] += 1
            await asyncio.sleep(1)
        visit += 1


async def look(tab: Tab) -> None:
    """Read, and press nothing."""
    while not tab.watch.over:
        await asyncio.sleep(0.5)


async def slide(tab: Tab, chance: random.Random) -> None:
    """Move the slider of the noise a few times; each time the page has to say another noise floor."""
    for step in chance.sample(range(6, 101), MOVES):  # of 0.02; the page opens at the fifth
        await asyncio.sleep(chance.uniform(1, 3))
        if tab.watch.over:
            return
        before, value = tab.text("^Noise floor [^:]+"), DoubleArray(data=[step / 50])
        tab.watch.note(SLIDER, await tab.rerun(WidgetState(id=tab.widgets["noise_width"], double_array_value=value)))
        if tab.text("^Noise floor [^:]+") == before:
            tab.watch.errors["a slider was moved and the page stayed the same"] += 1


async def train(tab: Tab) -> None:
    """Press Train, and look on as long as the page renews itself."""
    await tab.rerun(WidgetState(id=tab.widgets["train"], trigger_value=True))
    due, epoch = time.monotonic(), ""
    while tab.timers and not tab.watch.over:
        fragment, interval = next(iter(tab.timers.items()))
        due = max(due + interval, time.monotonic())
        await asyncio.sleep(due - time.monotonic())
        seconds, before = await tab.rerun(fragment=fragment), epoch
        epoch = tab.text("epoch [0-9]+ of")
        shown = (SAME if epoch == before else LIVE) if epoch else QUEUED if tab.text("waiting, place [0-9]+") else WAITS
        tab.watch.note(ENDED if tab.redrawn else shown, seconds)


def small(team: int, visit: int) -> str:
    """The address of an experiment that nobody has trained: some 15 seconds of work."""
    source, models = Waves(n_series=1_000, seed=1_000 * (visit + 1) + team), (ModelChoice(name="deep_rnn"),)
    return f"e={encode(Experiment(source=source, models=models, training=Training(epochs=500)))}"


# ------------------------------------------------------------------------------------------------------- measuring


async def measure(watch: Watch, server: Dashboard, visitors: int, seconds: float, slots: int) -> None:
    """Let visitors come, in both phases, and write down what they wait."""
    async with opened(watch, cookie(watch.url), "") as tab:
        await tab.rerun()
        await asyncio.sleep(WARM_UP_S)
    trainers = max(visitors // 2, slots)
    for phase in PHASES:
        watch.phase, watch.until = "", math.inf
        async with asyncio.TaskGroup() as group:
            for i in range(visitors):
                address, do = partial(small, i % max(slots, trainers // WATCHERS)), train if phase == TRAINING else look
                if i >= trainers:
                    address, do = lambda _: "", partial(slide, chance=random.Random(i))
                group.create_task(visitor(watch, i, address, do))
            await record(watch, server, phase, seconds, slots if phase == TRAINING else 0)


async def record(watch: Watch, server: Dashboard, phase: str, seconds: float, slots: int) -> None:
    """Measure for so many seconds, from the moment when so many slots train."""
    async with asyncio.timeout(3 * PATIENCE_S):
        while _busy(server) < slots:
            await asyncio.sleep(0.2)
    process, busy = psutil.Process(server.process.pid), []
    used = sum(process.cpu_times()[:2])
    watch.phase, watch.until = phase, time.monotonic() + seconds
    while not watch.over:
        busy.append(_busy(server))
        await asyncio.sleep(0.5)
    cores, size = (sum(process.cpu_times()[:2]) - used) / seconds, process.memory_info().rss / 1e6
    print(f"{phase}: {np.mean(busy):.1f} slots busy, the server used {cores:.2f} cores and holds {size:.0f} MB", flush=True)


def _busy(server: Dashboard) -> int:
    """How many fits are under way, the first epoch with its compilation behind them."""
    under_way = "SELECT count(*) FROM fit WHERE status = 'running' AND id IN (SELECT fit_id FROM epoch)"
    with closing(sqlite3.connect(f"file:{server.folder / 'lab.db'}?mode=ro", uri=True)) as db:
        return db.execute(under_way).fetchone()[0]


def show(watch: Watch) -> None:
    """Print waiting times and errors."""
    print(f"\n{'':52}" + "".join(f"{phase:>29}" for phase in PHASES))
    print(f"{'seconds':52}" + f"{'median':>10}{'p95':>7}{'max':>7}{'n':>5}" * 2 + "  aim for p95")
    for name, aim in AIMS.items():
        line = f"{name:52}"
        for values in (watch.seconds[name, phase] for phase in PHASES):
            figures = (np.median(values), np.quantile(values, 0.95), max(values)) if values else ()
            cells = [f"{figure:.3f}" for figure in figures] or ["–"] * 3
            line += "{:>10}{:>7}{:>7}".format(*cells) + f"{len(values):5}"
        print(line + (f"  < {aim} s" if aim else ""))
    print(f"\nerrors: {watch.errors.total()}", *(f"{n} × {error}" for error, n in watch.errors.most_common()), sep="\n")


def arguments() -> argparse.Namespace:
    """What the command was given."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--visitors", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=30, help="of each of the two phases")
    parser.add_argument("--slots", type=int, default=Settings.read().n_slots, help="fits that train at the same time")
    given = parser.parse_args()
    if given.visitors <= max(given.slots, 1):
        parser.error("there must be more visitors than slots, and more than one")
    return given


def main() -> None:
    """Measure, print, and end with status 1 after errors."""
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is ended too
    os.environ["FORECASTING_SLOTS"] = str(given.slots)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Dashboard(Path(folder))
        watch = Watch(server.url)
        try:
            server.start()
            asyncio.run(measure(watch, server, given.visitors, given.seconds, given.slots))
        finally:
            server.stop()
    show(watch)
    sys.exit(1 if watch.errors.total() else 0)


if __name__ == "__main__":
    main()
