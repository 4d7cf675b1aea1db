"""Differences, and what they are put together to again."""

import numpy as np
import pytest

from forecasting import BadInput, Experiment, LookBackFit, ModelChoice, Task, Training, Waves, fits_of, run_fit, score_at
from forecasting.data import load
from forecasting.data.transforms import Differences

SERIES = Waves(n_series=60, trend="linear", trend_change=2.0, season="additive", season_length=4)
KINDS = {"first": [1], "seasonal": [4], "both": [4, 1]}


def task(differencing="none", **others):
    return Task(input_size=12, target="all_h", h=10, differencing=differencing, season_length=4, **others)


@pytest.mark.parametrize("scaling", ["none", "standard"])
@pytest.mark.parametrize("kind", KINDS)
def test_differences_are_taken_one_lag_after_the_other_and_undone(kind, scaling):
    asked = task(kind, scaling=scaling)
    split = load(SERIES, asked)
    differences = Differences.learn(asked, split.train)
    seen = differences.split(split)
    for part, raw in ((seen.train, split.train), (seen.test, split.test)):
        for i in range(len(raw)):
            values = [*raw.x[i, :, 0].tolist(), *raw.y_path[i, :, 0].tolist()]
            for lag in KINDS[kind]:
                values = [values[k] - values[k - lag] for k in range(lag, len(values))]
            np.testing.assert_allclose([*part.x[i, :, 0], *part.y[i]], np.array(values) / differences.scale, atol=1e-6)
        np.testing.assert_allclose(differences.undo(raw.x, part.y), raw.y, atol=1e-5)
    assert np.isclose(seen.train.x.std(), 1, atol=1e-3) == (scaling == "standard")


@pytest.mark.parametrize("channels", ["one", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_channel_has_its_own_differences(kind, channels):
    asked = task(kind, channels=channels, scaling="standard")
    split = load(SERIES.model_copy(update={"n_channels": 3}), asked)
    differences = Differences.learn(asked, split.train)
    for part in (split.train, split.valid):
        seen = differences.windows(part)
        np.testing.assert_allclose(differences.undo(part.x, seen.y, part.n_targets), part.y, atol=1e-5)
        whole = np.concatenate([part.x, part.y_path], axis=1).astype("float64")
        for lag in KINDS[kind]:
            whole = whole[:, lag:] - whole[:, :-lag]
        np.testing.assert_allclose(np.concatenate([seen.x, seen.y_path], axis=1), whole / differences.scale, atol=1e-5)


def result(kind, name="linear", **params):
    experiment = Experiment(source=SERIES, task=task(kind), models=(ModelChoice(name=name, params=params),))
    return run_fit(fits_of(experiment)[-1])


def test_least_squares_on_differences_is_least_squares_among_the_weights_that_sum_to_one():
    split, y_hat = load(SERIES, task()), result("first").y_hat_valid
    x, y = (part.astype("float64") for part in (split.train.x[:, :, 0], split.train.y))
    apart = x[:, 1:] - x[:, :-1]
    table = np.column_stack([apart, np.ones(len(apart))])
    weights = np.linalg.lstsq(table, np.diff(np.column_stack([x[:, -1], y]), axis=1), rcond=None)[0]
    seen = split.valid.x[:, :, 0].astype("float64")
    steps = np.column_stack([seen[:, 1:] - seen[:, :-1], np.ones(len(seen))]) @ weights
    np.testing.assert_allclose(y_hat, seen[:, -1:] + np.cumsum(steps, axis=1), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", ["direct", "iterated"])
def test_a_series_of_trend_and_season_alone_is_forecast_without_error(kind, strategy):
    plain = SERIES.model_copy(update={"amplitude_1": 0.0, "amplitude_2": 0.0, "noise_width": 0.0})
    model = ModelChoice(name="linear", params={"strategy": strategy})
    score = run_fit(fits_of(Experiment(source=plain, task=task(kind), models=(model,)))[-1]).valid.mse
    assert score < 1e-6


def test_baselines_see_the_series_itself():
    for name in ("naive", "drift"):
        assert result("both", name).valid == result("none", name).valid


def test_a_network_learns_differences_and_can_be_scored_at_another_look_back():
    model = ModelChoice(name="gru", params={"units": [3], "sequence_to": "sequence"})
    experiment = Experiment(source=SERIES, task=task("both"), models=(model,), training=Training(epochs=1))
    fit = fits_of(experiment)[-1]
    done = run_fit(fit)
    same, longer = (score_at(LookBackFit(parent=fit, look_back=n), done.weights) for n in (12, 20))
    assert same.valid == done.valid and longer.valid != done.valid
    with pytest.raises(BadInput, match="Differencing takes 5 values, and the look-back has 5"):
        score_at(LookBackFit(parent=fit, look_back=5), done.weights)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"input_size": 5, "differencing": "both", "season_length": 4}, "takes 5 values of a look-back of 5"),
        ({"target": "at_h", "h": 3, "differencing": "first"}, "put together again step by step"),
    ],
)
def test_differences_that_cannot_be_taken_are_refused(settings, why):
    with pytest.raises(ValueError, match=why):
        Task(**settings)
