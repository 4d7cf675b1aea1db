"""The store: runs, claims, the queue and its leases, arrays, uploads."""

import json
import math
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import sqlalchemy as sa

from forecasting import BadInput, Experiment, LookBackFit, ModelChoice, Task, Upload
from forecasting.models import Progress
from forecasting.runs import schema
from forecasting.runs.arrays import pack, unpack
from forecasting.runs.database import Database
from forecasting.runs.queue import LEASE_S, MAX_ATTEMPTS, Done, Lease, LeaseLost
from forecasting.runs.store import Store

SUMMARY = {"valid_mse": 0.25, "test_mse": 0.5}


def statuses(store: Store, run_id: str) -> list[str]:
    return [fit.status for fit in store.run(run_id).fits]


@pytest.fixture
def database_url(each_database_url: str) -> str:
    """Every test of this file runs on SQLite and on PostgreSQL."""
    return each_database_url


def finish(store: Store, lease: Lease, stopped: str | None = None) -> None:
    arrays = {"forecasts": pack({"valid": np.zeros((2, 1), "float32")}), "weights": pack({"0": np.ones(3)})}
    store.finish(lease, Done(json.dumps(SUMMARY), arrays, stopped=stopped))


def lease_all(store: Store, holder: str = "worker", only_runs: list[str] | None = None) -> list[Lease]:
    leases = []
    while (lease := store.lease(holder, only_runs)) is not None:
        leases.append(lease)
    return leases


def epochs(*losses: float) -> list[Progress]:
    return [Progress(i + 1, loss, loss, 0.1 * (i + 1)) for i, loss in enumerate(losses)]


@pytest.fixture
def let_expire(database_url):
    """Set the heartbeat of a fit back, as if its holder had been silent."""
    database = Database(database_url)

    def set_back(fit_id: str, seconds: float = LEASE_S + 1) -> None:
        with database.writing() as db:
            values = {"heartbeat_at": time.time() - seconds}
            assert db.execute(sa.update(schema.fit).where(schema.fit.c.id == fit_id).values(**values)).rowcount == 1

    return set_back


# ---------------------------------------------------------------------------------------------------- runs and claims


def test_starting_a_run_queues_its_fits_in_their_order(store, small):
    run = store.run(store.start_run(small("naive", "linear", "simple_rnn"), "somebody"))
    assert [fit.fit.model.name for fit in run.fits] == ["naive", "linear", "simple_rnn"]
    assert [fit.status for fit in run.fits] == ["queued"] * 3
    assert [fit.queue_place for fit in run.fits] == [1, 2, 3]
    assert not run.ended


def test_a_run_keeps_its_experiment_and_title(store, small):
    experiment = small().model_copy(update={"title": "Zwölf Wellen"})
    run = store.run(store.start_run(experiment, "somebody"))
    assert run.experiment == experiment
    assert run.title == "Zwölf Wellen"


def test_an_unknown_run_is_none(store):
    assert store.run("nowhere") is None


def test_an_experiment_with_an_unknown_model_leaves_nothing_behind(store, small):
    with pytest.raises(BadInput, match="no model 'prophet'"):
        store.start_run(small("prophet"), "somebody")
    assert store.recent_runs("somebody") == []
    assert store.lease("worker") is None


def test_finished_fits_are_not_queued_again(store, small):
    experiment = small()
    first = store.start_run(experiment, "one")
    for lease in lease_all(store):
        finish(store, lease)
    second = store.start_run(experiment, "two")
    assert second != first
    assert statuses(store, second) == ["finished"] * 3
    assert [fit.id for fit in store.run(second).fits] == [fit.id for fit in store.run(first).fits]
    assert store.run(second).fits[0].result == SUMMARY
    assert store.lease("worker") is None


def test_a_running_fit_is_shared(store, small):
    experiment = small()
    store.start_run(experiment, "one")
    running = store.lease("worker")
    second = store.start_run(experiment, "two")
    assert statuses(store, second) == ["running", "queued", "queued"]
    others = lease_all(store)
    assert len(others) == 2
    assert running.fit.id not in [lease.fit.id for lease in others]
    store.beat(running)


