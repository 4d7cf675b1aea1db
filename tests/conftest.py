"""Fixtures that several test modules share."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from forecasting import Experiment, ModelChoice, Task, Training, Waves
from forecasting.runs.engine import Engine
from forecasting.runs.store import Store
from forecasting.runs.views import FitView, RunView

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


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """The address of a database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'lab.db'}"


@pytest.fixture
def store(database_url: str) -> Store:
    """A fresh, empty store."""
    return Store(database_url)


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
    """One engine with one slot for the whole session; its child has TensorFlow imported."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('shared') / 'lab.db'}")
    lab = Lab(store, Engine(store, slots=1), eventually)
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
