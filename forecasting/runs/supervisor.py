"""One warm child and its fits: hands it jobs, writes its progress to the store, ends it when it does not obey."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, Any

from forecasting.experiment import BadInput, Upload
from forecasting.models import Progress
from forecasting.runs.queue import Lease
from forecasting.runs.store import Store, pack

ROOT = Path(__file__).parents[2]
TICK_S = 0.1
BEAT_S = 3.0
GRACE_S = 1.6
"""Seconds that a child has to obey a stop before it is killed."""


PROGRAMS = 7
"""So many of the last programs are still with a child: it keeps eight, and its warm-up has one."""


class ChildDied(RuntimeError):
    """The child ended in the middle of a fit; the message says how."""


class Child:
    """A worker process: TensorFlow imported, compiled programs kept, one fit at a time."""

    def __init__(self) -> None:
        self.devices: list[str] = []
        self.programs: deque[str] = deque(maxlen=PROGRAMS)
        """The programs that it has compiled, as `Fit.program` names them."""
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._errors: deque[str] = deque(maxlen=20)

    @property
    def pid(self) -> int | None:
        """The process id, while it lives."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def started(self) -> bool:
        """Whether it was started and not yet ended by us; it may have ended by itself."""
        return self._process is not None

    def start(self) -> None:
        """Start the process if it is not alive; it warms up by itself."""
        if self.pid is not None:
            return
        self.kill()  # one that ended by itself has left its pipes open
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
        self._lines, self._errors = queue.Queue(), deque(maxlen=20)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "forecasting.runs.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        threading.Thread(target=_pump, args=(self._process.stdout, self._lines), daemon=True).start()
        threading.Thread(target=_keep, args=(self._process.stderr, self._errors), daemon=True).start()

    def send(self, message: dict[str, Any]) -> None:
        """Write a line to the child.

        Raises:
            ChildDied: when nobody reads it.
        """
        process = self._process
        if process is None or process.stdin is None:
            raise ChildDied("The worker was not started.")
        try:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise ChildDied(self._how_it_ended()) from None

    def receive(self, timeout_s: float) -> dict[str, Any] | None:
        """Return the next line, or None when none came in time.

        Raises:
            ChildDied: when the process ended and all its lines have been read.
        """
        try:
            message = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if message["event"] == "end":
            raise ChildDied(self._how_it_ended())
        if message["event"] == "ready":
            self.devices = message["devices"]
            return None
        return message

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        self.programs.clear()
        if process is None:
            return
        process.kill()
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # what was not yet written has no reader any more
                process.stdin.close()

    def _how_it_ended(self) -> str:
        code = self._process.wait(timeout=10) if self._process else None
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
        if code == -signal.SIGKILL:
            return f"The worker process {how}: was memory short? Use fewer series, steps or units."
        last = next((line for line in reversed(self._errors) if line.strip()), "")
        return f"The worker process {how}. {last[:200]}".strip()


def _pump(stream: IO[str], lines: "queue.Queue[dict[str, Any]]") -> None:
    try:
        with stream:
            for line in stream:
                lines.put(json.loads(line))
    finally:
        lines.put({"event": "end"})


def _keep(stream: IO[str], errors: "deque[str]") -> None:
    with stream:
        errors.extend(iter(stream.readline, ""))


def see_through(store: Store, lease: Lease, child: Child, closing: threading.Event) -> None:
    """Work on a leased fit until it has ended, and write how.

    Raises:
        LeaseLost: when the fit has meanwhile gone to another holder; the child is ended.
    """
    child.start()
    try:
        with tempfile.TemporaryDirectory(prefix="forecasting-") as folder:
            job = _prepare(store, lease, Path(folder))
            child.programs.append(lease.fit.program)
            child.send(job)
            _follow(store, lease, child, Path(folder), closing)
    except BadInput as error:
        store.give_up(lease, "failed", str(error))
    except ChildDied as error:
        child.kill()
        store.put_back(lease, str(error))
    except BaseException:
        child.kill()
        raise


def _prepare(store: Store, lease: Lease, folder: Path) -> dict[str, Any]:
    """Put what the fit needs into its folder."""
    fit = lease.fit
    if isinstance(fit.source, Upload):
        (folder / f"upload-{fit.source.upload_id}").write_bytes(store.read_upload(fit.source.upload_id))
    if fit.parent is not None:
        weights = store.weights(fit.parent.id)
        (folder / "parent-weights").write_bytes(pack({str(i): weight for i, weight in enumerate(weights)}))
    name = f"{fit.id}-{lease.attempt}"
    return {"job": name, "fit": fit.model_dump(mode="json"), "folder": str(folder)}


def _follow(store: Store, lease: Lease, child: Child, folder: Path, closing: threading.Event) -> None:
    """Read the child's lines until the fit has ended; write progress, pass on a wish to stop."""
    stage, told_stop_at, beaten_at = "starting", None, time.monotonic()
    while True:
        if closing.is_set():
            child.kill()
            store.release(lease)
            return
        messages = _drain(child)
        stage = _report(store, lease, stage, messages)
        if messages:
            beaten_at = time.monotonic()
        ended = [message for message in messages if message["event"] in ("done", "stopped", "failed")]
        if ended:
            _conclude(store, lease, ended[0], folder)
            return
        now = time.monotonic()
        if now - beaten_at > BEAT_S:
            store.beat(lease)
            beaten_at = now
        if told_stop_at is None and store.stop_wanted(lease):
            child.send({"stop": f"{lease.fit.id}-{lease.attempt}"})
            told_stop_at = now
        if told_stop_at is not None and now - told_stop_at > GRACE_S:
            child.kill()
            store.give_up(lease, "cancelled", "Stopped; the worker did not answer in time, so no weights are kept.")
            return


def _drain(child: Child) -> list[dict[str, Any]]:
    """Wait a moment for a line, and take all that have come with it."""
    messages = []
    message = child.receive(TICK_S)
    while message is not None:
        messages.append(message)
        if message["event"] in ("done", "stopped", "failed"):
            break
        message = child.receive(0.0) if len(messages) < 500 else None
    return messages


def _report(store: Store, lease: Lease, stage: str, messages: list[dict[str, Any]]) -> str:
    fraction, epochs = None, []
    for message in messages:
        if message["event"] == "epoch":
            epochs.append(Progress(**{key: message[key] for key in ("epoch", "loss", "valid_loss", "elapsed_s")}))
        stage = message.get("stage", stage)
        fraction = message.get("fraction")
    if messages:
        store.report(lease, stage, fraction, epochs)
    return stage


def _conclude(store: Store, lease: Lease, message: dict[str, Any], folder: Path) -> None:
    if message["event"] == "failed":
        store.give_up(lease, "failed", message["reason"])
    elif message["event"] == "stopped":
        store.give_up(lease, "cancelled", "Stopped before its first epoch had ended.")
    else:
        summary = message["summary"]
        arrays = {name: (folder / name).read_bytes() for name in ("forecasts", "weights")}
        store.finish(lease, json.dumps(summary), arrays, stopped=_why_stopped(summary))


def _why_stopped(summary: dict[str, Any]) -> str | None:
    done = f"{summary['epochs']} epochs were done; the weights of epoch {summary['best_epoch']} are kept."
    if summary["ended_early"] == "time limit":
        return f"The time limit was reached: {done}"
    return f"Stopped: {done}" if summary["ended_early"] else None
