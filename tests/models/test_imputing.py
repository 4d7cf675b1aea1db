"""The network that fills in missing values."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting import Experiment, LookBackFit, ModelChoice, Task, Upload, Waves, fits_of, run_fit, score_at
from forecasting.data import load
from forecasting.data.masking import fill_mse
from forecasting.evaluation.fits import is_instant
from forecasting.experiment import BadInput, Plan
from forecasting.models import Control, Shape, imputing
from forecasting.models.imputing import Imputer, fill_in
from forecasting.models.learning import Stopped
from forecasting.panels.filling import filling
from forecasting.panels.panel import Panel
from tests.whole_series import made_by

SOURCE = Waves(n_series=1_000)
TASK = Task(input_size=30, masked=0.3, masking="gaps", gap_length=8, fill="network")


@pytest.fixture(autouse=True)
def nothing_learned(monkeypatch):
    monkeypatch.setattr(imputing, "_kept", type(imputing._kept)())


@pytest.mark.slow
def test_it_does_better_than_interpolation_and_leaves_what_is_known():
    split = load(SOURCE, TASK)
    filled = fill_in(split, TASK, Control())
    for before, after in zip(split.parts, filled.parts, strict=True):
        assert fill_mse(after, after.x) < 0.6 * fill_mse(before, before.x)
        np.testing.assert_array_equal(after.x[~after.missing], before.x[~after.missing])
        np.testing.assert_array_equal(after.y, before.y)


@pytest.mark.slow
def test_it_never_sees_what_is_hidden_nor_what_is_to_be_forecast():
    split = load(SOURCE, TASK)
    spoilt = split.with_parts(
        replace(part, complete=np.where(part.missing, 1e6, part.x), y=part.y + 9, y_path=part.y_path - 9)
        for part in split.parts
    )
    one, other = (fill_in(each, TASK, Control()) for each in (split, spoilt))
    for before, after in zip(one.parts, other.parts, strict=True):
        np.testing.assert_array_equal(after.x, before.x)


@pytest.mark.slow
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


@pytest.mark.long
def test_it_fills_in_channels_from_each_other():
    source, task = SOURCE.model_copy(update={"n_channels": 2, "coupling": 1.0, "delay": 0}), TASK
    split = load(source, task)
    filled = fill_in(split, task, Control())
    alone = fill_in(load(SOURCE, task), task, Control())
    assert fill_mse(filled.valid, filled.valid.x) < 0.7 * fill_mse(alone.valid, alone.valid.x)


def test_its_parameters_are_counted():
    shape = Shape(30, 6, 60)
    assert Imputer().count(shape) == sum(weights.size for weights in Imputer().network(shape).training_model.get_weights())


@pytest.mark.long
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
    same, shorter = (score_at(LookBackFit(parent=fits[2], look_back=n), network.weights) for n in (30, 20))
    assert same.valid.mse == pytest.approx(network.valid.mse) and shorter.valid.mse != network.valid.mse


def holed(later: float = 0.0) -> tuple[Panel, list[np.ndarray]]:
    """Three hourly series with a day in them and gaps; before them, and what is added to the last two days."""
    rng, t, whole, lacking = np.random.default_rng(4), np.arange(400), [], []
    for i in range(3):
        y = 20 + 30 * i + (4 + i) * np.sin(2 * np.pi * (t + 5 * i) / 24) + 0.2 * rng.normal(size=400)
        whole.append(y + later * (t >= 352))
        lacking.append(whole[-1].copy())
        for first in rng.integers(5, 380, 6):
            lacking[-1][first : first + rng.integers(4, 12)] = np.nan
    times = [pd.date_range("2024-01-01", periods=400, freq="h")] * 3
    return Panel(["a", "b", "c"], times, lacking, "h", "network", 24), whole


@pytest.mark.long
def test_gaps_of_whole_series_are_filled_in_from_what_was_known_alone():
    panel, whole = holed()
    learned = filling(panel, 48, Control())
    for back in (0, 48):
        lines, values = panel.before(back), learned.before(back)
        errors = {"line": [], "network": []}
        for y, truth, line, value in zip(panel.y, whole, lines, values, strict=True):
            gaps = np.isnan(y[: len(line)])
            np.testing.assert_array_equal(value[~gaps], y[: len(line)][~gaps])
            errors["line"].append(line[gaps] - truth[: len(line)][gaps])
            errors["network"].append(value[gaps] - truth[: len(line)][gaps])
        line, network = (np.sqrt(np.mean(np.concatenate(each) ** 2)) for each in errors.values())
        assert network < 0.7 * line
    spiked = filling(holed(later=1_000)[0], 48, Control())
    for one, other in zip(learned.before(48), spiked.before(48), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_whole_series_are_forecast_over_their_gaps():
    panel, whole = holed()
    alone = replace(panel.some(np.arange(1)), y=[panel.y[0][:200]], ds=[panel.ds[0][:200]])
    made = made_by(alone, Plan(h=12, season_length=24, n_windows=3), "linear")
    truth = np.stack([whole[0][200 - back :][:12] for back in (36, 24, 12)])
    assert np.abs(made.y_hat[:, 0] - truth).mean() < 1.5
    tiny = replace(panel, ds=[ds[:20] for ds in panel.ds], y=[np.where(np.arange(20) == 5, np.nan, y[:20]) for y in whole])
    assert filling(tiny, 2, Control()) is tiny  # too little to learn from: a line stays


def file() -> bytes:
    panel, _ = holed()
    rows = [f"{ds:%Y-%m-%d %H:%M},{'' if np.isnan(y) else y}" for ds, y in zip(panel.ds[1], panel.y[1], strict=True)]
    return "\n".join(["time,value", *rows]).encode()


@pytest.mark.slow
def test_what_a_file_lacks_is_filled_in_by_the_network_that_fills_in_what_is_hidden():
    source, task = Upload(upload_id="a" * 20, repair="network"), Task(input_size=48, target="all_h", h=3, scaling="standard")
    split = load(source, task, lambda _: file())
    assert split.left_out == load(source.model_copy(update={"repair": "interpolation"}), task, lambda _: file()).left_out
    assert split.train.missing.any() and split.train.complete is None
    filled = fill_in(split, task, Control())
    truth = (holed()[1][1] - split.train.loc[0, 0]) / split.train.scale[0, 0]
    errors = {}
    for name, some in (("line", split.train), ("network", filled.train)):
        first = ((some.ds - np.datetime64("2024-01-01")) // np.timedelta64(1, "h"))[:, None] - 48
        whole = truth[first + np.arange(48)][..., None]
        errors[name] = np.abs(some.x - whole)[some.missing].mean()
        np.testing.assert_allclose(some.x[~some.missing], whole[~some.missing], atol=1e-4)
    assert errors["network"] < 0.7 * errors["line"]

    fit = fits_of(Experiment(source=source, task=task, models=(ModelChoice(name="linear"),)))[1]
    assert fit.asks_network and not is_instant(fit, split)
    result = run_fit(fit, read_upload=lambda _: file())
    np.testing.assert_array_equal(result.filled, filled.valid.x[filled.valid.missing])
    assert result.valid.mse < 0.5 and result.valid.fill_mse is None


def test_hidden_beside_missing_values_are_filled_in_alike_and_scored_where_the_truth_is_known():
    source, task = Upload(upload_id="a" * 20, repair="network"), Task(input_size=48, masked=0.2, fill="network")
    split = load(source, task, lambda _: file())
    unknown = np.isnan(split.valid.complete)
    assert unknown.any() and split.valid.missing[unknown].all()
    known = split.valid.missing & ~unknown
    errors = (split.valid.x - split.valid.complete)[known]
    assert fill_mse(split.valid, split.valid.x) == pytest.approx(np.mean(errors.astype("float64") ** 2), rel=1e-5)
    with pytest.raises(BadInput, match="choose it for both"):
        load(source, task.model_copy(update={"fill": "forward"}), lambda _: file())
