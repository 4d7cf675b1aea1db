"""A run that is taken away and brought to another server: the same there, of use to nobody else; refused when damaged."""

import io
import json
import zipfile

import numpy as np
import pytest

from forecasting import BadInput, Experiment, ModelChoice, Sample, Task, Upload
from forecasting.evaluation.search import usual_search
from forecasting.experiment import Plan
from forecasting.panels import read_panel
from forecasting.runs import archive
from forecasting.runs.archive import RUN, read_archive
from forecasting.runs.arrays import pack
from forecasting.runs.forecasts import forecast_of
from forecasting.runs.limits import Quota
from forecasting.runs.store import Store
from forecasting.runs.take_away import zipped

VALUES = "ds,y\n" + "".join(f"2020-{1 + i % 12:02d}-01,{i % 12}\n" for i in range(12)) + "2021-01-01,0\n"


def taken(lab, experiment: Experiment) -> tuple[str, dict[str, bytes]]:
    """A run that has ended, and the files that restore it."""
    run_id = lab.start(experiment)
    lab.ended(run_id)
    return run_id, lab.store.archived_run(run_id)


def other_server(tmp_path, content: bytes) -> tuple[Store, str]:
    store = Store(f"sqlite:///{tmp_path / 'other.db'}")
    return store, store.bring_run(read_archive(content), "ben")


@pytest.fixture(scope="module")
def files(shared_lab, small) -> dict[str, bytes]:
    """What restores a run of three models."""
    run_id = shared_lab.start(small("naive", "linear", "linear_sgd").model_copy(update={"title": "Three"}))
    shared_lab.ended(run_id)
    return shared_lab.store.archived_run(run_id)


