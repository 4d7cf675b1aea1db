"""What is partial is never kept as finished: every kind of job is stopped at random moments, and compared to the bit with
one that nobody disturbs."""

import functools
import io
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecasting.data import Split
from forecasting.evaluation.fits import fits_of
from forecasting.experiment import (
    Experiment,
    LookBackFit,
    ModelChoice,
    Plan,
    Sample,
    SeriesFit,
    Task,
    Training,
    Upload,
    Waves,
    WindowFit,
)
from forecasting.models import Control, Learned, imputing
from forecasting.models.linear import Linear
from forecasting.runs.arrays import pack, unpack
from forecasting.runs.execute import execute
from forecasting.runs.job import Job

TRIES = int(os.environ.get("TRIES", "4"))
"""Stops per kind of job; CONTRIBUTING has the command for many more."""
WAVES, TASK = Waves(n_series=60, seed=11), Task(input_size=8)
TRAINED = {"training": Training(epochs=3, batch_size=4), "seed": 1}
PLAN = Plan(h=4, season_length=12, n_windows=2, input_size=13)
REPAIRED = Upload(upload_id="f" * 20, repair="network")


def gapped() -> bytes:
    """A file of a series with a season, of which a tenth is missing."""
    rng = np.random.default_rng(3)
    y = 10 + np.sin(2 * np.pi * np.arange(140) / 12) + 0.1 * rng.normal(size=140)
    y[rng.permutation(138)[:14] + 1] = np.nan
    frame = pd.DataFrame({"ds": pd.date_range("2010-01-01", periods=140, freq="MS"), "y": y})
    text = io.StringIO()
    frame.to_csv(text, index=False)
    return text.getvalue().encode()


def window(name: str, task: Task = TASK, **more) -> Job:
    return Job("job", WindowFit(source=WAVES, task=task, model=ModelChoice(name=name), **more))


def look_back() -> Job:
    parent = window("simple_rnn", **TRAINED).fit
    weights = pack({"0": np.full((1, 1), 0.5), "1": np.full((1, 1), 0.3), "2": np.zeros(1)})
    return Job("job", LookBackFit(parent=parent, look_back=5), weights=weights)


def series(name: str, part: int, source=None, **more) -> Job:
    source = source or Sample(name="elnino")
    training = Training(epochs=2, batch_size=64, schedule="cosine")
    asked = Experiment(source=source, plan=PLAN, models=(ModelChoice(name=name),), training=training, seeds=(1,), **more)
    fits = [fit for fit in fits_of(asked) if isinstance(fit, SeriesFit) and fit.model.name == name]
    return Job("job", fits[part], upload=gapped() if isinstance(source, Upload) else None)


KINDS = {
    "a network on windows": lambda: window("simple_rnn", **TRAINED),
    "a network on windows that a network fills in": lambda: window(
        "linear_sgd", TASK.model_copy(update={"masked": 0.3, "fill": "network"}), **TRAINED
    ),
    "a statistical model": lambda: window("theta"),
    "a linear model": lambda: window("linear"),
    "another look-back": look_back,
    "a network's backtest": lambda: series("simple_rnn", 0),
    "a network's forecast": lambda: series("simple_rnn", 1),
    "a linear model on whole series that a network fills in": lambda: series("linear", 0, REPAIRED),
    "a statistical model on whole series": lambda: series("theta", 0),
}


class Moments:
    """Counts how often a job asks whether to stop; from a certain moment on the answer is yes."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.stop_at, self.asked = stop_at, 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.stop_at is not None and self.asked >= self.stop_at


def done(job: Job, moments: Moments):
    """Do a job as a worker does; nothing that it does not foresee is allowed to happen."""
    return execute(job, lambda _: None, moments, fatal=lambda _: True)


def bits(arrays) -> dict[str, bytes]:
    """The arrays of an outcome but for the seconds that they tell."""
    found = {f"{name}/{key}": value for name, content in arrays.items() for key, value in unpack(content).items()}
    return {key: value.tobytes() for key, value in found.items() if not key.endswith(("elapsed_s", "epoch_s"))}


@functools.cache
def undisturbed(kind: str):
    """What comes of a job that nobody stops, and how often it asks."""
    imputing._kept.clear()
    moments = Moments()
    outcome = done(KINDS[kind](), moments)
    assert outcome.ending == "finished", outcome.reason
    return bits(outcome.arrays), max(1, moments.asked)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow if "fills" in kind or "repairs" in kind else ()) for kind in KINDS]
)
@settings(max_examples=TRIES, deadline=None, derandomize=TRIES < 10, suppress_health_check=list(HealthCheck))
@given(share=st.floats(0.0, 1.1))
def test_a_job_that_is_stopped_at_a_random_moment_is_never_finished_with_less_and_goes_on_to_the_same_bits(kind, share):
    expected, n_asked = undisturbed(kind)
    imputing._kept.clear()
    job, moments = KINDS[kind](), Moments(1 + int(share * n_asked))
    outcome = done(job, moments)
    heard = moments.asked >= moments.stop_at
    assert outcome.ending in (("stopped", "cancelled") if heard else ("finished",)), outcome
    if outcome.ending != "stopped":
        assert (bits(outcome.arrays) if outcome.arrays else expected) == expected
    again = done(Job("again", job.fit, job.upload, job.weights, outcome.arrays.get("state")), Moments())
    assert (again.ending, bits(again.arrays)) == ("finished", expected), "what the stop has left behind served the next fit"


def test_a_model_that_does_not_say_that_it_was_stopped_is_partial_all_the_same(monkeypatch):
    """The rule stands in one place: whoever has heard the wish to stop brings back nothing that is finished."""
    learn = Linear.learn

    def forgetful(self: Linear, split: Split, control: Control) -> Learned:
        control.should_stop()
        return learn(self, split, control)

    monkeypatch.setattr(Linear, "learn", forgetful)
    assert done(window("linear"), Moments(1)).ending == "stopped"
    assert done(window("linear"), Moments()).ending == "finished"
