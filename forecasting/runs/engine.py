"""The engine: a few slots that work through the database's queue, each with a warm worker of its own."""

import atexit
import logging
import os
import socket
import threading
import time
from collections.abc import Sequence

from forecasting.experiment import BadInput, Fit
from forecasting.runs.database import Unavailable
from forecasting.runs.ids import random_id
from forecasting.runs.queue import LEASE_S, Lease, LeaseLost
from forecasting.runs.records import DAY_S, KEPT_DAYS
from forecasting.runs.searcher import look_after
from forecasting.runs.store import Store
from forecasting.runs.supervisor import supervise
from forecasting.runs.worker_process import Guard, WorkerDied, WorkerProcess

log = logging.getLogger(__name__)

POLL_S = 0.5
"""How often an idle slot looks for fits that another process has queued."""
SWEEP_S = LEASE_S / 3
CLOSE_S = 3.0
"""So long all slots together may take to give back what they were at."""
FORGET_S = 3_600.0
WARM = 2
"""So many workers warm up before they are needed; those of further slots start with their first fit."""


class Engine:
    """Slots over one store. Several engines over one database share its queue and do each other no harm.

    Args:
        store: the database.
        slots: fits that train at the same time.
        only_runs: work on the fits of these runs alone, by their ids; others may be added while it works. None: on all.
        guard: what workers may take.
        keep_days: days after which runs are deleted; 0 for never.
    """

    def __init__(
        self,
        store: Store,
        slots: int,
        only_runs: Sequence[str] | None = None,
        guard: Guard | None = None,
        keep_days: int = 0,
    ) -> None:
        self.store, self.slots, self.only_runs, self.keep_days = store, slots, only_runs, keep_days
        self._workers = [WorkerProcess(guard or Guard()) for _ in range(slots)]
        self._closing, self._work_came = threading.Event(), threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle: set[WorkerProcess] = set()
        self._sweep_at, self._forget_at = 0.0, 0.0
        self._name = f"{socket.gethostname()}-{os.getpid()}-{random_id(4)}"[:60]

    def start(self, warm_up_after_s: float = 0.0) -> None:
        """Start the slots; their workers warm up after a while, or with the first fit."""
        self._warm_up_at = time.monotonic() + warm_up_after_s
        for i in range(self.slots):
            thread = threading.Thread(target=self._serve, args=(i,), daemon=True)
            thread.start()
            self._threads.append(thread)
        self._threads.append(threading.Thread(target=self._look_after_searches, daemon=True))
        self._threads[-1].start()
        atexit.register(self.close)

    def warm_up(self, after_s: float) -> None:
        """Let workers warm up after a while; an earlier moment that was chosen before stands."""
        self._warm_up_at = min(self._warm_up_at, time.monotonic() + after_s)

    def wake(self) -> None:
        """Tell idle slots that there is work."""
        with self._work_came:
            self._work_came.notify_all()

    def close(self) -> None:
        """End the workers and give back what they were at."""
        self._closing.set()
        self.wake()
        until = time.monotonic() + CLOSE_S
        for thread in self._threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))
        for worker in self._workers:
            worker.kill()

    @property
    def alive(self) -> bool:
        """Whether every slot is at work, or waits for it."""
        return not self._closing.is_set() and all(thread.is_alive() for thread in self._threads)

    @property
    def devices(self) -> list[str]:
        """The devices that the workers have seen; the CPU alone until one has warmed up."""
        return max((worker.devices for worker in self._workers), key=len) or ["CPU"]

    @property
    def pids(self) -> list[int]:
        """The process ids of the living workers."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    # ---------------------------------------------------------------------------------------------------------- slots

    def _serve(self, slot: int) -> None:
        worker, keep_warm = self._workers[slot], slot < WARM
        while not self._closing.is_set():
            try:
                self._tidy_store()
                if self._take_one(worker, f"{self._name}/{slot}"):
                    _replace_if_grown(worker)
                    continue
                if keep_warm and time.monotonic() >= self._warm_up_at:
                    worker.start()
                keep_warm = _is_well(worker) and keep_warm
                with self._work_came:
                    self._work_came.wait(POLL_S)
            except LeaseLost as lost:
                log.warning("%s", lost)
            except Unavailable as error:
                log.error("%s", error)
                self._sweep_at = time.monotonic() + SWEEP_S  # first those write again who hold a fit
                self._closing.wait(1.0)
            except Exception:  # a slot must outlive whatever one fit does; its lease expires, and the sweep takes it up
                log.exception("a fit failed in an unforeseen way")
                self._closing.wait(1.0)

    def _tidy_store(self) -> None:
        now = time.monotonic()
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            self.store.sweep()
        if now >= self._forget_at:
            self._forget_at, today = now + FORGET_S, time.time()
            before = today - self.keep_days * DAY_S if self.keep_days else 0.0
            self.store.forget(before, deleted_before=today - KEPT_DAYS * DAY_S)

    def _take_one(self, worker: WorkerProcess, holder: str) -> bool:
        self._idle.add(worker)
        lease = self.store.lease(holder, self.only_runs, leave=lambda fit: self._another_is_prepared(fit, worker))
        if lease is None:
            return False
        self._idle.discard(worker)
        began = time.monotonic()
        _log(lease, "starts")
        supervise(self.store, lease, worker, self._closing)
        _log(lease, f"ended after {time.monotonic() - began:.1f} s; its worker holds {worker.mb} MB")
        return True

    def _look_after_searches(self) -> None:
        """Take searches on, one step after another, as their fits end."""
        while not self._closing.wait(POLL_S):
            try:
                for run_id in self.store.searching(self.only_runs):
                    self._look_after(run_id)
            except Unavailable as error:
                log.error("%s", error)
                self._closing.wait(1.0)
            except Exception:  # as with fits: whatever one search does, the others go on
                log.exception("a search failed in an unforeseen way")
                self._closing.wait(1.0)

    def _look_after(self, run_id: str) -> None:
        try:
            look_after(self.store, run_id)
            self.wake()
        except BadInput as error:
            log.error("the search of run %s ends: %s", run_id, error, extra={"run": run_id})
            self.store.end_search(run_id)

    def _another_is_prepared(self, fit: Fit, worker: WorkerProcess) -> bool:
        """Whether an idle worker has compiled what this fit needs, and this one has not."""
        others = (other for other in self._idle.copy() if other is not worker and other.pid is not None)
        return fit.compile_key not in worker.compiled and any(fit.compile_key in other.compiled for other in others)


def _log(lease: Lease, what: str) -> None:
    ids = {"fit": lease.fit.id, "run": ",".join(lease.runs), "attempt": lease.attempt, "holder": lease.holder}
    message = "fit %s of run %s: %s, attempt %d, %s"
    log.info(message, ids["fit"], ids["run"], lease.fit.model.name, lease.attempt, what, extra=ids)


def _replace_if_grown(worker: WorkerProcess) -> None:
    """End an idle worker that holds too much; compiled programs are never given back by TensorFlow."""
    mb = worker.mb
    if worker.guard.has_grown(mb):
        log.info("worker %s has grown to %d MB and is replaced", worker.pid, mb)
        worker.kill()
        worker.start()


def _is_well(worker: WorkerProcess) -> bool:
    """Read pending messages of an idle worker; False if it has exited: it is not started again before the next fit."""
    if worker.started:
        try:
            worker.receive(0.0)
        except WorkerDied as error:
            log.error("an idle worker ended: %s", error)
            worker.kill()
            return False
    return True