def test_adding_a_model_trains_that_model_alone(store, small):
    store.start_run(small("naive", "linear", seed=1), "one")
    for lease in lease_all(store):
        finish(store, lease)
    second = store.start_run(small("naive", "linear", "simple_rnn", seed=1), "one")
    assert statuses(store, second) == ["finished", "finished", "queued"]
    assert [lease.fit.model.name for lease in lease_all(store)] == ["simple_rnn"]


def test_fits_can_be_added_to_a_run_and_come_last(store, small):
    run_id = store.start_run(small("naive", "simple_rnn"), "one")
    parent = store.run(run_id).fits[-1].fit
    store.add_to_run(run_id, [LookBackFit(parent=parent, look_back=steps) for steps in (5, 6)], "one")
    store.add_to_run(run_id, [LookBackFit(parent=parent, look_back=steps) for steps in (6, 7)], "one")
    assert [getattr(fit.fit, "look_back", None) for fit in store.run(run_id).fits] == [None, None, 5, 6, 7]
    assert [getattr(lease.fit, "look_back", None) for lease in lease_all(store)] == [None, None, 5, 6, 7]


def test_stop_of_queued_fits_gives_cancelled_with_a_reason(store, small):
    run_id = store.start_run(small(), "one")
    store.stop(run_id)
    run = store.run(run_id)
    assert [fit.status for fit in run.fits] == ["cancelled"] * 3
    assert all(fit.reason and fit.ended_at for fit in run.fits)
    assert run.ended
    assert store.lease("worker") is None


def test_stop_of_one_fit_leaves_the_others_of_its_run(store, small):
    run_id = store.start_run(small(), "one")
    store.stop(run_id, store.run(run_id).fits[1].id)
    assert statuses(store, run_id) == ["queued", "cancelled", "queued"]


def test_a_fit_that_another_run_claims_goes_on_when_one_run_is_stopped(store, small):
    experiment = small()
    first = store.start_run(experiment, "one")
    lease = store.lease("worker")
    second = store.start_run(experiment, "two")
    store.stop(first)
    assert statuses(store, second) == ["running", "queued", "queued"]
    assert not store.stop_wanted(lease)
    store.stop(second)
    assert statuses(store, second) == ["running", "cancelled", "cancelled"]
    assert store.stop_wanted(lease)


def test_a_run_that_was_stopped_has_ended_though_its_fit_goes_on_for_another(store, small):
    experiment = small()
    first, second = store.start_run(experiment, "ann"), store.start_run(experiment, "bob")
    store.lease("worker")
    store.stop(second)
    assert store.run(second).ended and store.run(second).withdrawn == {fit.id for fit in store.run(second).fits}
    assert not store.run(first).ended and not store.run(first).withdrawn
    store.stop(first)
    assert not store.run(first).ended, "it waits until its last fit has heard the stop"


def test_a_run_that_starts_before_the_stop_was_heard_keeps_the_fit_going(store, small):
    experiment = small("naive")
    first = store.start_run(experiment, "one")
    lease = store.lease("worker")
    store.stop(first)
    assert store.stop_wanted(lease)
    store.start_run(experiment, "two")
    assert not store.stop_wanted(lease)


def test_stop_leaves_finished_fits_as_they_are(store, small):
    run_id = store.start_run(small(), "one")
    finish(store, store.lease("worker"))
    store.stop(run_id)
    assert statuses(store, run_id) == ["finished", "cancelled", "cancelled"]


def end_failed(store, lease, _run_id, _let_expire):
    store.give_up(lease, "failed", "The loss is no longer a number.")


def end_stopped(store, lease, _run_id, _let_expire):
    finish(store, lease, stopped="Stopped: 2 epochs were done.")


def end_cancelled(store, lease, run_id, _let_expire):
    store.stop(run_id)
    store.give_up(lease, "cancelled", "Stopped.")


def end_cancelled_while_queued(store, lease, run_id, _let_expire):
    store.release(lease)
    store.stop(run_id)


def end_died(store, lease, _run_id, _let_expire):
    store.put_back(lease, "The worker died.")
    again = store.lease("worker")
    store.report(again, "training", None, epochs(0.3))
    store.put_back(again, "The worker died.")


