"""The ensemble: its shares against a general-purpose optimiser, and the honesty of its validation score."""

import numpy as np
import pytest
from scipy.optimize import minimize

from forecasting import BadInput, Experiment, ModelChoice, Task, Training, Waves, fits_of, run_fit
from forecasting.data import load
from forecasting.evaluation.fits import ensembles_of, joins
from forecasting.evaluation.windows import combine
from forecasting.models import Control, Ensemble
from forecasting.models.ensemble import BLOCKS, best_shares

RNG = np.random.default_rng(1)
SPREADS = np.array([1.0, 0.5, 0.7, 2.0, 0.5])
Y = RNG.normal(size=(400, 3))
Y_HATS = (Y + SPREADS[:, None, None] * RNG.normal(size=(5, 400, 3)) + 0.3 * RNG.normal(size=(400, 3))).astype("float32")


def error(shares, y=Y, y_hats=Y_HATS):
    total = sum(share * y_hat.astype("float64") for share, y_hat in zip(shares, y_hats, strict=True))
    return float(((total - y) ** 2).mean())


def constrained(y, y_hats):
    """The best shares by sequential quadratic programming."""
    n, whole = len(y_hats), {"type": "eq", "fun": lambda shares: shares.sum() - 1}
    start = np.full(n, 1 / n)
    return minimize(error, start, (y, y_hats), bounds=[(0, 1)] * n, constraints=whole, options={"ftol": 1e-15}).x


@pytest.mark.parametrize("members", [[0, 1, 2, 3, 4], [1, 3], [1, 1, 2]], ids=["five", "two", "twins"])
def test_no_other_shares_have_a_smaller_error(members):
    shares, others = best_shares(Y, Y_HATS[members]), constrained(Y, Y_HATS[members])
    assert shares.min() >= 0 and shares.sum() == pytest.approx(1)
    assert error(shares, y_hats=Y_HATS[members]) == pytest.approx(error(others, y_hats=Y_HATS[members]), rel=1e-7)


def test_a_member_without_error_takes_all():
    assert best_shares(Y, np.stack([Y_HATS[0], Y, Y_HATS[1]])) == pytest.approx([0, 1, 0], abs=1e-6)


def test_equal_shares_are_the_mean():
    valid, test, shares = Ensemble(weights="equal").mixed(Y, Y_HATS, Y_HATS[:, :7])
    np.testing.assert_allclose(valid, Y_HATS.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(test, Y_HATS[:, :7].mean(axis=0), rtol=1e-5, atol=1e-6)
    assert shares.tolist() == [0.2] * 5


def test_a_validation_window_is_forecast_with_shares_that_have_not_seen_it():
    mixed, _, _ = Ensemble().mixed(Y, Y_HATS, Y_HATS)
    first = slice(0, len(Y) // BLOCKS)
    spoiled = Y.copy()
    spoiled[first] = 1e3 * RNG.normal(size=spoiled[first].shape)
    again, _, shares = Ensemble().mixed(spoiled, Y_HATS, Y_HATS)
    np.testing.assert_array_equal(again[first], mixed[first])
    assert not np.allclose(shares, best_shares(Y, Y_HATS))


def test_an_ensemble_is_no_fit_and_is_scored_on_its_members_windows():
    experiment = Experiment(
        source=Waves(n_series=300),
        task=Task(input_size=8, target="all_h", h=3),
        models=tuple(
            ModelChoice(name=name, params=params)
            for name, params in (
                ("ensemble", {}),
                ("linear", {}),
                ("simple_rnn", {}),
                ("ensemble", {"weights": "equal"}),
                ("ensemble", {"weights": "validation"}),
            )
        ),
        training=Training(epochs=1),
        seeds=(1, 2),
    )
    fits = fits_of(experiment)
    assert [fit.model.name for fit in fits] == ["naive", "linear", "simple_rnn", "simple_rnn"]
    members = [run_fit(fit) for fit in fits if joins(fit)]
    assert len(members) == 3
    split = load(experiment.source, experiment.task)
    forecasts = [{"valid": member.y_hat_valid, "test": member.y_hat_test} for member in members]
    weighted, equal = ensembles_of(experiment)
    result = combine(equal, split, forecasts)
    for part, scores, y_hat in (("valid", result.valid, result.y_hat_valid), ("test", result.test, result.y_hat_test)):
        mean = np.mean([forecast[part] for forecast in forecasts], axis=0)
        np.testing.assert_allclose(y_hat, mean, rtol=1e-5, atol=1e-6)
        truth = getattr(split, part).y
        assert scores.mse == pytest.approx(((mean - truth) ** 2).mean(), rel=1e-5)
        assert scores.mse_per_step == pytest.approx(((mean - truth) ** 2).mean(axis=0), rel=1e-5)
    naive = run_fit(fits[0])
    assert (result.valid.naive_mse, result.test.naive_mse) == pytest.approx((naive.valid.mse, naive.test.mse))
    assert combine(weighted, split, forecasts).weights[0][0] > 0.9, "one epoch of a neuron adds nothing to least squares"
    with pytest.raises(BadInput, match="needs two models that have learned"):
        combine(weighted, split, forecasts[:1])
    with pytest.raises(BadInput, match="cannot be fitted by itself"):
        Ensemble().fit(split, Control())
