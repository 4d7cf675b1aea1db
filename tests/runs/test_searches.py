"""Searches in the store: a log of trials, the same however fits are worked off; on SQLite and on PostgreSQL."""

import json
import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from forecasting import BadInput, Experiment, ModelChoice, Task, Training, Waves
from forecasting.evaluation.search import usual_search
from forecasting.models import Progress
from forecasting.runs.queue import Done, Lease
from forecasting.runs.records import Wanted
from forecasting.runs.searcher import look_after
from forecasting.runs.store import Store
from forecasting.runs.views import RunView

EPOCHS, TRIALS = 6, 12


@pytest.fixture
def database_url(each_database_url: str) -> str:
    """Every test of this file runs on SQLite and on PostgreSQL."""
    return each_database_url


@pytest.fixture
def wanted() -> Experiment:
    """A search over the training of a linear model, whose errors are made up below."""
    made = Experiment(
        source=Waves(n_series=60),
        task=Task(input_size=8),
        models=(ModelChoice(name="linear_sgd"),),
        training=Training(epochs=EPOCHS),
    )
    return made.model_copy(update={"search": usual_search(made).model_copy(update={"trials": TRIALS})})


def work(store: Store, lease: Lease) -> None:
    """Train a fit: its error follows from its settings alone."""
    training = lease.fit.training
    if training is None:
        store.finish(lease, Done(json.dumps({"valid_mse": 0.5}), {}))
        return
    error = 0.1 + abs(math.log10(training.learning_rate / 0.01)) + 0.1 * (training.clip_norm is None)
    curve = [Progress(epoch, error, error * (1 + 1 / epoch), 0.1 * epoch) for epoch in range(1, EPOCHS + 1)]
    store.report(lease, "training", None, curve)
    store.finish(lease, Done(json.dumps({"valid_mse": error}), {}))


def work_off(store: Store, run_id: str, at_once: int = 1) -> RunView:
    """Look after a search and do what waits, so many fits at once, the last of them first."""
    for _ in range(10 * TRIALS):
        look_after(store, run_id)
        leases = [lease for _ in range(at_once) if (lease := store.lease("worker", [run_id])) is not None]
        for lease in reversed(leases):
            work(store, lease)
        if (run := store.run(run_id)).ended:
            return run
    raise AssertionError("The search does not end.")


def test_a_search_ends_and_comes_to_the_same_trials_one_by_one_and_three_at_once(store, wanted):
    alone, apart = store.start_run(wanted, "ann"), store.start_run(wanted.model_copy(update={"seeds": (7,)}), "ann")
    assert store.run(alone).searching and store.searching() == [alone, apart]
    assert not work_off(store, alone).searching
    work_off(store, apart, at_once=3)
    one, other = store.trials(alone), store.trials(apart)
    assert [trial.settings for trial in one] == [trial.settings for trial in other] and len(one) == TRIALS
    assert [(trial.state, trial.value) for trial in one] == [(trial.state, trial.value) for trial in other]
    states = {trial.state for trial in one}
    assert states == {"complete", "pruned"} and store.searching() == []
    assert all(len(trial.curve) < EPOCHS for trial in one if trial.state == "pruned")


def test_the_same_search_again_finds_all_of_it_known(store, wanted):
    first = store.start_run(wanted, "ann")
    work_off(store, first)
    again = store.start_run(wanted, "ben")
    for _ in range(10 * TRIALS):
        look_after(store, again)
    assert store.run(again).ended and store.trials(again) == store.trials(first), "and nothing was trained"


def test_several_that_look_after_one_search_at_once_write_every_trial_once(store, wanted):
    run_id = store.start_run(wanted, "ann")
    with ThreadPoolExecutor(4) as looking:
        for _ in range(10 * TRIALS):
            for done in [looking.submit(look_after, store, run_id) for _ in range(4)]:
                done.result()
            if (lease := store.lease("worker", [run_id])) is not None:
                work(store, lease)
            if store.run(run_id).ended:
                break
    alone = store.start_run(wanted, "ben")
    for _ in range(10 * TRIALS):
        look_after(store, alone)
    assert store.trials(run_id) == store.trials(alone) and len(store.trials(run_id)) == TRIALS


def test_a_pruned_trial_gives_its_fit_up_while_it_is_trained(store, wanted):
    run_id = store.start_run(wanted, "ann")
    while True:
        look_after(store, run_id)
        lease = store.lease("worker", [run_id])
        number = next((trial.number for trial in store.trials(run_id) if lease and trial.fit_id == lease.fit.id), 0)
        if lease is not None and number > 7:
            break
        if lease is not None:
            work(store, lease)
    store.report(lease, "training", None, [Progress(epoch, 99.0, 99.0, 0.1) for epoch in range(1, 4)])
    assert not store.stop_wanted(lease)
    look_after(store, run_id)
    assert store.stop_wanted(lease)
    told = next(trial for trial in store.trials(run_id) if trial.fit_id == lease.fit.id)
    assert (told.state, told.value, told.curve) == ("pruned", None, (99.0, 99.0))


def test_a_search_that_is_stopped_waits_for_nothing_and_goes_on_where_it_was(store, wanted):
    run_id = store.start_run(wanted, "ann")
    look_after(store, run_id)
    for _ in range(3):
        work(store, store.lease("worker", [run_id]))
        look_after(store, run_id)
    with pytest.raises(BadInput, match="Only who has started a run"):
        store.stop(run_id, owner="ben")
    store.stop(run_id, owner="ann")
    assert store.run(run_id).ended and store.searching() == []
    before = store.trials(run_id)
    look_after(store, run_id)
    assert store.trials(run_id) == before and 2 < len(before) < TRIALS

    with pytest.raises(BadInput, match="Only who has started a run"):
        store.search_on(run_id, "ben")
    store.search_on(run_id, "ann")
    work_off(store, run_id)
    whole = store.start_run(wanted, "ben")
    for _ in range(10 * TRIALS):
        look_after(store, whole)
    assert store.trials(run_id) == store.trials(whole)


def test_a_deleted_search_tries_nothing_and_its_trials_go_with_it(store, wanted):
    run_id = store.start_run(wanted, "ann")
    look_after(store, run_id)
    store.delete_runs([run_id], "ann")
    assert store.searching() == [] and store.lease("worker") is None
    store.delete_for_good([run_id], "ann")
    assert store.trials(run_id) == []


def test_minutes_are_reckoned_and_not_measured(store, wanted):
    little = wanted.model_copy(update={"search": wanted.search.model_copy(update={"minutes": 0.002})})
    run_id = store.start_run(little, "ann")
    work_off(store, run_id)
    again = store.start_run(little, "ben")
    for _ in range(10 * TRIALS):
        look_after(store, again)
    assert 1 < len(store.trials(run_id)) < TRIALS and store.trials(again) == store.trials(run_id)


def test_a_search_over_what_there_is_not_is_refused_before_anything_is_written(store, wanted):
    wrong = wanted.search.model_copy(update={"model": "wave_reader"})
    with pytest.raises(BadInput, match="There is no model 'wave_reader'"):
        store.start_run(wanted.model_copy(update={"search": wrong}), "ann")
    assert store.listed(Wanted(owner="ann")) == ([], 0)
