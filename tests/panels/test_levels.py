"""Networks on whole series: windows in their own level, differences to the last season repeated, how long they learn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.data.transforms import Differences
from forecasting.data.windows import last_and_level
from forecasting.experiment import BadInput, ModelChoice, Plan, SeriesFit, Task
from forecasting.models.dense import MLP, NBEATS
from forecasting.models.neural import GRU
from forecasting.panels.cutting import n_windows, padding, split_of
from forecasting.panels.fits import run_series_fit
from forecasting.panels.forecasters import judged_places
from forecasting.panels.panel import Panel
from forecasting.panels.tasks import task_of
from forecasting.studies.recipes import EPOCHS, FOR_SERIES, GRADIENT_STEPS, for_series
from tests.whole_series import made_by

PLAN = Plan(h=6, season_length=4, n_windows=2)


def panel(n_series: int = 3, n: int = 60, low: float = 10.0, **more) -> Panel:
    """Series with a season of four steps, each of another level and length."""
    rng = np.random.default_rng(5)
    y = [
        low * (i + 1) + np.tile([0.0, 1.0, 3.0, 2.0], n)[: n - i % 7] + 0.3 * rng.normal(size=n - i % 7).cumsum()
        for i in range(n_series)
    ]
    ds = [pd.date_range("2000-01-01", periods=len(values), freq="QS") for values in y]
    return Panel([f"s{i}" for i in range(n_series)], ds, y, "QS", season_length=4, **more)


def test_windows_have_their_last_value_at_0_and_are_put_together_again_to_the_values_of_the_series():
    some = panel()
    task = task_of(some, PLAN, 0, NBEATS())
    assert (task.scaling, task.differencing, task.input_size) == ("level", "last_season", 12)
    differences, train = Differences.learn(task, split_of(some, task, 0).train), split_of(some, task, 0).train
    shown = differences.windows(train)
    assert (shown.x[:, -1] == 0).all() and shown.y.shape == (len(train), 6)
    first = train.ds.astype(int)
    expected = [some.y[i][start : start + 6] for i, start in zip(train.unique_id, first, strict=True)]
    last = [some.y[i][start - 4 : start] for i, start in zip(train.unique_id, first, strict=True)]
    np.testing.assert_allclose(train.in_units(differences.undo(train.x, shown.y)), expected, rtol=1e-5)
    repeated = np.array(last)[:, [0, 1, 2, 3, 0, 1]]
    np.testing.assert_allclose(shown.y * train.scale, expected - repeated, atol=2e-4)


def test_a_level_is_the_mean_size_of_the_last_values_and_a_series_of_zeros_has_one_too():
    seen = np.array([[-2.0, 4.0, -6.0, 8.0], [0.0, 0.0, 0.0, 0.0]])[:, :, None]
    loc, level = last_and_level(seen, season_length=2)
    assert loc.tolist() == [[8.0], [0.0]] and level[0, 0] == 5.0 and 0 < level[1, 0] < 1e-6


def test_short_pasts_are_preceded_by_the_first_value_so_that_windows_end_early_in_a_series():
    some = panel(1)
    task = task_of(some, PLAN, 0, MLP())
    assert task.input_size == 16 and padding(task) == 8
    train = split_of(some, task, 0).train
    assert train.ds.min() == 8, "half a look-back is enough"
    first = train.take(np.flatnonzero(train.ds == 8))
    np.testing.assert_allclose(first.seen()[0], np.concatenate([np.repeat(some.y[0][0], 8), some.y[0][:8]]), rtol=1e-6)


def test_of_many_series_one_in_twenty_validates_and_all_windows_of_the_others_are_learned_from():
    some = panel(45)
    task = task_of(some, PLAN, 6, MLP())
    split = split_of(some, task, 6)
    assert set(split.valid.unique_id) == {10, 30} and set(split.train.unique_id) == set(range(45)) - {10, 30}
    lengths = [len(y) - 6 for i, y in enumerate(some.y) if i not in (10, 30)]
    assert len(split.train) == sum(n - 8 - 6 + 1 for n in lengths) == n_windows(some, task, 6)


def test_series_of_less_than_a_season_and_a_horizon_are_differences_to_the_last_value():
    task = task_of(panel(30, n=20), Plan(h=6, season_length=12), 0, MLP())
    assert (task.differencing, task.scaling, task.input_size) == ("none", "level", 8)


def test_models_that_learn_at_every_step_of_the_look_back_take_differences_that_fit():
    some = panel()
    for model in (GRU(sequence_to="sequence"), MLP(strategy="iterated"), None):
        assert task_of(some, PLAN, 0, model).lags == (4,)
    assert task_of(some, PLAN.model_copy(update={"differencing": "fitting"}), 0, MLP()).lags == (4,)
    beside = replace(some, past_covariates=[np.ones((len(y), 1)) for y in some.y])
    assert task_of(beside, PLAN, 0, MLP()).lags == task_of(replace(some, n_targets=3), PLAN, 0, MLP()).lags == (4,)


def test_a_season_must_fit_into_the_look_back():
    with pytest.raises(ValueError, match="A season has 12 values, and the look-back 8"):
        Task(input_size=8, h=3, target="all_h", differencing="last_season", season_length=12)
    with pytest.raises(BadInput, match="A season has 12 values"):
        Differences(repeated=12).undo(np.zeros((1, 8, 1)), np.zeros((1, 3)))


def test_a_series_that_was_never_below_zero_is_not_forecast_below_it():
    falling = np.linspace(30, 0.5, 60)
    ds = pd.date_range("2000-01-01", periods=60, freq="D")
    both = Panel(["falls", "falls below"], [ds, ds], [falling, falling - 20], "D")
    ahead = made_by(both, Plan(h=5, n_windows=2), "drift").ahead
    assert (ahead[0] == 0).any() and (ahead[0] >= 0).all() and (ahead[1] < -19).all()


def test_models_are_judged_by_some_of_many_series_and_forecast_all():
    some = panel(40, n=40)
    plan = PLAN.model_copy(update={"n_judged": 10})
    made = {name: made_by(some, plan, name) for name in ("naive", "theta", "linear")}
    judged = judged_places(some, np.arange(40), 10)
    for one in made.values():
        assert np.flatnonzero(np.isfinite(one.y_hat).all((0, 2))).tolist() == judged.tolist()
        assert np.isfinite(one.ahead).all()
    whole = made_by(some, PLAN.model_copy(update={"n_judged": 40}), "linear")
    np.testing.assert_array_equal(made["linear"].y_hat[:, judged], whole.y_hat[:, judged])


def test_a_series_that_is_too_short_for_a_statistical_model_repeats_its_last_value():
    lengths = (60, 60, 3)
    ds = [pd.date_range("2000-01-01", periods=n, freq="QS") for n in lengths]
    some = Panel(["a", "b", "c"], ds, [10 + np.arange(n, dtype=float) % 4 for n in lengths], "QS", season_length=4)
    ahead = made_by(some, PLAN, "ets").ahead
    assert ahead[2].tolist() == [12.0] * 6 and len(set(ahead[0])) > 1
    short = Panel(["c"], ds[2:], some.y[2:], "QS", season_length=4)
    fit = SeriesFit(
        source={"kind": "sample", "name": "gdp"}, model=ModelChoice(name="ets"), task=PLAN.task, cutoff_offsets=(0,)
    )
    assert run_series_fit(fit, short).y_hat.tolist() == [[[12.0] * 6]], "no statistical model could be fitted to so few"
    form = fit.model_copy(update={"model": ModelChoice(name="ets", params={"form": "holt_winters", "season_length": 1})})
    with pytest.raises(BadInput, match="Holt–Winters needs a season"):
        run_series_fit(form, some)


@pytest.mark.parametrize(("n_series", "n", "batch"), [(3, 60, 16), (40, 60, 140), (2_000, 60, 256)])
def test_networks_learn_for_some_hundreds_of_gradient_steps_however_many_windows_there_are(n_series, n, batch):
    some = panel(n_series, n)
    task = task_of(some, PLAN, 12, MLP())
    n_seen = min(n_windows(some, task, 12), 30_000)
    steps = -(-n_seen // min(256, max(16, n_seen // 16)))
    training = for_series(some, PLAN)
    assert training == FOR_SERIES.model_copy(update={"epochs": training.epochs})
    assert EPOCHS[0] <= training.epochs <= EPOCHS[1] and -(-n_seen // steps) <= batch
    assert training.epochs == EPOCHS[1] or 0.8 < training.epochs * steps / GRADIENT_STEPS < 1.3


def test_a_dense_network_beats_the_season_repeated_on_a_panel_that_drifts_alike():
    rng = np.random.default_rng(2)
    slopes, y = rng.uniform(0.2, 0.6, 60), []
    for slope in slopes:
        y.append(20 + slope * np.arange(48) + np.tile([0.0, 2.0, 5.0, 3.0], 12) + 0.2 * rng.normal(size=48))
    ds = [pd.date_range("2000-01-01", periods=48, freq="QS")] * 60
    some = Panel([f"s{i}" for i in range(60)], ds, y, "QS", season_length=4)
    training = for_series(some, PLAN)
    truth = np.stack([values[-6:] for values in y])
    error = {
        name: np.abs(made_by(some, PLAN, name, training=training).y_hat[-1] - truth).mean()
        for name in ("seasonal_naive", "mlp")
    }
    assert error["mlp"] < 0.5 * error["seasonal_naive"]


@pytest.mark.parametrize("n_series", [3, 60])
def test_windows_drawn_from_many_are_some_of_them_and_the_others_are_never_cut(n_series):
    some = panel(n_series)
    task = task_of(some, PLAN, 12, MLP())
    every, drawn = split_of(some, task, 12), split_of(some, task, 12, 50, seed=3)
    assert len(every.train) == n_windows(some, task, 12) > len(drawn.train) == 50 and len(drawn.valid) <= 17
    names = {(i, k): x for i, k, x in zip(every.train.unique_id, every.train.ds, every.train.x, strict=True)}
    for i, k, x in zip(drawn.train.unique_id, drawn.train.ds, drawn.train.x, strict=True):
        np.testing.assert_array_equal(x, names[i, k])
    assert len({*zip(drawn.train.unique_id, drawn.train.ds, strict=True)}) == 50
    again, other = split_of(some, task, 12, 50, seed=3), split_of(some, task, 12, 50, seed=4)
    np.testing.assert_array_equal(again.train.x, drawn.train.x)
    assert not np.array_equal(other.train.ds, drawn.train.ds)
