"""Turns and quotas: nobody waits behind another visitor's many fits, and what a server holds has bounds."""

import json
import re
import time
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecasting import BadInput, Experiment, LookBackFit, ModelChoice, Task, Upload, fits_of
from forecasting.models import Progress
from forecasting.runs.arrays import pack
from forecasting.runs.blobs import stored_bytes
from forecasting.runs.database import Database
from forecasting.runs.limits import Quota
from forecasting.runs.queue import Done, Lease
from forecasting.runs.store import Store

ROOMY = Quota(max_waiting=1_000, max_stored_mb=1_000)
MB = 1_000_000


@pytest.fixture
def database_url(each_database_url: str) -> str:
    """Every test of this file runs on SQLite and on PostgreSQL."""
    return each_database_url


@pytest.fixture
def many(small):
    """Make an experiment with so many fits, naive among them; other series each time unless a data seed is given."""

    def make(n: int, seed: int | None = None, first: int = 1) -> Experiment:
        experiment = small(*(["naive"] if n == 1 else ["naive", "simple_rnn"]), seed=seed)
        return experiment.model_copy(update={"seeds": tuple(range(first, first + max(1, n - 1)))})

    return make


def ids_of(experiment: Experiment) -> list[str]:
    return [fit.id for fit in fits_of(experiment)]


def lease_all(store: Store, most: int | None = None) -> list[Lease]:
    leases = []
    while len(leases) != most and (lease := store.lease("worker")) is not None:
        leases.append(lease)
    return leases


def leased_ids(store: Store, most: int | None = None) -> list[str]:
    return [lease.fit.id for lease in lease_all(store, most)]


def finish(store: Store, lease: Lease) -> None:
    arrays = {name: pack({"0": np.ones(3)}) for name in ("forecasts", "weights", "state")}
    store.finish(lease, Done(json.dumps({"valid_mse": 0.25}), arrays, epochs=1))


def one_sentence(refused: pytest.ExceptionInfo[BadInput]) -> str:
    text = str(refused.value)
    assert text.endswith(".") and "\n" not in text and not re.search(r"[.!?] [A-Z]", text)
    return text


# -------------------------------------------------------------------------------------------------------------- turns


def test_fifty_fits_of_one_visitor_do_not_hold_up_the_first_of_another(store, many):
    theirs, mine = many(50), many(3)
    store.start_run(theirs, "ann")
    store.start_run(mine, "ben")
    order = leased_ids(store)
    assert order[1] == ids_of(mine)[0]
    assert [order.index(fit_id) for fit_id in ids_of(mine)] == [1, 3, 5]
    assert [fit_id for fit_id in order if fit_id not in ids_of(mine)] == ids_of(theirs)


def test_fifty_fits_do_not_hold_up_another_visitor_who_comes_when_many_of_them_are_done(store, many):
    theirs, mine = many(50), many(4)
    store.start_run(theirs, "ann")
    leased_ids(store, most=20)
    store.start_run(mine, "ben")
    order = leased_ids(store)
    assert [order.index(fit_id) for fit_id in ids_of(mine)] == [1, 3, 5, 7]


def test_fits_of_one_run_after_another_do_not_hold_up_another_visitor_either(store, many):
    for _ in range(10):
        store.start_run(many(5), "ann")
    mine = many(1)
    run_id = store.start_run(mine, "ben")
    assert store.run(run_id).fits[0].queue_place == 2
    assert leased_ids(store, most=2)[1] == ids_of(mine)[0]


def test_visitors_take_turns(store, many):
    owner_of = {}
    for owner, n in (("ann", 6), ("ben", 4), ("cid", 2)):
        experiment = many(n)
        store.start_run(experiment, owner)
        owner_of |= dict.fromkeys(ids_of(experiment), owner)
    order = [owner_of[fit_id] for fit_id in leased_ids(store)]
    assert order == ["ann", "ben", "cid"] * 2 + ["ann", "ben"] * 2 + ["ann"] * 2


