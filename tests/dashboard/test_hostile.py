"""What strangers write into addresses does no harm, and what a server does not allow is said where it applies."""

import base64
import json
import logging
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from dashboard import actions, service
from dashboard.state import encode
from dashboard.words import escaped
from forecasting import BadInput, Experiment, ModelChoice, Sample, Task, Training, Waves
from forecasting.data import load
from forecasting.models import Progress
from forecasting.runs import schema
from forecasting.runs.arrays import pack
from forecasting.runs.database import Database
from forecasting.runs.queue import Done

APP = Path(__file__).parents[2] / "dashboard" / "page.py"
SMALL = Experiment(source=Waves(n_series=100), task=Task(input_size=8), training=Training(epochs=4))
CHAPTER_MSE = "0.00298"
HTML = "<img src=x onerror=alert(1)> [click](https://example.org) **bold** $x$"


@pytest.fixture(scope="module", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A store of its own, and an engine that has been closed: what is queued stays queued."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORECASTING_DATABASE_URL", f"sqlite:///{tmp_path_factory.mktemp('hostile') / 'lab.db'}")
        patch.setenv("FORECASTING_SLOTS", "1")
        for opened in ("_store", "_engine"):
            patch.setattr(service, opened, None)
        log = logging.getLogger("forecasting")
        for how in ("handlers", "propagate", "level"):  # so that they are put back; the engine's first start sets them
            patch.setattr(log, how, getattr(log, how))
        service.settings.cache_clear()
        service.engine().close()
        yield
    service.settings.cache_clear()


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set variables of the environment, as whoever runs the server does before it starts."""

    def limit(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"FORECASTING_{name.upper()}", str(value))
        service.settings.cache_clear()

    yield limit
    monkeypatch.undo()
    service.settings.cache_clear()


@pytest.fixture
def nothing_is_queued() -> Iterator[None]:
    """Runs, fits and uploads are as many afterwards as before."""
    before = counts()
    yield
    assert counts() == before


def counts() -> dict[str, int]:
    with Database(service.settings().database_url).reading() as db:
        tables = (schema.run, schema.fit, schema.run_fit, schema.upload, schema.blob)
        return {table.name: db.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in tables}


def folded(content: object) -> str:
    """A content as an address holds it, whether it is an experiment or not."""
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.urlsafe_b64encode(zlib.compress(text.encode())).rstrip(b"=").decode()


def open_lab(experiment: Experiment | None = None, **address: str) -> AppTest:
    page = AppTest.from_file(str(APP), default_timeout=60)
    for name, value in (address if experiment is None else {"e": encode(experiment)}).items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def button(page: AppTest, key: str):
    return next(found for found in page.button if found.key == key)


def metric(page: AppTest, label: str) -> str:
    return next(found.value for found in page.metric if found.label.startswith(label))


def complaint(page: AppTest) -> str:
    """The one complaint of a page, as a reader sees it: one line of Markdown in which nothing is marked up."""
    (shown,) = page.error
    plain = shown.value.replace("\\", "")
    assert shown.value == escaped(plain)
    assert plain.isprintable() and plain.endswith(".") and len(plain) < 400
    return plain


# ---------------------------------------------------------------------------------------------------------- addresses


@pytest.mark.usefixtures("nothing_is_queued")
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"models": [{"name": HTML[:40]}]}, "There is no model '<img src=x"),
        ({"models": [{"name": "gru", "params": {HTML: HTML}}]}, "GRU: <img src=x"),
        ({"source": {"kind": f"a\nb {HTML}" * 500}}, "source"),
        ({HTML * 100: HTML * 100}, "there is no such setting"),
        ({"seeds": [HTML]}, "seeds, value 1: a whole number is needed"),
        ("[" * 50_000, "the text is damaged"),
        ('{"seeds": [' + "-1," * 30_000 + "-1]}", "seeds, value 1: "),
    ],
    ids=["model", "parameter", "kind", "key", "seed", "nested", "many"],
)
def test_what_a_stranger_folds_into_an_address_is_one_complaint_on_an_empty_page(content: object, says: str):
    page = open_lab(e=folded(content))
    assert says in complaint(page) and not page.metric
    button(page, "leave-address").click().run()
    assert metric(page, "Validation MSE") == CHAPTER_MSE
    assert dict(page.query_params) == {}


@pytest.mark.usefixtures("nothing_is_queued")
@pytest.mark.parametrize("run_id", ["' OR '1'='1", "x" * 100_000, HTML, "\x00"], ids=["SQL", "long", "HTML", "NUL"])
def test_a_strange_run_in_an_address_is_one_complaint_on_an_empty_page(run_id: str):
    service.store().start_run(SMALL, "somebody else")
    try:
        page = open_lab(run=run_id)
        assert complaint(page) == "There is no run under this address: it was deleted, or the link is incomplete."
        button(page, "leave-address").click().run()
        assert metric(page, "Validation MSE") == CHAPTER_MSE
    finally:
        service.store().forget(before=float("inf"))


@pytest.mark.usefixtures("nothing_is_queued")
def test_a_sample_that_nobody_knows_is_one_complaint():
    page = open_lab(Experiment(source=Sample(name=HTML[:40])))
    assert "<img src=x onerror=alert(1)>" in complaint(page)
    assert [found.key for found in page.button if found.key == "train"] == []


def labels(page: AppTest) -> list[str]:
    """All texts of a page that are read as Markdown."""
    kinds = (page.markdown, page.caption, page.subheader, page.info, page.warning, page.error)
    return [found.value for kind in kinds for found in kind] + [found.label for found in page.button]


@pytest.mark.usefixtures("nothing_is_queued")
def test_a_title_in_an_address_marks_nothing_up():
    page = open_lab(e=folded({"title": HTML, "source": {"kind": "waves", "n_series": 100}}))
    assert not page.error
    assert not [text for text in labels(page) if "<img" in text or "**bold**" in text or "](" in text]


# -------------------------------------------------------------------------------------------------------------- limits


@pytest.mark.usefixtures("nothing_is_queued")
def test_more_epochs_than_the_server_allows_are_named_and_cannot_be_trained(limited):
    limited(max_epochs=5)
    page = open_lab(SMALL.model_copy(update={"training": Training(epochs=20)}))
    assert complaint(page) == "20 epochs are asked for, and this server allows 5: take fewer."
    assert button(page, "train").disabled
    assert metric(page, "Best so far") == "Linear, least squares", "what needs no training is computed all the same"
    epochs = next(slider for slider in page.slider if slider.label == "Epochs")
    assert epochs.max == 20, "what came from elsewhere widens it, and no further"
    epochs.set_value(5).run()
    assert not page.exception and not page.error
    assert not button(page, "train").disabled


def test_a_server_that_allows_more_epochs_than_by_default_offers_and_takes_them(limited):
    limited(max_epochs=2_000)
    experiment = SMALL.model_copy(update={"models": (ModelChoice(name="simple_rnn"),)})
    run_id = service.store().start_run(experiment, "command line")
    finish_by_hand(run_id)
    page = open_lab(run=run_id)
    assert next(box for box in page.number_input if box.label == "Further epochs").max == 2_000
    epochs = next(slider for slider in page.slider if slider.label == "Epochs")
    assert epochs.max == 2_000
    epochs.set_value(2_000).run()
    assert not page.exception and not page.error
    assert not button(page, "train").disabled
    service.store().forget(before=float("inf"))


@pytest.mark.usefixtures("nothing_is_queued")
def test_a_server_that_allows_one_epoch_can_be_used(limited):
    limited(max_epochs=1)
    page = open_lab(SMALL.model_copy(update={"training": Training(epochs=1)}))
    assert not page.error
    assert not button(page, "train").disabled


@pytest.mark.usefixtures("nothing_is_queued")
def test_more_work_than_the_server_allows_is_named_and_cannot_be_trained(limited):
    limited(max_work=14)
    page = open_lab(Experiment())
    assert complaint(page).startswith("Deep RNN: 7,000 windows × 50 steps × 41 units make ")
    assert "this server allows 14: take fewer series, steps or units." in complaint(page)
    assert button(page, "train").disabled
    assert metric(page, "Validation MSE") == CHAPTER_MSE


@pytest.mark.usefixtures("nothing_is_queued")
def test_more_fits_than_may_wait_are_refused_when_train_is_pressed(limited):
    limited(max_waiting=3)
    page = open_lab(SMALL)
    assert not page.error
    assert "3 of your fits may wait" in button(page, "train").help
    button(page, "train").click().run()
    assert not page.exception
    assert complaint(page).startswith("With these, 4 of your fits would wait, and this server lets 3 wait: take fewer ")
    assert "run" not in page.query_params
    page.run()
    assert not page.error, "it is said once"


def finish_by_hand(run_id: str) -> None:
    """Do what workers do: every fit of a run ends with forecasts of nothing but zeros."""
    store = service.store()
    split = load(SMALL.source, SMALL.task)
    zeros = {name: np.zeros_like(part.y) for name, part in (("valid", split.valid), ("test", split.test))}
    figures = {"valid_mse": 0.5, "test_mse": 0.5, "valid_mse_per_step": [0.5], "test_mse_per_step": [0.5], "parameters": 3}
    figures |= {"epochs": 4, "best_epoch": 4, "fit_s": 1.0, "epoch_s": 0.1, "compile_s": 0.1, "ended_early": None}
    while (lease := store.lease("by hand", [run_id])) is not None:
        store.report(lease, "training", None, [Progress(i, 0.5, 0.5, 0.1 * i) for i in (1, 2, 3, 4)])
        arrays = {"forecasts": pack(zeros), "weights": pack({"0": np.zeros(3)}), "state": b"four epochs"}
        store.finish(lease, Done(json.dumps(figures), arrays, epochs=4))


def test_a_run_is_not_continued_beyond_the_limit_and_its_title_marks_nothing_up(limited):
    """The title comes from whoever started the run by the command line; it goes along, up to the list of recent runs."""
    store = service.store()
    experiment = SMALL.model_copy(update={"title": HTML, "models": (ModelChoice(name="simple_rnn"),)})
    run_id = store.start_run(experiment, "command line")
    finish_by_hand(run_id)
    limited(max_epochs=6)
    page = open_lab(run=run_id)
    assert not page.error
    before = counts()
    next(box for box in page.number_input if box.label == "Further epochs").set_value(3).run()
    button(page, "continue").click().run()
    assert complaint(page) == "7 epochs are asked for, and this server allows 6: take fewer."
    assert counts() == before
    assert page.query_params["run"] in (run_id, [run_id])

    next(box for box in page.number_input if box.label == "Further epochs").set_value(2).run()
    button(page, "continue").click().run()
    assert not page.exception and not page.error
    assert counts()["run"] == before["run"] + 1
    (recent,) = [found for found in page.button if (found.key or "").startswith("recent-")]
    assert recent.label.startswith(escaped(HTML))
    service.store().forget(before=float("inf"))


@pytest.mark.usefixtures("nothing_is_queued")
def test_a_file_that_is_too_large_or_finds_no_room_is_refused_in_words(limited):
    limited(max_upload_mb=2, max_stored_mb=1)
    with pytest.raises(BadInput, match=r"The file has 2.1 MB, and this server takes 2 MB: cut it down\."):
        actions.add_upload("ann", "a.csv", bytes(2_100_000))
    with pytest.raises(BadInput, match=r"The 1 MB that this server keeps are full"):
        actions.add_upload("ann", "a.csv", bytes(1_900_000))


def test_a_wrong_setting_of_the_server_is_the_one_thing_on_the_page(limited, monkeypatch):
    for opened in ("_store", "_engine"):
        monkeypatch.setattr(service, opened, None)
    limited(max_fit_s="<b>soon</b>")
    page = open_lab()
    assert complaint(page).startswith("FORECASTING_MAX_FIT_S is '<b>soon</b>': input should be a valid integer")
    assert not page.metric and not page.button
