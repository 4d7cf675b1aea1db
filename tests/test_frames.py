"""The front door for notebooks: frames in, frames out, scored by a library of others."""

import numpy as np
import pandas as pd
import pytest
from utilsforecast.evaluation import evaluate
from utilsforecast.losses import mae, rmse, smape

import forecasting

NAMES = ["naive", "seasonal_naive", "linear"]


def frame(n: int = 96) -> pd.DataFrame:
    rng, t = np.random.default_rng(5), np.arange(n)
    times = pd.date_range("2015-01-01", periods=n, freq="MS")
    y = {name: level + 3 * np.sin(2 * np.pi * t / 12) + 0.2 * rng.normal(size=n) for name, level in (("a", 10), ("b", 30))}
    return pd.concat([pd.DataFrame({"unique_id": name, "ds": times, "y": values}) for name, values in y.items()])


def test_a_backtest_is_a_long_frame_that_utilsforecast_scores_alike():
    made = forecasting.backtest(frame(), 6, NAMES, n_windows=3)
    assert list(made.frame) == ["unique_id", "ds", "cutoff", "y", *NAMES] and len(made.frame) == 2 * 3 * 6
    assert made.frame["cutoff"].nunique() == 3 and (made.frame["ds"] > made.frame["cutoff"]).all()
    theirs = evaluate(made.frame, metrics=[mae, rmse, smape])
    ours = made.scores.set_index("model")
    for metric, scores in theirs.groupby("metric")[NAMES].mean().iterrows():
        assert ours.loc[NAMES, metric].tolist() == pytest.approx(scores.tolist())
    assert made.best == made.scores["model"][0] and made.left_out == {}
    assert {trace.name for trace in made.plot("b").data} == {"truth", *NAMES}


def test_a_forecast_has_intervals_and_its_plot_shows_one_series():
    made = forecasting.forecast(frame(), 4, NAMES, level=(80,))
    assert list(made.frame) == ["unique_id", "ds"] + [f"{name}{end}" for name in NAMES for end in ("", "-lo-80", "-hi-80")]
    assert (made.frame["linear-lo-80"] < made.frame["linear-hi-80"]).all()
    assert made.frame["ds"].min() == pd.Timestamp("2023-01-01") and len(made.history) == 192
    assert "lowest MASE" in made.why and made.plot().layout.title.text == "a"
    with pytest.raises(forecasting.BadInput, match="no series 'c'"):
        made.plot("c")
    later = frame(100)
    held = made.against(later[later["ds"] > "2022-01-01"])
    last = later.groupby("unique_id").tail(4)
    naive = made.frame["naive"].to_numpy() - last["y"].to_numpy()
    assert held.scores.set_index("model").loc["naive", "mae"] == pytest.approx(np.abs(naive).reshape(2, 4).mean())


def test_a_series_with_times_is_enough_and_without_names_the_best_model_is_taken():
    one = frame()[lambda some: some["unique_id"] == "a"].set_index("ds")["y"]
    made = forecasting.forecast(one, 3, budget_s=30)
    assert list(made.frame)[:3] == ["unique_id", "ds", "best"] and made.best in set(made.scores["model"])


def test_a_file_is_read_into_such_a_frame(tmp_path):
    frame().to_csv(tmp_path / "file.csv", index=False)
    read = forecasting.read(tmp_path / "file.csv")
    assert list(read) == ["unique_id", "ds", "y"]
    np.testing.assert_allclose(read["y"], frame()["y"])


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (lambda df: df.drop(columns="y"), "no column 'y'"),
        (lambda df: df.assign(y="many"), "numbers"),
        (lambda df: df.head(3), "take a shorter horizon"),
    ],
)
def test_what_is_no_such_frame_is_refused_in_a_sentence(spoilt, said):
    with pytest.raises(forecasting.BadInput, match=said):
        forecasting.backtest(spoilt(frame()), 6, NAMES)
