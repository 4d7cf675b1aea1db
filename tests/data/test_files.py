"""A visitor's file is either read as it is meant, or refused in a sentence that helps."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forecasting.data.files import read_csv
from forecasting.experiment import BadInput

ROWS = "2024-01-01,1.5\n2024-01-02,-2\n2024-01-03,3e2\n"


def read_as_outside_the_tests(content):
    """Read with warnings as warnings, as a server does: pytest makes errors of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_csv(content)


def refusal(content):
    """The sentence with which a file is refused."""
    with pytest.raises(BadInput) as caught:
        read_as_outside_the_tests(content.encode() if isinstance(content, str) else content)
    return str(caught.value)


def test_a_clean_file_without_series_names_is_one_series():
    frame = read_csv(("ds,y\n" + ROWS).encode())
    assert list(frame.columns) == ["unique_id", "ds", "y"]
    assert frame["unique_id"].nunique() == 1
    assert frame["ds"].tolist() == list(pd.date_range("2024-01-01", periods=3))
    assert frame["y"].tolist() == [1.5, -2.0, 300.0]


def test_a_clean_file_with_series_names_is_sorted_by_series_and_time():
    lines = ["b,2024-01-03,6", "a,2024-01-02,2", "b,2024-01-01,4", "a,2024-01-03,3", "a,2024-01-01,1", "b,2024-01-02,5"]
    frame = read_csv("\n".join(["unique_id,ds,y", *lines]).encode())
    assert frame["unique_id"].tolist() == ["a"] * 3 + ["b"] * 3
    assert frame["y"].tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + ("ds,y\n" + ROWS).encode(),
        ("ds,y\n" + ROWS).replace("\n", "\r\n").encode(),
        ("ds, y\n" + ROWS.replace(",", ", ")).encode(),
        ("ds,y\n" + ROWS).rstrip().encode(),
    ],
    ids=["byte order mark", "Windows line ends", "blanks after commas", "no last line end"],
)
def test_harmless_differences_in_writing_are_read_alike(content):
    assert read_csv(content).equals(read_csv(("ds,y\n" + ROWS).encode()))


@pytest.mark.parametrize(
    "times",
    [
        ["2023-12", "2024-01", "2024-02", "2024-03"],
        ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"],
        ["2023-10-01", "2024-01-01", "2024-04-01", "2024-07-01"],
        ["2021-01-01", "2022-01-01", "2023-01-01", "2024-01-01", "2025-01-01"],
        ["2024-02-28", "2024-02-29", "2024-03-01"],
        ["2024-02-26", "2024-03-04", "2024-03-11"],
        ["2024-02-28 22:00", "2024-02-28 23:00", "2024-02-29 00:00"],
        ["2024-02-28T23:30:00", "2024-02-28T23:45:00", "2024-02-29T00:00:00"],
    ],
    ids=["months", "ends of months", "quarters", "years", "days", "weeks", "hours", "quarters of an hour"],
)
def test_evenly_spaced_times_of_every_usual_kind_are_accepted(times):
    frame = read_csv("\n".join(["ds,y", *(f"{time},{i}" for i, time in enumerate(times))]).encode())
    assert frame["ds"].tolist() == [pd.Timestamp(time) for time in times]


@pytest.mark.parametrize("content", ["", " \n\n ", b"\xef\xbb\xbf"], ids=["nothing", "blanks", "byte order mark"])
def test_an_empty_file_is_refused(content):
    assert refusal(content).startswith("The file is empty")


def test_a_header_without_values_is_refused():
    assert "no values" in refusal("ds,y\n")


@pytest.mark.parametrize("header", ["date,value", "y,ds", "ds;y", "ds,y,price", "2024-01-01,1", "ds"])
def test_another_header_is_refused_and_the_right_one_is_named(header):
    sentence = refusal(f"{header}\n{ROWS}")
    assert sentence.startswith(f"The first line of the file is '{header}'") and "ds,y or unique_id,ds,y" in sentence


@pytest.mark.parametrize("page", ["<!DOCTYPE html>\n<html><body>ds,y</body></html>", "<html>"])
def test_a_web_page_is_refused_by_its_first_line(page):
    assert refusal(page).startswith("The first line of the file is '<")


@pytest.mark.parametrize("value", ["x", "", "  ", "1 kg", "1_0", "nan", "inf", "-inf", "1e999", "True", "0x10", "1\x00"])
def test_a_value_that_is_no_number_is_refused_with_its_line(value):
    assert refusal(f"ds,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,{value}\n").startswith("Line 4 has the value")


@pytest.mark.parametrize(
    "time", ["01/02/2024", "1.2.2024", "2024/01/02", "20240102", "2024-1-2", "2024", "", "today", "now"]
)
def test_a_time_that_can_be_read_in_several_ways_is_refused_with_its_line(time):
    sentence = refusal(f"ds,y\n2024-01-01,1\n{time},2\n2024-01-03,3\n")
    assert sentence.startswith(f"Line 3 has the time '{time}'") and "2024-01-31" in sentence