def end_lost(store, lease, _run_id, let_expire):
    let_expire(lease.fit.id)
    store.sweep()
    again = store.lease("worker")
    store.report(again, "training", None, epochs(0.3))
    let_expire(lease.fit.id)
    store.sweep()


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("failed", end_failed),
        ("stopped", end_stopped),
        ("cancelled", end_cancelled),
        ("cancelled", end_cancelled_while_queued),
        ("failed", end_died),
        ("lost", end_lost),
    ],
)
def test_a_fit_that_did_not_finish_can_be_tried_again_under_the_same_id(store, small, let_expire, status, end):
    experiment = small("naive")
    first = store.start_run(experiment, "one")
    lease = store.lease("worker")
    store.report(lease, "training", 0.5, epochs(0.5, 0.4))
    end(store, lease, first, let_expire)
    before = store.run(first).fits[0]
    assert before.status == status
    assert before.reason
    assert before.epochs
    second = store.start_run(experiment, "two")
    after = store.run(second).fits[0]
    assert after.id == before.id
    assert (after.status, after.reason, after.result, after.epochs) == ("queued", None, None, [])
    assert (after.stage, after.fraction, after.ended_at) == (None, None, None)
    finish(store, store.lease("worker"))
    assert statuses(store, first) == statuses(store, second) == ["finished"]


def test_recent_runs_are_the_owners_own_and_newest_first(store, small):
    mine = [store.start_run(small("naive").model_copy(update={"title": f"Run {i}"}), "me") for i in range(4)]
    theirs = store.start_run(small("naive"), "them")
    recent = store.recent_runs("me", limit=3)
    assert [run_id for run_id, _, _ in recent] == mine[:0:-1]
    assert [title for _, title, _ in recent] == ["Run 3", "Run 2", "Run 1"]
    assert [at for *_, at in recent] == sorted((at for *_, at in recent), reverse=True)
    assert [run_id for run_id, _, _ in store.recent_runs("them")] == [theirs]
    assert store.recent_runs("nobody") == []


# ----------------------------------------------------------------------------------------------------- queue and leases


def test_what_has_waited_longest_is_leased_first(store, small):
    first = store.start_run(small("naive", "linear"), "one")
    second = store.start_run(small("naive", "linear"), "one")
    waiting = [fit.id for run_id in (first, second) for fit in store.run(run_id).fits]
    assert [lease.fit.id for lease in lease_all(store)] == waiting
    assert store.lease("worker") is None


def test_a_lease_for_one_run_takes_nothing_of_another(store, small):
    first = store.start_run(small(), "one")
    second = store.start_run(small(), "two")
    assert [lease.fit.id for lease in lease_all(store, only_runs=[second])] == [fit.id for fit in store.run(second).fits]
    assert statuses(store, first) == ["queued"] * 3


def test_a_leased_fit_is_running_with_its_settings(store, small):
    run_id = store.start_run(small("naive"), "one")
    lease = store.lease("worker")
    fit = store.run(run_id).fits[0]
    assert lease.fit == fit.fit
    assert (lease.holder, lease.attempt) == ("worker", 1)
    assert (fit.status, fit.queue_place, fit.ended_at) == ("running", None, None)
    assert fit.started_at == pytest.approx(time.time(), abs=60)


def test_reports_add_up_to_a_learning_curve(store, small):
    run_id = store.start_run(small("naive"), "one")
    lease = store.lease("worker")
    curve = epochs(0.5, 0.4, 0.3)
    store.report(lease, "compiling", None, [])
    store.report(lease, "training", None, curve[:1])
    store.report(lease, "training", 0.25, curve[1:])
    fit = store.run(run_id).fits[0]
    assert (fit.stage, fit.fraction, fit.epochs) == ("training", 0.25, curve)
    finish(store, lease)
    fit = store.fits([fit.id])[fit.id]
    assert (fit.status, fit.stage, fit.fraction, fit.reason, fit.epochs) == ("finished", None, None, None, curve)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_comes_back_as_nan(store, small, number):
    run_id = store.start_run(small("naive"), "one")
    store.report(store.lease("worker"), "training", None, [Progress(1, 0.5, 0.25, 0.1), Progress(2, number, number, 0.2)])
    good, bad = store.run(run_id).fits[0].epochs
    assert (good.loss, good.valid_loss) == (0.5, 0.25)
    assert math.isnan(bad.loss)
    assert math.isnan(bad.valid_loss)
    assert (bad.epoch, bad.elapsed_s) == (2, 0.2)


