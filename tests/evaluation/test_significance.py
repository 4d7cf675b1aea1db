"""A difference between two models comes with its uncertainty."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from forecasting.evaluation.significance import difference

RNG = np.random.default_rng(3)


def test_of_few_series_the_interval_is_that_of_the_paired_t_test_over_cutoffs():
    one, other = RNG.gamma(2, 1, (6, 2, 5)), RNG.gamma(2, 1.5, (6, 2, 5))
    found = difference(one, other)
    expected = ttest_rel(other.mean((1, 2)), one.mean((1, 2))).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.mean == pytest.approx((other - one).mean())


def test_of_a_panel_the_interval_has_the_width_that_theory_gives():
    one, other = RNG.normal(1, 0.5, (3, 400, 4)), RNG.normal(1.1, 0.5, (3, 400, 4))
    found = difference(one, other)
    error = (other - one).mean((0, 2)).std(ddof=1) / np.sqrt(400)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert found.means_something and found.low < found.mean < found.high
    assert not difference(one, one + RNG.normal(0, 0.5, one.shape)).means_something


def test_what_cannot_be_told_is_undefined_and_missing_truths_count_nowhere():
    one = RNG.normal(size=(1, 2, 3))
    found = difference(one, one + 1)
    assert found.mean == pytest.approx(1) and np.isnan(found.low) and not found.means_something
    assert np.isnan(difference(np.full((2, 3, 4), np.nan), np.ones((2, 3, 4))).mean)
    holed = np.ones((4, 1, 3))
    holed[1] = np.nan
    assert difference(holed, holed + np.arange(4.0)[:, None, None]).mean == pytest.approx((0 + 2 + 3) / 3)


@pytest.mark.parametrize(("h", "step", "n_cutoffs"), [(24, 6, 8), (24, 12, 20), (12, 1, 30)])
def test_equal_models_are_told_apart_as_seldom_as_is_promised_also_where_cutoffs_overlap(h, step, n_cutoffs):
    """One series, whose gains by step are independent; cutoffs that overlap share steps, and so gains."""
    rng, overlap = np.random.default_rng(7), -(-h // step) - 1
    found = 0
    for _ in range(400):
        gained = rng.normal(size=step * (n_cutoffs - 1) + h)
        losses = np.stack([gained[k * step : k * step + h] for k in range(n_cutoffs)])[:, None]
        found += difference(np.zeros_like(losses), losses, overlap).means_something
    assert 0.02 < found / 400 < 0.08


def test_where_all_cutoffs_overlap_there_is_no_verdict():
    losses = np.ones((8, 1, 24)) + np.random.default_rng(1).normal(0, 0.01, (8, 1, 24))
    found = difference(np.zeros_like(losses), losses, overlap=23)
    assert np.isnan(found.low) and not found.means_something and "overlaps" in found.how
