"""The statistical models, against statsmodels, which computes them by code of its own; and their sample of the windows."""

import numpy as np
import pytest

from forecasting.data import load
from forecasting.evaluation.windows import run_fit
from forecasting.experiment import BadInput, ModelChoice, Task, Waves, WindowFit
from forecasting.models import Control, Shape, resolve
from forecasting.models.decomposition import Decomposed
from forecasting.models.learning import Stopped

TASK = Task(input_size=40, target="all_h", h=5)
TREND = Waves(n_series=100, trend="linear", trend_change=1.0, amplitude_1=0.1, amplitude_2=0.05)
SEASON = Waves(n_series=100, season="additive", season_length=4, amplitude_1=0.1, amplitude_2=0.05)


def forecast(source, name, n=3, **params):
    """Forecasts of the first windows, and what they see."""
    split = load(source, TASK)
    seen = split.valid.x[:n]
    return resolve(ModelChoice(name=name, params=params)).fit(split, Control()).fitted.predict(seen), seen[:, :, 0]


@pytest.mark.parametrize(
    ("source", "params", "theirs"),
    [
        (TREND, {"form": "simple"}, {}),
        (TREND, {"form": "holt"}, {"trend": "add"}),
        (SEASON, {"form": "holt_winters", "season_length": 4}, {"trend": "add", "seasonal": "add", "seasonal_periods": 4}),
    ],
)
def test_exponential_smoothing_forecasts_as_statsmodels_does(source, params, theirs):
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    y_hat, seen = forecast(source, "ets", **params)
    for ours, y in zip(y_hat, seen.astype("float64"), strict=True):
        expected = ETSModel(y, error="add", **theirs).fit(disp=False, maxiter=2_000).forecast(5)
        np.testing.assert_allclose(ours, expected, atol=0.05 * y.std())


def test_a_damped_trend_fades_by_the_same_factor_from_step_to_step():
    y_hat, _ = forecast(TREND, "ets", form="damped")
    for changes in np.diff(y_hat, axis=1):
        factors = changes[1:] / changes[:-1]
        np.testing.assert_allclose(factors, factors[0], rtol=1e-6)
        assert 0 < factors[0] < 1


@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.EstimationWarning")
@pytest.mark.parametrize(("orders", "theirs"), [({"p": 2, "q": 0}, (2, 0, 0)), ({"p": 0, "d": 1, "q": 1}, (0, 1, 1))])
def test_arima_of_given_orders_forecasts_as_statsmodels_does(orders, theirs):
    from statsmodels.tsa.arima.model import ARIMA

    y_hat, seen = forecast(Waves(n_series=100), "arima", orders="given", **orders)
    for ours, y in zip(y_hat, seen.astype("float64"), strict=True):
        np.testing.assert_allclose(ours, ARIMA(y, order=theirs).fit().forecast(5), atol=0.05 * y.std())


def test_theta_forecasts_as_statsmodels_does():
    from statsmodels.tsa.forecasting.theta import ThetaModel

    y_hat, seen = forecast(TREND, "theta", form="standard")
    for ours, y in zip(y_hat, seen.astype("float64"), strict=True):
        expected = ThetaModel(y, deseasonalize=False, period=1).fit().forecast(5, theta=2)
        np.testing.assert_allclose(ours, np.asarray(expected), atol=0.05 * y.std())


@pytest.mark.slow
def test_automatic_arima_finds_orders_that_beat_naive():
    result = run_fit(fit("arima", sample=5))
    assert result.valid.mse < result.valid.naive_mse


def fit(name, **params):
    return WindowFit(source=Waves(n_series=200), task=TASK, model=ModelChoice(name=name, params=params))


def test_a_sample_is_forecast_and_scored_and_naive_on_the_same_windows():
    split = load(Waves(n_series=200), TASK)
    result = run_fit(fit("ets", sample=4, form="simple"))
    scored = np.isfinite(result.y_hat_valid).all(axis=1)
    assert np.flatnonzero(scored).tolist() == [0, 13, 26, 39] and len(scored) == len(split.valid) == 40
    assert result.valid.n_windows == 4 and result.test.n_windows == 4
    y, last = split.valid.y[scored], split.valid.x[scored, -1:, 0]
    assert np.isclose(result.valid.mse, np.mean((result.y_hat_valid[scored] - y) ** 2))
    assert np.isclose(result.valid.naive_mse, np.mean((last - y) ** 2))


def test_a_sample_that_is_larger_than_a_part_is_all_of_it():
    result = run_fit(fit("theta", sample=1_000, form="standard"))
    assert result.valid.n_windows == 40 and np.isfinite(result.y_hat_valid).all()


def test_it_tells_how_far_it_is_and_stops_between_two_windows():
    told = []
    run_fit(fit("theta", sample=5, form="standard"), Control(on_fraction=lambda _, share: told.append(share)))
    assert told == pytest.approx([k / 10 for k in range(1, 11)])

    with pytest.raises(Stopped):
        run_fit(fit("theta"), Control(on_fraction=lambda _, share: told.append(share), should_stop=lambda: len(told) >= 12))
    assert len(told) == 12


@pytest.mark.parametrize(
    ("name", "params", "why"),
    [
        ("ets", {"form": "holt_winters"}, "Holt–Winters needs a season"),
        ("arima", {"orders": "given", "seasonal": [1, 0, 0]}, "Seasonal orders need a season"),
    ],
)
def test_a_form_that_needs_a_season_says_so(name, params, why):
    with pytest.raises(BadInput, match=why):
        run_fit(fit(name, **params))


