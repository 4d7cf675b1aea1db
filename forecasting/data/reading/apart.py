"""The process that reads visitors' files for a page: `python -m forecasting.data.reading.apart`.

It answers what comes on standard input, one file after another, and ends when that ends: with its parent.
"""

import contextlib
import os
import queue
import sys
import threading
from typing import BinaryIO

from forecasting.data.reading import Reading, ReadOptions, interpreted, read
from forecasting.data.reading.numbers import Question
from forecasting.data.reading.tables import read_table
from forecasting.data.reading.wire import Refusal, options_of, packed, receive, send
from forecasting.experiment import BadInput

FIRST = b"ds,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n"


def attempt(content: bytes, options: ReadOptions) -> Reading | Refusal:
    """Read a file, or say why not and which columns it has."""
    columns: list[str] = []
    sheets: list[str] = []
    try:
        table = read_table(content, options.sheet)
        columns, sheets = [str(name) for name in table.columns], table.sheets
        return interpreted(table, options)
    except BadInput as error:
        return Refusal(str(error), error.option if isinstance(error, Question) else "", columns, sheets)
    except MemoryError:  # pyarrow's own is one of these
        return Refusal("Reading the file takes more memory than there is: cut it down.", "", columns, sheets)


def main() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not get among the answers
    requests: queue.SimpleQueue[tuple[dict, bytes]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    read(FIRST)  # what is imported late is there before the first visitor's file
    while True:
        _answer(*requests.get(), answers)


def _answer(header: dict, content: bytes, answers: BinaryIO) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody is there to answer: standard input has ended, too
        send(answers, *packed(attempt(content, options_of(header))))


def _listen(stream: BinaryIO, requests: "queue.SimpleQueue[tuple[dict, bytes]]") -> None:
    """Take requests; when there will be no more, end at once, also in the middle of a file."""
    try:
        while True:
            requests.put(receive(stream))
    finally:
        os._exit(0)


if __name__ == "__main__":
    main()
