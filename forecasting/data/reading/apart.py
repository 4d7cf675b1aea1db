"""A large file, read in a process of its own: whoever else this process serves does not wait for it.

`python -m forecasting.data.reading.apart` is that process: it takes a pickle of content and choices from standard input and
answers with one of the reading, or of the refusal.
"""

import pickle
import subprocess
import sys
from pathlib import Path

from forecasting.data.reading import NO_CHOICES, Choices, Reading, read
from forecasting.experiment import BadInput

SMALL = 1_000_000
"""Bytes up to which a file is read here: that takes less than a process takes to start."""
MOST_S = 120.0
ROOT = Path(__file__).parents[3]


def read_apart(content: bytes, choices: Choices = NO_CHOICES) -> Reading:
    """Read a file as `read` does, in another process if it is large.

    Raises:
        BadInput: in one sentence, when it cannot be read surely, or takes too much time or memory.
    """
    if len(content) <= SMALL:
        return read(content, choices)
    command = [sys.executable, "-m", "forecasting.data.reading.apart"]
    given = pickle.dumps((content, choices))
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=MOST_S, cwd=ROOT, check=False)
    except subprocess.TimeoutExpired:
        raise BadInput(f"The file takes more than {MOST_S:.0f} s to read: cut it down.") from None
    if done.returncode < 0:
        raise BadInput(f"Reading the file was ended by signal {-done.returncode}: was memory short? Cut the file down.")
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    answer = pickle.loads(done.stdout)
    if isinstance(answer, BadInput):
        raise answer
    return answer


def main() -> None:
    """Read what standard input holds."""
    content, choices = pickle.load(sys.stdin.buffer)
    answer: Reading | BadInput
    try:
        answer = read(content, choices)
    except BadInput as error:
        answer = error
    except MemoryError:  # pyarrow's own is one of these
        answer = BadInput("Reading the file takes more memory than there is: cut it down.")
    pickle.dump(answer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