def test_a_visitor_who_comes_back_neither_jumps_ahead_nor_is_punished(store, many):
    """Ben had thirty fits done before; when he comes back he stands as a newcomer does, behind who waits at the front."""
    store.start_run(many(30), "ben")
    for lease in lease_all(store):
        finish(store, lease)
    theirs, back, new = many(10), many(3), many(3)
    store.start_run(theirs, "ann")
    leased_ids(store, most=4)
    store.start_run(back, "ben")
    store.start_run(new, "cid")
    order = leased_ids(store)
    assert [order.index(fit_id) for fit_id in ids_of(back)] == [1, 4, 7]
    assert [order.index(fit_id) for fit_id in ids_of(new)] == [2, 5, 8]


def test_further_fits_of_a_run_take_the_turns_behind_those_that_its_owner_has(store, many):
    mine, theirs = many(3), many(4)
    run_id = store.start_run(mine, "ann")
    store.start_run(theirs, "ben")
    parent = fits_of(mine)[-1]
    store.add_to_run(run_id, [LookBackFit(parent=parent, look_back=5)], "ann")
    added = store.run(run_id).fits[-1]
    assert added.queue_place == 8
    assert leased_ids(store).index(added.id) == 7, "the fourth of both, and asked for last"


def test_a_fit_that_comes_back_to_the_queue_is_no_way_ahead_for_those_who_come_now(store, many):
    """A worker hands back a fit of an early turn long after; for a newcomer the front is still where the others wait."""
    theirs, mine = many(30), many(20)
    store.start_run(theirs, "ann")
    early, *_ = lease_all(store, most=15)
    store.release(early)
    store.start_run(mine, "ben")
    order = leased_ids(store)
    assert order[0] == early.fit.id, "it has waited longest"
    anns = [i for i, fit_id in enumerate(order) if fit_id in ids_of(theirs)]
    assert anns[1] <= 2, f"Ann's next fit waits for {anns[1] - 1} of Ben's"


# ------------------------------------------------------------------------------------------------- fits that are shared


def test_a_fit_that_another_visitor_asks_for_too_moves_to_the_better_turn(store, many):
    theirs, mine = many(40, seed=1), many(2, seed=1, first=38)
    store.start_run(theirs, "ann")
    shared = ids_of(mine)[-1]
    assert ids_of(theirs).index(shared) == 38
    run_id = store.start_run(mine, "ben")
    assert store.run(run_id).fits[-1].queue_place <= 3, "behind Ann's first, and her second at most"
    assert shared in leased_ids(store, most=3)


def test_a_fit_that_another_visitor_asks_for_too_never_moves_to_the_worse_turn(store, many):
    theirs, mine = many(3, seed=2), many(30, seed=2, first=2)
    assert ids_of(theirs)[-1] in ids_of(mine)
    mine = mine.model_copy(update={"seeds": mine.seeds[::-1]})  # so that it is Ben's last
    store.start_run(many(5), "cid")
    first = store.start_run(theirs, "ann")
    before = [fit.queue_place for fit in store.run(first).fits]
    store.start_run(mine, "ben")
    after = [fit.queue_place for fit in store.run(first).fits]
    assert after[0] == before[0]
    order = leased_ids(store)
    assert order.index(ids_of(theirs)[-1]) <= 8, "at its turn, the third: after three of each at most"


def test_what_two_visitors_ask_for_does_not_hold_up_a_third(store, many):
    both, mine = many(30, seed=3), many(1)
    store.start_run(both, "ann")
    store.start_run(both, "ben")
    run_id = store.start_run(mine, "cid")
    assert store.run(run_id).fits[0].queue_place <= 3
    assert ids_of(mine)[0] in leased_ids(store, most=3)


# --------------------------------------------------------------------------------------------------------- properties

