"""Conformal intervals cover what they promise, whatever the errors are."""

import numpy as np
import pytest

from forecasting.evaluation.intervals import Conformal, coverage, interval_score

RNG = np.random.default_rng(3)
SCALE = RNG.uniform(1, 50, 40)
GROWS = np.sqrt(np.arange(1, 13))


def errors(n, heavy=False):
    drawn = RNG.standard_t(3, (n, 40, 12)) if heavy else RNG.normal(size=(n, 40, 12))
    return drawn * SCALE[:, None] * GROWS


@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "heavy tails"])
@pytest.mark.parametrize("level", [50, 80, 95])
def test_the_share_that_is_covered_is_the_level(level, heavy):
    width = Conformal.learn(errors(8, heavy), SCALE).half_width(level)
    new = errors(60, heavy)
    assert coverage(new, np.zeros_like(new), width) == pytest.approx(level / 100, abs=0.02)
    first, last = (coverage(new[:, :, k], np.zeros_like(new[:, :, k]), width[:, k]) for k in (0, 11))
    assert (first, last) == pytest.approx((level / 100, level / 100), abs=0.06)


def test_an_interval_never_shrinks_with_the_horizon_and_is_as_wide_as_its_series_asks():
    width = Conformal.learn(errors(5), SCALE).half_width(90)
    assert (np.diff(width, axis=1) >= 0).all()
    np.testing.assert_allclose(width / SCALE[:, None], np.tile(width[0] / SCALE[0], (40, 1)))


def test_with_too_few_errors_for_a_level_the_largest_counts():
    error = np.array([1.0, -3.0, 2.0]).reshape(3, 1, 1)
    assert Conformal.learn(error, np.ones(1)).half_width(99)[0, 0] == pytest.approx(3)
    assert Conformal.learn(error, np.ones(1)).half_width(50)[0, 0] == pytest.approx(2)


def test_missing_truths_and_series_without_a_scale_do_no_harm():
    error, scale = errors(6), SCALE.copy()
    error[0, 3], scale[5] = np.nan, np.nan
    width = Conformal.learn(error, scale).half_width(80)
    assert np.isfinite(width).all() and width[5, 0] == pytest.approx(width[0, 0] / SCALE[0] * np.nanmean(scale))
    y = np.where(np.arange(12) < 6, 1.0, np.nan)
    assert coverage(y, np.zeros(12), np.full(12, 2.0)) == 1


def test_the_interval_score_is_lowest_for_the_true_interval():
    y = RNG.normal(size=200_000)
    scores = {width: interval_score(y, np.zeros_like(y), np.full_like(y, width), 80) for width in (0.6, 1.2816, 2.5)}
    assert min(scores, key=lambda width: scores[width]) == 1.2816
    by_hand = np.mean(2 * 0.6 + 2 / 0.2 * np.maximum(np.abs(y) - 0.6, 0))
    assert scores[0.6] == pytest.approx(by_hand)
