"""States: a fit goes on from where it, or another one of its lineage, has ended; wishes to stop that are taken back."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from forecasting import BadInput, Experiment
from forecasting.experiment.formats import dumped, read_experiment
from forecasting.experiment.training import MOST_EPOCHS
from forecasting.models import Progress
from forecasting.runs import schema
from forecasting.runs.budget import allotted
from forecasting.runs.database import Database
from forecasting.runs.queue import LEASE_S, MAX_ATTEMPTS, Done, Lease, LeaseLost
from forecasting.runs.store import Store
from forecasting.runs.views import FitView

ROOT = Path(__file__).parents[2]
SUMMARY = {"valid_mse": 0.25, "test_mse": 0.5}
COSINE = {"schedule": "cosine", "learning_rate": 0.01}


@pytest.fixture
def database_url(each_database_url: str) -> str:
    """Every test of this file that uses the store itself runs on SQLite and on PostgreSQL."""
    return each_database_url


@pytest.fixture
def let_expire(database_url):
    """Set the heartbeat of a fit back, as if its holder had been silent, and let the store look for such fits."""
    database = Database(database_url)

    def set_back(store: Store, lease: Lease) -> None:
        with database.writing() as db:
            fit = sa.update(schema.fit).where(schema.fit.c.id == lease.fit.id)
            db.execute(fit.values(heartbeat_at=time.time() - LEASE_S - 1))
        store.sweep()

    return set_back


def curve(n: int, first: int = 1, seed: int = 0) -> list[Progress]:
    """A learning curve that is like no other, from an epoch to an epoch."""
    return [Progress(epoch, seed + 1 / epoch, seed + 2 / epoch, 0.5 * epoch) for epoch in range(first, n + 1)]


def start(store: Store, experiment: Experiment, owner: str = "ann") -> tuple[str, Lease]:
    """Start a run; what needs no training is done, and the first of its networks is leased."""
    run_id = store.start_run(experiment, owner)
    return run_id, lease_of(store, run_id)


def lease_of(store: Store, run_id: str) -> Lease:
    while (lease := store.lease("worker", [run_id])) is not None:
        if lease.fit.training is not None:
            return lease
        store.finish(lease, Done(json.dumps(SUMMARY), {}))
    raise AssertionError("None of its networks waits.")


def view_of(store: Store, lease: Lease) -> FitView:
    return store.fits([lease.fit.id])[lease.fit.id]


def train(store: Store, lease: Lease, epochs: int, state: bytes, stopped: str | None = None, seed: int = 0) -> None:
    """Report some epochs and finish, leaving a state."""
    store.report(lease, "training", None, curve(epochs, seed=seed))
    store.finish(lease, Done(json.dumps(SUMMARY), {"state": state}, epochs=epochs, stopped=stopped))


# ------------------------------------------------------------------------------------------------- whose state is taken


def test_a_fit_goes_on_from_the_furthest_of_its_trunk_that_is_not_too_far(store, small):
    leases = {}
    for epochs in (2, 4, 9):
        _, leases[epochs] = start(store, small("simple_rnn", seed=1, epochs=epochs))
    for epochs, lease in leases.items():
        train(store, lease, epochs, f"state of {epochs}".encode(), seed=epochs)
    _, lease = start(store, small("simple_rnn", seed=1, epochs=6), "ben")
    assert view_of(store, lease).epochs == []
    assert store.resume(lease) == b"state of 4"
    fit = view_of(store, lease)
    assert fit.epochs == curve(4, seed=4)
    assert (fit.parent_id, fit.epochs_before) == (leases[4].fit.id, 4)
    store.report(lease, "training", None, curve(6, first=5))
    assert view_of(store, lease).epochs == curve(4, seed=4) + curve(6, first=5)
    for epochs in (2, 4, 9):
        assert view_of(store, leases[epochs]).epochs == curve(epochs, seed=epochs), "its own curve stays as it is"


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 0.01},
        {"batch_size": 8},
        {"optimizer": "sgd"},
        {"patience": 3},
        {"keep": "best"},
        {"waves": {"noise_width": 0.3}},
        {"input_size": 9},
        {"seed": 3},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_fit_of_another_trunk_is_no_way_to_go_on(store, small, change):
    _, other = start(store, small("simple_rnn", **{"seed": 2, "epochs": 2} | change))
    train(store, other, 2, b"state of another")
    _, lease = start(store, small("simple_rnn", seed=2, epochs=6))
    assert store.resume(lease) is None
    fit = view_of(store, lease)
    assert (fit.epochs, fit.parent_id, fit.epochs_before) == ([], None, 0)


def test_another_seed_or_model_of_the_same_run_is_no_way_to_go_on_either(store, small):
    both = small("simple_rnn", "linear_sgd", seed=4, epochs=2).model_copy(update={"seeds": (1, 2)})
    run_id = store.start_run(both, "ann")
    states = {}
    for _ in range(4):
        lease = lease_of(store, run_id)
        states[lease.fit.model.name, lease.fit.seed] = f"{lease.fit.model.name} {lease.fit.seed}".encode()
        train(store, lease, 2, states[lease.fit.model.name, lease.fit.seed])
    further = store.continue_run(run_id, 3, "ann")
    for _ in range(4):
        lease = lease_of(store, further)
        assert store.resume(lease) == states.pop((lease.fit.model.name, lease.fit.seed))
    assert states == {}


def test_a_fit_that_still_runs_lends_the_state_that_it_has_kept_and_the_curve_up_to_there(store, small):
    _, running = start(store, small("simple_rnn", seed=5, epochs=9))
    store.report(running, "training", None, curve(5))
    store.keep_state(running, b"state of 3", 3)
    _, lease = start(store, small("simple_rnn", seed=5, epochs=6))
    assert store.resume(lease) == b"state of 3"
    assert view_of(store, lease).epochs == curve(3)
    assert view_of(store, running).epochs == curve(5)
    store.beat(running)


def test_a_stopped_fit_is_a_way_to_go_on_and_goes_on_itself(store, small):
    experiment = small("simple_rnn", seed=6, epochs=9)
    _, stopped = start(store, experiment)
    train(store, stopped, 4, b"state of 4", stopped="Stopped: 4 epochs were done.")
    _, longer = start(store, small("simple_rnn", seed=6, epochs=12))
    assert store.resume(longer) == b"state of 4"
    assert view_of(store, longer).epochs == curve(4)
    _, again = start(store, experiment)
    assert again.fit.id == stopped.fit.id
    assert view_of(store, again).epochs == curve(4)
    assert store.resume(again) == b"state of 4"
    assert (view_of(store, again).parent_id, view_of(store, again).epochs_before) == (again.fit.id, 4)


def put_back(store, lease, _let_expire):
    store.put_back(lease, "The worker died.")


def release(store, lease, _let_expire):
    store.release(lease)


def expire(store, lease, let_expire):
    let_expire(store, lease)


@pytest.mark.parametrize("go_away", [put_back, release, expire])
def test_a_fit_whose_holder_went_away_goes_on_from_its_own_state(store, small, let_expire, go_away):
    run_id, lease = start(store, small("simple_rnn", epochs=9))
    store.report(lease, "training", None, curve(5))
    store.keep_state(lease, b"state of 3", 3)
    go_away(store, lease, let_expire)
    again = lease_of(store, run_id)
    assert store.resume(again) == b"state of 3"
    fit = view_of(store, again)
    assert (fit.epochs, fit.parent_id, fit.epochs_before) == (curve(3), fit.id, 3)
    store.report(again, "training", None, curve(9, first=4))
    store.finish(again, Done(json.dumps(SUMMARY), {"state": b"state of 9"}, epochs=9))
    assert view_of(store, again).epochs == curve(9)
    assert view_of(store, again).status == "finished"


def test_another_fit_that_has_meanwhile_got_further_lends_its_state_and_its_curve(store, small):
    run_id, lease = start(store, small("simple_rnn", seed=7, epochs=9))
    store.report(lease, "training", None, curve(5))
    store.keep_state(lease, b"own state of 3", 3)
    store.put_back(lease, "The worker died.")
    _, other = start(store, small("simple_rnn", seed=7, epochs=8))
    train(store, other, 8, b"state of 8", seed=1)
    again = lease_of(store, run_id)
    assert store.resume(again) == b"state of 8"
    fit = view_of(store, again)
    assert (fit.epochs, fit.parent_id, fit.epochs_before) == (curve(8, seed=1), other.fit.id, 8)


def test_a_state_survives_another_process_and_is_replaced_by_the_next_one(store, small, database_url):
    run_id, lease = start(store, small("simple_rnn", epochs=9))
    big, bigger = np.random.default_rng(0).bytes(2_500_000), np.random.default_rng(1).bytes(1_500_000)
    store.keep_state(lease, big, 1)
    store.release(lease)
    other = Store(database_url)
    again = lease_of(other, run_id)
    assert other.resume(again) == big
    other.keep_state(again, bigger, 2)
    other.release(again)
    assert store.resume(lease_of(store, run_id)) == bigger


def test_the_state_of_a_failed_fit_is_trusted_by_nobody(store, small):
    experiment = small("simple_rnn", seed=10, epochs=6)
    _, lease = start(store, experiment)
    store.report(lease, "training", None, curve(4))
    store.keep_state(lease, b"state of 3", 3)
    store.give_up(lease, "failed", "The loss is no longer a number.")
    assert view_of(store, lease).epochs == curve(4), "the curve is still shown"
    for wanted in (experiment, small("simple_rnn", seed=10, epochs=9)):
        _, again = start(store, wanted)
        assert store.resume(again) is None
        fit = view_of(store, again)
        assert (fit.epochs, fit.parent_id, fit.epochs_before) == ([], None, 0)
        store.report(again, "training", None, curve(1))


def test_a_cancelled_fit_keeps_its_state(store, small):
    experiment = small("simple_rnn", epochs=9)
    run_id, lease = start(store, experiment)
    store.report(lease, "training", None, curve(5))
    store.keep_state(lease, b"state of 3", 3)
    store.stop(run_id)
    store.give_up(lease, "cancelled", "Stopped; the worker did not answer in time.")
    assert view_of(store, lease).status == "cancelled"
    _, again = start(store, experiment)
    assert store.resume(again) == b"state of 3"
    assert view_of(store, again).epochs == curve(3)


def test_a_fit_whose_parent_is_gone_starts_from_nothing_and_does_not_name_it_any_more(store, small):
    _, parent = start(store, small("simple_rnn", seed=11, epochs=2))
    train(store, parent, 2, b"state of 2")
    at = time.time()
    run_id, lease = start(store, small("simple_rnn", seed=11, epochs=6))
    assert store.resume(lease) == b"state of 2"
    store.put_back(lease, "The worker died.")
    store.forget(before=at)
    assert store.fits([parent.fit.id]) == {}
    again = lease_of(store, run_id)
    assert store.resume(again) is None
    fit = view_of(store, again)
    assert (fit.epochs, fit.parent_id, fit.epochs_before) == ([], None, 0)


# ------------------------------------------------------------------------------------- a stop that is taken back in time

STOPPED = Done(json.dumps(SUMMARY), {"state": b"state of 4"}, epochs=4, stopped="Stopped.", by_wish=True)


def obey(store: Store, lease: Lease) -> None:
    """The worker ends a fit by wish, with epochs to keep."""
    done = len(view_of(store, lease).epochs)
    store.report(lease, "training", None, curve(4, first=done + 1))
    store.finish(lease, STOPPED)


def obey_too_early(store: Store, lease: Lease) -> None:
    """The worker ends a fit by wish, before it has anything new to keep."""
    store.give_up(lease, "cancelled", "Stopped before its first epoch had ended.")


@pytest.mark.parametrize(("end", "status"), [(obey, "stopped"), (obey_too_early, "cancelled")])
def test_a_stop_that_nobody_takes_back_ends_the_fit(store, small, end, status):
    run_id, lease = start(store, small("simple_rnn", epochs=9))
    store.stop(run_id)
    end(store, lease)
    fit = view_of(store, lease)
    assert fit.status == status
    assert fit.reason and fit.ended_at
    assert store.lease("worker") is None


@pytest.mark.parametrize("end", [obey, obey_too_early])
def test_a_stop_that_is_taken_back_before_the_worker_answers_costs_no_attempt_and_no_state(store, small, end):
    experiment = small("simple_rnn", epochs=9)
    run_id, lease = start(store, experiment)
    store.report(lease, "training", None, curve(2))
    store.keep_state(lease, b"state of 2", 2)
    for i in range(MAX_ATTEMPTS + 2):
        store.stop(run_id)
        assert store.stop_wanted(lease)
        run_id = store.start_run(experiment, f"visitor {i}")
        assert not store.stop_wanted(lease)
        end(store, lease)
        fit = view_of(store, lease)
        assert (fit.status, fit.reason, fit.result, fit.ended_at) == ("queued", None, None, None)
        assert not store.run(run_id).ended
        lease = lease_of(store, run_id)
        assert lease.attempt == 1
        assert store.resume(lease) == (b"state of 4" if end is obey else b"state of 2")
        assert view_of(store, lease).epochs == curve(4 if end is obey else 2)
        assert not store.stop_wanted(lease)


def test_a_stop_that_is_taken_back_and_asked_for_again_ends_the_fit(store, small):
    experiment = small("simple_rnn", epochs=9)
    first, lease = start(store, experiment)
    store.stop(first)
    second = store.start_run(experiment, "ben")
    store.stop(second)
    obey(store, lease)
    assert view_of(store, lease).status == "stopped"
    assert store.run(first).ended and store.run(second).ended


def test_a_fit_that_the_servers_limit_has_ended_is_stopped_though_nobody_asked(store, small):
    _, lease = start(store, small("simple_rnn", epochs=9))
    done = Done(json.dumps(SUMMARY), {"state": b"state of 4"}, epochs=4, stopped="The limit was reached.")
    store.finish(lease, done)
    assert (view_of(store, lease).status, view_of(store, lease).reason) == ("stopped", "The limit was reached.")


# ------------------------------------------------------------------------------------------------------- late writers


@pytest.mark.parametrize("late", [lambda store, lease: store.keep_state(lease, b"late", 8), Store.resume])
def test_who_has_lost_the_lease_neither_keeps_a_state_nor_goes_on_from_one(store, small, let_expire, late):
    run_id, old = start(store, small("simple_rnn", epochs=9))
    store.keep_state(old, b"state of 3", 3)
    let_expire(store, old)
    new = lease_of(store, run_id)
    store.resume(new)
    store.report(new, "training", None, curve(1))
    store.keep_state(new, b"state of 4", 4)
    before = view_of(store, new)
    with pytest.raises(LeaseLost, match=old.fit.id):
        late(store, old)
    assert view_of(store, new) == before
    store.release(new)
    with pytest.raises(LeaseLost):
        late(store, new)
    assert store.resume(lease_of(store, run_id)) == b"state of 4"


# ------------------------------------------------------------------------------------------------------- continue a run


def test_a_run_that_goes_on_has_the_further_epochs_and_all_else_as_it_was(store, small):
    training = {"learning_rate": 0.02, "batch_size": 8, "patience": 7}
    experiment = small("linear", "simple_rnn", "gru", **training)
    experiment = experiment.model_copy(update={"title": "Zwölf Wellen", "seeds": (3, 1)})
    run_id = store.start_run(experiment, "ann")
    for epochs in (4, 6, 5, 2):
        train(store, lease_of(store, run_id), epochs, b"state")
    further = store.run(store.continue_run(run_id, 10, "ben"))
    assert further.experiment.training == experiment.training.model_copy(update={"epochs": 6 + 10})
    assert further.experiment.model_copy(update={"training": experiment.training}) == experiment
    assert further.title == "Zwölf Wellen"
    assert [run_id for run_id, *_ in store.recent_runs("ben")] == [further.id]
    assert [fit.status for fit in further.fits] == ["finished", "finished", *["queued"] * 4]
    for before in (4, 6, 5, 2):
        lease = lease_of(store, further.id)
        store.resume(lease)
        assert view_of(store, lease).epochs_before == before


def test_a_run_may_go_on_up_to_the_most_epochs_and_not_beyond(store, small):
    run_id, lease = start(store, small("simple_rnn", epochs=4))
    train(store, lease, 4, b"state of 4")
    with pytest.raises(BadInput, match=f"epochs: .*{MOST_EPOCHS}.*'{MOST_EPOCHS + 1}'") as refused:
        store.continue_run(run_id, MOST_EPOCHS - 3, "ben")
    assert str(refused.value).endswith(".")
    assert store.recent_runs("ben") == []
    assert store.lease("worker") is None
    assert store.run(store.continue_run(run_id, MOST_EPOCHS - 4, "ben")).experiment.training.epochs == MOST_EPOCHS


def test_a_run_that_has_learned_nothing_yet_cannot_go_on(store, small):
    run_id = store.start_run(small("naive", "simple_rnn"), "ann")
    with pytest.raises(BadInput, match="No fit of this run has finished an epoch: there is nothing to go on from."):
        store.continue_run(run_id, 5, "ben")
    lease = lease_of(store, run_id)
    store.report(lease, "training", 0.5, [])
    with pytest.raises(BadInput, match="nothing to go on from"):
        store.continue_run(run_id, 5, "ben")
    assert store.recent_runs("ben") == []


STRANGE = ["nowhere", "", "' OR '1'='1", "x" * 100_000, "<b>run</b>", "a\nb", "\x00", "ab\x00cd", "\udcff"]


def test_a_run_that_is_not_there_cannot_go_on_whatever_it_is_called(store, small):
    store.start_run(small("naive"), "ann")
    for run_id in STRANGE:
        assert store.run(run_id) is None
        with pytest.raises(BadInput, match="This run was deleted: nothing can go on from it."):
            store.continue_run(run_id, 5, "ben")
    assert store.recent_runs("ben") == []


@pytest.mark.parametrize("title", ["'; DROP TABLE run; --", "<script>", "\u202eback", "\x1b[31m", "a\nb", "\x00"])
def test_a_strange_title_is_kept_on_one_line_and_does_nothing(store, small, title):
    experiment = read_experiment(dumped(small("naive").model_copy(update={"title": title})))
    run_id = store.start_run(experiment, "ann")
    kept = "".join(c if c.isprintable() else " " for c in title)
    assert store.run(run_id).title == kept
    assert [found for _, found, _ in store.recent_runs("ann")] == [kept]


# ------------------------------------------------------------------------------------------------ with the real engine

RUN_FITS = """
import json, sys
from forecasting import fits_of, run_fit
from forecasting.experiment.formats import read_experiment
fits = fits_of(read_experiment(sys.stdin.read()))
print(json.dumps([run_fit(fit).summary() for fit in fits]))
"""


def by_hand(experiment: Experiment) -> list[dict]:
    """What `forecasting.run_fit` gives in a process of its own."""
    command = [sys.executable, "-c", RUN_FITS]
    given = {"input": dumped(experiment), "cwd": ROOT, "timeout": 120}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **given)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "longer_shape"), [({}, {}), (COSINE, {"restarts": (4,)})], ids=["constant", "cosine"])
def test_a_run_that_goes_on_trains_the_further_epochs_alone_and_ends_where_one_long_run_does(
    lab, small, shape, longer_shape
):
    experiment = small("linear", "linear_sgd", "simple_rnn", waves={"n_series": 200}, epochs=4, **shape)
    first = lab.ended(lab.start(experiment))
    second = lab.store.continue_run(first.id, 5, "tests")
    lab.started.append(second)
    lab.engine.wake()
    longer = lab.ended(second)
    assert [fit.status for fit in longer.fits] == ["finished"] * 4
    training = experiment.training.model_copy(update={"epochs": 9, **longer_shape})
    assert longer.experiment.training == training
    expected = by_hand(experiment.model_copy(update={"training": training}))
    for before, fit, summary in zip(first.fits[2:], longer.fits[2:], expected[2:], strict=True):
        assert (fit.parent_id, fit.epochs_before) == (before.id, 4)
        assert fit.epochs[:4] == before.epochs, "taken over, not trained again"
        assert [point.epoch for point in fit.epochs] == list(range(1, 10))
        times = [point.elapsed_s for point in fit.epochs]
        assert times == sorted(times)
        assert fit.result["epochs"] == 9
        assert fit.result["fit_s"] > before.epochs[-1].elapsed_s, "the seconds before are part of it"
        for figure in ("valid_mse", "test_mse", "valid_mse_per_step", "test_mse_per_step", "best_epoch", "parameters"):
            assert fit.result[figure] == pytest.approx(summary[figure], rel=1e-6), figure
    assert [lab.store.fits([fit.id])[fit.id] for fit in first.fits] == first.fits, "the first run keeps its results"


def test_a_time_budget_is_a_number_of_epochs_before_anything_is_trained(lab, small):
    experiment = allotted(small("simple_rnn").model_copy(update={"budget_s": 1.0}))
    (epochs,) = {share.epochs for share in experiment.allotted} - {None} or {0}
    assert epochs > 1
    fit = lab.ended(lab.start(experiment)).fits[-1]
    assert (fit.status, fit.fit.training.epochs, fit.result["epochs"]) == ("finished", epochs, epochs)
    by_epochs = experiment.training.model_copy(update={"epochs": epochs})
    same = experiment.model_copy(update={"training": by_epochs, "budget_s": None, "allotted": ()})
    assert lab.ended(lab.start(same)).fits[-1].id == fit.id
