"""The commands about a visitor's file, as processes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecasting
from forecasting.cli import files
from forecasting.data.reading import SUMMARY
from tests.cli.test_command_line import called, lab, one_sentence

TRAPS = Path(__file__).parents[1] / "data" / "traps"


@pytest.fixture(scope="module")
def weekly(tmp_path_factory) -> Path:
    """Two hundred days of two shops, with a week in them, as a German spreadsheet would write them."""
    rng, day = np.random.default_rng(1), pd.date_range("2024-01-01", periods=200)
    path = tmp_path_factory.mktemp("files") / "shops.csv"
    rows = ["Laden;Datum;Umsatz"]
    for shop, level in (("Köln", 100), ("Bonn", 1_000)):
        y = level * (1 + 0.3 * np.sin(2 * np.pi * np.arange(200) / 7)) + level * 0.05 * rng.normal(size=200)
        numbers = [f"{value:.2f}".replace(".", ",") for value in y]
        rows += [f"{shop};{d:%d.%m.%Y};{number}" for d, number in zip(day, numbers, strict=True)]
    path.write_bytes("\n".join(rows).encode("latin-1"))
    return path


def test_read_prints_one_object_with_all_that_was_found(weekly):
    done = lab("read", weekly, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert tuple(found) == SUMMARY
    wanted = {
        "format": "csv",
        "encoding": "latin-1",
        "delimiter": ";",
        "decimal": ",",
        "time_column": "Datum",
        "value_columns": ["Umsatz"],
        "id_columns": ["Laden"],
        "frequency": "D",
        "season_length": 7,
        "series": 2,
        "rows": 400,
        "missing": 0,
        "error": None,
    }
    assert {key: found[key] for key in wanted} == wanted
    assert (found["first"][0], found["last"][0]) == ("2024-01-01", "2024-07-18")
    assert "series: 2" in lab("read", weekly).stdout


@pytest.mark.slow
def test_read_says_why_a_file_is_refused_and_takes_the_visitors_word(tmp_path):
    done = lab("read", TRAPS / "page.csv", "--json")
    assert done.returncode == 1 and "web page" in json.loads(done.stdout)["error"]
    ambiguous = TRAPS / "ambiguous.csv"
    assert lab("read", ambiguous, "--json").returncode == 1
    assert json.loads(lab("read", ambiguous, "--day-first", "--json").stdout)["frequency"] == "MS"
    assert json.loads(lab("read", TRAPS / "sentinel.csv", "--missing", "-200", "--json").stdout)["missing"] == 3
    assert json.loads(lab("read", TRAPS / "long.csv", "--id", "store", "--json").stdout)["id_columns"] == ["store"]
    assert "cannot be read" in json.loads(lab("read", tmp_path / "nothing", "--json").stdout)["error"]


def test_evaluate_prints_scores_and_coverage_per_model_the_best_first(weekly):
    names = ("naive", "seasonal_naive", "linear", "theta")
    done = lab("evaluate", weekly, "--h", 7, "--n-windows", 4, "--models", ",".join(names), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["h"], found["season_length"], found["series"], found["n_windows"]) == (7, 7, 2, 4)
    lines = {line["model"]: line for line in found["models"]}
    assert set(lines) == set(names) and found["models"][0]["model"] == found["best"]
    assert [line["mase"] for line in found["models"]] == sorted(line["mase"] for line in found["models"])
    assert lines["seasonal_naive"]["skill"] == 0 and lines["naive"]["mase"] > lines["seasonal_naive"]["mase"]
    assert all(0 <= line["coverage-95"] <= 1 and line["interval_score-80"] > 0 for line in lines.values())
    best = found["best"]
    assert lines[best]["behind_best"]["mean"] == 0 and not lines[best]["behind_best"]["means_something"]
    behind = lines["naive"]["behind_best"]
    assert behind["low"] < behind["mean"] == pytest.approx(lines["naive"]["mase"] - lines[best]["mase"])
    assert np.mean(lines[best]["mase_by_step"]) == pytest.approx(lines[best]["mase"])
    assert len(lines[best]["mase_by_cutoff"]) == found["n_windows"]
    assert "seasonal_naive" in lab("evaluate", weekly, "--h", 7, "--models", "naive,seasonal_naive").stdout


@pytest.mark.slow
def test_forecast_writes_the_next_values_of_every_series_with_intervals_and_says_what_it_chose(weekly, tmp_path):
    out = tmp_path / "forecast.csv"
    done = lab("forecast", weekly, "--h", 14, "--out", out, "--seconds", 20)
    assert done.returncode == 0 and done.stdout == "", done.stderr
    assert "MASE" in done.stderr and "over 7 cutoffs of" in done.stderr
    table = pd.read_csv(out, parse_dates=["ds"])
    assert list(table) == ["unique_id", "ds", "best", "best-lo-80", "best-hi-80", "best-lo-95", "best-hi-95"]
    assert table["unique_id"].tolist() == ["Köln"] * 14 + ["Bonn"] * 14
    assert table["ds"].tolist() == 2 * list(pd.date_range("2024-07-19", periods=14))
    truth = np.concatenate([level * (1 + 0.3 * np.sin(2 * np.pi * np.arange(200, 214) / 7)) for level in (100, 1_000)])
    assert (np.abs(table["best"] - truth) < 0.15 * truth).all()
    assert ((table["best-lo-95"] < truth) & (truth < table["best-hi-95"])).mean() > 0.8

    named = tmp_path / "named.parquet"
    assert lab("forecast", weekly, "--h", 3, "--models", "naive,drift", "--level", "90", "--out", named).returncode == 0
    columns = [f"{name}{bound}" for name in ("naive", "drift") for bound in ("", "-lo-90", "-hi-90")]
    assert list(pd.read_parquet(named).columns[2:]) == columns
    newer = tmp_path / "newer.csv"
    newer.write_bytes(weekly.read_bytes() + "\nKöln;19.07.2024;100,00\nBonn;19.07.2024;1000,00".encode("latin-1"))
    held = json.loads(lab("compare", named, newer, "--json").stdout)
    ahead = pd.read_parquet(named).groupby("unique_id")["naive"].first()
    assert [line["n"] for line in held["models"]] == [2, 2] and len(held["values"]) == 2
    naive = next(line for line in held["models"] if line["model"] == "naive")
    assert naive["mae"] == pytest.approx((abs(ahead["Köln"] - 100) + abs(ahead["Bonn"] - 1_000)) / 2)
    assert "has come yet" in one_sentence(called("compare", named, weekly))

    wide, both = tmp_path / "wide.csv", tmp_path / "both.csv"
    wide.write_text("ds,a,b\n" + "".join(f"2024-01-{day:02d},{day},{2 * day}\n" for day in range(1, 31)))
    columns = ("--value", "a", "--value", "b", "--models", "naive")
    assert lab("forecast", wide, "--h", 2, *columns, "--out", both).returncode == 0
    assert pd.read_csv(both)["unique_id"].tolist() == ["a", "a", "b", "b"]
    for further in (
        ("--value", "b", "--multivariate"),
        ("--past-covariates", "b", "--differencing", "none", "--input-size", 4),
    ):
        made = lab("forecast", wide, "--h", 2, "--value", "a", *further, "--models", "linear", "--out", both)
        assert made.returncode == 0, made.stderr
        assert pd.read_csv(both)["linear"].tolist() == pytest.approx([31, 32, 62, 64][: len(pd.read_csv(both))], rel=0.05)

    growing = (
        "--value",
        "a",
        "--future-covariates",
        "b",
        "--transform",
        "log",
        "--detrend",
        "--repair",
        "forward",
        "--calendar",
    )
    made = tmp_path / "growing.csv"
    assert lab("forecast", wide, "--h", 2, *growing, "--models", "theta", "--out", made).returncode == 0
    assert pd.read_csv(made)["theta"].tolist() == pytest.approx([31, 32], rel=0.2)

    book = tmp_path / "book.xlsx"
    one = ("--h", 3, "--models", "naive", "--id", "store", "--out", book)
    assert lab("forecast", TRAPS / "long.csv", *one).returncode == 0
    assert list(pd.read_excel(book, engine="calamine"))[:3] == ["unique_id", "ds", "naive"]


@pytest.mark.slow
def test_what_takes_long_is_forecast_by_workers_side_by_side_as_it_is_in_one_process(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "HERE_S", 0.0)
    rng = np.random.default_rng(3)
    ds = pd.date_range("2010-01-01", periods=120, freq="MS")
    y = 50 + 9 * np.sin(2 * np.pi * np.arange(120) / 12) + rng.normal(size=(24, 120)).cumsum(axis=1)
    ids = np.repeat([f"s{i:03d}" for i in range(24)], 120)
    frame = pd.DataFrame({"unique_id": ids, "ds": np.tile(ds, 24), "y": y.ravel()})
    file, out = tmp_path / "many.csv", tmp_path / "out.csv"
    frame.to_csv(file, index=False)
    done = called("forecast", file, "--h", 12, "--models", "fast", "--level", "95", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "Theta, forecast" in done.stderr and "finished" in done.stderr, "workers did it"
    made = pd.read_csv(out)
    alone = forecasting.forecast(frame, 12, "fast", level=(95,))
    assert list(made) == ["unique_id", "ds", "best", "best-lo-95", "best-hi-95"] == list(alone.frame)
    np.testing.assert_allclose(made["best"], alone.frame["best"], rtol=0.05)  # this process sums on other threads
    assert lab("forecast", file, "--h", 12, "--models", "theta,mlp", "--out", out, within_s=300).returncode == 0
    theta = forecasting.forecast(frame, 12, ["theta"]).frame["theta"]
    np.testing.assert_allclose(pd.read_csv(out)["theta"], theta, rtol=1e-9)


@pytest.mark.slow
def test_what_cannot_be_forecast_is_refused_in_a_sentence(weekly, tmp_path):
    out = ("--out", tmp_path / "out.csv")
    assert "There is no model 'magic'" in one_sentence(lab("forecast", weekly, "--h", 3, "--models", "magic", *out))
    assert "levels" in one_sentence(lab("forecast", weekly, "--h", 3, "--level", "high", *out))
    assert "take a shorter horizon" in one_sentence(lab("evaluate", weekly, "--h", 90))
    book = tmp_path / "out.odt"
    assert "written as .csv, .xlsx, .parquet" in one_sentence(lab("forecast", weekly, "--h", 3, "--out", book))
    assert "web page" in one_sentence(lab("forecast", TRAPS / "page.csv", "--h", 3, *out))
    assert "ransform: " in one_sentence(lab("forecast", weekly, "--h", 3, "--transform", "all", *out))
    assert not out[1].exists()
