"""Crashes, caused for real: workers and servers are killed, hang, eat memory; the database is locked, read-only, full, gone.

Waits are polls of the store, with room for a machine that is busy with other things.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from forecasting import Experiment, ModelChoice, Task
from forecasting.runs import schema
from forecasting.runs.database import Unavailable
from forecasting.runs.engine import Engine
from forecasting.runs.queue import LEASE_S
from forecasting.runs.store import Store
from forecasting.runs.supervisor import Supervisor
from forecasting.runs.views import FitView
from forecasting.runs.worker_process import Guard
from tests.conftest import Lab
from tests.runs.test_engine import ROOT, by_hand

LONG_S = 140.0
"""Room for a fit of some seconds, on a machine where everything takes ten times as long."""
SECONDS = {"waves": {"n_series": 10_000}, "epochs": 300, "batch_size": 2}
"""A fit of five seconds or more; after two of them it keeps a state."""
ENDLESS = {"waves": {"n_series": 40_000}, "epochs": 500, "batch_size": 2}
"""A fit that nobody waits for: it is killed or stopped before it has ended, however fast the machine is."""


@contextmanager
def opened(url: str, eventually: Callable, small: Callable, slots: int = 1) -> Iterator[Lab]:
    """An engine of its own over a database, with warm workers."""
    store = Store(url)
    lab = Lab(store, Engine(store, slots), eventually)
    lab.engine.start()
    try:
        eventually(lambda: all(worker.devices for worker in lab.engine._workers), LONG_S)
        lab.ended(lab.start(small("naive")), LONG_S)
        yield lab
    finally:
        lab.engine.close()


def done(*command: str) -> bool:
    """Run a command of Linux; say whether that went well."""
    return sys.platform == "linux" and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory) -> Iterator[Path]:
    """A file system of its own, of a few megabytes, where mounting one is permitted."""
    folder = tmp_path_factory.mktemp("disk")
    mounted = done("mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder))
    yield folder
    assert not mounted or done("umount", "--lazy", str(folder))


@pytest.fixture(scope="module")
def pair(small_disk, eventually, small) -> Iterator[Lab]:
    """An engine with two slots, and its database on the small disk."""
    with opened(f"sqlite:///{small_disk / 'lab.db'}", eventually, small, slots=2) as lab:
        yield lab


@pytest.fixture
def limit(monkeypatch) -> Callable[..., None]:
    """Change what the workers of an engine may take, from their next fit on and until the test ends."""

    def change(lab: Lab, slots: slice = slice(None), **limits: float) -> None:
        for worker in lab.engine._workers[slots]:
            monkeypatch.setattr(worker, "guard", Guard(**limits))

    return change


def lstm(small: Callable, *units: int, **settings: object) -> Experiment:
    model = ModelChoice(name="lstm", params={"units": list(units)})
    return small("naive", **settings).model_copy(update={"models": (model,)})


def caught(lab: Lab, run_id: str, stage: str) -> FitView:
    """Wait until the last fit of a run has come to a stage."""

    def look() -> FitView | None:
        fit = lab.last(run_id)
        assert not fit.ended, f"The fit was to be caught {stage}, but it is {fit.status}: {fit.reason}"
        return fit if fit.stage == stage else None

    return lab.eventually(look, LONG_S)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill(lab: Lab) -> int:
    """Kill the only worker of an engine, as the kernel does when memory is short."""
    (pid,) = lab.engine.pids
    os.kill(pid, signal.SIGKILL)
    lab.eventually(lambda: is_gone(pid))
    return pid


def finished(lab: Lab, run_id: str) -> FitView:
    """Wait for the last fit of a run, which finishes with every epoch once in its curve."""
    fit = lab.ended(run_id, LONG_S).fits[-1]
    assert (fit.status, fit.reason) == ("finished", None)
    if fit.fit.training is not None:
        assert [point.epoch for point in fit.epochs] == list(range(1, fit.fit.training.epochs + 1))
    return fit


# ----------------------------------------------------------------------------------------- workers that die, hang, grow


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["compiling", pytest.param("scoring", marks=pytest.mark.long)])
def test_a_worker_killed_outside_of_training_is_replaced_and_its_fit_finishes(lab, small, stage):
    much_to_score = {"task": Task(input_size=60, train=0.01, valid=0.01)}
    slow = lstm(small, 9, 7, 5) if stage == "compiling" else small("deep_rnn", waves={"n_series": 50_000})
    run_id = lab.start(slow.model_copy(update=much_to_score if stage == "scoring" else {}))
    before = caught(lab, run_id, stage)
    pid = kill(lab)
    assert finished(lab, run_id).started_at > before.started_at
    assert pid not in lab.engine.pids


@pytest.fixture
def states(monkeypatch) -> list[int]:
    """Of the states that workers tell their supervisors, the epochs."""
    header, report = [], Supervisor._report

    def listening(self: Supervisor, messages: list) -> None:
        report(self, messages)
        header.extend(message.header["epochs"] for message in messages if message.header["event"] == "state")

    monkeypatch.setattr(Supervisor, "_report", listening)
    return header


@pytest.mark.slow
def test_a_fit_whose_worker_was_killed_goes_on_from_its_state_to_the_result_of_an_undisturbed_one(lab, small, states):
    experiment = small("simple_rnn", **SECONDS)
    run_id = lab.start(experiment)
    lab.eventually(lambda: states, LONG_S)
    kill(lab)
    expected = by_hand(experiment)[-1]
    fit = finished(lab, run_id)
    assert fit.epochs_before >= states[0] > 0
    for key in ("valid_mse", "test_mse"):
        assert fit.result[key] == pytest.approx(expected[key], rel=1e-9)


@pytest.mark.long
def test_a_fit_whose_worker_was_killed_twice_goes_on_from_its_state_when_it_is_tried_again(lab, small, states):
    experiment = small("simple_rnn", **SECONDS)
    run_id = lab.start(experiment)
    lab.eventually(lambda: states, LONG_S)
    pid = kill(lab)
    lab.eventually(lambda: lab.last(run_id).epochs_before and lab.engine.pids not in ([], [pid]), LONG_S)
    kill(lab)
    assert lab.ended(run_id).fits[-1].status == "failed"
    before = lab.last(run_id).epochs_before
    fit = caught(lab, lab.start(experiment), "training")
    assert fit.epochs_before >= before > 0
    assert [point.epoch for point in fit.epochs[:before]] == list(range(1, before + 1))


@pytest.mark.long
def test_a_worker_that_hangs_is_replaced_and_its_neighbour_is_not_disturbed(pair, small, limit):
    limit(pair, slice(1), no_progress_s=12)  # compiling gives no sign either, and a busy machine takes its time over it
    runs = [pair.start(small("simple_rnn", **SECONDS)) for _ in range(2)]
    before = [pair.in_mid_fit(run_id) for run_id in runs]
    limit(pair)
    hung, neighbour = pair.engine.pids
    psutil.Process(hung).suspend()
    after = [finished(pair, run_id) for run_id in runs]
    assert sorted(fit.started_at != earlier.started_at for fit, earlier in zip(after, before, strict=True)) == [False, True]
    assert is_gone(hung)
    assert neighbour in pair.engine.pids


@pytest.mark.slow
def test_a_fit_that_eats_memory_is_ended_and_its_neighbour_is_not_disturbed(pair, small, limit):
    pair.eventually(lambda: len(pair.engine.pids) == 2)
    most = max(psutil.Process(pid).memory_info().rss for pid in pair.engine.pids) // 1_000_000 + 500
    limit(pair, worker_mb=most)
    neighbour = pair.start(small("simple_rnn", **SECONDS))
    before = pair.in_mid_fit(neighbour)
    greedy = lstm(small, 64, waves={"n_series": 30_000}, input_size=300, batch_size=4_096)
    failed = pair.ended(pair.start(greedy), LONG_S).fits[-1]
    assert failed.status == "failed"
    assert f"more than the {most:,} MB of memory that a worker may take" in failed.reason
    assert finished(pair, neighbour).started_at == before.started_at
    limit(pair)
    for run_id in [pair.start(small("simple_rnn")) for _ in range(4)]:
        finished(pair, run_id)
    assert len(pair.engine.pids) == 2


@pytest.mark.slow
def test_a_worker_that_has_grown_is_replaced_between_fits(lab, small, limit):
    finished(lab, lab.start(small("naive")))
    (pid,) = lab.engine.pids
    limit(lab, worker_mb=psutil.Process(pid).memory_info().rss // 1_000_000 * 7 // 5)
    for run_id in [lab.start(small("naive")) for _ in range(2)]:
        finished(lab, run_id)
    assert is_gone(pid)


@pytest.mark.slow
def test_a_fit_that_takes_longer_than_the_server_allows_is_stopped_and_its_weights_are_kept(lab, small, limit):
    finished(lab, lab.start(small("simple_rnn", **SECONDS | {"epochs": 1})))  # compiled, so that the limit is for epochs
    experiment = small("simple_rnn", **SECONDS | {"epochs": 500})
    limit(lab, max_fit_s=1)
    fit = lab.ended(lab.start(experiment), LONG_S).fits[-1]
    assert fit.status == "stopped"
    assert fit.reason.startswith("The limit of 1 s per fit on this server was reached: ")
    assert f"the weights of epoch {fit.result['best_epoch']} are kept" in fit.reason
    assert 1 <= len(fit.epochs) == fit.result["epochs"] < 500
    assert len(lab.store.weights(fit.id)) == 3
    assert lab.ended(lab.start(experiment), LONG_S).fits[-1].epochs_before == len(fit.epochs)


# -------------------------------------------------------------------------------------------------- servers that die

SERVE = """
import sys, threading
from forecasting.runs import supervisor
from forecasting.runs.engine import Engine
from forecasting.runs.supervisor import Supervisor
from forecasting.runs.store import Store
supervisor.KEEP_S = 0.2
engine = Engine(Store(sys.argv[1]), slots=1)
engine.start()
threading.Event().wait(600)
"""


@pytest.mark.slow
def test_a_fit_goes_on_when_its_server_was_killed_and_is_lost_with_the_second_one(
    store, small, eventually, database_url, tmp_path
):
    experiment = small("naive", "simple_rnn", **ENDLESS)
    run_id = store.start_run(experiment, "tests")
    database, running = sa.create_engine(database_url, poolclass=sa.NullPool), schema.fit.c.status == "running"

    @contextmanager
    def a_server_that_is_killed() -> Iterator[None]:
        command, environment = [sys.executable, "-c", SERVE, database_url], {**os.environ, "TMPDIR": str(tmp_path)}
        with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as server:
            try:
                yield
                workers = psutil.Process(server.pid).children()
                assert workers
            finally:
                server.kill()
        eventually(lambda: all(is_gone(worker.pid) for worker in workers), 20)
        with database.begin() as db:
            late = sa.update(schema.fit).where(running).values(heartbeat_at=time.time() - LEASE_S - 1)
            assert db.execute(late).rowcount == 1

    def stored_epochs() -> int:
        with database.connect() as db:
            return db.scalar(sa.select(schema.fit.c.epochs_done).where(running)) or 0

    with a_server_that_is_killed():
        first = eventually(stored_epochs, LONG_S)
    naive = store.run(run_id).fits[0]
    assert naive.status == "finished"
    with a_server_that_is_killed():
        second = eventually(lambda: stored_epochs() > first and stored_epochs(), LONG_S)
        assert store.run(run_id).fits[-1].epochs_before >= first
    store.sweep()
    lost = store.run(run_id).fits[-1]
    assert (lost.status, lost.reason) == ("lost", "The process that trained it went away.")
    again = store.start_run(experiment, "tests")
    with a_server_that_is_killed():
        eventually(lambda: stored_epochs() > second, LONG_S)
        assert store.run(again).fits[-1].epochs_before >= second
    assert store.run(again).fits[0] == naive


# -------------------------------------------------------------------------------------- databases and disks in trouble


def file_of(lab: Lab) -> Path:
    return Path(lab.store._database.engine.url.database)


@contextmanager
def locked(lab: Lab, _: object) -> Iterator[None]:
    """Another process holds the write lock."""
    with closing(sqlite3.connect(file_of(lab), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def read_only(lab: Lab, _: object) -> Iterator[None]:
    """Nothing can be written to the files, as on a disk that the kernel has made read-only after an error."""
    files = [str(file_of(lab)), f"{file_of(lab)}-wal"]
    try:
        if not done("chattr", "+i", *files):
            pytest.skip("Only root on Linux may make files immutable, and not on every file system.")
        yield
    finally:
        done("chattr", "-i", *files)


@contextmanager
def full(lab: Lab, _: object) -> Iterator[None]:
    """The disk has no free byte, and SQLite's own files have no room that was used before."""
    with closing(sqlite3.connect(file_of(lab))) as other:
        lab.eventually(lambda: other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
    with filled(file_of(lab).parent):
        yield


@contextmanager
def gone(_: Lab, request: pytest.FixtureRequest) -> Iterator[None]:
    """PostgreSQL has crashed, and comes back."""
    server = request.getfixturevalue("postgresql").__self__
    server.stop()
    try:
        yield
    finally:  # with the options that it had
        server._call("pg_ctl", "restart", "-w", "-D", str(server.folder / "data"), "-l", str(server.folder / "log"))


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave no free byte on a file system."""
    if not folder.is_mount():
        pytest.skip("Only root on Linux may mount a small disk.")
    try:
        with (folder / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
            while True:
                filler.write(bytes(4096))
        yield
    finally:
        (folder / "filler").unlink()


@pytest.fixture
def lab_on_postgresql(postgresql, eventually, small) -> Iterator[Lab]:
    with opened(postgresql(), eventually, small) as lab:
        yield lab


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "which_lab"),
    [
        (locked, "lab"),
        pytest.param(read_only, "lab", marks=pytest.mark.long),
        (full, "pair"),
        (gone, "lab_on_postgresql"),
    ],
)
def test_a_fit_outlives_a_database_that_cannot_be_written_for_a_while(request, small, trouble, which_lab):
    lab: Lab = request.getfixturevalue(which_lab)
    url = lab.store._database.engine.url.render_as_string(hide_password=False)
    visited, not_visited = Store(url), Store(url)

    def write(i: int, store: Store = visited) -> str:
        return store.add_upload("tests", f"{i}.csv", json.dumps([which_lab, trouble.__name__, i]).encode())

    run_id = lab.start(small("simple_rnn", **SECONDS | {"epochs": 100}))
    lab.in_mid_fit(run_id)
    pids = lab.engine.pids
    with trouble(lab, request), ThreadPoolExecutor(8) as visitors:
        for attempt in [visitors.submit(write, i) for i in range(8)]:
            with pytest.raises(Unavailable, match=r"^The database does not answer \(.+\): what it holds is not touched\."):
                attempt.result()
        time.sleep(3)
        until = time.time()
    assert finished(lab, run_id).ended_at > until
    assert lab.engine.pids == pids
    assert len({write(i, store) for i in range(10) for store in (visited, not_visited)}) == 10
