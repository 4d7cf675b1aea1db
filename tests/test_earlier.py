"""What commit 03a7984 has written, before formats had numbers, opens as it did then: links, experiments, a database."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from dashboard.state import decode, encode
from forecasting.experiment import NUMERICS, BadInput, LookBackFit, SeriesFit
from forecasting.experiment.formats import FORMAT, dumped, read_experiment
from forecasting.panels import read_panel
from forecasting.panels.fits import by_cutoff
from forecasting.panels.forecast import assembled
from forecasting.runs.store import Store
from forecasting.studies.recipes import RECIPES

FOLDER = Path(__file__).parent / "data" / "earlier"
LINKS = json.loads((FOLDER / "links.json").read_text("utf-8"))
RUNS = json.loads((FOLDER / "expected.json").read_text("utf-8"))["runs"]
NEW_NAMES = {
    **{"together": "multivariate", "beside": "past_covariates", "known": "future_covariates"},
    **{"hide": "masked", "holes": "masking", "power": "transform"},
}
TAKEN_OUT = {"nothing": (False, False), "trend": (True, False), "season": (False, True), "both": (True, True)}
UNTOUCHED = ("batch_size", "learning_rate", "schedule", "clip_norm", "loss", "optimizer", "keep", "patience", "device")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The database, brought up to date."""
    path = tmp_path_factory.mktemp("earlier") / "lab.db"
    path.write_bytes(gzip.decompress((FOLDER / "lab.db.gz").read_bytes()))
    return Store(f"sqlite:///{path}")


def renamed(settings):
    """A part of the settings under the names of today."""
    return {NEW_NAMES.get(name, name): value for name, value in settings.items()}


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link["what"])
def test_a_link_means_what_it_meant_with_the_names_and_defaults_of_its_time(link):
    then, now = link["experiment"], decode(link["e"])
    assert now == read_experiment(json.dumps(then)), "what a link leaves out is at the defaults of its time"
    assert now.source == type(now.source).model_validate(renamed(then["source"])), "what is newer is at its default"
    assert [choice.name for choice in now.models] == [choice["name"] for choice in then["models"]]
    plan, budget_s = then["plan"], then["training"]["budget_s"]
    if plan is None:
        assert now.model_dump(mode="json")["models"] == then["models"]
        assert now.task.model_dump(mode="json") == renamed(then["task"])
        assert {name: getattr(now.training, name) for name in UNTOUCHED} == {
            name: then["training"][name] for name in UNTOUCHED
        }
        assert now.budget_s == budget_s and list(now.seeds) == then["seeds"]
        assert budget_s is not None or now.training.epochs == then["training"]["epochs"]
    else:
        kept = renamed({name: value for name, value in plan.items() if name not in ("seconds", "seed", "take_out")})
        kept |= dict(zip(("detrend", "deseasonalize"), TAKEN_OUT[plan["take_out"]], strict=True))
        since = {"n_judged": 1_000_000, "selection": "lowest_error", "longer_seasons": [], "members": "single"}
        assert now.plan.model_dump(mode="json") == kept | since
        rules = {"theta": {"form": "automatic"}}
        assert [choice.params for choice in now.models] == [
            rules.get(choice["name"], {}) | choice["params"] for choice in then["models"]
        ]
        assert (now.budget_s, now.seeds, now.training) == (plan["seconds"], (plan["seed"],), RECIPES["tuned"])
    assert decode(encode(now)) == now, "and it is written down in today's format"


def test_a_text_carries_the_number_of_its_format_and_one_that_is_newer_is_refused():
    experiment = decode(LINKS[0]["e"])
    assert json.loads(dumped(experiment))["format"] == json.loads(dumped(experiment, short=True))["format"] == FORMAT
    with pytest.raises(BadInput, match=f"have the format '{FORMAT + 1}'"):
        read_experiment(json.dumps({"format": FORMAT + 1}))


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run["title"])
def test_a_stored_run_opens_with_its_results_and_says_that_they_are_those_of_an_earlier_version(store, run):
    now = store.run(run["id"])
    assert (now.title, now.earlier, len(now.fits)) == (run["title"], True, len(run["fits"]))
    for fit, then in zip(now.fits, run["fits"], strict=True):
        assert (fit.id, fit.status, fit.fit.model.name, len(fit.epochs)) == tuple(
            then[name] for name in ("id", "status", "model", "epochs")
        )
        assert isinstance(fit.fit, LookBackFit) == (then["look_back"] is not None)
        if run["experiment"]["plan"] is None:
            assert fit.fit.seed == then["seed"] and fit.result["valid_mse"] == then["valid_mse"]
            np.testing.assert_array_equal(
                np.ravel(store.arrays(fit.id, "forecasts")["valid"])[:4], np.array(then["valid_forecasts"], "float32")
            )
    assert all(share.left_out == "" for share in now.experiment.allotted), "its models had all been tried"


@pytest.mark.parametrize("run", [run for run in RUNS if run["experiment"]["plan"]], ids=lambda run: run["title"])
def test_a_stored_forecast_of_whole_series_has_the_scores_that_it_had(store, run):
    now = store.run(run["id"])
    made = {}
    for fit in now.fits:
        assert isinstance(fit.fit, SeriesFit)
        if fit.status == "finished":
            made[fit.fit.model.name] = by_cutoff(fit.fit.cutoff_offsets, store.arrays(fit.id, "forecasts"))
    forecast = assembled(read_panel(now.experiment.source, store.read_upload), now.experiment, made)
    scores = forecast.tested.scores()
    for name, then in run["mase"].items():
        assert scores[name]["mase"] == pytest.approx(then, rel=1e-9), name


def test_what_an_earlier_version_computed_serves_no_new_run(store):
    run = store.run(RUNS[0]["id"])
    again = store.run(store.start_run(run.experiment, "ann"))
    assert {fit.id for fit in again.fits}.isdisjoint(fit.id for fit in run.fits)
    assert {fit.status for fit in again.fits} == {"queued"} and not again.earlier
    lease = store.lease("worker")
    assert store.resume(lease) is None and NUMERICS > 5


def test_a_fit_that_waited_under_an_earlier_version_is_not_computed_under_its_id(store):
    run = store.run(RUNS[0]["id"])
    with store._writing() as db:
        db.exec_driver_sql("UPDATE fit SET status = 'cancelled' WHERE status = 'queued'")
        db.exec_driver_sql(f"UPDATE fit SET status = 'queued', place = -1 WHERE id = '{run.fits[-1].id}'")
    assert store.lease("worker") is None
    assert "another version" in store.run(run.id).fits[-1].reason
