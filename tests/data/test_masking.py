"""Values masked in look-backs, and what is put in their place."""

import numpy as np
import pandas as pd
import pytest

from forecasting import Experiment, ModelChoice, Sample, Task, Waves, fits_of, run_fit
from forecasting.data import load
from forecasting.data.masking import fill_mse, forward, interpolation, random_mask

SOURCE = Waves(n_series=200)


def task(**settings):
    return Task(**{"input_size": 30, "target": "all_h", "h": 3, "masked": 0.4} | settings)


@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
@pytest.mark.parametrize(("kind", "length"), [("random", None), ("gaps", 4), ("gaps", 10)])
def test_the_share_that_is_asked_for_is_hidden_in_gaps_of_the_length_asked_for(share, kind, length):
    masked = random_mask((2_000, 200, 1), task(masked=share, masking=kind, gap_length=length or 10), seed=0)[:, :, 0]
    assert masked.mean() == pytest.approx(share, rel=0.05)
    begins = masked[:, 1:] & ~masked[:, :-1]
    expected = 1 / (1 - share) if length is None else length
    assert masked[:, 1:].sum() / begins.sum() == pytest.approx(expected, rel=0.1)


def test_something_always_stays_known_and_every_channel_has_holes_of_its_own():
    masked = random_mask((500, 3, 2), task(masked=0.8), seed=0)
    assert not masked.all(axis=1).any()
    assert (masked[:, :, 0] != masked[:, :, 1]).any()


@pytest.mark.parametrize("kind", ["random", "gaps"])
def test_longer_look_backs_have_the_same_holes_at_their_end(kind):
    short, long = (load(SOURCE, task(masking=kind), look_back=n).valid for n in (30, 45))
    whole = ~short.missing.all(axis=1)[:, 0]  # a look-back without any known value is given one
    np.testing.assert_array_equal(long.missing[whole][:, -29:], short.missing[whole][:, -29:])
    np.testing.assert_allclose(long.complete[:, -30:], short.complete, atol=1e-6)


def test_what_is_filled_in_is_what_pandas_fills_in():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 20, 2))
    masked = random_mask(x.shape, task(masking="gaps", gap_length=5), seed=3)
    for i in range(2):
        rows = pd.DataFrame(np.where(masked, np.nan, x)[:, :, i])
        np.testing.assert_allclose(forward(x, masked)[:, :, i], rows.ffill(axis=1).bfill(axis=1))
        np.testing.assert_allclose(interpolation(x, masked)[:, :, i], rows.interpolate(axis=1, limit_direction="both"))


@pytest.mark.parametrize("source", [SOURCE, SOURCE.model_copy(update={"n_channels": 3}), Sample(name="sunspots")])
@pytest.mark.parametrize("fill", ["forward", "interpolation"])
def test_look_backs_have_holes_and_targets_have_none(source, fill):
    scaled = {"input_size": 30, "scaling": "standard"}
    plain, holed = load(source, Task(target="all_h", h=3, **scaled)), load(source, task(fill=fill, **scaled))
    for before, after in zip(plain.parts, holed.parts, strict=True):
        np.testing.assert_array_equal(after.y, before.y)
        np.testing.assert_array_equal(after.complete, before.x)
        np.testing.assert_array_equal(after.x[~after.missing], before.x[~after.missing])
        assert (after.x != before.x).any() and not after.x.flags.writeable
        values = {"forward": forward, "interpolation": interpolation}[fill](before.x, after.missing)
        np.testing.assert_allclose(after.x, values, rtol=1e-6)


def test_filling_in_is_scored_on_what_was_hidden_in_the_series_own_units():
    part = load(Sample(name="sunspots"), task(scaling="standard")).valid
    before, after = (part.take(np.arange(len(part))) for _ in range(2))
    seen, whole = after.seen(), part.complete[:, :, 0] * before.scale + before.loc
    errors = (seen - whole)[part.missing[:, :, 0]]
    assert fill_mse(part, part.x) == pytest.approx(np.mean(errors**2)) and np.mean(errors**2) > 1
    assert fill_mse(load(SOURCE, Task()).valid, load(SOURCE, Task()).valid.x) is None


def test_models_forecast_from_what_was_filled_in():
    experiment = Experiment(source=SOURCE, task=task(), models=(ModelChoice(name="linear"),))
    naive, linear = (run_fit(fit) for fit in fits_of(experiment))
    part = load(SOURCE, task()).valid
    np.testing.assert_allclose(naive.y_hat_valid, np.repeat(part.x[:, -1], 3, axis=1), atol=1e-6)
    whole = run_fit(fits_of(experiment.model_copy(update={"task": task(masked=0.0)}))[1])
    assert linear.valid.mse > whole.valid.mse
    assert linear.summary()["valid_fill_mse"] == fill_mse(part, part.x) and whole.summary()["valid_fill_mse"] is None


def test_settings_that_change_nothing_make_no_other_task():
    assert task(masked=0.0, masking="gaps", gap_length=7, fill="network") == task(masked=0.0)
