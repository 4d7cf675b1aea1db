"""The process that fits: `python -m forecasting.runs.worker`. It reads jobs and wishes to stop from standard input, writes
progress and outcomes to standard output (see `job`), and knows nothing of the database.

TensorFlow takes seconds to load and hundreds of MB: a worker loads it for its first network, or while it waits for a job.

When standard input ends, its supervisor is gone, and so is the worker, at once.
"""

import gc
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forecasting.experiment import BadInput
from forecasting.runs.execute import execute
from forecasting.runs.job import Job, Message, Outcome

NICE = 10
IDLE_S = 0.5
"""Seconds without a job after which a worker loads TensorFlow, for the network that may come."""
FIRST_TO_DIE = "600"
"""When the machine's memory is short, the kernel ends a worker and not the dashboard."""


class Pipes:
    """Standard input and output, once TensorFlow's own messages have been turned away to standard error."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self.jobs: queue.Queue[Message] = queue.Queue()
        self.stopped: set[str] = set()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while (message := Message.read(sys.stdin.buffer)) is not None:
            if "stop" in message.header:
                self.stopped.add(message.header["stop"])
            else:
                self.jobs.put(message)
        os._exit(0)

    def next(self, within_s: float | None) -> Message | None:
        """The next job, or None when none came in time."""
        try:
            return self.jobs.get(timeout=within_s)
        except queue.Empty:
            return None

    def tell(self, message: Message) -> None:
        """Write a message."""
        self._out.write(message.to_bytes())
        self._out.flush()


def main(threads: int = 1, programs_folder: str = "") -> None:
    """Work through jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches this process too; its supervisor ends it
    os.nice(NICE)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if programs_folder:
        keep = f"--tf_xla_persistent_cache_directory={programs_folder}"
        os.environ["TF_XLA_FLAGS"] = f"{os.environ.get('TF_XLA_FLAGS', '')} {keep}".strip()
    warning = _die_first() if sys.platform == "linux" else ""
    pipes, loaded = Pipes(), False
    while True:
        message = pipes.next(None if loaded else IDLE_S)
        job = None if message is None else _read(message)
        with _trouble_with_programs(programs_folder):
            if not loaded and (job is None or (isinstance(job, Job) and job.fit.needs_networks)):
                seen = _load_networks(threads)
                pipes.tell(Message({"event": "ready", "devices": seen, "warning": warning}))
                loaded = True
            if job is not None:
                pipes.tell((_outcome(pipes, job) if isinstance(job, Job) else job).message)


def _read(message: Message) -> Job | Outcome:
    """The job that a message holds; one of another version has failed."""
    try:
        return Job.of(message)
    except BadInput as error:
        return Outcome("failed", reason=str(error))


def _outcome(pipes: Pipes, job: Job) -> Outcome:
    """Do a job."""
    outcome = execute(job, pipes.tell, lambda: job.name in pipes.stopped, fatal=_is_about_programs)
    pipes.stopped.discard(job.name)
    return outcome


def _die_first() -> str:
    """Ask the kernel to end this process before others when memory is short; return why it does not take the wish."""
    try:
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_DIE)
    except OSError as error:  # a container may forbid it
        return f"when memory is short the kernel may end the dashboard before this worker ({error})"
    return ""


@contextmanager
def _trouble_with_programs(folder: str) -> Iterator[None]:
    """Empty the folder of compiled programs when it makes trouble, and end: the next worker compiles anew."""
    from forecasting.runs.compile_cache import empty

    try:
        yield
    except Exception as error:
        if folder and _is_about_programs(error):
            empty(folder)
        raise


def _is_about_programs(error: Exception) -> bool:
    """Whether TensorFlow could not read or write a compiled program."""
    if "tensorflow" not in sys.modules:
        return False
    from forecasting.models.networks.runtime import is_unreadable
    from forecasting.runs.compile_cache import MARK

    return is_unreadable(error) or MARK in str(error)


def _load_networks(threads: int) -> list[str]:
    """Load TensorFlow and warm it up; return the devices that it sees."""
    from forecasting.models.networks.runtime import devices, use_threads

    # One thread per worker by default: for these small networks two are no faster, and several workers share the cores.
    use_threads(threads)
    _warm_up()
    gc.collect()
    gc.freeze()  # tracing a network makes so many objects that the collector would look at TensorFlow's again and again
    return devices()


def _warm_up() -> None:
    """Do a tiny fit: it loads what fits need and starts the compiler, which takes some tenths of a second once."""
    from forecasting.evaluation.windows import run_fit
    from forecasting.experiment import ModelChoice, Task, Training, Waves, WindowFit
    from forecasting.models.linear import LinearTrained

    model, training = ModelChoice(name=LinearTrained.name), Training(epochs=1)
    run_fit(WindowFit(source=Waves(n_series=20), task=Task(input_size=4), model=model, training=training, seed=0))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
