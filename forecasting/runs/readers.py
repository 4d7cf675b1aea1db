"""Processes that read visitors' files, so that a page's process need not: kept warm, watched, replaced."""

import atexit
import contextlib
import logging
import queue
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from forecasting.data.reading import NO_OPTIONS, Reading, ReadOptions
from forecasting.data.reading.wire import Refusal, asked, receive, send, unpacked
from forecasting.experiment import BadInput
from forecasting.runs.machine import rss_mb

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "forecasting.data.reading.apart")
ROOT = Path(__file__).parents[2]
POLL_S = 0.05
GROWN_MB = 400
"""An idle process that holds more is replaced; a fresh one holds some 150."""


class Reader:
    """A process that reads one file after another.

    Args:
        max_mb: memory that it may hold.
        max_s: seconds that it may take for a file.
    """

    def __init__(self, max_mb: int, max_s: float) -> None:
        self.max_mb, self.max_s = max_mb, max_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, while it lives."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the process if it is not alive; it warms up by itself."""
        if self.pid is None:
            self.kill()  # one that ended by itself has left its pipes open
            self._process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)

    def read(self, content: bytes, options: ReadOptions) -> Reading | Refusal:
        """Have a file read.

        Raises:
            BadInput: in one sentence, when that takes too much time or memory, or the process fails.
        """
        self.start()
        try:
            answer = unpacked(*self._answer(content, options))
        except BadInput:
            self._replace()
            raise
        except Exception as error:  # whatever came was no answer
            how = self._how_it_failed()
            log.error("a reading process failed: %r", error)
            self._replace()
            raise BadInput(how) from None
        if self._mb() > GROWN_MB:
            self._replace()
        return answer

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is None or process.stdin is None or process.stdout is None:
            return
        process.kill()
        process.wait()
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):  # what was not yet written has no reader any more
            process.stdin.close()

    def _answer(self, content: bytes, options: ReadOptions) -> tuple[dict[str, Any], bytes]:
        answer: Future[tuple[dict[str, Any], bytes]] = Future()
        threading.Thread(target=_exchange, args=(self._process, content, options, answer), daemon=True).start()
        began = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                return answer.result(POLL_S)
            if self._mb() > self.max_mb:
                raise BadInput(f"Reading the file takes more memory than the {self.max_mb:,} MB allowed here: cut it down.")
            if time.monotonic() - began > self.max_s:
                raise BadInput(f"The file takes more than {self.max_s:,.0f} s to read: cut it down.")

    def _mb(self) -> int:
        return (self.pid and rss_mb(self.pid)) or 0

    def _replace(self) -> None:
        self.kill()
        self.start()

    def _how_it_failed(self) -> str:
        process = self._process
        with contextlib.suppress(subprocess.TimeoutExpired):  # it lives, and has answered nonsense
            code = process.wait(1.0) if process else 0
            if code in (-signal.SIGKILL, -signal.SIGABRT):
                return f"Reading the file was ended by signal {-code}: was memory short? Cut the file down."
        return "The process that reads files failed at this one: try again, or save it in another format, as CSV."


def _exchange(
    process: "subprocess.Popen[bytes]", content: bytes, options: ReadOptions, answer: "Future[tuple[dict[str, Any], bytes]]"
) -> None:
    try:
        send(process.stdin, asked(options), content)  # type: ignore[arg-type]  # it was started with both
        answer.set_result(receive(process.stdout))  # type: ignore[arg-type]
    except Exception as error:  # whoever waits for the answer hears of it
        answer.set_exception(error)


class Readers:
    """A few readers, each for one file at a time; the one that was used last is used next.

    Args:
        max_mb: memory that each may hold.
        max_s: seconds that a file may take.
        most: files that are read at the same time; each takes memory of its own.
    """

    def __init__(self, max_mb: int, max_s: float = 120.0, most: int = 2) -> None:
        self._all = [Reader(max_mb, max_s) for _ in range(most)]
        self._idle: queue.LifoQueue[Reader] = queue.LifoQueue()
        for reader in reversed(self._all):
            self._idle.put(reader)
        atexit.register(self.close)

    @property
    def pids(self) -> list[int]:
        """The process ids of those that live."""
        return [reader.pid for reader in self._all if reader.pid is not None]

    def warm_up(self) -> None:
        """Start one if none is there, before there is a file."""
        with contextlib.suppress(queue.Empty):  # all are at work, and so warm
            reader = self._idle.get_nowait()
            try:
                reader.start()
            finally:
                self._idle.put(reader)

    def read(self, content: bytes, options: ReadOptions = NO_OPTIONS) -> Reading | Refusal:
        """Have a file read by a process that is free.

        Raises:
            BadInput: in one sentence, when that takes too much time or memory, or the process fails.
        """
        reader = self._idle.get()
        try:
            return reader.read(content, options)
        finally:
            self._idle.put(reader)

    def close(self) -> None:
        """End all of them."""
        for reader in self._all:
            reader.kill()
