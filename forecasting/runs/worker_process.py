"""One warm worker process: its messages, its memory, its end."""

import contextlib
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from forecasting.runs.compile_cache import usable
from forecasting.runs.job import Message
from forecasting.runs.machine import rss_mb

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
COMPILED = 7
"""So many of the last programs are still with a worker: it keeps eight, and its warm-up has one."""


class WorkerDied(RuntimeError):
    """The worker ended in the middle of a fit; the message says how."""


@dataclass(frozen=True)
class Guard:
    """How workers are started, and what they may take.

    Attributes:
        max_fit_s: seconds after which a fit is stopped.
        no_progress_s: seconds without a sign of life after which a worker is replaced.
        worker_mb: memory that a worker may hold.
        threads: of each worker.
        cache_dir: folder for compiled programs; empty for none.
    """

    max_fit_s: float = 600.0
    no_progress_s: float = 120.0
    worker_mb: int = 1_500
    threads: int = 1
    cache_dir: str = ""

    def has_grown(self, mb: int) -> bool:
        """Whether an idle worker should be replaced."""
        return mb > self.worker_mb * 2 // 3


class WorkerProcess:
    """A worker process: TensorFlow loaded once it is needed, compiled programs kept, one fit at a time."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.devices: list[str] = []
        self.compiled: deque[str] = deque(maxlen=COMPILED)
        """The programs that it has compiled, as `Fit.compile_key` names them."""
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: queue.Queue[Message] = queue.Queue()
        self._errors: deque[str] = deque(maxlen=20)

    @property
    def pid(self) -> int | None:
        """The process id, while it lives."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def started(self) -> bool:
        """Whether it was started and not yet ended by us; it may have ended by itself."""
        return self._process is not None

    @property
    def mb(self) -> int:
        """The memory that it holds, in MB; 0 when it does not live."""
        return (self.pid and rss_mb(self.pid)) or 0

    def start(self) -> None:
        """Start the process if it is not alive; it warms up by itself."""
        if self.pid is not None:
            return
        self.kill()  # one that ended by itself has left its pipes open
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "OPENBLAS_NUM_THREADS": str(self.guard.threads),
        }
        self._messages, self._errors = queue.Queue(), deque(maxlen=20)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "forecasting.runs.worker", str(self.guard.threads), usable(self.guard.cache_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        threading.Thread(target=_pump, args=(cast(BinaryIO, self._process.stdout), self._messages), daemon=True).start()
        threading.Thread(target=_keep, args=(cast(BinaryIO, self._process.stderr), self._errors), daemon=True).start()

    def send(self, message: Message) -> None:
        """Write a message to the worker.

        Raises:
            WorkerDied: when nobody reads it.
        """
        process = self._process
        if process is None or process.stdin is None:
            raise WorkerDied("The worker was not started.")
        try:
            process.stdin.write(message.to_bytes())
            process.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise WorkerDied(self._how_it_ended()) from None

    def receive(self, timeout_s: float) -> Message | None:
        """Return the next message, or None when none came in time.

        Raises:
            WorkerDied: when the process ended and all its messages have been read.
        """
        try:
            message = self._messages.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if message.header["event"] == "end":
            self._messages.put(message)  # whoever asks again hears the same
            raise WorkerDied(self._how_it_ended())
        if message.header["event"] == "ready":
            self.devices = message.header["devices"]
            if message.header["warning"]:
                log.warning("worker %s: %s", self.pid, message.header["warning"])
            return None
        return message

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        self.compiled.clear()
        if process is None:
            return
        log.debug("worker %s ends", process.pid)
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


def _pump(stream: BinaryIO, messages: "queue.Queue[Message]") -> None:
    try:
        with stream:
            while (message := Message.read(stream)) is not None:
                messages.put(message)
    finally:
        messages.put(Message({"event": "end"}))


def _keep(stream: BinaryIO, errors: "deque[str]") -> None:
    with stream:
        errors.extend(line.decode(errors="replace") for line in stream)
