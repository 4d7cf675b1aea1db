"""Fixtures that several test modules share."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from forecasting import Experiment, ModelChoice, Task, Training, Waves
from forecasting.runs.engine import Engine
from forecasting.runs.store import Store
from forecasting.runs.views import FitView, RunView
from forecasting.runs.worker_process import Guard

MakeExperiment = Callable[..., Experiment]


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Look again and again until something true is seen, and return it; fail when that takes too long."""

    def wait(look: Callable[[], Any], within_s: float = 60.0) -> Any:
        until = time.monotonic() + within_s
        while True:
            seen = look()
            if seen:
                return seen
            assert time.monotonic() < until, f"Not seen within {within_s:g} s."
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def small() -> MakeExperiment:
    """Make a small experiment; each call without a seed draws other series, so its fits are known to nobody."""
    seeds = count(1)

    def make(
        *models: str, seed: int | None = None, waves: dict | None = None, input_size: int = 8, **training: Any
    ) -> Experiment:
        names = models or ("naive", "linear", "simple_rnn")
        return Experiment(
            source=Waves(**{"n_series": 60, "seed": next(seeds) if seed is None else 1_000_000 + seed, **(waves or {})}),
            task=Task(input_size=input_size),
            models=tuple(ModelChoice(name=name) for name in names),
            training=Training(**{"epochs": 3, **training}),
        )

    return make


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[], str]]:
    """A real PostgreSQL server of its own; each call empties its database and returns the URL."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        why = "No PostgreSQL on this machine: install it (Debian: apt-get install postgresql) to run these tests."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
    with TemporaryDirectory(prefix="postgresql-") as folder:
        server = Postgresql(programs[-1], Path(folder))
        server.start()
        try:
            yield server.empty_database
        finally:
            server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def each_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lab.db'}"
    return request.getfixturevalue("postgresql")()


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """The address of a database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'lab.db'}"


@pytest.fixture
def store(database_url: str) -> Store:
    """A fresh, empty store."""
    return Store(database_url)


class Postgresql:
    """A server in a folder; root, whom PostgreSQL refuses, starts it as the user that Debian's package makes."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user is not None:
            shutil.chown(folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]

    def start(self) -> None:
        """Make its folder and start it; what is written need not survive a power cut."""
        self._call("initdb", "-D", str(self.folder / "data"), "-U", "lab", "-A", "trust", "--no-sync")
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        log = str(self.folder / "log")
        self._call("pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-l", log, "-o", options)

    def empty_database(self) -> str:
        """Empty the one database, which is quicker than to make another; return its URL."""
        url = f"postgresql://lab@127.0.0.1:{self._port}/postgres"
        self._call("psql", "-qc", "DROP SCHEMA public CASCADE; CREATE SCHEMA public", url)
        return url

    def stop(self) -> None:
        """End it."""
        self._call("pg_ctl", "stop", "-m", "immediate", "-D", str(self.folder / "data"))

    def _call(self, program: str, *args: str) -> None:
        command = [str(self.programs / program), *args]
        done = subprocess.run(command, user=self._user, cwd=self.folder, stdout=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, f"{program} ended with {done.returncode}"


@dataclass
class Lab:
    """A store and an engine that works on it, shared by all tests; the runs of a test are stopped when it ends."""

    store: Store
    engine: Engine
    eventually: Callable[..., Any]
    started: list[str] = field(default_factory=list)

    def start(self, experiment: Experiment) -> str:
        """Start a run."""
        run_id = self.store.start_run(experiment, owner="tests")
        self.started.append(run_id)
        self.engine.wake()
        return run_id

    def run(self, run_id: str) -> RunView:
        """Return a run that is there."""
        run = self.store.run(run_id)
        assert run is not None
        return run

    def last(self, run_id: str) -> FitView:
        """Return the last fit of a run: naive stands before it."""
        return self.run(run_id).fits[-1]

    def ended(self, run_id: str, within_s: float = 60.0) -> RunView:
        """Wait until all fits of a run have ended."""
        self.eventually(lambda: self.run(run_id).ended, within_s)
        return self.run(run_id)

    def in_mid_fit(self, run_id: str, epochs: int = 3) -> FitView:
        """Wait until the last fit of a run is training and some epochs are done."""

        def look() -> FitView | None:
            fit = self.last(run_id)
            assert not fit.ended, f"The fit was to be caught at work, but it is {fit.status}: {fit.reason}"
            return fit if fit.status == "running" and fit.stage == "training" and len(fit.epochs) >= epochs else None

        return self.eventually(look)


@pytest.fixture(scope="session")
def shared_lab(
    tmp_path_factory: pytest.TempPathFactory, eventually: Callable[..., Any], small: MakeExperiment
) -> Iterator[Lab]:
    """One engine with one slot for the whole session; its worker has TensorFlow imported."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('shared') / 'lab.db'}")
    # Its worker does the fits of a whole module, and shall not be replaced for having grown.
    lab = Lab(store, Engine(store, slots=1, guard=Guard(worker_mb=4_000)), eventually)
    lab.engine.start()
    try:
        lab.ended(lab.start(small("naive")))
        yield lab
    finally:
        lab.engine.close()


@pytest.fixture
def lab(shared_lab: Lab) -> Iterator[Lab]:
    """The shared engine; what the test has started is stopped behind it."""
    shared_lab.started.clear()
    yield shared_lab
    for run_id in shared_lab.started:
        shared_lab.store.stop(run_id)
