"""One fit on one worker, from its lease to its end: the job, its progress, its limits, and the outcome."""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from forecasting.experiment import BadInput, LookBackFit, Upload, printable
from forecasting.models import Progress
from forecasting.runs.arrays import pack
from forecasting.runs.database import Unavailable
from forecasting.runs.job import Job, Message, Outcome
from forecasting.runs.queue import Done, Lease
from forecasting.runs.store import Store
from forecasting.runs.worker_process import WorkerDied, WorkerProcess

log = logging.getLogger(__name__)
T = TypeVar("T")

TICK_S = 0.1
BEAT_S = 3.0
CHECK_S = 0.5
"""How often a worker's memory is looked at."""
KEEP_S = 10.0
"""How often the state of a running fit goes into the store."""
GRACE_S = 1.6
"""Seconds that a worker has to obey a visitor's stop before it is killed."""
LONG_GRACE_S = 10.0
"""The same, once it has obeyed and scores what it has, or when the server's limit ends the fit and nobody waits."""
SCORING = ("scoring", "backtesting", "forecasting")
"""Stages in which a fit makes something of what it has learned."""
AGAIN_S = 0.5
"""Pause before a write is tried again that the database did not take."""


def supervise(store: Store, lease: Lease, worker: WorkerProcess, closing: threading.Event) -> None:
    """Work on a leased fit until it has ended, and write how.

    Args:
        store, lease, worker, closing: as in `Supervisor`.

    Raises:
        LeaseLost: when the fit has meanwhile gone to another holder; the worker is ended.
    """
    worker.start()
    supervisor = Supervisor(store, lease, worker, closing)
    try:
        supervisor.work()
    except BadInput as error:
        supervisor.retried(store.give_up, lease, "failed", str(error))
    except WorkerDied as error:
        supervisor.retried(store.put_back, lease, str(error))
    except BaseException:
        worker.kill()
        raise


