"""One fit from settings to scores, against scores by hand in the series' own units."""

import numpy as np
import pytest

from forecasting import (
    BadInput,
    Experiment,
    LookBackFit,
    ModelChoice,
    Sample,
    Task,
    Training,
    Waves,
    fits_of,
    run_fit,
    score_at,
)
from forecasting.data import load
from forecasting.data.samples import read_sample
from forecasting.evaluation.fits import is_instant, window_fits

SMALL = Waves(n_series=80)


def only_fit(name, source=SMALL, task=None, training=None, **params):
    """The fit of one model."""
    experiment = Experiment(
        source=source,
        task=task or Task(input_size=8, target="all_h", h=3),
        models=(ModelChoice(name=name, params=params),),
        training=training or Training(epochs=2),
    )
    return fits_of(experiment)[-1]


def score_by_hand(targets, y_hat):
    """Mean squared error, and that of each step, by loops."""
    errors = [[(float(t) - float(f)) ** 2 for t, f in zip(*row, strict=True)] for row in zip(targets, y_hat, strict=True)]
    return sum(map(sum, errors)) / (len(errors) * len(errors[0])), [
        sum(step) / len(errors) for step in zip(*errors, strict=True)
    ]


def sunspots_by_hand(input_size, h, share_1, share_2):
    """All windows of the sunspots in units, by part: look-backs and targets."""
    y = read_sample("sunspots")["y"].tolist()
    cut_1, cut_2 = round(len(y) * share_1), round(len(y) * share_2)
    parts = {"train": ([], []), "valid": ([], []), "test": ([], [])}
    for start in range(input_size, len(y) - h + 1):
        end = start + h
        name = (
            "train" if end <= cut_1 else "valid" if start >= cut_1 and end <= cut_2 else "test" if start >= cut_2 else None
        )
        if name:
            parts[name][0].append(y[start - input_size : start])
            parts[name][1].append(y[start:end])
    return parts


@pytest.mark.parametrize("name", ["naive", "linear", "simple_rnn"])
def test_scores_of_waves_are_those_of_the_forecasts_by_hand(name):
    fit = only_fit(name)
    result = run_fit(fit)
    split = load(fit.source, fit.task)
    for part, scores, y_hat in (
        (split.valid, result.valid, result.y_hat_valid),
        (split.test, result.test, result.y_hat_test),
    ):
        total, per_step = score_by_hand(part.y, y_hat)
        assert y_hat.shape == (len(part), 3) and y_hat.dtype == np.float32
        assert np.isclose(scores.mse, total, rtol=1e-6)
        np.testing.assert_allclose(scores.mse_per_step, per_step, rtol=1e-6)


@pytest.mark.parametrize("scaling", ["none", "standard"])
@pytest.mark.parametrize("name", ["naive", "linear", "deep_rnn"])
def test_scores_of_sunspots_are_in_sunspots_whatever_the_scaling(name, scaling):
    task = Task(input_size=11, target="all_h", h=2, train=0.6, valid=0.25, scaling=scaling)
    result = run_fit(only_fit(name, Sample(name="sunspots"), task, Training(epochs=1)))
    parts = sunspots_by_hand(11, 2, 0.6, 0.85)
    for part, scores, y_hat in (("valid", result.valid, result.y_hat_valid), ("test", result.test, result.y_hat_test)):
        total, per_step = score_by_hand(parts[part][1], y_hat)
        assert np.isclose(scores.mse, total, rtol=1e-5)
        np.testing.assert_allclose(scores.mse_per_step, per_step, rtol=1e-5)


@pytest.mark.parametrize("scaling", ["none", "standard"])
def test_forecasts_of_sunspots_are_least_squares_on_the_series_itself(scaling):
    task = Task(input_size=11, target="all_h", h=2, train=0.6, valid=0.25, scaling=scaling)
    result = run_fit(only_fit("linear", Sample(name="sunspots"), task))
    parts = sunspots_by_hand(11, 2, 0.6, 0.85)
    x, y = (np.array(part) for part in parts["train"])
    solution = np.linalg.lstsq(np.column_stack([x, np.ones(len(x))]), y, rcond=None)[0]
    for part, y_hat in (("valid", result.y_hat_valid), ("test", result.y_hat_test)):
        seen = np.array(parts[part][0])
        np.testing.assert_allclose(y_hat, np.column_stack([seen, np.ones(len(seen))]) @ solution, atol=0.01)


