"""A visitor's file is read as a careful person would read it, or refused in a sentence that helps."""

import gzip
import io
import json
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forecasting.data import series_of
from forecasting.data.reading import SUMMARY, ReadOptions, bounds, columns, read
from forecasting.data.repair import filled, on_grid, resample
from forecasting.experiment import BadInput, Upload
from forecasting.panels import read_panel
from forecasting.panels.export import workbook as workbook_of

TRAPS = Path(__file__).parent / "traps"
READINGS = json.loads((TRAPS / "readings.json").read_text("utf-8"))
DAYS = pd.date_range("2024-01-01", periods=8)


def text(rows, header="date,y"):
    return "\n".join([header, *rows]).encode()


def days(*values):
    return text([f"{day:%Y-%m-%d},{value}" for day, value in zip(DAYS, values, strict=False)])


def refusal(content, **options):
    with pytest.raises(BadInput) as caught:
        read(content, ReadOptions(**options))
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    return str(caught.value)


# ----------------------------------------------------------------------------------------------------------------- traps


def test_every_trap_has_a_reading_and_there_are_many():
    assert {path.name for path in TRAPS.iterdir()} - {"readings.json"} == set(READINGS)
    assert len(READINGS) >= 30


@pytest.mark.parametrize("name", READINGS)
def test_every_trap_is_read_as_its_note_says(name):
    wanted = {key: value for key, value in READINGS[name].items() if key != "note"}
    content = (TRAPS / name).read_bytes()
    if "error" in wanted:
        assert wanted["error"] in refusal(content)
        return
    found = read(content).summary()
    assert tuple(found) == SUMMARY
    json.dumps(found, allow_nan=False)
    if "warning" in wanted:
        assert any(wanted.pop("warning") in warning for warning in found["warnings"]), found["warnings"]
    for key in ("first", "last"):
        if key in wanted:
            time, value = wanted.pop(key)
            assert found[key] == [time, value if value is None else pytest.approx(value)]
    assert {key: found[key] for key in wanted} == wanted


# --------------------------------------------------------------------------------------------------------------- options


def test_question_first_is_read_as_the_visitor_says():
    content = (TRAPS / "ambiguous.csv").read_bytes()
    by_day, by_month = (read(content, ReadOptions(day_first=way)).summary() for way in (True, False))
    assert (by_day["frequency"], by_day["last"][0]) == ("MS", "2024-12-01")
    assert (by_month["frequency"], by_month["last"][0]) == ("D", "2024-01-12")


def test_columns_are_those_that_the_visitor_names():
    content = (TRAPS / "long.csv").read_bytes()
    reading = read(content, ReadOptions(time=("date",), value=("sales",), id=("store", "item")))
    assert reading.frame["unique_id"].unique().tolist() == ["1 · apples", "1 · pears", "2 · apples"]
    assert read(content, ReadOptions(id=("store",))).duplicates == 20
    assert "no column 'price'" in refusal(content, value=("price",))
    assert "no numbers" in refusal(content, value=("item",), id=("store",))


def test_a_number_that_stands_for_missing_is_missing_once_the_visitor_says_so():
    content = (TRAPS / "sentinel.csv").read_bytes()
    assert read(content).summary()["missing"] == 0
    assert read(content, ReadOptions(missing=(-200.0,))).summary()["missing"] == 3


def test_a_column_whose_times_cannot_be_read_is_named():
    assert "'y' holds no times" in refusal(days(1.5, 2.5, 3.5), time=("y",))


# ------------------------------------------------------------------------------------------------------- never silently


@pytest.mark.parametrize("value", ["x1", "1_0", "inf", "-inf", "1e999", "True", "0x10", "12abcdefgh", "1.2.3"])
def test_a_cell_that_is_no_number_makes_a_short_column_none_and_is_missing_in_a_longer_one(value):
    assert "no column of numbers" in refusal(days(1, 2, value, 4))
    reading = read(days(*range(1, 8), value))
    assert reading.frame["y"].isna().tolist() == [False] * 7 + [True]
    (said,) = reading.warnings
    assert f"1 cell is no number, as {value!r}" in said and "row 8" in said


