"""Runs as a list: what is found, who may change it, and what becomes of what is deleted; on SQLite and on PostgreSQL."""

import json
import time

import pytest
import sqlalchemy as sa

from forecasting import BadInput, Experiment, ModelChoice, Sample, Training, Upload
from forecasting.experiment import Plan
from forecasting.runs import schema
from forecasting.runs.database import Database
from forecasting.runs.queue import Done
from forecasting.runs.records import DAY_S, GUIDE, KEPT_DAYS, Wanted
from forecasting.runs.store import Store

MSE = {"naive": 0.4, "linear": 0.1, "simple_rnn": 0.2}


@pytest.fixture
def database_url(each_database_url: str) -> str:
    """Every test of this file runs on SQLite and on PostgreSQL."""
    return each_database_url


def ids(store: Store, owner: str = "ann", **wanted: object) -> list[str]:
    return [run.id for run in store.listed(Wanted(owner=owner, **wanted))[0]]


def work_off(store: Store, run_id: str) -> None:
    """End all fits of a run, each with the error that belongs to its model."""
    while (lease := store.lease("worker", [run_id])) is not None:
        result = {"valid_mse": MSE[lease.fit.model.name], "valid_naive_mse": MSE["naive"]}
        store.finish(lease, Done(json.dumps(result), {}))


def test_a_line_tells_what_the_run_is_about_how_it_stands_and_what_is_best(store, small):
    run_id = store.start_run(small().model_copy(update={"title": "Waves"}), "ann", tags=("first",))
    (line,), n = store.listed(Wanted(owner="ann"))
    assert (n, line.id, line.title, line.source, line.task, line.tags) == (1, run_id, "Waves", "waves", "next", ("first",))
    assert line.models == ("naive", "linear", "simple_rnn") and (line.state, line.best, line.seconds) == ("open", None, 0)
    work_off(store, run_id)
    (line,), _ = store.listed(Wanted(owner="ann"))
    assert (line.state, line.best, line.error, line.skill) == ("finished", "linear", 0.1, pytest.approx(0.75))
    assert line.seconds >= 0


def test_filters_search_and_order_are_the_databases(store, small):
    waves = store.start_run(small("gru").model_copy(update={"title": "B 100% of waves"}), "ann")
    plan = Plan(h=2, season_length=4, n_windows=2)
    models = (ModelChoice(name="naive"),)
    whole = store.start_run(Experiment(title="a series", source=Sample(name="gdp"), plan=plan, models=models), "ann")
    upload = store.add_upload("ben", "secret.csv", b"y")
    theirs = store.start_run(Experiment(title="C", source=Upload(upload_id=upload), models=models), "ben")
    public = store.start_run(small("naive").model_copy(update={"title": "D"}), "ben")
    guided = store.start_run(small("naive"), "ann", tags=(GUIDE,))

    assert ids(store) == [whole, waves] and ids(store, order="oldest") == [waves, whole]
    assert ids(store, order="title") == [whole, waves] and ids(store, guide=True) == [guided, whole, waves]
    assert ids(store, only_own=False) == [public, whole, waves], "what others have uploaded is found by their links alone"
    assert ids(store, "ben") == [public, theirs]
    assert ids(store, text="100%") == [waves] and ids(store, text="SERIES") == [whole] and ids(store, text="_") == []
    assert ids(store, source="sample") == [whole] and ids(store, source="waves") == [waves]
    assert ids(store, task="series") == [whole] and ids(store, model="gru") == [waves] and ids(store, model="gr") == []
    store.stop(waves)
    assert ids(store, state="open") == [whole] and ids(store, state="ended early") == [waves]
    work_off(store, whole)
    assert ids(store, state="finished") == [whole]
    assert ids(store, since=time.time() + 5) == [] and ids(store, since=time.time() - 60) == [whole, waves]
    page, n = store.listed(Wanted(owner="ann"), first=1, most=1)
    assert ([run.id for run in page], n) == ([waves], 2)


