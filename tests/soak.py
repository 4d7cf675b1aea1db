"""What an hour of fits does to the memory: `python -m tests.soak --minutes 60` prints it for the dashboard and its workers.

A dashboard trains one small run after the other, each of another shape, so that every fit compiles programs that no fit has
had; a visitor opens every run's page. Workers that have grown are replaced between fits, so their memory goes up and down
below a bound, and the dashboard's stays where it was after its first pages.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from forecasting import Experiment, ModelChoice, Task, Training, Waves
from forecasting.runs.store import Store
from tests.browser.conftest import Dashboard
from tests.load import Watch, cookie, opened

WIDTH = 19
MODELS = ("linear_sgd", "simple_rnn", "deep_rnn", "gru")


@dataclass(frozen=True)
class Sample:
    """Memory at a moment, in MB."""

    at_s: float
    server: float
    workers: float
    """The largest of them."""
    runs: int
    failed: int
    pids: frozenset[int]


def experiment(number: int) -> Experiment:
    """A small experiment of a shape of its own."""
    return Experiment(
        source=Waves(n_series=200, seed=number),
        task=Task(input_size=5 + number % 200, target="all_h", h=1 + number % 7),
        models=(ModelChoice(name=MODELS[number % len(MODELS)]),),
        training=Training(epochs=3),
    )


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[Dashboard]:
    """A dashboard that trains."""
    server = Dashboard(folder)
    server.environment |= environment
    server.start()
    try:
        yield server
    finally:
        server.stop()


def soak(server: Dashboard, seconds: float) -> Iterator[Sample]:
    """Train run after run for so many seconds; yield the memory after each."""
    watch, store, began = Watch(server.url), Store(server.database), time.monotonic()
    token, runs, failed = cookie(server.url), 0, 0
    asyncio.run(_visit(watch, token, ""))
    while time.monotonic() - began < seconds:
        run_id = store.start_run(experiment(runs), "soak")
        while not (view := store.run(run_id)) or not view.ended:
            time.sleep(0.1)
        failed += sum(fit.status != "finished" for fit in view.fits)
        runs += 1
        asyncio.run(_visit(watch, token, f"run={run_id}"))
        process = psutil.Process(server.process.pid)
        children = {child.pid: child.memory_info().rss / 1e6 for child in process.children(recursive=True)}
        size, pids = process.memory_info().rss / 1e6, frozenset(children)
        yield Sample(time.monotonic() - began, size, max(children.values(), default=0), runs, failed, pids)
    if watch.errors:
        raise RuntimeError(f"The page showed errors: {watch.errors}")


async def _visit(watch: Watch, token: str, query: str) -> None:
    async with opened(watch, token, query) as tab:
        await tab.rerun()


def main() -> None:
    """Soak, and print a line a minute."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    minutes, printed, last = parser.parse_args().minutes, -60.0, None
    columns = ("minute", "runs", "failed", "dashboard MB", "largest worker MB", "workers so far")
    print("".join(f"{column:>{WIDTH}}" for column in columns), flush=True)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        seen: set[int] = set()
        for last in soak(server, 60 * minutes):
            seen |= last.pids
            if last.at_s - printed >= 60:
                printed = last.at_s
                figures = (last.at_s / 60, last.runs, last.failed, last.server, last.workers, len(seen))
                print("".join(f"{figure:>{WIDTH}.0f}" for figure in figures), flush=True)
    sys.exit(1 if last is None or last.failed else 0)


if __name__ == "__main__":
    main()
