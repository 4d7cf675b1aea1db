"""The chapter's figures. Luck moves them by 2 to 3 % from data seed to data seed, so means and medians are compared."""

import statistics

import numpy as np
import pytest

from forecasting import Experiment, ModelChoice, Task, Training, Waves, fits_of, run_fit
from forecasting.data import load
from forecasting.models import Control, resolve

NEXT, TEN = Task(input_size=50, target="next"), Task(input_size=50, target="all_h", h=10)


def validation_mse(name, split):
    """How a model that needs no training scores on validation."""
    fitted = resolve(ModelChoice(name=name)).fit(split, Control()).fitted
    return float(np.mean((fitted.predict(split.valid.x).astype("float64") - split.valid.y) ** 2))


def means_over_data_seeds(task):
    """Naive and least squares, each as the mean over twenty data seeds."""
    scores = []
    for seed in range(20):
        split = load(Waves(seed=seed), task)
        scores.append([validation_mse(name, split) for name in ("naive", "linear")])
    return np.mean(scores, axis=0)


def test_next_step_baselines_on_51_points():
    naive, least_squares = means_over_data_seeds(NEXT)
    assert naive == pytest.approx(0.0207, rel=0.03)  # the figure checked afresh; the notebook's one seed gave 0.0202
    assert least_squares == pytest.approx(0.00295, rel=0.03)  # between 0.0029 and 0.0030


def test_ten_step_baselines_on_60_points():
    naive, least_squares = means_over_data_seeds(TEN)
    assert 0.257 <= naive <= 0.27  # the text's 0.223 came from a baseline that saw the first target
    assert least_squares == pytest.approx(0.0154, rel=0.03)  # between 0.0153 and 0.0155


def test_naive_at_the_first_step_is_better_on_the_longer_grid():
    split = load(Waves(), TEN)
    first = np.mean((split.valid.x[:, -1, 0] - split.valid.y[:, 0]) ** 2)
    assert first == pytest.approx(0.0150, rel=0.05)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(
    ("name", "figure"),
    [("linear_sgd", 0.004), ("simple_rnn", 0.014), ("deep_rnn", 0.003), ("deep_rnn_dense", 0.003)],
)
def test_the_median_of_five_seeds_is_no_worse_than_the_chapter(name, figure):
    experiment = Experiment(
        source=Waves(), task=NEXT, models=(ModelChoice(name=name),), training=Training(epochs=20), seeds=(1, 2, 3, 4, 5)
    )
    scores = [run_fit(fit).valid.mse for fit in fits_of(experiment)[1:]]
    print(f"{name}: median {statistics.median(scores):.5f} of {', '.join(f'{score:.5f}' for score in sorted(scores))}")
    assert len(scores) == 5 and statistics.median(scores) <= 1.15 * figure