def test_leaders_are_the_best_of_every_model_on_the_very_same_windows(store, small):
    experiment = small()
    first = store.start_run(experiment.model_copy(update={"title": "first"}), "ann")
    work_off(store, first)
    longer = experiment.model_copy(update={"training": Training(epochs=9), "models": (ModelChoice(name="simple_rnn"),)})
    second = store.start_run(longer, "ben")
    while (lease := store.lease("worker", [second])) is not None:
        store.finish(lease, Done(json.dumps({"valid_mse": 0.15, "epochs": 9}), {}))
    work_off(store, store.start_run(small(), "ann"))  # on other series
    leaders = store.leaders(experiment, "eve")
    assert [(leader.model, leader.valid_mse) for leader in leaders] == [
        ("Linear, least squares", 0.1),
        ("SimpleRNN(1)", 0.15),
        ("Naive", 0.4),
    ]
    assert leaders[1].run_id == second and leaders[1].epochs == 9 and leaders[0].title == "first"
    store.delete_runs([second], "ben")
    assert [leader.valid_mse for leader in store.leaders(experiment, "eve")] == [0.1, 0.2, 0.4]


def test_owners_note_tag_and_pin_and_nobody_else_changes_anything(store, small):
    older, newer = (store.start_run(small("naive"), "ann") for _ in range(2))
    store.note(older, "ann", title="  Mine ", tags=["Best two", "best"], note="see ours", pinned=True)
    (first, _), _ = store.listed(Wanted(owner="ann"))
    assert (first.id, first.title, first.tags) == (older, "Mine", ("best", "two"))
    assert (first.note, first.pinned) == ("see ours", True)
    assert ids(store, text="two") == [older] and ids(store, text="ours") == [older]
    for harm in (
        lambda: store.note(newer, "eve", title="Hers"),
        lambda: store.delete_runs([newer], "eve"),
        lambda: store.delete_runs([newer, "nothing"], "ann"),
        lambda: store.take_back([newer], "eve"),
        lambda: store.delete_for_good([newer], "eve"),
        lambda: store.stop(newer, owner="eve"),
        lambda: store.add_to_run(newer, [store.run(newer).fits[0].fit], "eve"),
    ):
        with pytest.raises(BadInput, match="Only who has started a run"):
            harm()
    assert store.run(newer).fits[0].status == "queued" and ids(store) == [older, newer]


def test_what_is_deleted_ends_can_be_taken_back_and_is_gone_after_a_month(store, database_url, small):
    experiment = small("naive", "linear")
    mine, also = store.start_run(experiment, "ann"), store.start_run(experiment, "ben")
    alone = store.start_run(small("naive"), "ann")
    store.delete_runs([mine, alone], "ann")
    assert ids(store) == [] and store.run(mine) is None and store.recent_runs("ann") == []
    assert [fit.status for fit in store.run(also).fits] == ["queued", "queued"], "another run waits for them"
    assert set(ids(store, deleted=True)) == {mine, alone}
    store.take_back([mine], "ann")
    assert ids(store) == [mine] and len(store.run(mine).fits) == 2

    database = Database(database_url)
    with database.writing() as db:
        at = time.time() - (KEPT_DAYS + 1) * DAY_S
        db.execute(sa.update(schema.run).where(schema.run.c.id == alone).values(deleted_at=at))
    store.forget(0.0, deleted_before=time.time() - KEPT_DAYS * DAY_S)
    assert ids(store, deleted=True) == [] and ids(store) == [mine] and ids(store, "ben") == [also]

    store.delete_for_good([mine], "ann")
    assert ids(store) == [mine], "only what was deleted before"
    store.delete_runs([mine], "ann")
    store.delete_for_good([mine], "ann")
    assert ids(store, deleted=True) == [] and len(store.run(also).fits) == 2
    store.delete_runs([also], "ben")
    store.delete_for_good([also], "ben")
    with database.reading() as db:
        left = db.scalar(sa.select(sa.func.count()).select_from(schema.fit)) or 0
    assert left == 1, "fits that no run has any more went with it; that of the run which time took is left"


