"""Reading a visitor's file: a clean CSV with the columns `ds, y` or `unique_id, ds, y`. What is unclear is refused."""

import csv
import io
import warnings

import pandas as pd

from forecasting.experiment import BadInput

COLUMNS = "the first line must name the columns: ds,y or unique_id,ds,y"
MAX_SERIES = 500


def read_csv(content: bytes) -> pd.DataFrame:
    """Read a clean CSV into a frame `unique_id, ds, y`, sorted by series and time.

    Args:
        content: the file's bytes, UTF-8, comma-separated, a decimal point, ISO dates.

    Raises:
        BadInput: in one sentence that names the line, when anything is missing, doubled, unsorted or unclear.
    """
    frame = _read_text(content)
    frame["ds"] = _read_times(frame["ds"])
    frame["y"] = _read_numbers(frame["y"])
    doubled = frame.duplicated(["unique_id", "ds"])
    if doubled.any():
        line = doubled.idxmax()
        raise BadInput(f"Line {line} repeats the time {frame['ds'][line]} of an earlier line: keep one of them.")
    frame = frame.sort_values(["unique_id", "ds"], ignore_index=True)
    for name, series in frame.groupby("unique_id", sort=False):
        _check_steps(str(name), series["ds"])
    return frame


def _read_text(content: bytes) -> pd.DataFrame:
    """Cut the text into fields, as text; the index holds the number of each row's line."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("The file is not UTF-8 text: save it as CSV (UTF-8).") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if len(row) > 1 or "".join(row).strip():  # blank lines are passed over
                rows.append([part.strip() for part in row])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise BadInput(f"Line {reader.line_num} cannot be cut into fields: {error}.") from None
    if not rows:
        raise BadInput("The file is empty: it needs a first line ds,y and a line per value.")
    header = rows.pop(0)
    if header not in (["ds", "y"], ["unique_id", "ds", "y"]):
        raise BadInput(f"The first line of the file is {','.join(header)[:60]!r}, but {COLUMNS}.")
    if not rows:
        raise BadInput("The file has a header but no values: it needs a line per value.")
    for line, row in zip(lines[1:], rows, strict=True):
        if len(row) != len(header):
            raise BadInput(f"Line {line} has {len(row)} fields where the header names {len(header)}.")
    frame = pd.DataFrame(rows, columns=header, index=lines[1:], dtype=object)
    if "unique_id" not in frame:
        frame.insert(0, "unique_id", "series")
    if frame["unique_id"].nunique() > MAX_SERIES:
        raise BadInput(f"The file holds {frame['unique_id'].nunique()} series; at most {MAX_SERIES} are read.")
    return frame


def _read_times(text: pd.Series) -> pd.Series:
    iso = text.str.fullmatch(r"\d{4}-\d{2}(-\d{2}([ T]\d{2}:\d{2}(:\d{2})?)?)?")
    if not iso.all():
        line = (~iso).idxmax()
        raise BadInput(
            f"Line {line} has the time {text[line][:40]!r}, which could be read in several ways: write times as "
            "2024-01-31 or 2024-01-31 13:00."
        )
    times = pd.to_datetime(text, format="ISO8601", errors="coerce")
    if times.isna().any():
        line = times.isna().idxmax()
        raise BadInput(f"Line {line} has the time {text[line]!r}, and the calendar has no such date.")
    return times


def _read_numbers(text: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(text.where(text.str.strip() != ""), errors="coerce")
    bad = ~numbers.abs().lt(1e15)
    if bad.any():
        line = bad.idxmax()
        raise BadInput(
            f"Line {line} has the value {text[line][:40]!r}, which is no number: fill it in, or write it with a "
            "decimal point and no unit."
        )
    return numbers


def _check_steps(name: str, ds: pd.Series) -> None:
    """Refuse a series whose times are not evenly spaced by days, weeks, months, quarters, years or a fixed step."""
    if len(ds) < 3:
        raise BadInput(f"Series {name!r} has {len(ds)} values: at least 3 are needed.")
    steps = ds.diff().dropna()
    if steps.nunique() == 1:
        return
    with warnings.catch_warnings():  # pandas 3 announces that it will return the frequency as another type
        warnings.simplefilter("ignore")
        if pd.infer_freq(ds) is not None:
            return
    usual = steps.mode()[0]
    row = int((steps != usual).to_numpy().argmax())
    before, after = ds.iloc[row], ds.iloc[row + 1]
    raise BadInput(
        f"Series {name!r} steps from {before} to {after}, while its usual step is {usual}: times must be evenly spaced."
    )