OWNERS = ("ann", "ben", "cid")
START = st.tuples(st.just("start"), st.sampled_from(OWNERS), st.integers(1, 5))
LEASE = st.tuples(st.just("lease"), st.integers(1, 4))
STOP = st.tuples(st.just("stop"), st.integers(0, 9))
BACK = st.tuples(st.sampled_from(["release", "put back", "finish"]), st.integers(0, 9))
SHARE = st.tuples(st.just("share"), st.sampled_from(OWNERS), st.integers(0, 9))
on_one_store = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Visitors:
    """Visitors of an empty queue, and what a bystander writes down of them."""

    def __init__(self, store: Store, many) -> None:
        for lease in lease_all(store):  # what an earlier example has left
            store.give_up(lease, "failed", "It belongs to another example.")
        self.store, self.many = store, many
        self.runs: list[tuple[str, Experiment]] = []
        self.owner: dict[str, str] = {}
        self.held: list[Lease] = []

    def places(self) -> dict[str, int]:
        """The fits that wait, with their places."""
        views = self.store.fits(list(self.owner)).values()
        assert all((view.status == "queued") == (view.queue_place is not None) for view in views)
        return {view.id: view.queue_place for view in views if view.queue_place is not None}

    def start(self, owner: str, n: int) -> None:
        """Start a run that shares nothing."""
        self._run(self.many(n), owner)

    def share(self, owner: str, which: int) -> None:
        """Start a run of an experiment that somebody has started before."""
        if self.runs:
            self._run(self.runs[which % len(self.runs)][1], owner)

    def _run(self, experiment: Experiment, owner: str) -> None:
        self.runs.append((self.store.start_run(experiment, owner), experiment))
        for fit_id in ids_of(experiment):
            self.owner.setdefault(fit_id, owner)

    def lease(self) -> str | None:
        """Take a fit; return whose it is."""
        lease = self.store.lease("worker")
        if lease is None:
            return None
        self.held.append(lease)
        return self.owner[lease.fit.id]

    def stop(self, which: int) -> Counter[str]:
        """Stop a run; return how many waiting fits of whom that ended."""
        if not self.runs:
            return Counter()
        run_id, experiment = self.runs[which % len(self.runs)]
        before = [view for view in self.store.fits(ids_of(experiment)).values() if view.status == "queued"]
        self.store.stop(run_id)
        after = self.store.fits([view.id for view in before])
        return Counter(self.owner[view.id] for view in before if after[view.id].status == "cancelled")

    def end(self, how: str, which: int) -> None:
        """Let a fit that runs come to an end, or come back."""
        if self.held:
            lease = self.held.pop(which % len(self.held))
            {
                "release": lambda: self.store.release(lease),
                "put back": lambda: self.store.put_back(lease, "The worker died."),
                "finish": lambda: finish(self.store, lease),
            }[how]()


@on_one_store
@given(st.lists(START | LEASE | STOP | BACK | SHARE, min_size=2, max_size=12))
def test_the_places_that_are_shown_are_the_order_of_leasing(store, many, acts):
    visitors = Visitors(store, many)
    for what, *how in acts:
        if what == "lease":
            for _ in range(how[0]):
                visitors.lease()
        elif what in ("start", "share", "stop"):
            getattr(visitors, what)(*how)
        else:
            visitors.end(what, *how)
    places = visitors.places()
    assert sorted(places.values()) == list(range(1, len(places) + 1))
    assert leased_ids(store) == sorted(places, key=lambda fit_id: places[fit_id])


