"""Powers of values: learned on the training part alone, seen by every model, and turned back exactly."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import boxcox_normmax

from forecasting import Experiment, ModelChoice, Sample, Task, Upload, Waves, fits_of, run_fit
from forecasting.data import load
from forecasting.data.boxcox import MOST, boxcox, inv_boxcox
from forecasting.data.masking import fill_mse
from forecasting.experiment import BadInput

RNG = np.random.default_rng(9)
N = 400
GROWING = np.exp(1 + 0.01 * np.arange(N) + 1.0 * np.sin(2 * np.pi * np.arange(N) / 12) + 0.02 * RNG.normal(size=N))


def content(y: np.ndarray = GROWING) -> bytes:
    days = pd.date_range("2023-01-01", periods=len(y))
    return "\n".join(["day,y", *(f"{day:%Y-%m-%d},{value!r}" for day, value in zip(days, y.tolist(), strict=True))]).encode()


FILE = Upload(upload_id="a" * 20)
TASK = Task(input_size=24, target="all_h", h=6, transform="log")


@pytest.mark.parametrize("power", [-1.0, -0.3, 0.0, 0.5, 2.0, np.nan])
def test_a_power_is_turned_back(power):
    y = np.array([[0.1, 1.0, 20.0]])
    np.testing.assert_allclose(inv_boxcox(boxcox(y, power), power), y, rtol=1e-12)


def test_beyond_what_a_power_reaches_lies_its_bound():
    assert inv_boxcox(np.array([1e6]), 0.0) == MOST and inv_boxcox(np.array([1e9]), 0.01) == MOST
    assert 0 <= inv_boxcox(np.array([-5.0]), 0.5)[0] < 1e-6
    mixed = inv_boxcox(np.array([[1.0], [1.0]]), np.array([[0.0], [np.nan]]))
    np.testing.assert_allclose(mixed, [[np.e], [1.0]])


@pytest.mark.parametrize("scaling", ["none", "standard", "window"])
def test_models_see_the_logarithm_and_scores_are_of_the_values(scaling):
    plain = load(FILE, TASK.model_copy(update={"transform": "none"}), lambda _: content())
    split = load(FILE, TASK.model_copy(update={"scaling": scaling}), lambda _: content())
    for one, other in zip(plain.parts, split.parts, strict=True):
        np.testing.assert_allclose(other.seen(), one.seen(), rtol=1e-5)
        np.testing.assert_allclose(other.in_units(other.y), one.in_units(one.y), rtol=1e-5)
    if scaling == "none":
        np.testing.assert_allclose(split.train.x, np.log(plain.train.x), atol=1e-5)


def test_what_swings_more_the_higher_it_is_is_easier_in_its_logarithm():
    errors = {}
    for power in ("none", "log", "box_cox"):
        task = TASK.model_copy(update={"transform": power, "scaling": "standard"})
        naive, linear = fits_of(Experiment(source=FILE, task=task, models=(ModelChoice(name="linear"),)))
        results = [run_fit(fit, read_upload=lambda _: content()) for fit in (naive, linear)]
        assert results[0].valid.mse == pytest.approx(results[0].valid.naive_mse, rel=1e-4)
        errors[power] = results[1].valid.mse / results[0].valid.mse
    assert errors["log"] < 0.8 * errors["none"] and errors["box_cox"] < 0.8 * errors["none"]


def test_the_power_is_scipys_and_knows_the_training_part_alone():
    spiked = GROWING.copy()
    spiked[-10:] *= 50
    parts = []
    for y in (GROWING, spiked):
        part = load(FILE, TASK.model_copy(update={"transform": "box_cox"}), lambda _, y=y: content(y)).train
        assert part.lmbda == pytest.approx(boxcox_normmax(GROWING[: round(0.7 * N)], brack=(-1, 2), method="mle"), abs=1e-6)
        parts.append(part)
    np.testing.assert_array_equal(parts[0].x, parts[1].x)


@pytest.mark.parametrize("channels", ["one", "all"])
def test_every_channel_of_waves_has_its_own(channels):
    source = Waves(n_series=200, level=3, n_channels=2)
    task = Task(input_size=20, target="all_h", h=3, channels=channels, masked=0.3)
    plain, seen = (load(source, task.model_copy(update={"transform": power})) for power in ("none", "box_cox"))
    assert seen.valid.lmbda.shape == (len(seen.valid), 2)
    np.testing.assert_allclose(seen.valid.in_units(seen.valid.y), plain.valid.in_units(plain.valid.y), rtol=1e-4)
    filled = [part.seen(i) for part in (plain.valid, seen.valid) for i in range(2)]
    assert np.abs(filled[0] - filled[2]).max() < 0.5
    assert fill_mse(seen.valid, seen.valid.x) == pytest.approx(fill_mse(plain.valid, plain.valid.x), rel=0.2)


def test_what_has_no_logarithm_is_refused():
    with pytest.raises(BadInput, match="values of 0 or below"):
        load(Waves(n_series=100), TASK)
    with pytest.raises(BadInput, match="'infl'"):
        load(Sample(name="inflation"), Task(input_size=8, transform="log"))
    with pytest.raises(BadInput, match="switch one of them off"):
        load(Waves(n_series=100, level=5, train_n_steps=40), TASK)
    level = Waves(n_series=100, level=5)
    oracle = fits_of(Experiment(source=level, task=TASK, models=(ModelChoice(name="oracle"),)))[1]
    with pytest.raises(BadInput, match="take no transform"):
        run_fit(oracle)
