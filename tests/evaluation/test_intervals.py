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


def learned(error, scale=SCALE):
    return Conformal.learn(error, np.tile(scale, (len(error), 1)), scale)


def covered(new, width):
    return coverage(new, np.broadcast_to(-width, new.shape), np.broadcast_to(width, new.shape))


@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "heavy tails"])
@pytest.mark.parametrize("level", [50, 80, 95])
def test_the_share_that_is_covered_is_the_level(level, heavy):
    width = learned(errors(8, heavy)).half_width(level)
    new = errors(60, heavy)
    assert covered(new, width) == pytest.approx(level / 100, abs=0.02)
    first, last = (covered(new[:, :, [k]], width[:, [k]]) for k in (0, 11))
    assert (first, last) == pytest.approx((level / 100, level / 100), abs=0.08)


@pytest.mark.parametrize("n_cutoffs", [1, 2, 4, 8])
def test_of_a_single_series_with_few_cutoffs_intervals_are_wide_enough_too(n_cutoffs):
    """The largest of few errors is too small for a level of 95 %: Student's t widens it."""
    rng, shares = np.random.default_rng(1), []
    for _ in range(400):
        walks = rng.normal(size=(n_cutoffs + 1, 1, 12)).cumsum(axis=2)
        width = learned(walks[:-1], np.ones(1)).half_width(95)
        shares.append(covered(walks[-1], width))
    assert 0.9 < np.mean(shares) < 0.985


def test_an_interval_never_shrinks_with_the_horizon_and_is_as_wide_as_its_series_asks():
    width = learned(np.tile(errors(1)[:, :1] / SCALE[0], (5, 40, 1)) * SCALE[:, None]).half_width(90)
    assert (np.diff(width, axis=1) >= 0).all()
    np.testing.assert_allclose(width / SCALE[:, None], np.tile(width[0] / SCALE[0], (40, 1)))


def test_a_series_whose_errors_are_larger_than_the_others_has_wider_intervals():
    error = errors(6)
    error[:, :4] *= 5
    width, new = learned(error).half_width(95), errors(100)
    new[:, :4] *= 5
    relative = width / SCALE[:, None]
    assert (relative[:4].min(axis=0) > 2 * relative[4:].max(axis=0)).all()
    assert covered(new[:, :4], width[:4]) > 0.8 and covered(new[:, 4:], width[4:]) > 0.93
    alike = SCALE[:, None] * learned(errors(6)).by_step(95)
    assert covered(new[:, :4], alike[:4]) < 0.6, "as wide as all series' they would cover too little"


def test_errors_are_held_against_the_scale_of_their_time_and_of_now():
    """A series that has become four times as large has errors twice as large, of those that it had."""
    error = errors(5)
    grown = Conformal.learn(error, np.tile(SCALE, (5, 1)), 4 * SCALE).half_width(80)
    np.testing.assert_allclose(grown, 2 * learned(error).half_width(80))


def test_missing_truths_and_series_without_a_scale_do_no_harm():
    error, scale = errors(6), SCALE.copy()
    error[0, 3], scale[5] = np.nan, np.nan
    width = learned(error, scale).half_width(80)
    assert np.isfinite(width).all()
    nothing = learned(np.full((2, 40, 12), np.nan)).half_width(80)
    assert nothing.shape == (40, 12) and np.isnan(nothing).all()
    y = np.where(np.arange(12) < 6, 1.0, np.nan)
    assert coverage(y, np.full(12, -2.0), np.full(12, 2.0)) == 1


def test_forecasts_that_were_never_wrong_have_intervals_without_width():
    for n_cutoffs in (1, 4):
        width = learned(np.zeros((n_cutoffs, 40, 12))).half_width(95)
        assert width.shape == (40, 12) and not width.any()


def test_the_interval_score_is_lowest_for_the_true_interval():
    y = RNG.normal(size=200_000)
    scores = {width: interval_score(y, np.full_like(y, -width), np.full_like(y, width), 80) for width in (0.6, 1.2816, 2.5)}
    assert min(scores, key=lambda width: scores[width]) == 1.2816
    by_hand = np.mean(2 * 0.6 + 2 / 0.2 * np.maximum(np.abs(y) - 0.6, 0))
    assert scores[0.6] == pytest.approx(by_hand)
