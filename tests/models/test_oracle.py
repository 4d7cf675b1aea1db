"""The forecaster that knows the waves' formula, against scipy's least squares and against the noise."""

import numpy as np
import pytest
from scipy.optimize import least_squares as by_scipy

from forecasting.data import load
from forecasting.evaluation.windows import run_fit
from forecasting.experiment import BadInput, ModelChoice, Sample, Task, Waves, WindowFit
from forecasting.models import Control, resolve
from forecasting.models.learning import Stopped
from forecasting.models.oracle import least_squares

TASK = Task(input_size=50, target="all_h", h=10)
ORACLE = ModelChoice(name="oracle", params={"sample": 200})
MOVING = {"level": 1, "trend": "exponential", "season": "multiplicative", "n_series": 1_000}


def result(task=TASK, **waves):
    return run_fit(WindowFit(source=Waves(**{"n_series": 1_000, **waves}), task=task, model=ORACLE))


def chapter(p, t):
    """The chapter's formula, for frequencies and phases between 0 and 1."""
    return 0.5 * np.sin((t - p[2]) * (p[0] * 10 + 10)) + 0.2 * np.sin((t - p[3]) * (p[1] * 20 + 20))


def test_its_forecasts_are_those_of_the_best_fit_that_scipy_finds():
    split = load(Waves(n_series=100), TASK)
    y_hat = resolve(ORACLE).fit(split, Control()).fitted.predict(split.valid.x[:5])
    t, rng = np.linspace(0, 1, 60), np.random.default_rng(1)
    for seen, ours in zip(split.valid.x[:5, :, 0].astype("float64"), y_hat, strict=True):
        tries = rng.random((3_000, 4))
        errors = [np.square(seen - chapter(p, t[:50])).sum() for p in tries]
        fits = [
            by_scipy(lambda p, seen=seen: chapter(p, t[:50]) - seen, tries[i], bounds=(0, 1)) for i in np.argsort(errors)[:8]
        ]
        best = min(fits, key=lambda fit: fit.cost)
        np.testing.assert_allclose(ours, chapter(best.x, t[50:]), atol=2e-3)


@pytest.mark.parametrize("waves", [{}, MOVING], ids=["the chapter's", "trend and season"])
def test_it_comes_near_to_the_noise_floor_and_never_below_it(waves):
    scores = result(**waves).valid
    assert scores.n_windows == 200
    assert 0.9 * 0.1**2 / 12 < scores.mse < 1.8 * 0.1**2 / 12


def test_without_noise_it_makes_no_errors_also_in_another_scale_and_at_the_last_step_alone():
    scaled = Task(input_size=50, target="at_h", h=10, scaling="standard")
    for task in (TASK, scaled):
        assert result(task, noise_width=0, level=3).valid.mse < 1e-8


def test_a_look_back_that_it_cannot_read_is_no_trouble():
    assert np.isfinite(result(Task(input_size=1)).valid.mse)


@pytest.mark.parametrize("source", [Sample(name="sunspots"), Waves(n_series=100, n_channels=2)])
def test_what_has_no_formula_or_several_channels_is_refused_in_words(source):
    with pytest.raises(BadInput, match="^The Oracle knows the formula of waves with one channel"):
        run_fit(WindowFit(source=source, task=Task(input_size=20), model=ORACLE))


def test_it_stops_between_groups_of_windows_and_tells_how_far_it_is():
    seen = []
    control = Control(on_fraction=lambda _, share: seen.append(share), should_stop=lambda: len(seen) == 2)
    with pytest.raises(Stopped):
        run_fit(WindowFit(source=Waves(n_series=2_000), task=TASK, model=ORACLE), control)
    assert seen == sorted(seen) and 0 < seen[0] < seen[1] < 1


def test_least_squares_finds_parameters_within_their_bounds():
    t, rng = np.linspace(0, 3, 40), np.random.default_rng(0)
    true = rng.uniform(0.2, 0.8, (50, 2))

    def curves(p):
        return p[:, :1] * np.exp(-p[:, 1:] * t)

    found, error = least_squares(curves, curves(true), rng.random((50, 2)))
    np.testing.assert_allclose(found, true, atol=1e-5)
    assert error.max() < 1e-9
    beyond, _ = least_squares(curves, curves(true + [1, 0]), rng.random((50, 2)))
    assert beyond.max() <= 1
