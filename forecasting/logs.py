"""Logs: what runs and fits do, one line each, for people or for machines."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal, TextIO

ROOM = "forecasting"
KNOWN = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
"""What every record has; the rest was given as `extra`."""


def set_up(level: str, form: Literal["text", "json"], stream: TextIO | None = None) -> None:
    """Write what this package logs to a stream, standard error by default; a second call replaces the first.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        form: `text` for people, `json` for one object per line, with the ids of run and fit under `run` and `fit`.
        stream: where to write.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger(ROOM)
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(level)


class JsonLines(logging.Formatter):
    """A record as one JSON object: time, level, logger, message, and whatever the caller gave as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        content = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        content |= {key: value for key, value in vars(record).items() if key not in KNOWN}
        if record.exc_info:
            content["error"] = self.formatException(record.exc_info)
        return json.dumps(content, default=str)
