"""A process that writes networks as files of Keras': `python -m forecasting.runs.keras_process`.

It reads jobs with weights from standard input until that ends, and answers each with the file, or why there is none. The
processes of pages and commands do not load TensorFlow themselves.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from forecasting.evaluation.model_card import saved_network
from forecasting.experiment import BadInput, WindowFit
from forecasting.models import Shape
from forecasting.runs.arrays import unpack
from forecasting.runs.job import Job, Message

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
MOST_S = 120.0
_one_at_a_time = threading.Lock()
"""Each takes some 600 MB."""


def keras_files(jobs: Sequence[Job]) -> list[bytes | BadInput]:
    """A file of Keras' for each of some fits, or why there is none.

    Args:
        jobs: fits with their weights.

    Raises:
        BadInput: when it takes too long, or the process fails.
    """
    if not jobs:
        return []
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    asked = b"".join(job.to_bytes() for job in jobs)
    try:
        with _one_at_a_time:
            command = [sys.executable, "-m", "forecasting.runs.keras_process"]
            done = subprocess.run(command, input=asked, env=environment, timeout=MOST_S, capture_output=True, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError, OSError) as error:
        said = getattr(error, "stderr", None) or b""
        log.error("networks were not written: %s: %s", error, said[-2_000:].decode(errors="replace"))
        raise BadInput("The networks could not be written as files of Keras': try again later.") from None
    stream, found = BytesIO(done.stdout), []
    while (answer := Message.read(stream)) is not None:
        found.append(answer.parts["keras"] if "keras" in answer.parts else BadInput(answer.header["refused"]))
    return found


def main() -> None:
    """Answer all jobs of standard input."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # TensorFlow's own messages go elsewhere
    while (message := Message.read(sys.stdin.buffer)) is not None:
        out.write(_answer(Job.of(message)).to_bytes())
        out.flush()


def _answer(job: Job) -> Message:
    from forecasting.models.networks.saving import keras_file

    fit, weights = job.fit, unpack(job.weights or b"")
    try:
        if not isinstance(fit, WindowFit):
            raise BadInput("Networks of whole series are not taken out: they see values that are prepared.")
        model = saved_network(fit)
        shape = Shape.asked(fit.source, fit.task, model)
        return Message({}, {"keras": keras_file(model, shape, [weights[str(i)] for i in range(len(weights))])})
    except BadInput as error:
        return Message({"refused": str(error)})


if __name__ == "__main__":
    main()