def test_a_run_is_on_another_server_what_it_was(lab, small, tmp_path):
    here, files = taken(lab, small("naive", "linear", "linear_sgd").model_copy(update={"title": "Three"}))
    store, there = other_server(tmp_path, zipped(files))
    was, now = lab.run(here), store.run(there)
    assert (now.title, now.experiment, now.owner, now.created_at) == ("Three", was.experiment, "ben", was.created_at)
    assert now.brought and now.earlier and now.ended and not was.brought
    for before, after in zip(was.fits, now.fits, strict=True):
        assert (after.fit, after.status, after.result, after.epochs) == (
            before.fit,
            before.status,
            before.result,
            before.epochs,
        )
        for name, values in lab.store.arrays(before.id, "forecasts").items():
            np.testing.assert_array_equal(store.arrays(after.id, "forecasts")[name], values)
        for mine, theirs in zip(store.weights(after.id), lab.store.weights(before.id), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    again = store.archived_run(there)
    assert json.loads(again[RUN]) == json.loads(files[RUN]) and again.keys() == files.keys()


def test_what_was_brought_serves_nobody_who_asks_for_the_same(files, tmp_path):
    store, there = other_server(tmp_path, zipped(files))
    asked = store.start_run(store.run(there).experiment, "ann")
    assert {fit.status for fit in store.run(asked).fits} == {"queued"}
    assert not {fit.id for fit in store.run(asked).fits} & {fit.id for fit in store.run(there).fits}
    assert store.leaders(store.run(there).experiment, "ben") == [], "whoever brings an archive leads nothing"


def test_a_file_comes_along_and_belongs_to_who_brings_it(lab, tmp_path):
    upload_id = lab.store.add_upload("tests", "sales.csv", VALUES.encode())
    source = Upload(upload_id=upload_id)
    here, files = taken(lab, Experiment(source=source, task=Task(input_size=3), models=(ModelChoice(name="linear"),)))
    store, there = other_server(tmp_path, zipped(files))
    now = store.run(there).experiment.source
    assert now.upload_id != upload_id and store.upload(now.upload_id).owner == "ben"
    assert store.read_upload(now.upload_id) == VALUES.encode() and store.upload(now.upload_id).name == "sales.csv"
    assert all(fit.fit.source == now for fit in store.run(there).fits)


def test_a_forecast_of_whole_series_has_its_scores(lab, tmp_path):
    plan = Plan(h=2, season_length=4, n_windows=2)
    models = (ModelChoice(name="naive"), ModelChoice(name="drift"))
    here, files = taken(lab, Experiment(source=Sample(name="gdp"), plan=plan, models=models))
    store, there = other_server(tmp_path, zipped(files))
    panel = read_panel(Sample(name="gdp"))
    scores = [forecast_of(s.run(i), panel, s).tested.scores() for s, i in ((lab.store, here), (store, there))]
    assert scores[0] == scores[1]


def test_a_search_has_its_trials(lab, small, tmp_path):
    made = small("linear_sgd", epochs=2)
    here, files = taken(lab, made.model_copy(update={"search": usual_search(made).model_copy(update={"trials": 3})}))
    store, there = other_server(tmp_path, zipped(files))
    was, now = lab.store.trials(here), store.trials(there)
    assert [(t.number, t.settings, t.state, t.value, t.curve) for t in was] == [
        (t.number, t.settings, t.state, t.value, t.curve) for t in now
    ]
    assert {trial.fit_id for trial in now} <= {fit.id for fit in store.run(there).fits}


def test_a_full_store_takes_none(files, tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'full.db'}")
    with pytest.raises(BadInput, match="are full"):
        store.bring_run(read_archive(zipped(files)), "ben", Quota(max_waiting=1, max_stored_mb=0))


# ------------------------------------------------------------------------------------------------------ what is refused


def changed(files: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    return files | {RUN: json.dumps(json.loads(files[RUN]) | changes).encode()}


def with_first_fit(files: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    told = json.loads(files[RUN])
    told["fits"][0] |= changes
    return files | {RUN: json.dumps(told).encode()}


def pickled() -> bytes:
    content = io.BytesIO()
    np.savez(content, valid=np.array([{"a": 1}], dtype=object))
    return content.getvalue()


def result_of(files: dict[str, bytes]) -> dict:
    return json.loads(files[RUN])["fits"][0]["result"]


DAMAGES = {
    "no zip": lambda _: b"PK nothing of the kind",
    "empty": lambda _: zipped({}),
    "no JSON": lambda files: zipped(files | {RUN: b"{"}),
    "a list": lambda files: zipped(files | {RUN: b"[]"}),
    "nested": lambda files: zipped(files | {RUN: b"[" * 100_000}),
    "no number": lambda files: zipped(files | {RUN: files[RUN].replace(b'"created_at": ', b'"created_at": NaN, "x": ')}),
    "under way": lambda files: zipped(with_first_fit(files, status="running")),
    "a pickle": lambda files: zipped(files | {"restore/0/forecasts.npz": pickled()}),
    "no arrays": lambda files: zipped(files | {"restore/0/forecasts.npz": b"none"}),
    "other shapes": lambda files: zipped(
        files | {"restore/0/forecasts.npz": pack({"valid": np.ones((2, 2)), "test": np.ones(3)})}
    ),
    "no forecasts": lambda files: zipped({name: each for name, each in files.items() if name != "restore/0/forecasts.npz"}),
    "no scores": lambda files: zipped(with_first_fit(files, result={"valid_mse": 0.1})),
    "a word for a score": lambda files: zipped(with_first_fit(files, result=result_of(files) | {"valid_mse": "low"})),
    "another's fit": lambda files: zipped(changed(files, experiment={"format": 3})),
    "a trial of nothing": lambda files: zipped(changed(files, trials=[{"fit": 99}])),
    "no curve": lambda files: zipped(with_first_fit(files, epochs=[["a", 1, 2, 3]])),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_archive_is_refused_in_a_sentence(damage, files):
    with pytest.raises(BadInput, match=r"^The archive.*\.$|^The settings"):
        read_archive(damage(files))


def test_what_unfolds_to_too_much_is_not_read(files, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 100_000)
    with pytest.raises(BadInput, match="unfolds to more"):
        read_archive(zipped(files | {"restore/upload": b"0" * 200_000}))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as inner:
        inner.writestr("valid.npy", b"0" * 200_000)
    with pytest.raises(BadInput, match="unfolds to more"):
        read_archive(zipped(files | {"restore/0/forecasts.npz": bomb.getvalue()}))


def test_names_that_lead_elsewhere_lead_nowhere(files, tmp_path):
    store, there = other_server(
        tmp_path, zipped(files | {"../../evil": b"x", "/etc/evil": b"x", "restore/7/weights.npz": b"x"})
    )
    assert len(store.run(there).fits) == 3