@on_one_store
@given(st.lists(START | LEASE | LEASE | STOP, min_size=4, max_size=24))
def test_while_two_visitors_wait_neither_is_served_more_than_two_fits_ahead(store, many, acts):
    """The bound of start-time fair queueing: one fit of each. A fit that its own visitor has stopped has had its turn."""
    visitors, waiting, served, stopped = Visitors(store, many), Counter(), Counter(), Counter()
    leads: dict[tuple[str, str], list[int]] = {}
    for what, *how in acts:
        for _ in range(how[0] if what == "lease" else 1):
            if what == "start":
                waiting[how[0]] += how[1]
                visitors.start(*how)
            elif what == "stop":
                gone = visitors.stop(*how)
                waiting, stopped = waiting - gone, stopped + gone
            elif (owner := visitors.lease()) is not None:
                waiting, served = waiting - Counter([owner]), served + Counter([owner])
            for one, other in combinations(OWNERS, 2):
                if not (waiting[one] and waiting[other]):
                    leads.pop((one, other), None)
                    continue
                lead = leads.setdefault((one, other), [])
                lead.append(served[one] - served[other])
                assert max(lead) - min(lead) <= 2 + stopped[one] + stopped[other]


# -------------------------------------------------------------------------------------------------------------- quotas


def test_a_run_that_is_too_much_is_refused_in_one_sentence_and_leaves_nothing_behind(store, many):
    experiment, quota = many(4), Quota(max_waiting=3, max_stored_mb=10)
    with pytest.raises(BadInput, match=r"4 of your fits would wait, and this server lets 3 wait") as refused:
        store.start_run(experiment, "ann", quota)
    one_sentence(refused)
    assert store.recent_runs("ann") == []
    assert store.fits(ids_of(experiment)) == {}
    assert store.lease("worker") is None
    store.start_run(many(3), "ann", quota)
    assert len(leased_ids(store)) == 3


def test_what_waits_already_counts_and_is_not_touched_by_a_refusal(store, many):
    quota = Quota(max_waiting=5, max_stored_mb=10)
    first = store.start_run(many(3), "ann", quota)
    before = store.run(first)
    with pytest.raises(BadInput, match="6 of your fits would wait"):
        store.start_run(many(3), "ann", quota)
    assert [run_id for run_id, *_ in store.recent_runs("ann")] == [first]
    assert store.run(first) == before
    store.start_run(many(2), "ann", quota)
    assert len(leased_ids(store)) == 5


def test_a_refused_run_does_not_take_a_shared_fit_ahead_or_wake_a_stopped_one(store, many):
    theirs = many(20, seed=4)
    first = store.start_run(theirs, "ann")
    store.stop(first, ids_of(theirs)[7])
    before = store.run(first)
    with pytest.raises(BadInput):
        store.start_run(many(30, seed=4), "ben", Quota(max_waiting=3, max_stored_mb=10))
    assert store.run(first) == before


def test_fits_of_others_and_fits_that_do_not_wait_any_more_do_not_count(store, many):
    quota = Quota(max_waiting=3, max_stored_mb=10)
    store.start_run(many(50), "ben")
    mine = store.start_run(many(3), "ann", quota)
    leases = [store.lease("worker", [mine]) for _ in range(3)]
    store.start_run(many(3), "ann", quota)
    for lease in leases:
        finish(store, lease)
    with pytest.raises(BadInput, match="4 of your fits"):
        store.start_run(many(1), "ann", quota)
    store.stop(store.recent_runs("ann")[0][0])
    store.start_run(many(3), "ann", quota)


def test_fits_that_are_known_or_that_another_visitor_has_queued_cost_nothing(store, many):
    quota = Quota(max_waiting=3, max_stored_mb=10)
    done, shared = many(4, seed=5), many(4, seed=6)
    store.start_run(done, "ben")
    for lease in lease_all(store):
        finish(store, lease)
    store.start_run(shared, "ben")
    for known in (done, shared):
        assert len(store.run(store.start_run(known, "ann", quota)).fits) == 4
    store.start_run(many(3), "ann", quota)
    assert len(leased_ids(store)) == 4 + 3