@pytest.mark.parametrize(("name", "params"), [("ets", {}), ("theta", {})])
def test_a_look_back_that_is_too_short_is_refused_in_words(name, params):
    short = fit(name, **params).model_copy(update={"task": Task(input_size=2)})
    with pytest.raises(BadInput, match="cannot be fitted to a look-back of 2 values"):
        run_fit(short)


@pytest.mark.parametrize("name", ["ets", "theta", "arima"])
def test_a_series_that_does_not_move_is_forecast_to_stay(name):
    still = Waves(n_series=20, amplitude_1=0, amplitude_2=0, noise_width=0, level=3)
    result = run_fit(WindowFit(source=still, task=TASK, model=ModelChoice(name=name, params={"sample": 2})))
    assert result.valid.mse == pytest.approx(0)


def test_labels_name_form_orders_season_and_sample():
    cases = [
        ("ets", {"form": "holt_winters", "season_length": 12}, "ETS, Holt–Winters, season 12"),
        ("theta", {"sample": 2_000}, "Theta, 2,000 windows"),
        ("arima", {"orders": "given"}, "ARIMA(2, 0, 1)"),
        ("arima", {"orders": "given", "seasonal": [1, 0, 0], "season_length": 12}, "ARIMA(2, 0, 1)(1, 0, 0), season 12"),
        ("arima", {"p": 5}, "ARIMA"),
    ]
    for name, params, label in cases:
        assert resolve(ModelChoice(name=name, params=params)).label == label


@pytest.mark.parametrize("unit", [1e-6, 1e6])
@pytest.mark.parametrize("name", ["ets", "theta", "arima"])
def test_the_unit_of_a_series_changes_its_forecast_by_the_unit_alone(name, unit):
    rng, t = np.random.default_rng(4), np.arange(60)
    y = 30 + 0.2 * t + 4 * np.sin(2 * np.pi * t / 4) + rng.normal(0, 1, 60)
    one = resolve(ModelChoice(name=name, params={"season_length": 4})).load([], Shape(60, 1, 6), Control())
    plain, scaled = (one.predict(values[None, :, None]) for values in (y, unit * y))
    np.testing.assert_allclose(scaled / unit, plain, rtol=1e-6)


def day_and_week(n: int = 600, noise: float = 0.3) -> np.ndarray:
    rng, t = np.random.default_rng(6), np.arange(n)
    shapes = rng.normal(size=24)[t % 24], np.repeat(rng.normal(size=7), 24)[t % 168]
    return 20 + 0.005 * t + sum(shapes) + noise * rng.normal(size=n)


@pytest.mark.parametrize("seasons", [(24, 168), (48,)])
def test_long_and_several_seasons_are_taken_out_as_statsforecasts_mstl_does(seasons):
    from statsforecast.models import MSTL, AutoETS

    y = day_and_week()
    model = resolve(ModelChoice(name="ets", params={"season_length": seasons[0], "longer_seasons": seasons[1:]}))
    ours = Decomposed(seasons, AutoETS(model="ZZN")).forecast(y=y, h=48)["mean"]
    theirs = MSTL(list(seasons), trend_forecaster=AutoETS(model="ZZN")).forecast(y=y, h=48)["mean"]
    np.testing.assert_allclose(ours, theirs, atol=0.02)
    if seasons == (24, 168):
        made = model.load([], Shape(len(y), 1, 48), Control()).predict(y[None, :, None])[0]
        np.testing.assert_allclose(made, ours, rtol=1e-5)


@pytest.mark.parametrize("name", ["ets", "theta", "ces"])
def test_several_seasons_are_forecast_better_than_one(name):
    whole = day_and_week()
    y, ahead = whole[:-168], whole[-168:]

    def error(**params):
        model = resolve(ModelChoice(name=name, params=params))
        return np.abs(model.load([], Shape(len(y), 1, 168), Control()).predict(y[None, :, None])[0] - ahead).mean()

    assert error(season_length=24, longer_seasons=[168]) < 0.6 * error(season_length=24)


@pytest.mark.parametrize("name", ["ets", "theta", "ces"])
def test_a_series_that_does_not_show_a_season_is_forecast_without_it(name):
    noise = 5 + np.random.default_rng(1).normal(size=500)
    made = [
        resolve(ModelChoice(name=name, params=params)).load([], Shape(500, 1, 50), Control()).predict(noise[None, :, None])
        for params in ({"season_length": 24, "longer_seasons": [168]}, {})
    ]
    np.testing.assert_array_equal(*made)


def croston(y: np.ndarray, alpha: float = 0.1) -> float:
    """Croston's method as written in his paper: demand and interval smoothed apart, at the steps that have demand."""
    demand, interval, last = None, None, -1
    for t, value in enumerate(y):
        if value == 0:
            continue
        since = t - last
        demand = value if demand is None else demand + alpha * (value - demand)
        interval = since if interval is None else interval + alpha * (since - interval)
        last = t
    return demand / interval


def test_croston_smooths_demand_and_interval_apart():
    rng = np.random.default_rng(2)
    y = np.where(rng.random(80) < 0.3, rng.poisson(6, 80) + 1.0, 0.0)
    made = {
        form: resolve(ModelChoice(name="croston", params={"form": form}))
        .load([], Shape(80, 1, 4), Control())
        .predict(y[None, :, None])[0]
        for form in ("classic", "optimised", "sba", "tsb", "adida", "imapa")
    }
    np.testing.assert_allclose(made["classic"], croston(y), rtol=1e-6)
    np.testing.assert_allclose(made["sba"], 0.95 * croston(y), rtol=1e-6)
    for form, y_hat in made.items():
        assert (y_hat == y_hat[0]).all() and 0.5 * y.mean() < y_hat[0] < 2 * y.mean(), form