@pytest.mark.parametrize("time", ["", "today", "2024-13-01", "2024-02-30", "31"])
def test_a_time_that_cannot_be_read_in_the_middle_is_refused(time):
    rows = [f"{day:%Y-%m-%d},{i}" for i, day in enumerate(DAYS)]
    rows[2] = f"{time},2"
    assert "time" in refusal(text(rows))


def test_numbers_are_never_taken_for_dates_of_1970():
    content = text([f"{i},{i * 1.5}" for i in range(1, 9)], "n,y")
    assert "times" in refusal(content)


def test_more_series_than_are_read_are_refused(monkeypatch):
    monkeypatch.setattr(columns, "MAX_SERIES", 20)
    rows = [f"s{i},2024-01-0{d},1" for i in range(21) for d in (1, 2)]
    assert "21 series; at most 20" in refusal(text(rows, "id,ds,y"))


@pytest.mark.parametrize("frequency", ["D", "h", "MS", "W-SUN", "15min"])
def test_series_of_any_lengths_with_gaps_come_to_the_grid_as_each_does_alone(frequency):
    rng, pieces = np.random.default_rng(5), []
    for i in range(6):
        times = pd.date_range("2023-01-29", periods=90, freq=frequency)[rng.integers(0, 30) :]
        kept = np.sort(rng.permutation(len(times))[: len(times) // 2])
        times = times[np.union1d(kept, kept[:3])]
        pieces.append(pd.DataFrame({"unique_id": f"s{i}", "ds": times, "y": rng.normal(size=len(times))}))
    together = on_grid(pd.concat(pieces, ignore_index=True), frequency)
    for piece in pieces:
        unique_id, known = piece["unique_id"].iloc[0], piece.set_index("ds")["y"]
        own = together[together["unique_id"] == unique_id]
        whole = known.reindex(pd.date_range(known.index[0], known.index[-1], freq=frequency))
        assert (own["ds"].to_numpy() == whole.index.to_numpy()).all()
        np.testing.assert_array_equal(own["y"], whole)


def test_series_that_share_no_grid_keep_each_its_own():
    hours = [pd.date_range("2024-01-01 00:00", periods=9, freq="h"), pd.date_range("2024-01-01 00:20", periods=9, freq="h")]
    frame = pd.concat(pd.DataFrame({"unique_id": f"s{i}", "ds": ds, "y": 1.0}) for i, ds in enumerate(hours))
    on = on_grid(frame.drop(index=4), "h")
    assert [len(series) for _, series in on.groupby("unique_id")] == [9, 9] and on["y"].isna().sum() == 2
    assert list(on["ds"].dt.minute.unique()) == [0, 20]


def test_a_damaged_archive_and_damaged_tables_are_refused():
    whole = (TRAPS / "clean.csv.gz").read_bytes()
    assert "damaged" in refusal(whole[:60])
    assert "Parquet" in refusal((TRAPS / "table.parquet").read_bytes()[:500])
    assert "Excel" in refusal((TRAPS / "book.xlsx").read_bytes()[:900])


# --------------------------------------------------------------------------------------------------------------- bounds


def test_what_unfolds_into_more_than_is_read_is_refused(monkeypatch):
    monkeypatch.setattr(bounds, "MOST_BYTES", 25_000_000)
    bomb = gzip.compress(bytes(1_000_000), 9) * 30  # members of an archive follow one another
    assert len(bomb) < 40_000
    assert "unfolds into more than 25 MB" in refusal(bomb)


def test_more_bytes_rows_or_cells_than_are_read_are_refused_with_their_numbers(monkeypatch):
    content = days(*range(8))
    for name, most, says in (("MOST_BYTES", 90, "at most 0 MB"), ("MOST_ROWS", 7, "8 rows"), ("MOST_CELLS", 15, "16 cells")):
        read(content)
        with monkeypatch.context() as patch:
            patch.setattr(bounds, name, most)
            assert says in refusal(content)


def parquet(frame, **how):
    stream = io.BytesIO()
    frame.to_parquet(stream, **how)
    return stream.getvalue()


def test_a_parquet_file_is_refused_by_what_it_says_of_itself(monkeypatch):
    days = pd.date_range("2024-01-01", periods=1_000).to_numpy()
    content = parquet(pd.DataFrame({"ds": np.resize(days, 200_000), "y": 1.5}))
    assert len(content) < 50_000 and len(read(content).frame) == 200_000
    monkeypatch.setattr("pyarrow.parquet.read_table", lambda *_, **__: pytest.fail("It was read before it was refused."))
    monkeypatch.setattr(bounds, "MOST_CELLS", 399_999)
    assert "400,000 cells, and at most 399,999" in refusal(content)
    monkeypatch.setattr(bounds, "MOST_ROWS", 199_999)
    assert "200,000 rows, and at most 199,999" in refusal(content)


def test_a_long_text_that_comes_often_in_a_parquet_file_is_held_once(monkeypatch):
    monkeypatch.setattr(bounds, "MOST_BYTES", 10_000_000)
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=1_000), "y": 1.5, "note": "long " * 20_000})
    reading = read(parquet(frame))
    assert (len(reading.frame), reading.value_columns) == (1_000, ["y"])