def test_further_fits_of_a_run_count_too(store, many):
    quota = Quota(max_waiting=3, max_stored_mb=10)
    experiment = many(2)
    run_id = store.start_run(experiment, "ann", quota)
    parent = fits_of(experiment)[-1]
    further = [LookBackFit(parent=parent, look_back=steps) for steps in (5, 6)]
    before = store.run(run_id)
    with pytest.raises(BadInput, match="4 of your fits would wait") as refused:
        store.add_to_run(run_id, further, "ann", quota)
    one_sentence(refused)
    assert store.run(run_id) == before
    store.add_to_run(run_id, further[:1], "ann", quota)
    assert len(store.run(run_id).fits) == 3


def test_a_full_store_takes_no_upload_until_there_is_room(store):
    quota = Quota(max_waiting=10, max_stored_mb=2)
    first = store.add_upload("ann", "a.csv", bytes(2 * MB - 5), quota)
    with pytest.raises(BadInput, match="The 2 MB that this server keeps are full") as refused:
        store.add_upload("ben", "b.csv", b"ds,y\n2", quota)
    one_sentence(refused)
    assert store.add_upload("ann", "a.csv", bytes(2 * MB - 5), quota) == first, "what is there needs no room"
    small = store.add_upload("ben", "b.csv", b"ds,y\n", quota)
    store.delete_upload(first, "ann")
    assert store.read_upload(store.add_upload("ben", "c.csv", b"ds,y\n2", quota)) == b"ds,y\n2"
    assert store.read_upload(small) == b"ds,y\n"


@pytest.fixture
def full(store):
    """A quota that the store has used up, by weights."""
    store.start_run(upload_experiment("a" * 20), "ben")
    store.finish(store.lease("worker"), Done("{}", {"weights": bytes(MB + 1)}))
    return Quota(max_waiting=10, max_stored_mb=1)


def test_a_full_store_takes_no_run_and_keeps_what_it_has(store, many, full):
    experiment = many(2)
    with pytest.raises(BadInput, match="The 1 MB that this server keeps are full") as refused:
        store.start_run(experiment, "ann", full)
    one_sentence(refused)
    assert store.recent_runs("ann") == [] and store.fits(ids_of(experiment)) == {}
    assert len(store.recent_runs("ben")) == 1
    store.start_run(experiment, "ann", Quota(max_waiting=10, max_stored_mb=2))


def test_a_full_store_takes_no_further_fits_of_a_run(store, many, full):
    run_id = store.start_run(many(2), "ann")
    parent = store.run(run_id).fits[-1].fit
    with pytest.raises(BadInput, match="are full"):
        store.add_to_run(run_id, [LookBackFit(parent=parent, look_back=5)], "ann", full)
    assert len(store.run(run_id).fits) == 2


# ------------------------------------------------------------------------------------------------------------- forget


def upload_experiment(upload_id: str) -> Experiment:
    return Experiment(source=Upload(upload_id=upload_id), task=Task(input_size=4), models=(ModelChoice(name="naive"),))


@pytest.fixture
def kept_bytes(database_url):
    """The size of all that the store keeps in chunks."""
    database = Database(database_url)

    def measure() -> int:
        with database.reading() as db:
            return stored_bytes(db)

    return measure


def moment() -> float:
    """A time that lies between what was before and what comes."""
    time.sleep(0.002)
    now = time.time()
    time.sleep(0.002)
    return now


def test_old_runs_are_forgotten_with_all_that_is_their_own(store, many, kept_bytes):
    upload_id = store.add_upload("ann", "a.csv", b"ds,y\n")
    old = [store.start_run(many(3), "ann"), store.start_run(upload_experiment(upload_id), "ann")]
    for lease in lease_all(store):
        store.report(lease, "training", None, [Progress(1, 0.5, 0.5, 0.1)])
        finish(store, lease)
    waiting = store.start_run(many(2), "ann")
    ids = [fit.id for run_id in (*old, waiting) for fit in store.run(run_id).fits]
    assert kept_bytes() > 0
    store.forget(before=moment())
    assert [store.run(run_id) for run_id in (*old, waiting)] == [None] * 3
    assert store.recent_runs("ann") == []
    assert store.fits(ids) == {}
    assert store.lease("worker") is None
    assert store.upload(upload_id) is None
    assert kept_bytes() == 0