def test_all_servers_of_a_database_have_one_secret(store, database_url):
    assert len(store.secret("visitor")) == 64
    assert Store(database_url).secret("visitor") == store.secret("visitor") != store.secret("other")


def test_the_best_is_known_at_once_where_its_fit_was_and_runs_are_ordered_by_it(store, small):
    first = store.start_run(small("naive", "linear"), "ann")
    work_off(store, first)
    other = store.start_run(small("naive", "simple_rnn"), "ann")
    work_off(store, other)
    none = store.start_run(small("gru"), "ann")
    known = store.start_run(store.run(first).experiment, "ann")
    (line,) = (run for run in store.listed(Wanted(owner="ann"))[0] if run.id == known)
    assert (line.best, line.error, line.skill) == ("linear", 0.1, pytest.approx(0.75))
    assert ids(store, order="error") in ([first, known, other, none], [known, first, other, none])
    assert ids(store, order="skill")[2:] == [other, none]


def test_a_file_that_is_to_be_private_is_not_the_one_that_others_have_the_link_to(store):
    shared = store.add_upload("ann", "a.csv", b"1")
    private = store.add_upload("ann", "a.csv", b"1", private=True)
    assert private != shared and not store.upload(shared).private and store.upload(private).private
    assert store.add_upload("ann", "a.csv", b"1", private=True) == private
    assert store.add_upload("ann", "a.csv", b"1") == shared


def test_a_private_run_and_its_file_are_the_owners_alone_until_they_are_not(store, small):
    upload = store.add_upload("ann", "mine.csv", b"y")
    on_file = Experiment(title="F", source=Upload(upload_id=upload), models=(ModelChoice(name="naive"),))
    one, two = (store.start_run(on_file, "ann", private=True, author="Ann") for _ in range(2))
    waves = store.start_run(small("naive"), "ann", private=True)
    assert store.run(one).private and store.run(one).author == "Ann" and store.upload(upload).private
    assert ids(store, "ben", only_own=False) == [] and set(ids(store)) == {one, two, waves}
    assert set(ids(store, "root", only_own=False, of_everybody=True)) == {one, two, waves}
    assert store.leaders(store.run(waves).experiment, "ben") == []
    with pytest.raises(BadInput, match="Only who has started a run"):
        store.keep_private(waves, "ben", False)
    store.keep_private(one, "ann", False)
    assert store.upload(upload).private, "another private run is about it"
    store.keep_private(two, None, False)
    assert not store.upload(upload).private
    store.keep_private(waves, "ann", False)
    assert ids(store, "ben", only_own=False) == [waves]


def test_an_administrator_changes_everything(store, small):
    run_id = store.start_run(small("naive"), "ann")
    store.note(run_id, None, title="Renamed")
    assert ids(store, "root", only_own=False, of_everybody=True, text="renamed") == [run_id]
    store.delete_runs([run_id], None)
    assert ids(store, "root", only_own=False, of_everybody=True, deleted=True) == [run_id]
    assert ids(store, "ben", only_own=False, deleted=True) == []
    store.take_back([run_id], None)
    assert ids(store) == [run_id]


def test_what_a_browser_has_started_can_be_handed_over(store, small):
    upload = store.add_upload("browser", "mine.csv", b"y")
    run_id = store.start_run(small("naive"), "browser")
    assert store.n_owned("browser") == 1
    assert store.hand_over("browser", "user-ann", "Ann") == 1
    assert store.n_owned("browser") == 0 and ids(store, "user-ann") == [run_id]
    assert store.run(run_id).author == "Ann" and store.upload(upload).owner == "user-ann"
    store.stop(run_id, owner="user-ann")
    assert not store.starts_private("user-ann")
    store.start_private("user-ann", True)
    assert store.starts_private("user-ann") and not store.starts_private("browser")
