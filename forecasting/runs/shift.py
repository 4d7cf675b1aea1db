"""One fit on one child, from its lease to its end: the job, its progress, its limits, and how it ended."""

import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from forecasting.experiment import BadInput, Upload, printable
from forecasting.models import Progress
from forecasting.runs.arrays import pack
from forecasting.runs.child import Child, ChildDied
from forecasting.runs.database import Unavailable
from forecasting.runs.machine import disk_trouble
from forecasting.runs.queue import Done, Lease
from forecasting.runs.store import Store

log = logging.getLogger(__name__)
T = TypeVar("T")

TICK_S = 0.1
BEAT_S = 3.0
LOOK_S = 0.5
"""How often a child's memory is looked at."""
KEEP_S = 10.0
"""How often the state of a running fit goes into the store."""
GRACE_S = 1.6
"""Seconds that a child has to obey a visitor's stop before it is killed."""
LONG_GRACE_S = 10.0
"""The same, once it has obeyed and scores what it has, or when the server's limit ends the fit and nobody waits."""
AGAIN_S = 0.5
"""Pause before a write is tried again that the database did not take."""


def see_through(store: Store, lease: Lease, child: Child, closing: threading.Event) -> None:
    """Work on a leased fit until it has ended, and write how.

    Raises:
        LeaseLost: when the fit has meanwhile gone to another holder; the child is ended.
    """
    child.start()
    shift = Shift(store, lease, child, closing)
    try:
        with tempfile.TemporaryDirectory(prefix="forecasting-") as folder:
            shift.work(Path(folder))
    except BadInput as error:
        shift.patiently(store.give_up, lease, "failed", str(error))
    except ChildDied as error:
        shift.patiently(store.put_back, lease, str(error))
    except BaseException as error:
        trouble = disk_trouble(error)
        if trouble is None or shift.at_work:
            child.kill()
        if trouble is None:
            raise
        shift.patiently(store.give_up, lease, "failed", trouble)


