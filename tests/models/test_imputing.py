"""The network that fills in missing values."""

from dataclasses import replace

import numpy as np
import pytest

from forecasting import Experiment, ModelChoice, Task, Waves, fits_of, run_fit, score_at
from forecasting.data import load
from forecasting.data.holes import fill_mse
from forecasting.models import Control, Shape, imputing
from forecasting.models.history import Stopped
from forecasting.models.imputing import Imputer, fill_in

SOURCE = Waves(n_series=1_000)
TASK = Task(input_size=30, hide=0.3, holes="gaps", gap_length=8, fill="network")


@pytest.fixture(autouse=True)
def nothing_learned(monkeypatch):
    monkeypatch.setattr(imputing, "_kept", type(imputing._kept)())


def test_it_does_better_than_interpolation_and_leaves_what_is_known():
    split = load(SOURCE, TASK)
    filled = fill_in(split, TASK, Control())
    for before, after in zip(split.parts, filled.parts, strict=True):
        assert fill_mse(after, after.x) < 0.6 * fill_mse(before, before.x)
        np.testing.assert_array_equal(after.x[~after.missing], before.x[~after.missing])
        np.testing.assert_array_equal(after.y, before.y)


def test_it_never_sees_what_is_hidden_nor_what_is_to_be_forecast():
    split = load(SOURCE, TASK)
    spoilt = split.with_parts(
        replace(part, whole=np.where(part.missing, 1e6, part.x), y=part.y + 9, path=part.path - 9) for part in split.parts
    )
    one, other = (fill_in(each, TASK, Control()) for each in (split, spoilt))
    for before, after in zip(one.parts, other.parts, strict=True):
        np.testing.assert_array_equal(after.x, before.x)


def test_what_it_has_learned_is_kept_for_the_next_fit_and_is_the_same_when_learned_anew():
    split, stages = load(SOURCE, TASK), []
    control = Control(on_stage=stages.append)
    first = fill_in(split, TASK, control)
    second = fill_in(split, TASK, control)
    assert stages == ["learning to fill in"]
    imputing._kept.clear()
    third = fill_in(split, TASK, control)
    assert len(stages) == 2
    np.testing.assert_array_equal(first.test.x, second.test.x)
    np.testing.assert_array_equal(first.test.x, third.test.x)


def test_it_can_be_stopped():
    with pytest.raises(Stopped):
        fill_in(load(SOURCE, TASK), TASK, Control(should_stop=lambda: True))


def test_it_fills_in_channels_from_each_other():
    source, task = SOURCE.model_copy(update={"n_channels": 2, "coupling": 1.0, "delay": 0}), TASK
    split = load(source, task)
    filled = fill_in(split, task, Control())
    alone = fill_in(load(SOURCE, task), task, Control())
    assert fill_mse(filled.valid, filled.valid.x) < 0.7 * fill_mse(alone.valid, alone.valid.x)


def test_its_parameters_are_counted():
    shape = Shape(30, 6, 60)
    assert Imputer().count(shape) == sum(weights.size for weights in Imputer().network(shape).learner.get_weights())


def test_fits_forecast_from_what_it_filled_in_at_any_look_back():
    models = (ModelChoice(name="linear"), ModelChoice(name="simple_rnn"))
    fits = fits_of(Experiment(source=SOURCE, task=TASK, models=models))
    naive, linear, network = (run_fit(fit) for fit in fits)
    filled = fill_in(load(SOURCE, TASK), TASK, Control()).valid
    np.testing.assert_allclose(naive.y_hat_valid, filled.x[:, -1], atol=1e-6)
    np.testing.assert_array_equal(naive.filled, filled.x[filled.missing])
    assert naive.valid.fill_mse == linear.valid.fill_mse == fill_mse(filled, filled.x)
    by_line = run_fit(fits_of(Experiment(source=SOURCE, task=TASK.model_copy(update={"fill": "interpolation"})))[1])
    assert by_line.filled is None and linear.valid.mse < by_line.valid.mse
    same, shorter = (score_at(fits[2].model_copy(update={"look_back": n}), network.weights) for n in (30, 20))
    assert same.valid.mse == pytest.approx(network.valid.mse) and shorter.valid.mse != network.valid.mse
