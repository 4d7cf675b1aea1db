"""The worker, driven over its pipes as its supervisor drives it."""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from forecasting import Experiment, Fit, ModelChoice, Sample, Upload, fits_of
from forecasting.experiment import Plan
from forecasting.runs.job import Job, Message, Outcome
from forecasting.runs.store import unpack
from forecasting.runs.worker_process import Guard, WorkerProcess

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "forecasting.runs.worker", "1", ""]


@dataclass
class Worker:
    """A worker process and all messages that it has written to standard output."""

    process: subprocess.Popen
    messages: list[Message] = field(default_factory=list)
    rest: bytes = b""
    _new: queue.Queue = field(default_factory=queue.Queue)

    def listen(self) -> None:
        """Collect its messages until standard output ends."""
        while (message := Message.read(self.process.stdout)) is not None:
            self.messages.append(message)
            self._new.put(message)
        self.rest = self.process.stdout.read()

    def send(self, content: bytes) -> None:
        """Write bytes to it."""
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def do(self, name: str, fit: Fit) -> None:
        """Hand it a job."""
        self.send(Job(name, fit).to_bytes())

    def stop(self, name: str) -> None:
        """Ask it to end a job."""
        self.send(Message({"stop": name}).to_bytes())

    def hear(self, event: str, within_s: float = 60.0) -> list[dict[str, Any]]:
        """Return the headers of its messages up to the next one of this event."""
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1]["event"] != event:
            heard.append(self._new.get(timeout=within_s).header)
        return heard

    def outcome(self) -> Outcome:
        """Wait for the next outcome."""
        self.hear("outcome")
        return Outcome.of(next(message for message in reversed(self.messages) if message.header["event"] == "outcome"))