class Shift:
    """A fit at work.

    Args:
        store: where everything is written.
        lease: the right to work on the fit.
        child: who works.
        closing: set when everything is to end.
    """

    def __init__(self, store: Store, lease: Lease, child: Child, closing: threading.Event) -> None:
        self.store, self.lease, self.child, self.closing = store, lease, child, closing
        self.guard, self.name = child.guard, f"{lease.fit.id}-{lease.attempt}"
        self.began = self.beaten_at = self.heard_at = self.looked_at = self.kept_at = time.monotonic()
        self.stage, self.kept, self.at_work = "starting", "", False
        self.told_stop_at: float | None = None
        self.limit = ""

    def patiently(self, action: Callable[..., T], *args: Any) -> T:
        """Do it again and again while the database does not answer; the child goes on meanwhile."""
        while True:
            try:
                return action(*args)
            except Unavailable as error:
                log.warning("%s", error, extra={"fit": self.lease.fit.id, "run": ",".join(self.lease.runs)})
                if self.closing.wait(AGAIN_S):
                    raise

    def work(self, folder: Path) -> None:
        """Hand over the job and follow it to its end.

        Args:
            folder: where this process and the child hand each other files.

        Raises:
            ChildDied: when it died; what it had reached is kept.
        """
        self.folder = folder
        job = self._prepare()
        self.child.programs.append(self.lease.fit.program)
        self.child.send(job)
        self.at_work = True
        try:
            while not self._has_ended():
                pass
        except ChildDied:
            self.child.kill()
            self.keep_state()
            raise
        self.at_work = False

    def keep_state(self) -> None:
        """Put the newest checkpoint into the store, unless it is there."""
        checkpoints = sorted(self.folder.glob("checkpoint-*"), key=_epochs_of)
        if checkpoints and checkpoints[-1].name != self.kept:
            try:
                content = checkpoints[-1].read_bytes()
            except FileNotFoundError:  # the child has just put a newer one in its place, which the next look finds
                return
            self.patiently(self.store.keep_state, self.lease, content, _epochs_of(checkpoints[-1]))
            self.kept = checkpoints[-1].name
        self.kept_at = time.monotonic()

    # ----------------------------------------------------------------------------------------------------------- job

    def _prepare(self) -> dict[str, Any]:
        """Put what the fit needs into its folder."""
        fit = self.lease.fit
        if isinstance(fit.source, Upload):
            content = self.patiently(self.store.read_upload, fit.source.upload_id)
            (self.folder / f"upload-{fit.source.upload_id}").write_bytes(content)
        if fit.parent is not None:
            weights = self.patiently(self.store.weights, fit.parent.id)
            (self.folder / "parent-weights").write_bytes(pack({str(i): weight for i, weight in enumerate(weights)}))
        state = self.patiently(self.store.resume, self.lease)
        if state is not None:
            (self.folder / "resume").write_bytes(state)
        return {"job": self.name, "fit": fit.model_dump(mode="json"), "folder": str(self.folder)}

    # --------------------------------------------------------------------------------------------------------- a tick

    def _has_ended(self) -> bool:
        """One tick: hear the child, write what it says, watch its limits."""
        if self.closing.is_set():
            self.child.kill()
            self.keep_state()
            self.patiently(self.store.release, self.lease)
            return True
        messages = self._drain()
        self._report(messages)
        ended = [message for message in messages if message["event"] in ("done", "stopped", "failed")]
        if ended:
            self._conclude(ended[0])
            return True
        self._keep_alive()
        return self._outgrown() or self._silent() or self._disobeys()

    def _drain(self) -> list[dict[str, Any]]:
        """Wait a moment for a line, and take all that have come with it."""
        messages: list[dict[str, Any]] = []
        message = self.child.receive(TICK_S)
        while message is not None and len(messages) < 500:
            self.heard_at = time.monotonic()
            messages.append(message)
            if message["event"] in ("done", "stopped", "failed"):
                break
            try:
                message = self.child.receive(0.0)
            except ChildDied:  # what it has said is written first; the next tick hears of the end again
                return messages
        return messages

    def _report(self, messages: list[dict[str, Any]]) -> None:
        fraction, epochs = None, []
        for message in messages:
            if message["event"] == "epoch":
                epochs.append(Progress(**{key: message[key] for key in ("epoch", "loss", "valid_loss", "elapsed_s")}))
            self.stage = message.get("stage", self.stage)
            fraction = message.get("fraction", fraction)
        if messages:
            self.patiently(self.store.report, self.lease, self.stage, fraction, epochs)
            self.beaten_at = time.monotonic()

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if now - self.beaten_at > BEAT_S:
            self.patiently(self.store.beat, self.lease)
            self.beaten_at = now
        if now - self.kept_at > KEEP_S:
            self.keep_state()

    def _outgrown(self) -> bool:
        """End a fit that holds more memory than a child may."""
        now = time.monotonic()
        if now - self.looked_at < LOOK_S:
            return False
        self.looked_at = now
        if self.child.mb <= self.guard.worker_mb:
            return False
        self.child.kill()
        reason = f"The fit needed more than the {self.guard.worker_mb:,} MB of memory that a worker may take on this server"
        self.patiently(
            self.store.give_up, self.lease, "failed", f"{reason}: use fewer series, steps or units, or a smaller batch."
        )
        return True

    def _silent(self) -> bool:
        """Replace a child that has given no sign of life for long."""
        if time.monotonic() - self.heard_at < self.guard.no_progress_s:
            return False
        self.child.kill()
        self.keep_state()
        reason = f"The worker gave no sign of life for {self.guard.no_progress_s:g} s and was ended."
        self.patiently(self.store.put_back, self.lease, reason)
        return True

    def _disobeys(self) -> bool:
        """Pass on a wish to stop, the visitor's or the server's; end a child that does not obey in time."""
        now = time.monotonic()
        if self.told_stop_at is None:
            if now - self.began > self.guard.max_fit_s:
                self.limit = f"The limit of {self.guard.max_fit_s:g} s per fit on this server was reached"
            if self.limit or self._stop_wanted():
                self.child.send({"stop": self.name})
                self.told_stop_at = now
            return False
        if now - self.told_stop_at < (LONG_GRACE_S if self.limit or self.stage == "scoring" else GRACE_S):
            return False
        self.child.kill()
        self.keep_state()
        if self.limit:
            self.patiently(self.store.give_up, self.lease, "failed", f"{self.limit}, and the worker did not answer in time.")
        else:
            kept = f"Train goes on after epoch {self.kept.removeprefix('checkpoint-')}" if self.kept else "nothing is kept"
            reason = f"Stopped; the worker did not answer in time and was ended: {kept}."
            self.patiently(self.store.give_up, self.lease, "cancelled", reason)
        return True

    def _stop_wanted(self) -> bool:
        try:
            return self.store.stop_wanted(self.lease)
        except Unavailable:  # the next tick asks again
            return False

    # ------------------------------------------------------------------------------------------------------------ end

    def _conclude(self, message: dict[str, Any]) -> None:
        if message["event"] == "failed":
            self.patiently(self.store.give_up, self.lease, "failed", printable(message["reason"]))
        elif message["event"] == "stopped" and self.limit:
            reason = f"{self.limit} before its first epoch had ended: take fewer series, steps or units."
            self.patiently(self.store.give_up, self.lease, "failed", reason)
        elif message["event"] == "stopped":
            self.patiently(self.store.give_up, self.lease, "cancelled", "Stopped before its first epoch had ended.")
        else:
            self.patiently(self.store.finish, self.lease, self._done(message["summary"]))

    def _done(self, summary: dict[str, Any]) -> Done:
        names = ("forecasts", "weights", "state")
        arrays = {name: (self.folder / name).read_bytes() for name in names if (self.folder / name).exists()}
        why = None
        if summary["ended_early"]:
            done = f"{summary['epochs']} epochs were done; the weights of epoch {summary['best_epoch']} are kept."
            why = f"{self.limit or 'Stopped'}: {done}"
        by_wish = why is not None and not self.limit
        return Done(json.dumps(summary), arrays, summary["epochs"], summary["planned"], why, by_wish)


def _epochs_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))
