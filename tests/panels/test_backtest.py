"""Backtests know nothing of the future, choose by earlier cutoffs, and their forecasts go on where the series end."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.experiment import Allotment, BadInput, Plan, Task
from forecasting.models import MODELS
from forecasting.panels.backtest import DEFAULT, backtest, default_plan
from forecasting.panels.cutting import split_of
from forecasting.panels.fits import run_series_fit, series_fits
from forecasting.panels.forecast import Forecast, forecast
from forecasting.panels.judging import judged
from forecasting.panels.mixing import shares_of, trims, with_mean
from forecasting.panels.panel import Panel
from forecasting.panels.tasks import task_of
from tests.whole_series import asked, made_by

RNG = np.random.default_rng(5)
T = np.arange(140)
PLAN = Plan(h=7, season_length=7, n_windows=3)
QUICK = ("naive", "seasonal_naive", "drift", "linear", "ets", "theta", "ensemble")


def weekly(n_series=3, n=140, noise=0.3):
    """Series with a weekly season, a trend and a level of their own."""
    return [
        10 * (i + 1) + 0.02 * T[:n] + (i + 1) * np.sin(2 * np.pi * (T[:n] + i) / 7) + noise * RNG.normal(size=n)
        for i in range(n_series)
    ]


def panel(values, start="2024-01-01"):
    times = [pd.date_range(start, periods=len(y), freq="D") for y in values]
    return Panel([f"s{i}" for i in range(len(values))], times, values, "D")


@pytest.fixture(scope="module")
def values():
    return weekly()


@pytest.fixture(scope="module")
def tested(values):
    return backtest(panel(values), asked(PLAN, QUICK))


def test_truths_are_the_values_behind_each_cutoff(values, tested):
    assert tested.cutoff_offsets == [21, 14, 7]
    for k, back in enumerate(tested.cutoff_offsets):
        for i, y in enumerate(values):
            np.testing.assert_array_equal(tested.y[k, i], y[len(y) - back : len(y) - back + 7])


def test_rules_of_thumb_forecast_as_written_out(values, tested):
    for k, back in enumerate(tested.cutoff_offsets):
        for i, y in enumerate(values):
            known = y[: len(y) - back]
            np.testing.assert_allclose(tested.y_hat["naive"][k, i], np.full(7, known[-1]))
            np.testing.assert_allclose(tested.y_hat["seasonal_naive"][k, i], known[-7:])


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.group == "baselines"])
def test_every_baseline_forecasts_whole_series(values, name):
    made = made_by(panel(values), PLAN, name)
    assert made.y_hat.shape == (3, 3, 7) and made.ahead.shape == (3, 7)
    levels = np.array([y.mean() for y in values])[:, None]
    assert (np.abs(made.ahead - levels) < 8).all()


@pytest.mark.slow
def test_a_spike_in_the_future_moves_nothing_before_it():
    names = (*QUICK, "gru")
    plan = Plan(h=7, season_length=7, n_windows=2)
    many = weekly(8)
    spiked = [np.concatenate([y[:-7], y[-7:] + 1e6]) for y in many]
    plain, planted = (backtest(panel(some), asked(plan, names)) for some in (many, spiked))
    assert set(plain.y_hat) == set(planted.y_hat) >= {"linear", "ets", "theta", "gru", "ensemble"}
    for name in plain.y_hat:
        np.testing.assert_array_equal(plain.y_hat[name], planted.y_hat[name], err_msg=name)


def test_a_missing_value_is_carried_forward_where_it_is_seen_and_counts_nowhere_as_a_truth():
    y = T[:60].astype(float)
    y[0] = y[39] = y[55] = np.nan
    frame = pd.DataFrame({"unique_id": "s", "ds": pd.date_range("2024-01-01", periods=60), "y": y})
    holed = Panel.of(frame, "D")
    assert holed.ds[0][0] == pd.Timestamp("2024-01-02") and len(holed.y[0]) == 59
    tested = backtest(holed, asked(Plan(h=10, n_windows=2), ("naive",)))
    np.testing.assert_array_equal(tested.y_hat["naive"][:, 0, 0], [38, 49])
    assert np.isnan(tested.y[1, 0, 5]) and np.isfinite(tested.y[0]).all()
    errors = [k for k in range(1, 11) if k != 6]
    assert tested.scores(slice(1, 2))["naive"]["mae"] == pytest.approx(np.mean(errors))


def test_intervals_are_calibrated_with_the_scales_that_were_known_then():
    steps = np.concatenate([np.tile([0.0, 1.0], 40), np.tile([0.0, 1_000.0], 20)])
    tested = backtest(panel([steps]), asked(Plan(h=10, n_windows=5), ("naive",)))
    assert tested.scale[0, 0, 0] < tested.scale[-1, 0, 0] / 10
    assert tested.conformal("naive", slice(1)).scale[0] == tested.scale[1, 0, 0]
    assert tested.conformal("naive").scale[0] == tested.scale_at_end[0]


@pytest.mark.parametrize("level", [80, 95])
def test_intervals_of_what_is_never_negative_are_not_either_and_contain_zero_where_it_is_often_zero(level):
    rng = np.random.default_rng(2)
    sold = np.where(rng.random((3, 120)) < 0.4, rng.poisson(9, (3, 120)), 0).astype(float)
    steady = 9 + rng.normal(0, 2, (3, 120)).clip(-8)
    below = rng.normal(0, 5, (3, 120))
    made = forecast(panel([*sold, *steady, *below]), asked(Plan(h=7, n_windows=4), ("naive", "ces")))
    low, high = made.bounds("ces", level)
    assert (low[:3] == 0).all() and (high[:3] > 0).all()
    assert (low[3:6] > 0).all() and (low[6:] < 0).all()
    assert 0.5 < made.tested.covered("ces", level)[0] <= 1


def test_errors_by_step_and_by_cutoff_are_those_of_the_whole_table_cut_up(tested):
    by_step, by_cutoff = tested.mase_by_step("theta"), tested.mase_by_cutoff("theta")
    assert by_step.shape == (7,) and by_cutoff.shape == (3,)
    for k in range(3):
        assert by_cutoff[k] == pytest.approx(tested.scores(slice(k, k + 1))["theta"]["mase"])
    assert by_step.mean() == pytest.approx(by_cutoff.mean()) == pytest.approx(tested.scores()["theta"]["mase"])
    gained = tested.apart("ets", "naive")
    table = tested.scores()
    assert gained.mean == pytest.approx(table["naive"]["mase"] - table["ets"]["mase"]) and gained.means_something


def test_what_knows_the_season_beats_what_does_not_and_the_best_has_the_lowest_mase(tested):
    table = tested.scores()
    assert table["ets"]["mase"] < table["seasonal_naive"]["mase"] < table["naive"]["mase"]
    alone = replace(tested, y_hat={name: y_hat for name, y_hat in tested.y_hat.items() if name != "ensemble"})
    chosen_by = alone.scores(slice(2))
    assert alone.best() == min(chosen_by, key=lambda name: chosen_by[name]["mase"])
    assert table["ets"]["skill"] == pytest.approx(1 - table["ets"]["mase"] / table["seasonal_naive"]["mase"])
    members = [tested.y_hat[name] for name in ("ets", "theta")]
    np.testing.assert_allclose(tested.y_hat["ensemble"], np.mean(members, axis=0))


def test_a_forecast_goes_on_where_each_series_ends_with_intervals_that_contain_it(values):
    shorter = [values[0], values[1][:100]]
    made = forecast(panel(shorter), asked(PLAN, DEFAULT), only_best=True)
    frame = made.frame({made.chosen: "best"}, (95, 80))
    columns = ["unique_id", "ds", "best", "best-lo-80", "best-hi-80", "best-lo-95", "best-hi-95"]
    assert list(frame.columns) == columns and len(frame) == 14
    for name, y in zip(("s0", "s1"), shorter, strict=True):
        one = frame[frame["unique_id"] == name]
        assert one["ds"].tolist() == list(pd.date_range("2024-01-01", periods=len(y) + 7)[-7:])
        assert (one["best-lo-95"] <= one["best-lo-80"]).all() and (one["best-lo-80"] < one["best"]).all()
        assert (one["best"] < one["best-hi-80"]).all() and (one["best-hi-80"] <= one["best-hi-95"]).all()
    assert made.chosen in made.why and "MASE" in made.why
    named = forecast(panel(shorter), asked(PLAN, ("naive", "theta"))).frame({"naive": "naive", "theta": "theta"}, (90,))
    assert list(named.columns[2:]) == ["naive", "naive-lo-90", "naive-hi-90", "theta", "theta-lo-90", "theta-hi-90"]
    mean = forecast(panel(shorter), asked(PLAN, ("linear", "theta", "ensemble"))).ahead
    np.testing.assert_allclose(mean["ensemble"], (mean["linear"] + mean["theta"]) / 2)


def test_models_that_are_asked_one_by_one_forecast_what_they_do_together(tested, values):
    alone = {name: made_by(panel(values), PLAN, name) for name in ("naive", "linear", "theta")}
    again = judged(panel(values), PLAN, {name: one.y_hat for name, one in alone.items()})
    for name, one in alone.items():
        np.testing.assert_array_equal(one.y_hat, tested.y_hat[name])
        assert again.scores()[name]["mase"] == tested.scores()[name]["mase"]
    whole = forecast(panel(values), asked(PLAN, ("naive", "linear", "theta")))
    assert isinstance(whole, Forecast)
    for name, one in alone.items():
        np.testing.assert_array_equal(one.ahead, whole.ahead[name])


def test_of_ten_values_rules_remain_and_of_fewer_nothing_is_promised():
    ten = panel([np.array([3.0, 4, 3, 5, 4, 6, 5, 7, 6, 8])])
    tested = backtest(ten, asked(Plan(h=2, n_windows=2), (*QUICK, "gru")))
    assert {"naive", "drift"} <= set(tested.y_hat) and "too few" in tested.left_out["gru"]
    with pytest.raises(BadInput, match="take a shorter horizon or fewer cutoffs"):
        backtest(ten, asked(Plan(h=4, n_windows=3), QUICK))


def test_series_that_are_too_short_are_forecast_and_count_in_no_score(values):
    short = panel([*values, values[0][:12], values[1][:40]])
    made, alone = (
        forecast(some, asked(PLAN, ("naive", "linear", "theta"))) for some in (short, panel([*values, values[1][:40]]))
    )
    assert np.isnan(made.tested.y[:, 3]).all() and np.isfinite(made.tested.y[:, 4]).all()
    assert made.tested.scores()["theta"] == pytest.approx(alone.tested.scores()["theta"])
    low, high = made.bounds("theta", 80)
    assert (low < made.ahead["theta"]).all() and (made.ahead["theta"] < high).all()
    assert made.tested.covered("theta", 80) == pytest.approx(alone.tested.covered("theta", 80))
    assert default_plan(panel([*values, *values, values[0][:12]]), seasons=[7]) == default_plan(
        panel([*values, *values]), seasons=[7]
    )


def test_a_series_that_never_changes_is_forecast_as_it_is():
    flat = panel([np.full(60, 5.0)])
    made = forecast(flat, asked(Plan(h=3, season_length=7, n_windows=2), DEFAULT), only_best=True)
    np.testing.assert_allclose(made.ahead[made.chosen], 5.0, rtol=1e-5)


def test_windows_see_two_seasons_where_there_are_two():
    assert task_of(panel(weekly(1)), PLAN, 21).lags == (7,)
    short = task_of(panel(weekly(1, n=40)), Plan(h=7, season_length=24, n_windows=1), 7)
    assert short.lags == (1,) and short.input_size <= 16


def test_differences_are_those_of_the_plan():
    for differencing, lags in (("none", ()), ("first", (1,)), ("seasonal", (7,)), ("both", (7, 1))):
        assert task_of(panel(weekly(1)), PLAN.model_copy(update={"differencing": differencing}), 21).lags == lags
    growing = [np.arange(140.0) + 20 * i for i in range(3)]
    made = made_by(panel(growing), PLAN.model_copy(update={"differencing": "first"}), "linear")
    np.testing.assert_allclose(made.ahead, np.arange(140, 147) + 20 * np.arange(3)[:, None], rtol=1e-3)
    for plan, said in (
        (Plan(h=7, n_windows=2, differencing="seasonal"), "need a season"),
        (PLAN.model_copy(update={"differencing": "seasonal", "input_size": 5}), "need a look-back of 8 steps"),
    ):
        with pytest.raises(BadInput, match=said):
            task_of(panel(weekly(1)), plan, 21)
        assert "naive" in backtest(panel(weekly(1)), asked(plan, ("naive", "linear"))).y_hat


def test_horizons_and_seasons_may_be_as_long_as_a_plan_allows():
    long = panel([np.sin(np.arange(5_000) / 9.0)])
    assert task_of(long, Plan(h=1_000, season_length=24, n_windows=1), 1_000).h == 1_000
    seasonal = Plan(h=10, season_length=1_995, input_size=2_000, differencing="seasonal", n_windows=1)
    assert task_of(long, seasonal, 10).lags == (1_995,)


def test_what_was_filled_in_is_no_value_to_be_forecast():
    y = np.sin(np.arange(60.0))
    y[30:33] = np.nan
    whole, holed = (
        split_of(panel([values]), Task(input_size=5, target="all_h", h=2), 0) for values in (np.sin(np.arange(60.0)), y)
    )
    ahead = {int(place) for part in (holed.train, holed.valid) for place in part.ds}
    assert ahead.isdisjoint({29, 30, 31, 32}) and {28, 33} <= ahead
    assert len(holed.train) == len(whole.train) - 4


def test_a_model_that_makes_no_forecasts_of_a_file_is_named():
    tested = backtest(panel(weekly(1)), asked(PLAN, ("naive", "oracle")))
    assert "cannot forecast" in tested.left_out["oracle"]


def test_there_is_no_season_where_less_than_one_is_known():
    nine_months = panel([np.arange(9.0) ** 2])
    plan = Plan(h=2, season_length=12, n_windows=1)
    np.testing.assert_array_equal(made_by(nine_months, plan, "seasonal_naive").ahead[0], [64, 64])


def test_gaps_do_not_change_what_errors_are_measured_by(values):
    holed = [np.where(np.random.default_rng(i).random(140) < 0.5, np.nan, y) for i, y in enumerate(values)]
    for y, whole in zip(holed, values, strict=True):
        y[0], y[-21:] = whole[0], whole[-21:]
    some, all_ = (backtest(panel(each), asked(PLAN, ("naive",))) for each in (holed, values))
    np.testing.assert_allclose(some.scale[0, :, 0], all_.scale[0, :, 0], rtol=0.35)


def test_what_is_known_at_a_cutoff_is_not_kept_for_good():
    y = np.random.default_rng(1).normal(size=20_000)
    y[100] = np.nan
    gapped = panel([y])
    for back in range(1, 25):
        gapped.before(back)
    assert sum(value.nbytes for value in vars(gapped).values() if isinstance(value, np.ndarray)) == 0
    assert all(isinstance(value, list | str | int | type(None)) for value in vars(gapped).values()), "nothing but its series"


def test_the_last_cutoff_chooses_nothing_and_gives_the_headline(values):
    made = forecast(panel(values), asked(PLAN, ("naive", "seasonal_naive", "linear", "theta")))
    tested, name = made.tested, made.chosen
    earlier = tested.scores(slice(2))
    assert name == min(earlier, key=lambda model: earlier[model]["mase"]) and tested.keeps_one
    assert tested.headline(name)["mase"] == pytest.approx(tested.scores(slice(2, 3))[name]["mase"])
    worse = {model: y_hat.copy() for model, y_hat in tested.y_hat.items()}
    worse[name][-1] += 1_000
    assert judged(panel(values), PLAN, worse).best() == name, "however badly it does on the last cutoff"
    assert f"{tested.headline(name)['mase']:.3f}" in made.why and "chose nothing" in made.why
    alone = forecast(panel(values), asked(PLAN.model_copy(update={"n_windows": 1}), ("naive", "linear")))
    assert not alone.tested.keeps_one and "may well be worse" in alone.why
    overlapping = backtest(panel(values), asked(PLAN.model_copy(update={"step_size": 1}), ("naive", "linear")))
    assert overlapping.overlap == 6 and not overlapping.keeps_one, "all cutoffs forecast values of the last one"


def test_the_reason_names_the_baseline_that_was_run(values):
    assert "seasonal naive has" not in forecast(panel(values), asked(PLAN, ("naive", "linear"))).why
    assert "seasonal naive has" in forecast(panel(values), asked(PLAN, ("naive", "seasonal_naive", "linear"))).why


def test_a_model_that_was_stopped_is_judged_and_not_chosen(tested):
    best = tested.best()
    assert replace(tested, partial=frozenset([best])).best() != best
    assert best in replace(tested, partial=frozenset([best])).scores()
    assert shares_of(replace(tested, partial=frozenset(["ets"]), n_known=300), equal=True) == {"linear": 0.5, "theta": 0.5}


def test_the_ensemble_is_chosen_unless_another_is_better_by_more_than_chance(tested):
    mixed = tested.y_hat["ensemble"]
    assert replace(tested, y_hat={"naive": tested.y_hat["naive"], "ensemble": mixed}).best() == "ensemble"
    a_little = tested.y + 0.999 * (mixed - tested.y)
    a_little[0, 0] = mixed[0, 0] + np.sign(mixed[0, 0] - tested.y[0, 0])
    assert replace(tested, y_hat={"ets": a_little, "ensemble": mixed}).best() == "ensemble"
    much = tested.y + 0.01 * (mixed - tested.y)
    assert replace(tested, y_hat={"ets": much, "ensemble": mixed}).best() == "ets"


def test_runs_of_before_choose_the_lowest_error_and_have_all_that_learned_as_members(tested, values):
    plan = PLAN.model_copy(update={"selection": "lowest_error"})
    a_little = tested.y + 0.999 * (tested.y_hat["ensemble"] - tested.y)
    before = judged(panel(values), plan, {"ets": a_little, "ensemble": tested.y_hat["ensemble"]})
    assert not before.ensemble_first and before.best() == "ets"
    many = {"y": np.repeat(tested.y, 10, 1), "scale": np.repeat(tested.scale, 10, 1)}
    y_hat = {name: np.repeat(tested.y_hat[name], 10, 1) for name in ("linear", "ets", "theta")}
    members = {first: set(shares_of(replace(tested, y_hat=y_hat, ensemble_first=first, **many))) for first in (True, False)}
    assert members == {True: {"ets", "theta"}, False: {"linear", "ets", "theta"}}


def test_of_few_series_models_that_lose_clearly_to_a_rule_of_thumb_are_no_members_but_two_are_left(tested):
    rule = tested.y_hat["seasonal_naive"]
    by = {share: tested.y + share * (rule - tested.y) for share in (1.05, 1.3, 1.5, 1.6, 3)}
    some = {"seasonal_naive": rule, "theta": by[1.5], "ets": by[1.3], "linear": by[1.05]}
    long = replace(tested, y_hat=some, n_known=300)
    assert shares_of(long, equal=True) == {"ets": 0.5, "linear": 0.5}, "of two cutoffs two fifths worse is not clear"
    assert set(shares_of(replace(long, ensemble_first=False))) == {"theta", "ets", "linear"}
    eight = [8 - k for k in range(8)]
    many = {name: np.repeat(y_hat[:1], 8, 0) for name, y_hat in some.items()}
    longer = replace(
        long, cutoff_offsets=eight, y=np.repeat(tested.y[:1], 8, 0), y_hat=many, scale=np.repeat(tested.scale[:1], 8, 0)
    )
    assert set(shares_of(replace(longer, cutoff_offsets=[7 * k for k in eight]))) == {"linear", "ets"}, "two are left"
    all_lose = some | {"ets": by[1.5], "linear": by[1.6], "theta": by[3]}
    assert set(shares_of(replace(long, y_hat=all_lose))) == {"ets", "linear"}


def test_a_model_with_many_weights_joins_where_the_few_series_are_long(tested):
    assert set(shares_of(tested)) == {"ets", "theta"} and set(shares_of(replace(tested, n_known=200))) == {
        "linear",
        "ets",
        "theta",
    }


def test_shares_fall_with_the_error_on_the_cutoffs_that_choose(tested):
    shares = shares_of(replace(tested, n_known=300))
    error = {name: tested.scores(tested.choosing)[name]["mase"] for name in shares}
    assert set(shares) == {"linear", "ets", "theta"} and sum(shares.values()) == pytest.approx(1)
    assert shares["ets"] / shares["theta"] == pytest.approx((error["theta"] / error["ets"]) ** 4)
    mixed = with_mean({name: tested.y_hat[name] for name in shares}, shares)["ensemble"]
    np.testing.assert_allclose(mixed, sum(shares[name] * tested.y_hat[name] for name in shares))


def test_parts_of_a_panel_are_forecast_as_the_whole_is(values):
    """A statistical model of many series is several fits, each to some of them."""
    some = panel([*values, *(y[:100] for y in values), values[0][:12]])
    whole = asked(PLAN, ("naive", "theta"))
    parts = whole.model_copy(update={"allotted": (Allotment(), Allotment(chunks=(2, 3)))})
    fits = [fit for fit in series_fits(parts) if fit.model.name == "theta"]
    assert [fit.chunk for fit in fits] == [(0, 2), (1, 2), (0, 3), (1, 3), (2, 3)] and len({fit.id for fit in fits}) == 5
    assert [run_series_fit(fit, some).y_hat.shape[1] for fit in fits] == [3, 3, 3, 2, 2]
    one, other = (forecast(some, experiment) for experiment in (whole, parts))
    np.testing.assert_array_equal(one.tested.y_hat["theta"], other.tested.y_hat["theta"])
    np.testing.assert_array_equal(one.ahead["theta"], other.ahead["theta"])


def test_of_many_series_half_of_the_ensemble_leaves_the_highest_and_the_lowest_forecast_out(tested):
    rng = np.random.default_rng(4)
    names = ("ets", "theta", "ces", "mlp", "nbeats")
    y = np.repeat(tested.y, 10, 1)
    y_hat = {name: y + rng.normal(size=y.shape) * (1 + k) for k, name in enumerate(names)}
    many = replace(tested, y=y, y_hat=y_hat, scale=np.repeat(tested.scale, 10, 1))
    shares = shares_of(many, equal=True)
    errors = many.scores(many.choosing)
    assert shares["ets"] / shares["nbeats"] == pytest.approx(errors["nbeats"]["mase"] / errors["ets"]["mase"])
    mixed = with_mean(y_hat, shares, trims(many))["ensemble"]
    inner = np.sort(np.stack(list(y_hat.values())), axis=0)[1:-1].mean(axis=0)
    np.testing.assert_allclose(mixed, (inner + sum(shares[name] * y_hat[name] for name in names)) / 2)
    assert not trims(tested) and not trims(replace(many, ensemble_first=False))
