"""The child, driven over its pipes as its supervisor drives it."""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from forecasting import Experiment, Fit, fits_of
from forecasting.runs.child import Child, Guard
from forecasting.runs.store import unpack

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "forecasting.runs.worker", "1", ""]
ENDS = ("done", "stopped", "failed")


@dataclass
class Worker:
    """A worker process and all lines that it has written to standard output."""

    process: subprocess.Popen
    folder: Path
    lines: list[str] = field(default_factory=list)
    _new: queue.Queue = field(default_factory=queue.Queue)

    def listen(self) -> None:
        """Collect its lines until standard output ends."""
        for line in self.process.stdout:
            self.lines.append(line)
            self._new.put(line)

    def send(self, message: dict[str, Any]) -> None:
        """Write a line to it."""
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def do(self, name: str, fit: Fit | dict, folder: Path | None = None) -> None:
        """Hand it a job."""
        settings = fit.model_dump(mode="json") if isinstance(fit, Fit) else fit
        self.send({"job": name, "fit": settings, "folder": str(folder or self.folder)})

    def hear(self, *events: str, within_s: float = 60.0) -> list[dict[str, Any]]:
        """Return its messages up to the next one of these events."""
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1]["event"] not in events:
            heard.append(json.loads(self._new.get(timeout=within_s)))
        return heard


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory):
    """One worker for all tests of this module, warmed up."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(COMMAND, cwd=ROOT, text=True, **pipes) as process:
        one = Worker(process, tmp_path_factory.mktemp("job"))
        listener = threading.Thread(target=one.listen)
        listener.start()
        try:
            one.hear("ready")
            yield one
        finally:
            process.kill()
            listener.join(10)


def fit_of(experiment: Experiment) -> Fit:
    return fits_of(experiment)[-1]


def test_a_worker_says_which_devices_it_has_before_anything_else(worker):
    first = json.loads(worker.lines[0])
    assert first["event"] == "ready"
    assert first["devices"][0] == "CPU"


def test_a_job_is_told_from_its_stages_over_its_epochs_to_its_end_and_leaves_arrays(worker, small):
    worker.do("one", fit_of(small("simple_rnn", epochs=4)))
    heard = worker.hear(*ENDS)
    assert {message["job"] for message in heard} == {"one"}
    assert [message["stage"] for message in heard if message["event"] == "stage"] == [
        "preparing",
        "compiling",
        "training",
        "scoring",
    ]
    epochs = [message for message in heard if message["event"] == "epoch"]
    assert [message["epoch"] for message in epochs] == [1, 2, 3, 4]
    assert heard[-1]["event"] == "done"
    assert heard[-1]["summary"]["epochs"] == 4
    forecasts = unpack((worker.folder / "forecasts").read_bytes())
    weights = unpack((worker.folder / "weights").read_bytes())
    assert {name: array.shape for name, array in forecasts.items()} == {"valid": (12, 1), "test": (6, 1)}
    assert sum(array.size for array in weights.values()) == heard[-1]["summary"]["parameters"] == 3
    assert all(np.isfinite(array).all() for array in weights.values())


def test_the_same_fit_gives_the_same_numbers_in_a_worker_that_has_done_others(worker, small):
    fit = fit_of(small("simple_rnn"))
    results = []
    for name, one in (("a", fit), ("between", fit_of(small("simple_rnn"))), ("b", fit)):
        worker.do(name, one)
        results.append(worker.hear(*ENDS)[-1]["summary"])
    assert results[0]["valid_mse"] == results[2]["valid_mse"] != results[1]["valid_mse"]


def test_a_job_that_fails_says_why_and_the_worker_takes_the_next_one(worker, small, tmp_path):
    worker.do("unreadable", {"source": {"kind": "moon"}})
    heard = worker.hear(*ENDS)
    assert (heard[-1]["event"], heard[-1]["job"]) == ("failed", "unreadable")
    assert heard[-1]["reason"]
    worker.do("no folder", fit_of(small("naive")), folder=tmp_path / "not there")
    heard = worker.hear(*ENDS)
    assert (heard[-1]["event"], heard[-1]["job"]) == ("failed", "no folder")
    assert "not there" in heard[-1]["reason"]
    worker.do("good", fit_of(small("naive")))
    assert worker.hear(*ENDS)[-1]["event"] == "done"


def test_a_stop_for_a_job_that_is_over_does_not_touch_the_next_one(worker, small):
    worker.do("over", fit_of(small("naive")))
    worker.hear(*ENDS)
    worker.send({"stop": "over"})
    worker.do("next", fit_of(small("simple_rnn")))
    heard = worker.hear(*ENDS)
    assert (heard[-1]["event"], heard[-1]["job"]) == ("done", "next")
    assert heard[-1]["summary"]["ended_early"] is None


def test_a_stop_is_heard_in_mid_fit(worker, small):
    worker.do("long", fit_of(small("simple_rnn", waves={"n_series": 10_000}, batch_size=2, epochs=300)))
    worker.hear("epoch")
    worker.send({"stop": "long"})
    summary = worker.hear(*ENDS)[-1]["summary"]
    assert summary["ended_early"] == "stopped"
    assert 1 <= summary["epochs"] < 300


def test_workers_are_polite_to_everything_else_on_the_machine(worker):
    assert psutil.Process(worker.process.pid).nice() == os.nice(0) + 10


def test_the_interruption_of_a_terminal_is_left_to_the_supervisor(worker, small):
    worker.do("interrupted", fit_of(small("simple_rnn")))
    worker.hear("epoch")
    worker.process.send_signal(signal.SIGINT)
    assert worker.hear(*ENDS)[-1]["event"] == "done"
    worker.do("after it", fit_of(small("naive")))
    assert worker.hear(*ENDS)[-1]["event"] == "done"


def test_a_worker_whose_wish_to_be_ended_first_is_refused_works_all_the_same_and_the_log_says_so(
    tmp_path, monkeypatch, caplog, eventually
):
    python = tmp_path / "python"
    refused = "import forecasting.runs.worker as worker; worker.FIRST_TO_DIE = 'no number'; worker.main()"
    python.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c \"{refused}\"\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(logging.getLogger("forecasting"), "propagate", True)
    child = Child(Guard())
    child.start()
    try:
        eventually(lambda: child.receive(0.1) is None and child.devices, 60)
    finally:
        child.kill()
    assert "the kernel may end the dashboard before this worker" in caplog.text


def test_a_worker_whose_standard_input_ends_is_gone_at_once_and_has_written_nothing_but_json(worker, small):
    """It stands in mid-fit; the other tests of this module have gone before and their lines are looked at too."""
    worker.do("long", fit_of(small("simple_rnn", waves={"n_series": 10_000}, batch_size=2, epochs=300)))
    worker.hear("epoch")
    worker.process.stdin.close()
    assert worker.process.wait(timeout=5) == 0
    messages = [json.loads(line) for line in worker.lines]
    assert len(messages) > 5
    known = {"ready", "stage", "fraction", "epoch", *ENDS}
    assert {message["event"] for message in messages} <= known


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


SERVE = """
import sys, time
from forecasting.runs.engine import Engine
from forecasting.runs.store import Store
engine = Engine(Store(sys.argv[1]), slots=1)
engine.start()
while not engine.pids:
    time.sleep(0.01)
print(engine.pids[0], flush=True)
time.sleep(60)
"""


def test_a_worker_whose_server_was_killed_ends_by_itself(database_url, eventually):
    command = [sys.executable, "-c", SERVE, database_url]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            pid = int(server.stdout.readline())
            assert not is_gone(pid)
        finally:
            server.send_signal(signal.SIGKILL)
    eventually(lambda: is_gone(pid), 20)


def test_a_worker_that_nobody_talks_to_ends_when_its_input_ends_even_while_it_warms_up():
    started_at = time.monotonic()
    done = subprocess.run(COMMAND, cwd=ROOT, input="", capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] in ([], ["ready"])
    assert time.monotonic() - started_at < 20
