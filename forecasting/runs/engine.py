"""The engine: a few slots that work through the database's queue, each with a warm child of its own."""

import atexit
import logging
import os
import socket
import threading
import time

from sqlalchemy.exc import OperationalError

from forecasting.experiment import Fit
from forecasting.runs.queue import LEASE_S, LeaseLost
from forecasting.runs.store import Store, random_id
from forecasting.runs.supervisor import Child, ChildDied, see_through

log = logging.getLogger(__name__)

POLL_S = 0.5
"""How often an idle slot looks for fits that another process has queued."""


class Engine:
    """Slots over one store. Several engines over one database share its queue and do each other no harm.

    Args:
        store: the database.
        slots: fits that train at the same time.
        only_run: work on the fits of this run alone.
    """

    def __init__(self, store: Store, slots: int, only_run: str | None = None) -> None:
        self.store, self.slots, self.only_run = store, slots, only_run
        self._children = [Child() for _ in range(slots)]
        self._closing, self._work_came = threading.Event(), threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle: set[Child] = set()
        self._name = f"{socket.gethostname()}-{os.getpid()}-{random_id(4)}"[:60]

    def start(self, warm_up_after_s: float = 0.0) -> None:
        """Start the slots; their children warm up after a while, or with the first fit."""
        self._warm_up_at = time.monotonic() + warm_up_after_s
        for i, child in enumerate(self._children):
            thread = threading.Thread(target=self._serve, args=(child, f"{self._name}/{i}"), daemon=True)
            thread.start()
            self._threads.append(thread)
        atexit.register(self.close)

    def wake(self) -> None:
        """Tell idle slots that there is work."""
        with self._work_came:
            self._work_came.notify_all()

    def close(self) -> None:
        """End the children and give back what they were at."""
        self._closing.set()
        self.wake()
        for thread in self._threads:
            thread.join(timeout=3)
        for child in self._children:
            child.kill()

    @property
    def devices(self) -> list[str]:
        """The devices that the workers have seen; the CPU alone until one has warmed up."""
        return max((child.devices for child in self._children), key=len) or ["CPU"]

    @property
    def pids(self) -> list[int]:
        """The process ids of the living children."""
        return [child.pid for child in self._children if child.pid is not None]

    def _serve(self, child: Child, holder: str) -> None:
        swept_at, keep_warm = 0.0, True
        while not self._closing.is_set():
            try:
                if time.monotonic() - swept_at > LEASE_S / 3:
                    self.store.sweep()
                    swept_at = time.monotonic()
                if self._take_one(child, holder):
                    continue
                if keep_warm and time.monotonic() >= self._warm_up_at:
                    child.start()
                keep_warm = _is_well(child) and keep_warm
                with self._work_came:
                    self._work_came.wait(POLL_S)
            except LeaseLost as lost:
                log.warning("%s", lost)
            except OperationalError as error:
                log.error("the database does not answer, trying again: %s", error)
                self._closing.wait(1.0)
            except Exception:  # a slot must outlive whatever one fit does; its lease expires, and the sweep takes it up
                log.exception("a fit failed in an unforeseen way")
                self._closing.wait(1.0)

    def _take_one(self, child: Child, holder: str) -> bool:
        self._idle.add(child)
        lease = self.store.lease(holder, self.only_run, leave=lambda fit: self._another_is_prepared(fit, child))
        if lease is None:
            return False
        self._idle.discard(child)
        log.info("fit %s attempt %s starts on %s", lease.fit.id, lease.attempt, holder)
        see_through(self.store, lease, child, self._closing)
        return True

    def _another_is_prepared(self, fit: Fit, child: Child) -> bool:
        """Whether an idle child has compiled what this fit needs, and this one has not."""
        others = (other for other in self._idle.copy() if other is not child and other.pid is not None)
        return fit.program not in child.programs and any(fit.program in other.programs for other in others)


def _is_well(child: Child) -> bool:
    """Hear what an idle child has to say; one that ended by itself is not started again before the next fit."""
    if child.started:
        try:
            child.receive(0.0)
        except ChildDied as error:
            log.error("an idle worker ended: %s", error)
            child.kill()
            return False
    return True