class Supervisor:
    """A fit at work.

    Args:
        store: where everything is written.
        lease: the right to work on the fit.
        worker: who works.
        closing: set when everything is to end.
    """

    def __init__(self, store: Store, lease: Lease, worker: WorkerProcess, closing: threading.Event) -> None:
        self.store, self.lease, self.worker, self.closing = store, lease, worker, closing
        self.guard, self.name = worker.guard, f"{lease.fit.id}-{lease.attempt}"
        self.began = self.beaten_at = self.heard_at = self.checked_at = self.kept_at = time.monotonic()
        self.stage = "starting"
        self.state: tuple[int, bytes] | None = None
        """Where the fit could go on from: the epochs done, and the state after them."""
        self.kept = 0
        """The epochs of the state that is in the store."""
        self.stop_sent_at: float | None = None
        self.limit = ""

    def retried(self, action: Callable[..., T], *args: Any) -> T:
        """Do it again and again while the database does not answer; the worker goes on meanwhile."""
        while True:
            try:
                return action(*args)
            except Unavailable as error:
                log.warning("%s", error, extra={"fit": self.lease.fit.id, "run": ",".join(self.lease.runs)})
                if self.closing.wait(AGAIN_S):
                    raise

    def work(self) -> None:
        """Hand over the job and follow it to its end.

        Raises:
            WorkerDied: when it died; what it had reached is kept.
        """
        job = self._job()
        self.worker.compiled.append(self.lease.fit.compile_key)
        self.worker.send(job.message)
        try:
            while not self._has_ended():
                pass
        except WorkerDied:
            self.worker.kill()
            self.keep_state()
            raise

    def keep_state(self) -> None:
        """Put the newest state into the store, unless it is there."""
        if self.state is not None and self.state[0] != self.kept:
            epochs, content = self.state
            self.retried(self.store.keep_state, self.lease, content, epochs)
            self.kept = epochs
        self.kept_at = time.monotonic()

    def _job(self) -> Job:
        """The fit with all that it needs."""
        fit, upload, weights = self.lease.fit, None, None
        if isinstance(fit.source, Upload):
            upload = self.retried(self.store.read_upload, fit.source.upload_id)
        if isinstance(fit, LookBackFit):
            parent = self.retried(self.store.weights, fit.parent.id)
            weights = pack({str(i): weight for i, weight in enumerate(parent)})
        return Job(self.name, fit, upload, weights, self.retried(self.store.resume, self.lease))

    # --------------------------------------------------------------------------------------------------------- a tick

    def _has_ended(self) -> bool:
        """One tick: hear the worker, write what it says, watch its limits."""
        if self.closing.is_set():
            self.worker.kill()
            self.keep_state()
            self.retried(self.store.release, self.lease)
            return True
        messages = self._drain()
        self._report(messages)
        if messages and messages[-1].header["event"] == "outcome":
            self._conclude(Outcome.of(messages[-1]))
            return True
        self._keep_alive()
        return self._over_memory_limit() or self._unresponsive() or self._past_its_stop()

    def _drain(self) -> list[Message]:
        """Wait a moment for a message, and take all that have come with it; an outcome is the last."""
        messages: list[Message] = []
        message = self.worker.receive(TICK_S)
        while message is not None and len(messages) < 500:
            self.heard_at = time.monotonic()
            messages.append(message)
            if message.header["event"] == "outcome":
                break
            try:
                message = self.worker.receive(0.0)
            except WorkerDied:  # what it has said is written first; the next tick hears of the end again
                return messages
        return messages

    def _report(self, messages: list[Message]) -> None:
        fraction, epochs = None, []
        for message in messages:
            header = message.header
            if header["event"] == "epoch":
                epochs.append(Progress(**{key: header[key] for key in ("epoch", "loss", "valid_loss", "elapsed_s")}))
            elif header["event"] == "state":
                self.state = header["epochs"], message.parts["state"]
            self.stage = header.get("stage", self.stage)
            fraction = header.get("fraction", fraction)
        if messages:
            self.retried(self.store.report, self.lease, self.stage, fraction, epochs)
            self.beaten_at = time.monotonic()

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if now - self.beaten_at > BEAT_S:
            self.retried(self.store.beat, self.lease)
            self.beaten_at = now
        if now - self.kept_at > KEEP_S:
            self.keep_state()

    def _over_memory_limit(self) -> bool:
        """End a fit that holds more memory than a worker may."""
        now = time.monotonic()
        if now - self.checked_at < CHECK_S:
            return False
        self.checked_at = now
        if self.worker.mb <= self.guard.worker_mb:
            return False
        self.worker.kill()
        reason = f"The fit needed more than the {self.guard.worker_mb:,} MB of memory that a worker may take on this server"
        self.retried(
            self.store.give_up, self.lease, "failed", f"{reason}: use fewer series, steps or units, or a smaller batch."
        )
        return True

    def _unresponsive(self) -> bool:
        """Replace a worker that has given no sign of life for long."""
        if time.monotonic() - self.heard_at < self.guard.no_progress_s:
            return False
        self.worker.kill()
        self.keep_state()
        reason = f"The worker gave no sign of life for {self.guard.no_progress_s:g} s and was ended."
        self.retried(self.store.put_back, self.lease, reason)
        return True

    def _past_its_stop(self) -> bool:
        """Pass on a wish to stop, the visitor's or the server's; end a worker that does not obey in time."""
        now = time.monotonic()
        if self.stop_sent_at is None:
            if now - self.began > self.guard.max_fit_s:
                self.limit = f"The limit of {self.guard.max_fit_s:g} s per fit on this server was reached"
            if self.limit or self._stop_wanted():
                self.worker.send(Message({"stop": self.name}))
                self.stop_sent_at = now
            return False
        if now - self.stop_sent_at < (LONG_GRACE_S if self.limit or self.stage in SCORING else GRACE_S):
            return False
        self.worker.kill()
        self.keep_state()
        if self.limit:
            self.retried(self.store.give_up, self.lease, "failed", f"{self.limit}, and the worker did not answer in time.")
        else:
            kept = f"Train goes on after epoch {self.kept}" if self.kept else "nothing is kept"
            reason = f"Stopped; the worker did not answer in time and was ended: {kept}."
            self.retried(self.store.give_up, self.lease, "cancelled", reason)
        return True

    def _stop_wanted(self) -> bool:
        try:
            return self.store.stop_wanted(self.lease)
        except Unavailable:  # the next tick asks again
            return False

    # ------------------------------------------------------------------------------------------------------------ end

    def _conclude(self, outcome: Outcome) -> None:
        if outcome.ending == "failed":
            self.retried(self.store.give_up, self.lease, "failed", printable(outcome.reason))
        elif outcome.ending == "cancelled" and self.limit:
            reason = f"{self.limit} before its first epoch had ended: take fewer series, steps or units."
            self.retried(self.store.give_up, self.lease, "failed", reason)
        elif outcome.ending == "cancelled":
            self.retried(self.store.give_up, self.lease, "cancelled", "Stopped before its first epoch had ended.")
        else:
            self.retried(self.store.finish, self.lease, self._done(outcome))

    def _done(self, outcome: Outcome) -> Done:
        summary, why = outcome.summary, None
        if outcome.ending == "stopped":
            done = f"{summary['epochs']} epochs were done; the weights of epoch {summary['best_epoch']} are kept."
            why = f"{self.limit or 'Stopped'}: {done}"
        return Done(json.dumps(summary), outcome.arrays, summary["epochs"], why, by_wish=why is not None and not self.limit)
