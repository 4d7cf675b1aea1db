"""A stop on a busy machine: a worker that obeys is waited for, one that does not is ended."""

import threading
import time

import pytest

from forecasting.runs.job import Message
from forecasting.runs.queue import Done
from forecasting.runs.supervisor import GRACE_S, supervise
from forecasting.runs.worker_process import Guard, WorkerProcess

LATE_S = GRACE_S + 1.5


class LateWorker(WorkerProcess):
    """A real worker of which nothing is heard for a while after a stop: at once, or once it says that it scores."""

    def __init__(self, silent_from: str) -> None:
        super().__init__(Guard())
        self.silent_from, self.silent_until = silent_from, 0.0

    def send(self, message: Message) -> None:
        super().send(message)
        if "stop" in message.header and self.silent_from == "training":
            self.silent_until = time.monotonic() + LATE_S

    def receive(self, timeout_s: float) -> Message | None:
        if time.monotonic() < self.silent_until:
            time.sleep(timeout_s)
            return None
        message = super().receive(timeout_s)
        if message is not None and message.header.get("stage") == "scoring":
            self.silent_until = time.monotonic() + LATE_S
        return message


@pytest.mark.slow
@pytest.mark.parametrize(("silent_from", "status"), [("scoring", "stopped"), ("training", "cancelled")])
def test_a_stop_waits_for_a_child_that_scores_and_for_no_other(store, small, silent_from, status):
    worker, closing = LateWorker(silent_from), threading.Event()
    run_id = store.start_run(small("simple_rnn", waves={"n_series": 5_000}, epochs=500), "ann")
    try:
        while (lease := store.lease("worker", [run_id])).fit.training is None:
            store.finish(lease, Done('{"valid_mse": 0.5}', {}))
        at_work = threading.Thread(target=supervise, args=(store, lease, worker, closing))
        at_work.start()
        until = time.monotonic() + 60
        while not store.fits([lease.fit.id])[lease.fit.id].epochs:
            assert time.monotonic() < until
            time.sleep(0.05)
        store.stop(run_id)
        at_work.join(timeout=30)
        fit = store.fits([lease.fit.id])[lease.fit.id]
    finally:
        worker.kill()
    assert fit.status == status, fit.reason
    assert (fit.result is not None) == (status == "stopped")
