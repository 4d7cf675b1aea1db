"""Texts that are no tables of lines: JSON, as records or as lines, and the `.tsf` files of the Monash archive."""

import json
import re

import pandas as pd

from forecasting.data.reading.bounds import refuse_cells
from forecasting.data.reading.layout import Table
from forecasting.experiment import BadInput

STEPS = {
    "yearly": "YS",
    "quarterly": "QS",
    "monthly": "MS",
    "weekly": "W",
    "daily": "D",
    "hourly": "h",
    "half_hourly": "30min",
    "minutely": "min",
    "10_minutes": "10min",
    "4_seconds": "4s",
}


def is_json(text: str) -> bool:
    """Whether a text begins as JSON does, whatever it is called."""
    return bool(re.match(r"\s*(\[\s*[\[{]|\{\s*\")", text[:200]))


def read_json(text: str) -> Table:
    """Records, a list for each column, or an object per line.

    Raises:
        BadInput: when it is damaged, or no table.
    """
    try:
        try:
            content = json.loads(text)
        except ValueError:
            content = [json.loads(line) for line in text.splitlines() if line.strip()]
        if isinstance(content, dict):
            lists = [value for value in content.values() if isinstance(value, list)]
            content = lists[0] if len(lists) == 1 and lists[0] and isinstance(lists[0][0], dict) else content
        frame = pd.DataFrame(content)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInput(
            f"The JSON text cannot be read as a table ({str(error)[:80]}): a list of records is needed."
        ) from None
    refuse_cells(len(frame), frame.size)
    if not len(frame) or frame.shape[1] < 2:
        raise BadInput("The JSON text holds no table: a list of records with times and values is needed.")
    cells = {str(name): ["" if _is_nothing(value) else str(value) for value in frame[name]] for name in frame}
    return Table(pd.DataFrame(cells, dtype=object).astype("category"), "json", "utf-8")


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def is_tsf(text: str) -> bool:
    """Whether a text is of the Monash archive's format."""
    return bool(re.search(r"(?mi)^@attribute\s", text[:20_000])) and bool(re.search(r"(?mi)^@data\s*$", text))


def read_tsf(text: str) -> Table:
    """Series of a `.tsf` file (Godahewa and others, "Monash Time Series Forecasting Archive", 2021), a line each.

    Raises:
        BadInput: when it has no start times or no frequency that is known.
    """
    head, body = re.split(r"(?mi)^@data\s*$", text, maxsplit=1)
    names = re.findall(r"(?mi)^@attribute\s+(\S+)\s+(\S+)", head)
    said = re.search(r"(?mi)^@frequency\s+(\S+)", head)
    step = STEPS.get(said[1].lower()) if said else None
    dates = [place for place, (_, kind) in enumerate(names) if kind.lower() == "date"]
    if step is None or not dates:
        raise BadInput("The .tsf file names no start times or no frequency that is known: its series have no times.")
    ids = next((place for place, (name, _) in enumerate(names) if "name" in name.lower()), 0)
    rows: list[tuple[str, str, str]] = []
    for line in filter(None, map(str.strip, body.splitlines())):
        if line.startswith("#"):
            continue
        *attributes, values = line.split(":")
        if len(attributes) != len(names):
            raise BadInput(f"The line {line[:40]!r} of the .tsf file has another number of fields than it names.")
        start = pd.to_datetime(attributes[dates[0]], format="%Y-%m-%d %H-%M-%S", errors="coerce")
        if pd.isna(start):
            raise BadInput(f"The line {line[:40]!r} of the .tsf file has no start time that can be read.")
        cells = values.split(",")
        refuse_cells(len(rows) + len(cells), 3 * (len(rows) + len(cells)))
        first = start.normalize().replace(day=1) if step in ("MS", "QS", "YS") else start
        step_here = f"W-{first.day_name()[:3].upper()}" if step == "W" else step
        times = pd.date_range(first, periods=len(cells), freq=step_here)
        rows += [
            (attributes[ids], time.isoformat(), "" if cell == "?" else cell) for time, cell in zip(times, cells, strict=True)
        ]
    frame = pd.DataFrame(rows, columns=["series_name", "ds", "value"], dtype=object)
    return Table(frame.astype("category"), "tsf", "utf-8")