@pytest.mark.parametrize("time", ["2023-02-29", "2024-13-01", "2024-01-32", "2024-00-01", "2024-01-01 25:00", "2024-13"])
def test_a_time_that_is_not_in_the_calendar_is_refused_with_its_line(time):
    sentence = refusal(f"ds,y\n2024-01-01,1\n{time},2\n")
    assert sentence.startswith(f"Line 3 has the time '{time}'") and "calendar" in sentence


def test_a_repeated_time_is_refused_with_its_line():
    assert refusal(f"ds,y\n{ROWS}2024-01-02,9\n").startswith("Line 5 repeats the time 2024-01-02")


def test_the_same_time_in_two_series_is_no_repetition():
    lines = [f"{name},2024-01-0{d},{d}" for d in (1, 2, 3) for name in "ab"]
    assert len(read_csv("\n".join(["unique_id,ds,y", *lines]).encode())) == 6


def test_uneven_steps_are_refused_with_the_times_between_which_they_lie():
    sentence = refusal("ds,y\n" + ROWS + "2024-01-04,1\n2024-01-06,1\n2024-01-07,1\n")
    assert "from 2024-01-04" in sentence and "to 2024-01-06" in sentence and "evenly spaced" in sentence


def test_a_series_of_two_values_is_refused_by_its_name():
    sentence = refusal("unique_id,ds,y\nshop,2024-01-01,1\nshop,2024-01-02,2\n")
    assert "'shop' has 2 values" in sentence


def test_a_file_that_is_not_utf_8_is_refused():
    assert "not UTF-8" in refusal("unique_id,ds,y\nKöln,2024-01-01,1\n".encode("latin-1"))


@pytest.mark.parametrize("line", [2, 3, 4])
def test_a_line_with_too_many_fields_is_refused_wherever_it_stands(line):
    lines = ["ds,y", *ROWS.splitlines()]
    lines[line - 1] += ",7"
    assert f"line {line}" in refusal("\n".join(lines)).lower()


def test_decimal_commas_are_refused_and_not_cut_off():
    assert "fields" in refusal("ds,y\n2024-01-01,1,5\n2024-01-02,2,5\n2024-01-03,3,5\n")


def test_a_line_with_too_few_fields_is_refused_with_its_line():
    assert "Line 3" in refusal("ds,y\n2024-01-01,1\n2024-01-02\n2024-01-03,3\n")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("ds,y\n\n2024-01-01,1\n\n2024-01-02,x\n", 5),
        ("\n\nds,y\n2024-01-01,1\n2024-01-02,x\n", 5),
        ('unique_id,ds,y\n"a\nb",2024-01-01,1\n"a\nb",2024-01-02,x\n', 5),
    ],
    ids=["blank lines", "blank lines above", "line end within quotes"],
)
def test_lines_are_counted_as_an_editor_counts_them(content, line):
    assert refusal(content).startswith(f"Line {line} has the value 'x'")


@pytest.mark.parametrize("content", [f"ds,y\n{ROWS}2024-01-04,1,1\n", 'ds,y\n2024-01-01,"1\n'], ids=["fields", "open quote"])
def test_a_refusal_is_one_sentence_on_one_line(content):
    assert "\n" not in refusal(content)


def test_too_many_series_are_refused():
    lines = [f"s{i},2024-01-0{d},1" for i in range(501) for d in (1, 2, 3)]
    assert "501 series; at most 500" in refusal("\n".join(["unique_id,ds,y", *lines]))


CELL = st.one_of(
    st.sampled_from(["2024-01-01", "2024-01-02", "2024-01-03", "2024-02", "2024-01-01 13:00", "0000-01", "1", "2.5", "a"]),
    st.text("0123456789-:.,eT+ \"'\t\r\x00\x0b\x1c\x85\u2028\u0662", max_size=8),
)
LINES = st.lists(st.lists(CELL, max_size=4).map(",".join), max_size=6).map("\n".join)


def almost_clean(numbers, row, column, cell):
    """A clean file of days in which one cell has been replaced."""
    cells = [["ds", "y"], *([f"2024-01-{day:02}", repr(number)] for day, number in enumerate(numbers, 1))]
    cells[row % len(cells)][column] = cell
    return "\n".join(map(",".join, cells)).encode()


FILES = st.one_of(
    st.binary(max_size=60),
    st.tuples(st.sampled_from(["ds,y", "unique_id,ds,y"]), st.sampled_from(["\n", "\r\n", "\r", ""]), LINES).map(
        lambda parts: "".join(parts).encode()
    ),
    st.builds(
        almost_clean, st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=6), st.integers(0, 9), st.integers(0, 1), CELL
    ),
)


@settings(deadline=None, max_examples=300)
@given(FILES)
@example("ds,y\u2028x,1\n2024-01-02,2\n".encode())
@example(b"ds,y\x0b2024-01-01,1\n2024-01-02,2\n")
def test_any_bytes_give_a_clean_frame_or_one_sentence(content):
    try:
        frame = read_as_outside_the_tests(content)
    except BadInput as refused:
        assert str(refused).endswith(".")
    else:
        assert list(frame.columns) == ["unique_id", "ds", "y"] and len(frame) >= 3
        assert np.isfinite(frame["y"]).all() and frame["ds"].notna().all()
        assert not frame.duplicated(["unique_id", "ds"]).any()
