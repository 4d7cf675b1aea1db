"""The child that fits: `python -m forecasting.runs.worker`. It reads jobs and wishes to stop as lines of JSON from standard
input, writes progress and results as lines of JSON to standard output, and knows nothing of the database.

A job is `{"job": id, "fit": …, "folder": …}`: the folder holds what the fit needs (the upload's content, a parent's weights,
a state to go on from), and takes a checkpoint from time to time and in the end the arrays of the result. When standard input
ends, its supervisor is gone, and so is the child, at once.
"""

import gc
import json
import os
import queue
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

NICE = 10
FIRST_TO_DIE = "600"
"""When the machine's memory is short, the kernel ends a worker and not the dashboard."""
CHECKPOINT_S = 2.0
ALIVE_S = 2.0
"""How often a fit that has nothing else to say says that it is alive."""


class Now:
    """A moment on the clock that can be taken again."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def again(self) -> None:
        """Take the present moment."""
        self._at = time.monotonic()

    def ago(self) -> float:
        """Seconds since it was taken."""
        return time.monotonic() - self._at


class Wire:
    """Standard input and output, once TensorFlow's own messages have been turned away to standard error."""

    def __init__(self) -> None:
        self._out: TextIO = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)
        self.jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self._folder: str | None = None
        self.stopped: set[str] = set()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            if "stop" in message:
                self.stopped.add(message["stop"])
            else:
                self._folder = message["folder"]
                self.jobs.put(message)
        if self._folder is not None:  # it may hold a visitor's file, and nobody else is left to remove it
            shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(0)

    def tell(self, event: str, **content: Any) -> None:
        """Write one line."""
        self._out.write(json.dumps({"event": event, **content}) + "\n")


def main(threads: int = 1, programs_folder: str = "") -> None:
    """Warm up, then work through jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches this process too; its supervisor ends it
    os.nice(NICE)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if programs_folder:
        keep = f"--tf_xla_persistent_cache_directory={programs_folder}"
        os.environ["TF_XLA_FLAGS"] = f"{os.environ.get('TF_XLA_FLAGS', '')} {keep}".strip()
    warning = _die_first() if sys.platform == "linux" else ""
    wire = Wire()

    import tensorflow as tf

    # One thread per worker by default: for these small networks two are no faster, and several workers share the cores.
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    from forecasting.models.program import devices

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    with _trouble_with_programs(programs_folder):
        _warm_up()
    gc.collect()
    gc.freeze()  # tracing a network makes so many objects that the collector would look at TensorFlow's again and again
    wire.tell("ready", devices=devices(), warning=warning)
    while True:
        job = wire.jobs.get()
        with _trouble_with_programs(programs_folder):
            work(wire, job)
        wire.stopped.discard(job["job"])


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
    from forecasting.runs.programs import empty

    try:
        yield
    except Exception as error:
        if folder and _is_about_programs(error):
            empty(folder)
        raise


def _is_about_programs(error: Exception) -> bool:
    """Whether TensorFlow could not read or write a compiled program."""
    from tensorflow.errors import DataLossError, OutOfRangeError

    from forecasting.runs.programs import MARK

    return isinstance(error, DataLossError | OutOfRangeError) or MARK in str(error)


def _warm_up() -> None:
    """Do a tiny fit: it loads what fits need and starts the compiler, which takes some tenths of a second once."""
    from forecasting.experiment import Fit, ModelChoice, Task, Training, Waves
    from forecasting.fit import run_fit

    model, training = ModelChoice(name="linear_sgd"), Training(epochs=1)
    run_fit(Fit(source=Waves(n_series=20), task=Task(input_size=4), model=model, training=training, seed=0))


def work(wire: Wire, job: dict[str, Any]) -> None:
    """Do one job and tell how it ended: `done`, `stopped` before anything was worth keeping, or `failed`."""
    from forecasting.experiment import BadInput
    from forecasting.models.training import Diverged, Stopped

    name = job["job"]
    try:
        result = _fit(wire, job)
    except Stopped:
        wire.tell("stopped", job=name)
    except (BadInput, Diverged) as error:
        wire.tell("failed", job=name, reason=str(error))
    except Exception as error:  # a fit that fails must not take the worker along; the reason reaches the visitor
        if _is_about_programs(error):  # no fault of this fit's
            raise
        traceback.print_exc()
        wire.tell("failed", job=name, reason=_reason(error))
    else:
        wire.tell("done", job=name, summary=result)


def _reason(error: Exception) -> str:
    """Why a fit failed, in words."""
    from tensorflow.errors import ResourceExhaustedError

    from forecasting.runs.machine import disk_trouble

    if isinstance(error, MemoryError | ResourceExhaustedError):
        return "The worker ran out of memory: use fewer series, steps or units."
    return disk_trouble(error) or f"{type(error).__name__}: {error}"[:500]


def _fit(wire: Wire, job: dict[str, Any]) -> dict[str, Any]:
    from forecasting.backtest import Outlook, outlook
    from forecasting.data import read_panel
    from forecasting.experiment import Fit
    from forecasting.fit import Result, run_fit, score_at
    from forecasting.models import Arrays, Control, Progress
    from forecasting.runs.arrays import pack, packed, unpack

    name, folder = job["job"], Path(job["folder"])
    told, checkpointed = Now(), Now()

    def on_epoch(progress: Progress) -> None:
        told.again()
        wire.tell("epoch", job=name, **vars(progress))

    def on_fraction(epoch: int, fraction: float) -> None:
        if told.ago() > 0.4:
            told.again()
            wire.tell("fraction", job=name, epoch=epoch, fraction=fraction)

    def should_stop() -> bool:
        if told.ago() > ALIVE_S:
            told.again()
            wire.tell("alive", job=name)
        return name in wire.stopped

    def on_state(state: Callable[[], Arrays]) -> None:
        if checkpointed.ago() > CHECKPOINT_S:
            arrays = state()
            _checkpoint(folder, int(arrays["epoch"]), pack(arrays))
            checkpointed.again()

    control = Control(
        state=unpack((folder / "resume").read_bytes()) if (folder / "resume").exists() else None,
        on_stage=lambda stage: wire.tell("stage", job=name, stage=stage),
        on_epoch=on_epoch,
        on_fraction=on_fraction,
        on_state=on_state,
        should_stop=should_stop,
    )
    fit = Fit.model_validate(job["fit"])

    def read_upload(upload_id: str) -> bytes:
        return (folder / f"upload-{upload_id}").read_bytes()

    result: Result | Outlook
    if fit.plan is not None:
        result = outlook(read_panel(fit.source, read_upload), fit.plan, fit.model, control)
    elif fit.look_back is None:
        result = run_fit(fit, control, read_upload)
    else:
        weights = unpack((folder / "parent-weights").read_bytes())
        result = score_at(fit, [weights[str(i)] for i in range(len(weights))], control, read_upload)
    for key, content in packed(result).items():
        (folder / key).write_bytes(content)
    return result.summary()


def _checkpoint(folder: Path, epochs: int, content: bytes) -> None:
    """Keep a state in one file, whole or not at all, and drop the one before."""
    earlier = list(folder.glob("checkpoint-*"))
    (folder / "unfinished").write_bytes(content)
    (folder / "unfinished").replace(folder / f"checkpoint-{epochs}")
    for path in earlier:
        path.unlink()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