def test_a_fit_run_twice_gives_the_same_result():
    fit = only_fit("deep_rnn", units=[3])
    first, again = run_fit(fit), run_fit(fit)
    assert np.array_equal(first.y_hat_test, again.y_hat_test) and first.valid == again.valid
    assert (first.parameters, first.epochs) == (sum(w.size for w in first.weights), 2)


def test_models_that_are_not_trained_have_no_epochs():
    result = run_fit(only_fit("linear"))
    assert result.epochs is None and result.best_epoch is None and result.epoch_s is None and result.ended_early is None
    assert result.parameters == sum(weights.size for weights in result.weights) == (8 + 1) * 3


def test_scoring_at_the_look_back_it_was_trained_on_gives_the_same_scores_and_at_another_others():
    fit = only_fit("lstm", units=[4])
    result = run_fit(fit)
    same, shorter, longer = (
        score_at(LookBackFit(parent=fit, look_back=look_back), result.weights) for look_back in (8, 4, 16)
    )
    assert same.valid == result.valid and same.test == result.test
    for other in (shorter, longer):
        assert other.y_hat_valid.shape == result.y_hat_valid.shape
        assert np.abs(other.y_hat_valid - result.y_hat_valid).max() > 1e-4
        assert other.valid.mse != result.valid.mse
    assert same.epochs is None and same.parameters == result.parameters


def test_naive_scores_the_same_at_every_look_back():
    fit = only_fit("naive")
    result = run_fit(fit)
    for look_back in (1, 8, 30):
        assert score_at(LookBackFit(parent=fit, look_back=look_back), []).valid == result.valid


@pytest.mark.parametrize("name", ["linear", "linear_sgd"])
def test_models_bound_to_their_look_back_refuse_another(name):
    fit = LookBackFit(parent=only_fit(name), look_back=9)
    with pytest.raises(BadInput, match="is bound to the look-back that it was fitted with"):
        score_at(fit, [np.zeros((8, 3)), np.zeros(3)])


def test_the_summary_is_plain_json_without_arrays():
    result = run_fit(only_fit("simple_rnn"))
    summary = result.summary()
    assert summary["valid_mse"] == result.valid.mse and summary["test_mse_per_step"] == result.test.mse_per_step
    assert summary["parameters"] == 9 + 3 + 3 and summary["epochs"] == 2
    plain = (int, float, str, type(None))
    assert all(isinstance(v, plain) or all(type(item) is float for item in v) for v in summary.values())


def test_an_upload_is_read_by_whoever_holds_it_and_refused_without_a_reader():
    source = {"kind": "upload", "upload_id": "a" * 20}
    experiment = Experiment(source=source, task=Task(input_size=3), models=(ModelChoice(name="naive"),))
    content = "\n".join(["ds,y", *(f"2024-01-{day:02},{day}" for day in range(1, 31))]).encode()
    result = run_fit(fits_of(experiment)[0], read_upload={"a" * 20: content}.__getitem__)
    assert result.valid.mse == result.test.mse == 1.0
    with pytest.raises(BadInput, match="is not here"):
        run_fit(fits_of(experiment)[0])


def test_the_page_computes_naive_and_small_linear_models_and_leaves_large_ones_to_a_worker():
    for source, task, instant in (
        (Waves(n_series=11_000), Task(input_size=50), [True, True]),
        (Waves(n_series=3_000), Task(input_size=2_000), [True, False]),
    ):
        experiment = Experiment(source=source, task=task, models=(ModelChoice(name="linear"),))
        split = load(source, task)
        assert [is_instant(fit, split) for fit in window_fits(experiment)] == instant