def test_what_a_newer_run_needs_is_kept_whole(store, many, kept_bytes):
    experiment, upload_id = many(3, seed=7), store.add_upload("ann", "a.csv", b"ds,y\n")
    wanted = (experiment, upload_experiment(upload_id))
    for each in wanted:
        store.start_run(each, "ann")
    for lease in lease_all(store):
        store.report(lease, "training", None, [Progress(1, 0.5, 0.5, 0.1)])
        finish(store, lease)
    own = store.start_run(many(1), "ann")
    at = moment()
    newer = [store.start_run(each, "ben") for each in wanted]
    waiting = store.start_run(many(2), "ben")
    before, size = [store.run(run_id) for run_id in (*newer, waiting)], kept_bytes()
    store.forget(before=at)
    assert store.recent_runs("ann") == [] and store.run(own) is None
    assert [store.run(run_id) for run_id in newer] == before[:2]
    assert [fit.status for fit in store.run(waiting).fits] == ["queued"] * 2
    assert kept_bytes() == size
    for fit in before[0].fits:
        np.testing.assert_array_equal(store.weights(fit.id)[0], np.ones(3))
    assert store.read_upload(upload_id) == b"ds,y\n"
    assert len(leased_ids(store)) == 2


def test_uploads_without_a_run_are_kept_until_they_are_old_themselves(store):
    old = store.add_upload("ann", "a.csv", b"ds,y\n")
    at = moment()
    new = store.add_upload("ann", "b.csv", b"ds,y\n1")
    store.forget(before=at)
    assert store.upload(old) is None
    assert store.read_upload(new) == b"ds,y\n1"


def test_a_file_that_was_given_again_just_now_is_not_old(store):
    upload_id = store.add_upload("ann", "a.csv", b"ds,y\n")
    at = moment()
    assert store.add_upload("ann", "a.csv", b"ds,y\n") == upload_id
    store.forget(before=at)
    assert store.read_upload(upload_id) == b"ds,y\n"


def test_a_fit_that_runs_is_left_to_its_holder_and_forgotten_later(store, many, kept_bytes):
    store.start_run(many(1), "ann")
    lease = store.lease("worker")
    store.forget(before=moment())
    store.beat(lease)
    finish(store, lease)
    assert store.fits([lease.fit.id])[lease.fit.id].status == "finished"
    store.forget(before=moment())
    assert store.fits([lease.fit.id]) == {}
    assert kept_bytes() == 0


def test_a_fit_of_a_forgotten_run_whose_worker_dies_is_not_queued_again(store, many):
    store.start_run(many(1), "ann")
    lease = store.lease("worker")
    store.forget(before=moment())
    store.put_back(lease, "The worker died.")
    assert store.lease("worker") is None


def test_a_run_that_went_on_from_a_forgotten_one_can_go_on_itself(store, small):
    first = store.start_run(small("simple_rnn", seed=8, epochs=2), "ann")
    for lease in lease_all(store):
        store.report(lease, "training", None, [Progress(1, 0.5, 0.5, 0.1), Progress(2, 0.4, 0.4, 0.2)])
        store.finish(lease, Done("{}", {"state": b"two epochs"}, epochs=2))
    at = moment()
    second = store.continue_run(first, 3, "ben")
    lease = store.lease("worker", [second])
    store.resume(lease)
    store.forget(before=at)
    assert store.run(first) is None
    assert [point.loss for point in store.run(second).fits[-1].epochs] == [0.5, 0.4]
    store.keep_state(lease, b"two epochs and more", 3)
    store.release(lease)
    assert store.resume(store.lease("worker", [second])) == b"two epochs and more"
