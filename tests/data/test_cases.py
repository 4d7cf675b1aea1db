"""Small files after public reports, each with its right reading: what was read wrong once is read right and stays so.

`cases/readings.json` holds, by file, the reading or the words of a refusal, what a careful person reads (`right`, after the
report that `source` names), and for some that are refused, or read with a warning, what is still missing (`not_yet`).
"""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecasting import BadInput
from forecasting.data.reading import read
from forecasting.data.reading.numbers import Question

CASES = Path(__file__).parent / "cases"
READINGS = json.loads((CASES / "readings.json").read_text("utf-8"))
MOST_NOT_YET = 2


@pytest.mark.parametrize("name", READINGS)
def test_a_file_after_a_public_report_is_read_as_a_careful_person_would(name):
    wanted, content = READINGS[name], (CASES / name).read_bytes()
    if "refused" in wanted:
        with pytest.raises(BadInput) as refused:
            read(content)
        assert wanted["refused"][:90] in str(refused.value)
        return
    found = read(content).summary()
    assert {key: found[key] for key in wanted["reading"]} == wanted["reading"]
    assert len(found["warnings"]) >= wanted.get("said", 0)


def test_of_those_that_were_wrong_few_are_still_missing_and_none_silently():
    missing = {name: case for name, case in READINGS.items() if "not_yet" in case}
    assert len(missing) <= MOST_NOT_YET
    assert all("refused" in case or case.get("said") for case in missing.values())


# ---------------------------------------------------------------------------------------------- whatever is written down

WAYS = {
    "D": ("%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%d %b %Y", "%b %d, %Y", "%d-%b-%y", "%Y.%m.%d", "%A, %d %B %Y"),
    "h": ("%Y-%m-%d %H:%M", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%Y/%m/%d %H:%M:%S", "%d %b %Y %H:%M", "%Y%m%dT%H%M%S"),
    "MS": ("%Y-%m", "%b %Y", "%B %Y", "%m/%Y", "%YM%m", "%Y-%m-01", "%b-%y", "%Y%m"),
    "QS": ("%Y-%m-%d", "%b %Y"),
    "W-MON": ("%Y-%m-%d", "%G-W%V", "%GW%V", "%d.%m.%Y", "W%V %G"),
}


@st.composite
def dialects(draw):
    """Series, and how they are written down."""
    frequency = draw(st.sampled_from(list(WAYS)))
    n, ids = draw(st.integers(24, 70)), draw(st.sampled_from([["only"], ["north", "south"], ["A-1", "B-2", "C-3"]]))
    first = draw(st.sampled_from(["2019-03-04", "2021-11-01", "2023-06-05"]))
    times = pd.date_range(first, periods=n, freq=frequency)
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    values = np.round(rng.normal(250, 40, (len(ids), n)), draw(st.integers(1, 2)))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    decimal = "." if delimiter == "," else draw(st.sampled_from([".", ","]))
    layout = draw(st.sampled_from(["long", "long, shuffled", "a column each"]))
    return frequency, ids, times, values, draw(st.sampled_from(WAYS[frequency])), delimiter, decimal, layout


def written(ids, times, values, way, delimiter, decimal, layout) -> bytes:
    shown = [time.strftime(way) for time in times]
    if layout == "a column each":
        table = pd.DataFrame({"date": shown, **dict(zip(ids, values, strict=True))})
    else:
        table = pd.concat(
            [pd.DataFrame({"date": shown, "shop": name, "sold": y}) for name, y in zip(ids, values, strict=True)]
        )
        table = table.drop(columns="shop") if len(ids) == 1 else table
        table = table.sample(frac=1, random_state=1) if layout == "long, shuffled" else table
    return table.to_csv(index=False, sep=delimiter, decimal=decimal).encode()


def read_back_or_asked(dialect) -> None:
    frequency, ids, times, values, way, delimiter, decimal, layout = dialect
    content = written(ids, times, values, way, delimiter, decimal, layout)
    try:
        reading = read(content)
    except Question:
        return
    frame = reading.frame
    for name, y in zip(ids, values, strict=True):
        column = name if layout == "a column each" else "sold"
        one = frame if layout == "a column each" or len(ids) == 1 else frame[frame["unique_id"] == name]
        pd.testing.assert_index_equal(pd.DatetimeIndex(one["ds"]), times, check_names=False, exact=False)
        np.testing.assert_allclose(one[column], y, err_msg=content[:200].decode())
    assert reading.frequency == frequency and reading.decimal == decimal and not reading.warnings


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(dialects())
def test_whatever_is_written_down_is_read_back_the_same_or_asked_about(dialect):
    read_back_or_asked(dialect)


@pytest.mark.long
@settings(max_examples=2_000, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(dialects())
def test_and_so_it_is_two_thousand_times(dialect):
    read_back_or_asked(dialect)


def test_a_spreadsheet_of_the_same_is_read_the_same():
    times, book = pd.date_range("2024-01-01", periods=40, freq="D"), io.BytesIO()
    pd.DataFrame({"Day": times, "Sales": np.arange(40) * 1.5 + 3}).to_excel(book, index=False)
    reading = read(book.getvalue())
    assert reading.frequency == "D" and reading.frame["Sales"].tolist() == (np.arange(40) * 1.5 + 3).tolist()