WRITES = {
    "beat": lambda store, lease: store.beat(lease),
    "report": lambda store, lease: store.report(lease, "training", None, epochs(9.0)),
    "finish": finish,
    "give_up": lambda store, lease: store.give_up(lease, "failed", "It is too late."),
    "put_back": lambda store, lease: store.put_back(lease, "It is too late."),
    "release": lambda store, lease: store.release(lease),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("next_holder", ["worker", "another"])
def test_a_writer_with_an_old_attempt_is_refused(store, small, let_expire, write, next_holder):
    run_id = store.start_run(small("naive"), "one")
    old = store.lease("worker")
    let_expire(old.fit.id)
    store.sweep()
    new = store.lease(next_holder)
    assert new.attempt == old.attempt + 1
    store.report(new, "training", None, epochs(0.5))
    before = store.run(run_id)
    with pytest.raises(LeaseLost, match=old.fit.id):
        write(store, old)
    assert store.run(run_id) == before
    finish(store, new)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_nobody_writes_for_a_fit_that_has_ended(store, small, write):
    run_id = store.start_run(small("naive"), "one")
    lease = store.lease("worker")
    finish(store, lease)
    before = store.run(run_id)
    with pytest.raises(LeaseLost):
        write(store, lease)
    assert store.run(run_id) == before


def test_an_expired_lease_is_taken_up_once_and_then_lost(store, small, let_expire):
    run_id = store.start_run(small("naive"), "one")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        lease = store.lease("worker")
        assert lease.attempt == attempt
        let_expire(lease.fit.id)
        store.sweep()
        assert statuses(store, run_id) == ["queued" if attempt < MAX_ATTEMPTS else "lost"]
    assert MAX_ATTEMPTS == 2
    fit = store.run(run_id).fits[0]
    assert fit.ended
    assert "went away" in fit.reason
    assert store.lease("worker") is None


def test_the_second_attempt_starts_with_an_empty_curve(store, small, let_expire):
    run_id = store.start_run(small("naive"), "one")
    lease = store.lease("worker")
    store.report(lease, "training", 0.5, epochs(0.5, 0.4))
    let_expire(lease.fit.id)
    store.sweep()
    store.report(store.lease("another"), "training", None, epochs(0.6))
    assert store.run(run_id).fits[0].epochs == epochs(0.6)


def test_sweeping_leaves_live_leases_and_ended_fits_alone(store, small, let_expire):
    run_id = store.start_run(small("naive", "linear", "simple_rnn"), "one")
    live, beaten, ended = lease_all(store)
    finish(store, ended)
    let_expire(ended.fit.id)
    let_expire(live.fit.id, LEASE_S / 2)
    let_expire(beaten.fit.id)
    store.beat(beaten)
    before = store.run(run_id)
    store.sweep()
    assert store.run(run_id) == before
    assert statuses(store, run_id) == ["running", "running", "finished"]


def test_a_holder_that_goes_away_in_order_uses_up_no_attempt(store, small):
    run_id = store.start_run(small("naive"), "one")
    for _ in range(MAX_ATTEMPTS + 1):
        lease = store.lease("worker")
        assert lease.attempt == 1
        store.release(lease)
        assert statuses(store, run_id) == ["queued"]


def expire(store, lease, let_expire):
    let_expire(lease.fit.id)
    store.sweep()


def put_back(store, lease, _let_expire):
    store.put_back(lease, "The worker died.")


def release(store, lease, _let_expire):
    store.release(lease)


@pytest.mark.parametrize("go_away", [expire, put_back, release])
def test_a_fit_that_nobody_claims_any_more_is_not_queued_again_when_its_holder_goes_away(store, small, let_expire, go_away):
    run_id = store.start_run(small("naive"), "one")
    lease = store.lease("worker")
    store.stop(run_id)
    go_away(store, lease, let_expire)
    fit = store.run(run_id).fits[0]
    assert fit.status == "cancelled"
    assert fit.reason
    assert store.lease("worker") is None


def test_threads_that_lease_at_the_same_time_never_get_the_same_fit(store, small):
    run_ids = [store.start_run(small(), "one") for _ in range(12)]
    leases: list[Lease] = []
    together = threading.Barrier(4)

    def work(holder: str) -> None:
        together.wait()
        leases.extend(lease_all(store, holder))

    threads = [threading.Thread(target=work, args=(f"worker {i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    taken = [lease.fit.id for lease in leases]
    assert sorted(taken) == sorted(fit.id for run_id in run_ids for fit in store.run(run_id).fits)
    for lease in leases:
        store.beat(lease)


OPEN_AT_ONCE = """
import sys, time
from forecasting.runs.store import Store
folder = sys.argv[1]
print("ready", flush=True)
start = float(sys.stdin.readline())
for i in range(15):
    while time.time() < start + 0.15 * i:
        pass
    assert Store(f"sqlite:///{folder}/{i}.db").recent_runs("nobody") == []
"""


def test_two_processes_can_open_the_same_fresh_database_at_once(tmp_path):
    """Both want to make the tables. Fifteen databases, each opened by both processes at the same moment."""
    command = [sys.executable, "-c", OPEN_AT_ONCE, str(tmp_path)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, **pipes) as one, subprocess.Popen(command, text=True, **pipes) as other:
        for process in (one, other):
            assert process.stdout.readline() == "ready\n"
        start = f"{time.time() + 0.2}\n"
        for process in (one, other):
            process.stdin.write(start)
            process.stdin.flush()
        for process in (one, other):
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors


def test_one_store_can_be_used_by_several_threads_while_another_process_writes(database_url, small):
    """A second store on the same file stands for the other process: its connections are its own."""
    mine, theirs = Store(database_url), Store(database_url)
    run_id = mine.start_run(small(), "one")
    lease = theirs.lease("worker")
    failures: list[Exception] = []

    def read() -> None:
        try:
            for _ in range(50):
                assert len(mine.run(run_id).fits) == 3
        except Exception as error:  # any failure of a thread must reach the test
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(50):
        theirs.report(lease, "training", None, [Progress(i + 1, 0.5, 0.5, 0.1)])
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(mine.run(run_id).fits[0].epochs) == 50


# ----------------------------------------------------------------------------------------------------- arrays, uploads


def test_arrays_and_weights_come_back_as_they_were(store, small):
    rng = np.random.default_rng(0)
    forecasts = {"valid": rng.random((7, 3)).astype("float32"), "test": rng.random((5, 3)).astype("float32")}
    weights = [rng.random((i + 1, 2)).astype("float32" if i % 2 else "float64") for i in range(12)]
    store.start_run(small("naive"), "one")
    lease = store.lease("worker")
    packed = {"forecasts": pack(forecasts), "weights": pack({str(i): w for i, w in enumerate(weights)})}
    store.finish(lease, Done(json.dumps(SUMMARY), packed))
    back = store.arrays(lease.fit.id, "forecasts")
    assert back.keys() == forecasts.keys()
    for name in forecasts:
        np.testing.assert_array_equal(back[name], forecasts[name], strict=True)
    for got, given in zip(store.weights(lease.fit.id), weights, strict=True):
        np.testing.assert_array_equal(got, given, strict=True)


def test_weights_larger_than_a_chunk_come_back_whole(store, small):
    big = np.random.default_rng(0).random(400_000)
    store.start_run(small("naive"), "one")
    lease = store.lease("worker")
    store.finish(lease, Done(json.dumps(SUMMARY), {"weights": pack({"0": big})}))
    np.testing.assert_array_equal(store.weights(lease.fit.id)[0], big, strict=True)


def test_a_model_that_learns_nothing_has_no_weights(store, small):
    store.start_run(small("naive"), "one")
    lease = store.lease("worker")
    store.finish(lease, Done(json.dumps(SUMMARY), {"weights": pack({})}))
    assert store.weights(lease.fit.id) == []


def test_arrays_that_are_not_there_are_missed_in_plain_words(store):
    with pytest.raises(BadInput, match="weights of fit unknown are no longer stored"):
        store.weights("unknown")


def test_pickled_content_is_refused():
    with pytest.raises(ValueError, match="allow_pickle"):
        unpack(pack({"0": np.array([{"not": "numbers"}], dtype=object)}))


def test_the_same_file_of_the_same_owner_is_kept_once(store):
    first = store.add_upload("me", "a.csv", b"ds,y\n")
    assert store.add_upload("me", "b.csv", b"ds,y\n") == first
    assert store.add_upload("me", "a.csv", b"ds,y\n2024,1\n") != first
    assert store.add_upload("them", "a.csv", b"ds,y\n") != first
    assert Upload(upload_id=first).upload_id == first
    kept = store.upload(first)
    assert (kept.id, kept.owner, kept.name) == (first, "me", "a.csv")


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_an_upload_comes_back_byte_for_byte(store, size):
    content = np.random.default_rng(0).bytes(size)
    assert store.read_upload(store.add_upload("me", "a.csv", content)) == content


def test_a_big_upload_lies_in_several_chunks(store, database_url):
    store.add_upload("me", "a.csv", bytes(3_000_000))
    with Database(database_url).reading() as db:
        sizes = db.scalars(sa.select(sa.func.length(schema.blob.c.content)).order_by(schema.blob.c.chunk)).all()
    assert sum(sizes) == 3_000_000
    assert len(sizes) == 3
    assert max(sizes) <= 1 << 20


def upload_experiment(upload_id: str) -> Experiment:
    return Experiment(source=Upload(upload_id=upload_id), task=Task(input_size=4), models=(ModelChoice(name="naive"),))


def test_only_the_owner_deletes_an_upload(store):
    upload_id = store.add_upload("me", "a.csv", b"ds,y\n")
    with pytest.raises(BadInput, match="Only who has uploaded this file"):
        store.delete_upload(upload_id, "them")
    assert store.read_upload(upload_id) == b"ds,y\n"


def test_deleting_an_upload_takes_its_runs_fits_and_arrays_along_and_nothing_else(store, small):
    upload_id = store.add_upload("me", "a.csv", b"ds,y\n")
    other_upload = store.add_upload("me", "b.csv", b"ds,y\n2024,1\n")
    mine = store.start_run(upload_experiment(upload_id), "me")
    shared = store.start_run(upload_experiment(upload_id), "a friend with the link")
    others = [store.start_run(upload_experiment(other_upload), "me"), store.start_run(small("naive"), "me")]
    leases = lease_all(store)
    for lease in leases:
        finish(store, lease)
    fit_id = store.run(mine).fits[0].id
    store.delete_upload(upload_id, "me")
    assert store.upload(upload_id) is None
    assert store.run(mine) is None
    assert store.run(shared) is None
    assert store.fits([fit_id]) == {}
    for name in ("forecasts", "weights"):
        with pytest.raises(BadInput):
            store.arrays(fit_id, name)
    with pytest.raises(BadInput, match="was deleted by its owner"):
        store.read_upload(upload_id)
    assert {run_id for run_id, *_ in store.recent_runs("me")} == set(others)
    for run_id in others:
        assert statuses(store, run_id) == ["finished"]
        assert len(store.weights(store.run(run_id).fits[0].id)) == 1
    assert store.read_upload(other_upload) == b"ds,y\n2024,1\n"


def test_a_fit_whose_upload_is_deleted_while_it_trains_is_nobodys_any_more(store):
    upload_id = store.add_upload("me", "a.csv", b"ds,y\n")
    store.start_run(upload_experiment(upload_id), "me")
    lease = store.lease("worker")
    store.delete_upload(upload_id, "me")
    for write in WRITES.values():
        with pytest.raises(LeaseLost):
            write(store, lease)
    with pytest.raises(BadInput):
        store.weights(lease.fit.id)


def test_a_deleted_file_that_is_given_again_gets_another_id(store):
    first = store.add_upload("me", "a.csv", b"ds,y\n")
    store.delete_upload(first, "me")
    second = store.add_upload("me", "a.csv", b"ds,y\n")
    assert second != first
    assert store.read_upload(second) == b"ds,y\n"
