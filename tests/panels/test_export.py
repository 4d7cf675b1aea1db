"""Tables are written so that other programs read them as they are."""

import io

import pandas as pd
import pytest

from forecasting.panels.export import SUFFIXES, csv, excel, read_table, written
from forecasting.panels.panel import Panel

READERS = {
    ".csv": lambda content: pd.read_csv(content, parse_dates=["ds"]),
    ".xlsx": lambda content: pd.read_excel(content, engine="calamine"),
    ".parquet": pd.read_parquet,
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("frequency", ["D", "h"])
def test_a_table_is_read_back_as_it_was_written(suffix, frequency):
    times = pd.date_range("2024-01-01", periods=3, freq=frequency)
    table = pd.DataFrame(
        {"unique_id": ["a", "a", "b"], "ds": times, "naive": [1.5, -2.0, 1e-7], "naive-lo-95": [0.1, 0.2, 3]}
    )
    history = table.drop(columns=["naive", "naive-lo-95"]).assign(y=2.5)
    content = io.BytesIO(written(suffix, table, Panel.of(history, frequency)))
    pd.testing.assert_frame_equal(READERS[suffix](content), table, check_dtype=False)
    if suffix == ".xlsx":
        second = pd.read_excel(content, "history", engine="calamine")
        pd.testing.assert_frame_equal(second, history, check_dtype=False)


def test_days_are_written_as_days_and_hours_as_hours():
    days, hours = (pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=2, freq=f)}) for f in ("D", "h"))
    assert csv(days).decode().split() == ["ds", "2024-01-01", "2024-01-02"]
    assert csv(hours).decode().split() == ["ds", "2024-01-01T00:00:00", "2024-01-01T01:00:00"]


def test_no_text_is_run_as_a_formula_by_a_spreadsheet():
    evil = '=HYPERLINK("http://127.0.0.1/?"&A1)'
    table = pd.DataFrame(
        {"unique_id": [evil, "-5", "a"], "ds": pd.date_range("2024-01-01", periods=3), "naive": [-1.0, 2, 3]}
    )
    lines = csv(table).decode().splitlines()
    assert lines[1].startswith("\"'=HYPERLINK") and lines[2].startswith("'-5") and lines[1].endswith(",-1.0")
    book = pd.read_excel(io.BytesIO(excel(table)), engine="calamine")
    assert book["unique_id"].tolist() == [evil, "-5", "a"], "a text, with no formula behind it"
    assert read_table(csv(table), ".csv")["unique_id"].tolist() == [evil, "-5", "a"]


def test_a_table_for_a_spreadsheet_that_writes_decimals_with_a_comma():
    assert csv(pd.DataFrame({"Model": ["GRU"], "MASE": [0.5]}), ";").decode().split() == ["Model;MASE", "GRU;0,5"]