@contextmanager
def started(command: list[str]) -> Iterator[Worker]:
    """A worker, with somebody who listens to it."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        one = Worker(process)
        listener = threading.Thread(target=one.listen)
        listener.start()
        try:
            yield one
        finally:
            process.kill()
            listener.join(10)


@pytest.fixture(scope="module")
def worker():
    """One worker for all tests of this module, warmed up."""
    with started(COMMAND) as one:
        one.hear("ready")
        yield one


def fit_of(experiment: Experiment) -> Fit:
    return fits_of(experiment)[-1]


@pytest.mark.slow
def test_a_worker_does_without_tensorflow_what_needs_no_network(small):
    """It is never idle here; of the idle one see the next test."""
    plan = Plan(h=12, n_windows=2, season_length=12)
    sample = Experiment(source=Sample(name="elnino"), models=(ModelChoice(name="ets"),), plan=plan)
    jobs = [*fits_of(small("naive", "linear")), *fits_of(sample)]
    never_idle = "import forecasting.runs.worker as worker; worker.IDLE_S = 600; worker.main()"
    with started([sys.executable, "-c", never_idle]) as one:
        for nth, fit in enumerate(jobs):
            one.do(str(nth), fit)
            one.outcome()
        loaded = any("tensorflow" in part.path for part in psutil.Process(one.process.pid).memory_maps())
        told = list(one.messages)
        one.do("network", fit_of(small("simple_rnn")))
        assert one.outcome().ending == "finished"
        assert any("tensorflow" in part.path for part in psutil.Process(one.process.pid).memory_maps())
    endings = [Outcome.of(message).ending for message in told if message.header["event"] == "outcome"]
    assert endings == ["finished"] * len(jobs) and len(jobs) > 4
    assert not loaded and all(message.header["event"] != "ready" for message in told)


def test_a_worker_says_which_devices_it_has_before_anything_else(worker):
    first = worker.messages[0].header
    assert first["event"] == "ready"
    assert first["devices"][0] == "CPU"


def test_a_job_is_told_from_its_stages_over_its_epochs_to_its_outcome(worker, small):
    worker.do("one", fit_of(small("simple_rnn", epochs=4)))
    heard = worker.hear("outcome")
    stages = [message["stage"] for message in heard if message["event"] == "stage"]
    assert stages == ["preparing", "compiling", "training", "scoring"]
    assert [message["epoch"] for message in heard if message["event"] == "epoch"] == [1, 2, 3, 4]
    outcome = Outcome.of(worker.messages[-1])
    assert (outcome.ending, outcome.summary["epochs"]) == ("finished", 4)
    forecasts, weights = unpack(outcome.arrays["forecasts"]), unpack(outcome.arrays["weights"])
    assert {name: array.shape for name, array in forecasts.items()} == {"valid": (12, 1), "test": (6, 1)}
    assert sum(array.size for array in weights.values()) == outcome.summary["parameters"] == 3
    assert all(np.isfinite(array).all() for array in weights.values())


def test_jobs_and_outcomes_travel_as_bytes(small):
    job = Job("a", fit_of(small("simple_rnn")), upload=b"\n{}\n" * 1_000, state=b"")
    assert Job.from_bytes(job.to_bytes()) == job
    outcome = Outcome("stopped", {"epochs": 3}, {"forecasts": bytes(range(256)), "weights": b""}, "Stopped.")
    assert Outcome.from_bytes(outcome.to_bytes()) == outcome
    with pytest.raises(ValueError, match="ends before"):
        Outcome.from_bytes(outcome.to_bytes()[:-1])


def test_the_same_fit_gives_the_same_numbers_in_a_worker_that_has_done_others(worker, small):
    fit = fit_of(small("simple_rnn"))
    results = []
    for name, one in (("a", fit), ("between", fit_of(small("simple_rnn"))), ("b", fit)):
        worker.do(name, one)
        results.append(worker.outcome().summary)
    assert results[0]["valid_mse"] == results[2]["valid_mse"] != results[1]["valid_mse"]


def test_a_job_that_fails_says_why_and_the_worker_takes_the_next_one(worker, small):
    worker.send(Message({"job": "unreadable", "fit": '{"source": {"kind": "moon"}}'}).to_bytes())
    unreadable = worker.outcome()
    assert unreadable.ending == "failed" and "source" in unreadable.reason
    upload = Upload(upload_id="x" * 16)
    worker.do("no file", fit_of(small("naive").model_copy(update={"source": upload})))
    lacking = worker.outcome()
    assert lacking.ending == "failed" and "did not come along" in lacking.reason
    worker.do("good", fit_of(small("naive")))
    assert worker.outcome().ending == "finished"


def test_a_stop_for_a_job_that_is_over_does_not_touch_the_next_one(worker, small):
    worker.do("over", fit_of(small("naive")))
    worker.outcome()
    worker.stop("over")
    worker.do("next", fit_of(small("simple_rnn")))
    outcome = worker.outcome()
    assert outcome.ending == "finished" and outcome.summary["ended_early"] is None


def test_a_stop_is_heard_in_mid_fit(worker, small):
    worker.do("long", fit_of(small("simple_rnn", waves={"n_series": 10_000}, batch_size=2, epochs=300)))
    worker.hear("epoch")
    worker.stop("long")
    outcome = worker.outcome()
    assert (outcome.ending, outcome.summary["ended_early"]) == ("stopped", "stopped")
    assert 1 <= outcome.summary["epochs"] < 300


def test_workers_are_polite_to_everything_else_on_the_machine(worker):
    assert psutil.Process(worker.process.pid).nice() == os.nice(0) + 10


def test_the_interruption_of_a_terminal_is_left_to_the_supervisor(worker, small):
    worker.do("interrupted", fit_of(small("simple_rnn")))
    worker.hear("epoch")
    worker.process.send_signal(signal.SIGINT)
    assert worker.outcome().ending == "finished"
    worker.do("after it", fit_of(small("naive")))
    assert worker.outcome().ending == "finished"


@pytest.mark.slow
def test_a_worker_whose_wish_to_be_ended_first_is_refused_works_all_the_same_and_the_log_says_so(
    tmp_path, monkeypatch, caplog, eventually
):
    python = tmp_path / "python"
    refused = "import forecasting.runs.worker as worker; worker.FIRST_TO_DIE = 'no number'; worker.main()"
    python.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c \"{refused}\"\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(logging.getLogger("forecasting"), "propagate", True)
    worker = WorkerProcess(Guard())
    worker.start()
    try:
        eventually(lambda: worker.receive(0.1) is None and worker.devices, 60)
    finally:
        worker.kill()
    assert "the kernel may end the dashboard before this worker" in caplog.text


def test_a_worker_whose_standard_input_ends_is_gone_at_once_and_has_written_nothing_but_messages(worker, small):
    """It stands in mid-fit; the other tests of this module have gone before and their lines are looked at too."""
    worker.do("long", fit_of(small("simple_rnn", waves={"n_series": 10_000}, batch_size=2, epochs=300)))
    worker.hear("epoch")
    worker.process.stdin.close()
    assert worker.process.wait(timeout=5) == 0
    assert len(worker.messages) > 5
    known = {"ready", "stage", "fraction", "epoch", "state", "outcome"}
    assert {message.header["event"] for message in worker.messages} <= known
    assert worker.rest == b""


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