def test_cells_of_a_parquet_file_are_text_as_they_were_written():
    times = pd.date_range("2024-01-01", periods=4, freq="h")
    columns = {"time": times, "y": [1.0, np.nan, 2.5, -3.0], "flag": [True, False, True, True], "list": [[1], [2], [], [3]]}
    frame = read(parquet(pd.DataFrame(columns))).frame
    assert frame["ds"].tolist() == list(times)
    np.testing.assert_array_equal(frame["y"], columns["y"])


def workbook(sheet):
    """The workbook of the traps with another sheet in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(TRAPS / "book.xlsx") as given, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for member in given.infolist():
            made.writestr(member.filename, sheet if member.filename.endswith("sheet1.xml") else given.read(member))
    return stream.getvalue()


SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'


def test_a_workbook_that_unfolds_into_more_than_is_read_is_refused_by_what_it_declares(monkeypatch):
    monkeypatch.setattr(bounds, "MOST_BYTES", 25_000_000)
    bomb = workbook(SHEET.format(26_000_000 * " "))
    assert len(bomb) < 400_000
    assert "26 MB when nothing in it is compressed, and at most 25 MB" in refusal(bomb)


def test_a_workbook_that_declares_less_than_it_holds_is_refused():
    content = workbook(SHEET.format(1_000_000 * " "))
    size = struct.pack("<I", len(SHEET.format(1_000_000 * " ")))
    assert content.count(size) == 2
    assert "Excel file cannot be read" in refusal(content.replace(size, struct.pack("<I", 100)))


@pytest.mark.parametrize(("cell", "says"), [("XFD1048576", "cells"), ("A99999999", "99,999,999 rows")])
def test_a_workbook_with_a_cell_far_away_is_refused_and_does_not_end_the_process(cell, says):
    row = '<row r="{}"><c r="{}"><v>1</v></c></row>'
    far = row.format(cell.lstrip("XFDA"), cell)
    assert says in refusal(workbook(SHEET.format(row.format(1, "A1") + far)))


def test_an_empty_cell_far_away_that_only_has_a_style_counts_for_nothing():
    with zipfile.ZipFile(TRAPS / "book.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    styled = sheet.replace("</sheetData>", '<row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData>')
    assert styled != sheet
    assert read(workbook(styled)).summary() == read((TRAPS / "book.xlsx").read_bytes()).summary()


def test_an_archive_of_something_else_is_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("content.xml", "<office/>")
    assert "no Excel file" in refusal(stream.getvalue())


NUMBER = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(NUMBER, min_size=8, max_size=8, unique=True),
    st.sampled_from([(",", "."), (";", ","), (";", "."), ("\t", ","), ("|", ".")]),
    st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%Y-%m-%d %H:%M", "%d %b %Y", "%Y/%m/%d"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_values_and_times_come_back_however_they_were_written(values, signs, form, encoding, end, newest_first):
    delimiter, decimal = signs
    times = pd.date_range("2024-01-10", periods=8)
    rows = [f"{t.strftime(form)}{delimiter}{str(v).replace('.', decimal)}" for t, v in zip(times, values, strict=True)]
    content = end.join([f"Größe{delimiter}Wert", *(reversed(rows) if newest_first else rows)]).encode(encoding)
    frame = read(content).frame
    assert frame["ds"].tolist() == list(times)
    np.testing.assert_allclose(frame["Wert"], values)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=80) | st.text("0123456789-:.,;eT+ \"'\t\r\n/QWabc\x00\u2028", max_size=120).map(str.encode))
@example("ds,y\u2028x,1\n2024-01-02,2\n".encode())
@example(b'ds,y\n2024-01-01,"1\n')
@example(b"PK\x03\x04")
@example(b"\xff\xfe")
@example(b"PAR1")
def test_any_bytes_give_series_or_one_sentence(content):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as a server does; pytest makes errors of them
        try:
            reading = read(content)
        except BadInput as refused:
            assert str(refused).endswith(".") and "\n" not in str(refused)
        else:
            assert reading.frame["ds"].notna().all() and reading.value_columns
            json.dumps(reading.summary(), allow_nan=False)


# ---------------------------------------------------------------------------------------------------------------- repair


def frame(**series):
    rows = [(name, day, y) for name, values in series.items() for day, y in values.items()]
    return pd.DataFrame(rows, columns=["unique_id", "ds", "y"])


def test_on_the_grid_gaps_become_missing_values_and_doubled_times_their_mean():
    reading = read(text(["2024-01-01,1", "2024-01-02,2", "2024-01-02,4", "2024-01-03,3", "2024-01-06,6", "2024-01-07,7"]))
    assert (reading.frequency, reading.duplicates, reading.gaps) == ("D", 1, 2)
    y = series_of(reading, ["y"])["y"].tolist()
    np.testing.assert_array_equal(y, [1, 3, 3, np.nan, np.nan, 6, 7])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("leave", [np.nan, 1, np.nan, np.nan, 4, np.nan]),
        ("forward", [np.nan, 1, 1, 1, 4, 4]),
        ("interpolation", [np.nan, 1, 2, 3, 4, np.nan]),
        ("seasonal_line", [np.nan, 1, 2, 3, 4, np.nan]),
    ],
)
def test_missing_values_are_filled_in(how, expected):
    y = pd.Series([np.nan, 1, np.nan, np.nan, 4, np.nan])
    np.testing.assert_array_equal(filled(y, how), expected)
    np.testing.assert_array_equal(filled(pd.DataFrame({"a": y, "b": 9.0}), how), np.column_stack([expected, 6 * [9]]))


def test_a_line_from_season_to_season_keeps_the_season():
    whole = 10 * np.tile(np.arange(7.0), 5) + np.arange(35) / 7
    y = whole.copy()
    y[8:15] = np.nan
    np.testing.assert_allclose(filled(pd.Series(y), "seasonal_line", 7), whole)
    np.testing.assert_allclose(filled(pd.DataFrame({"a": y, "b": y}), "seasonal_line", 7)["b"], whole)


def test_of_several_columns_each_is_a_series_of_its_own():
    wide = read(b"ds,a,b\n2024-01-01,1,10\n2024-01-02,2,20\n2024-01-03,3,30\n")
    made = series_of(wide, wide.value_columns)
    assert {name: one["y"].tolist() for name, one in made.groupby("unique_id")} == {"a": [1, 2, 3], "b": [10, 20, 30]}
    lines = [f"2024-01-0{day},{shop},{day},{10 * day}" for day in (1, 2, 3) for shop in ("N", "S")]
    both = read("\n".join(["ds,shop,sales,visits", *lines]).encode())
    assert set(series_of(both, both.value_columns)["unique_id"]) == {"N · sales", "S · sales", "N · visits", "S · visits"}
    content = b"ds,a,b\n2024-01-01,1,10\n2024-01-02,2,20\n2024-01-03,3,30\n"
    for chosen, ids in (({"every_value": True}, ["a", "b"]), ({"value": ("b", "a")}, ["b", "a"]), ({}, ["series"])):
        assert read_panel(Upload(upload_id="a" * 20, **chosen), lambda _: content).ids == ids


@pytest.mark.parametrize(
    ("how", "expected"),
    [("mean", [2.5, 6.5, 10.5]), ("sum", [10, 26, np.nan]), ("last", [4, 8, 11])],
)
def test_series_are_put_on_a_coarser_grid_and_half_a_step_at_the_end_is_left_out(how, expected):
    hours, y = pd.date_range("2024-01-01", periods=14, freq="h"), np.arange(1.0, 15)
    y[[8, 11]] = np.nan
    made = resample(frame(a=dict(zip(hours, y, strict=True))), "4h", how)
    np.testing.assert_allclose(made["y"], expected)
    assert made["ds"].tolist() == list(hours[:12:4])
    with pytest.raises(BadInput, match="'soon' is no frequency"):
        resample(made, "soon", "mean")
    with pytest.raises(BadInput, match="'a' has no whole step of MS"):
        resample(made, "MS", "mean")


@pytest.mark.parametrize(
    ("step", "first", "last", "frequency", "wholly"),
    [
        ("MS", "2020-01-01", "2020-12-01", "QS", ["2020-01-01", "2020-04-01", "2020-07-01", "2020-10-01"]),
        ("ME", "2020-02-29", "2020-11-30", "QS", ["2020-04-01", "2020-07-01"]),
        ("MS", "2020-05-01", "2020-09-01", "QS", ["2020-07-01"]),
        ("D", "2024-01-01", "2024-01-21", "W", ["2024-01-07", "2024-01-14", "2024-01-21"]),
        ("D", "2024-01-02", "2024-01-20", "W", ["2024-01-14"]),
        ("B", "2024-01-01", "2024-01-19", "W", ["2024-01-07", "2024-01-14", "2024-01-21"]),
        ("D", "2024-01-01", "2024-02-28", "MS", ["2024-01-01"]),
        ("h", "2024-01-01 00:00", "2024-01-02 23:00", "D", ["2024-01-01", "2024-01-02"]),
    ],
)
def test_of_longer_steps_those_are_made_that_lie_within_the_series(step, first, last, frequency, wholly):
    times = pd.date_range(first, last, freq=step)
    series = frame(a=dict.fromkeys(times, 1.0), b=dict.fromkeys(times, 2.0))
    made = resample(series, frequency, "sum", step)
    assert made["unique_id"].tolist() == len(wholly) * ["a"] + len(wholly) * ["b"]
    one = made[made["unique_id"] == "a"]
    assert one["ds"].dt.strftime("%Y-%m-%d").tolist() == wholly
    by_hand = pd.Series(1, times).resample(frequency).sum()
    assert one["y"].tolist() == by_hand[wholly].tolist()


def test_a_series_of_two_values_and_one_far_too_sparse_are_refused():
    with pytest.raises(BadInput, match="at least 3"):
        on_grid(frame(a=dict(zip(DAYS[:2], [1, 2], strict=True))), "D")
    sparse = dict(zip(pd.to_datetime(["1700-01-01", "1700-01-02", "2024-01-01"]), [1, 2, 3], strict=True))
    with pytest.raises(BadInput, match="too sparse"):
        on_grid(frame(a=sparse), "min")


def test_of_several_sheets_the_first_that_holds_something_is_read_and_said():
    found = read((TRAPS / "sheets.xls").read_bytes()).summary()
    assert (found["rows"], found["value_columns"]) == (20, ["sales"])
    assert any("Of 2 sheets the first, 'shop'" in warning for warning in found["warnings"])


def test_a_sheet_is_chosen_by_its_name_and_a_refusal_names_them():
    days = pd.date_range("2024-01-01", periods=12, freq="D")
    months = pd.date_range("2020-01-01", periods=30, freq="MS")
    notes = pd.DataFrame({"what": ["a text", "another"], "who": ["Ann", "Bob"]})
    daily, monthly = (pd.DataFrame({"ds": ds, "y": np.arange(len(ds)) ** 2.0}) for ds in (days, months))
    book = workbook_of({"Notes": notes, "Daily": daily, "Monthly": monthly})
    found = read(book)
    assert (found.sheets, found.frequency, len(found.frame)) == (["Notes", "Daily", "Monthly"], "D", 12)
    assert any("the second, 'Daily', was read" in warning for warning in found.warnings)
    named = read(book, ReadOptions(sheet="Monthly"))
    assert (named.frequency, named.frame["ds"].tolist()) == ("MS", list(months))
    assert not any("sheets" in warning for warning in named.warnings)
    with pytest.raises(BadInput, match="no sheet 'Weekly'.*'Notes', 'Daily', 'Monthly' do"):
        read(book, ReadOptions(sheet="Weekly"))
    with pytest.raises(BadInput, match="no workbook"):
        read(b"ds,y\n2024-01-01,1\n", ReadOptions(sheet="Daily"))
    with pytest.raises(BadInput, match="the sheets 'Notes', 'More': name one"):
        read(workbook_of({"Notes": notes, "More": notes}))
