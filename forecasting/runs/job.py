"""Job and Outcome: a fit with the bytes that it needs, and what came of it. They travel as bytes, over a pipe or farther.

A message is a line of JSON and, behind it, the contents whose names and sizes the line tells.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

from forecasting.experiment import Fit
from forecasting.experiment.formats import dumped, read_fit

Ending = Literal["finished", "stopped", "cancelled", "failed"]


@dataclass(frozen=True)
class Message:
    """What processes tell each other: plain JSON values, and contents by name."""

    header: dict[str, Any]
    parts: Mapping[str, bytes] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The message as it travels."""
        sizes = {name: len(content) for name, content in self.parts.items()}
        line = json.dumps(self.header | {"parts": sizes}).encode() + b"\n"
        return b"".join((line, *self.parts.values()))

    @classmethod
    def read(cls, stream: BinaryIO) -> "Message | None":
        """Read the next message; None where the stream ends, in the middle of one too."""
        line = stream.readline()
        if not line.endswith(b"\n"):
            return None
        header = json.loads(line)
        parts = {}
        for name, size in header.pop("parts").items():
            parts[name] = stream.read(size)
            if len(parts[name]) < size:
                return None
        return cls(header, parts)


@dataclass(frozen=True)
class Job:
    """A fit, and the bytes that it needs.

    Attributes:
        name: of this attempt at the fit.
        fit: the settings.
        upload: the content of the file that the series come from.
        weights: those of the fit that is scored at another look-back, as `arrays.pack` writes them.
        state: where the fit can go on from, likewise.
    """

    name: str
    fit: Fit
    upload: bytes | None = None
    weights: bytes | None = None
    state: bytes | None = None

    @property
    def message(self) -> Message:
        """The job as it travels."""
        given = {"upload": self.upload, "weights": self.weights, "state": self.state}
        parts = {name: content for name, content in given.items() if content is not None}
        return Message({"job": self.name, "fit": dumped(self.fit)}, parts)

    def to_bytes(self) -> bytes:
        """The same as bytes."""
        return self.message.to_bytes()

    @classmethod
    def of(cls, message: Message) -> "Job":
        """The job that a message holds."""
        return cls(message.header["job"], read_fit(message.header["fit"]), **message.parts)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Job":
        """Read what `to_bytes` wrote."""
        return cls.of(_whole(content))


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        ending: `finished`; `stopped` with what was reached by then; `cancelled` where nothing was; `failed`.
        summary: `Result.summary()`; empty without a result.
        arrays: `forecasts`, `weights`, and `state` where there is one, as `arrays.pack` writes them.
        reason: why it failed, in words.
    """

    ending: Ending
    summary: dict[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, bytes] = field(default_factory=dict)
    reason: str = ""

    @property
    def message(self) -> Message:
        """The outcome as it travels."""
        told = {"event": "outcome", "ending": self.ending, "summary": self.summary, "reason": self.reason}
        return Message(told, self.arrays)

    def to_bytes(self) -> bytes:
        """The same as bytes."""
        return self.message.to_bytes()

    @classmethod
    def of(cls, message: Message) -> "Outcome":
        """The outcome that a message holds."""
        header = message.header
        return cls(header["ending"], header["summary"], message.parts, header["reason"])

    @classmethod
    def from_bytes(cls, content: bytes) -> "Outcome":
        """Read what `to_bytes` wrote."""
        return cls.of(_whole(content))


def _whole(content: bytes) -> Message:
    message = Message.read(io.BytesIO(content))
    if message is None:
        raise ValueError("The message ends before all of it is there.")
    return message
