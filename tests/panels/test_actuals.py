"""A forecast held against what came, scored by a library of others."""

import numpy as np
import pandas as pd
import pytest
from utilsforecast.evaluation import evaluate
from utilsforecast.losses import bias, coverage, mae, rmse, smape

from forecasting import BadInput
from forecasting.panels.actuals import against_actuals
from forecasting.panels.export import SUFFIXES, read_table, written
from forecasting.panels.panel import Panel


def made(ids: tuple[str, ...] = ("a", "b"), h: int = 6) -> pd.DataFrame:
    rng, times = np.random.default_rng(3), pd.date_range("2024-05-01", periods=h)
    table = pd.concat([pd.DataFrame({"unique_id": name, "ds": times, "gru": 10 + rng.normal(size=h)}) for name in ids])
    table = table.assign(**{"gru-lo-80": table["gru"] - 1, "gru-hi-80": table["gru"] + 1, "naive": 10.0})
    return table.reset_index(drop=True)


def came(ids: tuple[str, ...] = ("a", "b"), n: int = 40) -> pd.DataFrame:
    rng, times = np.random.default_rng(4), pd.date_range("2024-04-01", periods=n)
    return pd.concat([pd.DataFrame({"unique_id": name, "ds": times, "y": 10 + rng.normal(size=n)}) for name in ids])


def test_errors_and_coverage_are_those_of_utilsforecast_where_all_steps_have_come():
    found = against_actuals(made(), came())
    assert list(found.frame) == ["unique_id", "ds", "y", "gru", "gru-lo-80", "gru-hi-80", "naive"] and len(found.frame) == 12
    ours = found.scores.set_index("model")
    theirs = evaluate(found.frame, metrics=[mae, rmse, smape, bias], models=["gru", "naive"])
    for metric, scores in theirs.groupby("metric")[["gru", "naive"]].mean().iterrows():
        assert ours.loc[["gru", "naive"], metric].tolist() == pytest.approx(scores.tolist()), metric
    held = coverage(found.frame, ["gru"], 80)["gru"].mean()
    assert ours.loc["gru", "covered-80"] == pytest.approx(held) and 0 < held < 1
    assert np.isnan(ours.loc["naive", "covered-80"]) and ours["n"].tolist() == [12, 12]


def test_what_has_not_come_or_is_missing_counts_nowhere():
    part = came(n=33)  # until May 3rd
    part.loc[(part["ds"] == "2024-05-02") & (part["unique_id"] == "a"), "y"] = np.nan
    found = against_actuals(made(), part)
    assert len(found.frame) == 5 and set(found.scores["n"]) == {5}
    errors = (found.frame["gru"] - found.frame["y"]).abs()
    by_series = errors.groupby(found.frame["unique_id"]).mean()
    assert found.scores.set_index("model").loc["gru", "mae"] == pytest.approx(by_series.mean())
    with pytest.raises(BadInput, match="has come yet: the forecast begins at 2024-05-01"):
        against_actuals(made(), came(n=20))
    with pytest.raises(BadInput, match="no column 'y'"):
        against_actuals(made(), part.drop(columns="y"))


def test_one_series_may_have_another_name_and_several_may_not():
    assert len(against_actuals(made(("sales",)), came(("Sales in EUR",))).frame) == 6
    with pytest.raises(BadInput, match="has come yet"):
        against_actuals(made(("a", "b")), came(("c", "d")))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_written_forecast_is_read_again(suffix):
    table = made(("1", "02"))
    pd.testing.assert_frame_equal(
        read_table(written(suffix, table, Panel.of(came(), "D")), suffix), table, check_dtype=False
    )
    with pytest.raises(BadInput, match=f"written as {suffix}"):
        read_table(b"neither the one nor the other", suffix)
