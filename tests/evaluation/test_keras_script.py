"""The plain Keras script of a fit, run in a process of its own, comes to the score of the fit."""

import subprocess
import sys

import pytest

from forecasting import BadInput, Experiment, ModelChoice, Task, Training, Waves, fits_of, run_fit
from forecasting.evaluation.keras_script import keras_script

SMALL = Waves(n_series=400, seed=3)


def fit_of(name: str, params: dict | None = None, task: Task | None = None, **training: object):
    choice = ModelChoice(name=name, params=params or {})
    task = task or Task(input_size=12)
    return fits_of(Experiment(source=SMALL, task=task, models=(choice,), training=Training(**{"epochs": 3, **training})))[-1]


def score_of(script: str, folder) -> float:
    """What the script prints in the end, run where this package is not on the path."""
    (folder / "fit.py").write_text(script)
    command = [sys.executable, "-I", str(folder / "fit.py")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "import forecasting" not in script
    return float(done.stdout.splitlines()[-1].removeprefix("validation MSE:"))


@pytest.mark.parametrize(
    ("name", "task"),
    [
        pytest.param("linear_sgd", Task(input_size=12, target="all_h", h=3), marks=pytest.mark.slow),
        ("simple_rnn", Task(input_size=12)),
        pytest.param("deep_rnn", Task(input_size=12, target="at_h", h=4), marks=pytest.mark.slow),
        pytest.param("gru", Task(input_size=12), marks=pytest.mark.long),
    ],
)
def test_the_script_finds_the_score_of_the_fit(name, task, tmp_path):
    fit = fit_of(name, task=task, keep="best", clip_norm=1.0)
    assert score_of(keras_script(fit), tmp_path) == pytest.approx(run_fit(fit).valid.mse, rel=5e-4)


@pytest.mark.parametrize(
    ("fit", "why"),
    [
        (fit_of("wavenet"), "no plain Keras script"),
        (fit_of("gru", {"dropout": 0.2}), "no plain Keras script"),
        (fit_of("naive"), "no plain Keras script"),
        (fit_of("gru", schedule="cosine"), "constant learning rate"),
        (fit_of("gru", task=Task(input_size=12, scaling="standard")), "unscaled"),
    ],
)
def test_what_it_cannot_say_is_refused_in_a_sentence(fit, why):
    with pytest.raises(BadInput, match=why):
        keras_script(fit)
