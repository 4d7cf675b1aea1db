"""The chapter's figures. Luck moves them by 2 to 3 % from data seed to data seed, so means and medians are compared."""

import numpy as np
import pytest

from forecasting import BadInput, ModelChoice, Task, Waves, fits_of, run_fit
from forecasting.data import load
from forecasting.models import Control, resolve
from forecasting.studies.chapter import LINES, line_of

NEXT, TEN = Task(input_size=50, target="next"), Task(input_size=50, target="all_h", h=10)


def validation_mse(name, split, **params):
    """How a model that needs no training scores on validation."""
    fitted = resolve(ModelChoice(name=name, params=params)).fit(split, Control()).fitted
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


def test_the_text_mixes_two_grids_where_it_goes_one_step_at_a_time():
    def score(strategy, grid):
        splits = [load(Waves(seed=seed, train_n_steps=grid), TEN) for seed in range(42, 50)]
        return np.mean([validation_mse("linear", split, strategy=strategy) for split in splits])

    assert score("direct", None) == pytest.approx(0.0155, rel=0.03)
    assert score("iterated", None) == pytest.approx(0.0157, rel=0.03)
    assert score("iterated", 51) == pytest.approx(0.0496, rel=0.1)  # moves by 6 % from data seed to data seed


def test_series_on_a_grid_that_ends_after_one_step_teach_nothing_about_ten():
    with pytest.raises(BadInput, match="one step at a time alone"):
        validation_mse("linear", load(Waves(n_series=100, train_n_steps=51), TEN))


@pytest.mark.parametrize("row", [row for row in LINES if row.model in ("naive", "linear")], ids=lambda row: row.key)
def test_the_exact_rows_of_the_table_over_twenty_draws_of_the_data(row):
    line = line_of(row, [run_fit(fits_of(e)[-1]).summary() for e in row.experiments_over_data(20)])
    checked = {"next-naive": 0.0207, "next-exact": 0.00295, "ten-naive": 0.2635, "ten-exact": 0.0154}  # computed afresh
    assert line["valid_mse"] == pytest.approx(checked[row.key], rel=0.03) and line["seeds"] == 20


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("row", [row for row in LINES if row.model not in ("naive", "linear")], ids=lambda row: row.key)
def test_the_median_of_five_seeds_is_no_worse_than_the_chapter(row):
    line = line_of(row, [run_fit(fit).summary() for fit in fits_of(row.experiment())[1:]])
    print(f"{row.key}: median {line['valid_mse']:.5f} ± {line['valid_mse_std']:.5f}")
    assert line["seeds"] == 5
    assert line["valid_mse"] <= 1.15 * max(row.text_mse or 0, row.notebook_mse or 0)
