"""The Lab by Streamlit's own test harness: a real script run, without a browser."""

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import actions, computed, service
from dashboard.chart import Theme, log_axis, separators
from dashboard.curves import in_another_scale, live_chart
from dashboard.results import Fits, Outcome
from dashboard.state import decode, encode
from dashboard.views.understood import ANSWERS
from forecasting import Experiment, ModelChoice, Sample, Task, Training, Upload, Waves, fits_of, run_fit
from forecasting.data import load
from forecasting.data.masking import fill_mse
from forecasting.evaluation.fits import ensembles_of, window_fits
from forecasting.evaluation.windows import combine
from forecasting.models import resolve
from forecasting.panels.export import workbook
from forecasting.runs.budget import allotted
from forecasting.runs.views import RunView
from forecasting.studies.recipes import RECIPES, model_by_recipe

APP = Path(__file__).parents[2] / "dashboard" / "page.py"
SMALL = Experiment(source=Waves(n_series=100), task=Task(input_size=8), training=Training(epochs=2))


@pytest.fixture(scope="module", autouse=True)
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One database and one engine with one worker, as a server has them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORECASTING_DATABASE_URL", f"sqlite:///{tmp_path_factory.mktemp('lab') / 'lab.db'}")
        patch.setenv("FORECASTING_SLOTS", "1")
        yield
        service.engine().close()


FORMS = "forms", "more-waves", "more-missing", "more-task", "more-training", "understood"
"""The keys of what is closed until somebody opens it."""


def open_lab(experiment: Experiment | None = None, forms: bool = True, **address: str) -> AppTest:
    """The Lab with all forms open, or as it opens."""
    page = AppTest.from_file(str(APP), default_timeout=60)
    for name in FORMS if forms else ():
        page.session_state[name] = True
    if experiment is not None:
        page.query_params["e"] = encode(experiment)
    for name, value in address.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def button(page: AppTest, key: str):
    return next(found for found in page.button if found.key == key)


def metric(page: AppTest, label: str) -> str:
    return next(found.value for found in page.metric if found.label.startswith(label))


def plot(page: AppTest, name: str) -> dict:
    chart = next(found for found in page.get("plotly_chart") if f"chart-{name}" in found.proto.id)
    return json.loads(chart.proto.spec)


def numbers(values: list | dict) -> list[float]:
    """Values of a trace, which Plotly packs where they came as an array."""
    packed = isinstance(values, dict)
    return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist() if packed else values


def address(page: AppTest) -> dict:
    return {name: value[0] if isinstance(value, list) else value for name, value in page.query_params.items()}


def linked(page: AppTest) -> dict:
    """What the link to the page holds."""
    return {name: values[0] for name, values in parse_qs(urlparse(page.code[0].value).query).items()}


def errors(page: AppTest) -> str:
    """The complaints on the page, without the marks that keep Markdown from reading them."""
    return " ".join(found.value.replace("\\", "") for found in page.error)


@pytest.fixture
def finished(eventually) -> Callable[[AppTest], RunView]:
    """Wait until the page's run has ended, and return it."""

    def wait(page: AppTest) -> RunView:
        return eventually(lambda: (run := service.store().run(address(page)["run"])) and run.ended and run, within_s=90)

    return wait


def models_chosen(page: AppTest):
    """The box in which models are chosen."""
    return next(box for box in page.multiselect if box.label == "Models")


def test_a_statistical_model_is_fitted_by_a_worker_and_says_to_how_many_windows(finished):
    theta = ModelChoice(name="theta", params={"sample": 4, "form": "standard"})
    page = open_lab(SMALL.model_copy(update={"models": (theta,)}))
    said = " ".join(found.value for found in page.caption)
    assert "Theta, standard, 4 windows: press Train" in said
    button(page, "train").click().run()
    run = finished(page)
    assert [fit.status for fit in run.fits] == ["finished", "finished"]
    page.run()
    said = " ".join(found.value for found in page.caption)
    assert "fitted anew to 4 of 20 validation windows and 4 of 10 test windows" in said
    assert dict(zip(*(page.dataframe[0].value[name] for name in ("Model", "Windows")), strict=True)) == {
        "Naive": 20,
        "Theta, standard, 4 windows": 4,
    }
    next(found for found in page.number_input if found.label.startswith("Window of")).set_value(2).run()
    assert any("this window is not in its sample; the nearest that is has the number 0" in c.value for c in page.caption)


def test_series_with_several_channels_are_scored_channel_by_channel_and_drawn_one_at_a_time():
    page = open_lab(SMALL)
    assert all(box.label != "Channels to forecast" for box in page.selectbox)
    next(found for found in page.number_input if found.label == "Channels").set_value(3).run()
    assert not page.exception and "Channel 1" not in page.dataframe[0].value
    next(box for box in page.selectbox if box.label == "Channels to forecast").set_value("all").run()
    assert not page.exception
    asked = Experiment(source=Waves(n_series=100, n_channels=3), task=Task(input_size=8, channels="all"))
    expected = {fit.model.name: run_fit(fit).valid.mse_per_channel for fit in fits_of(asked)[:2]}
    table = page.dataframe[0].value.set_index("Model")
    for label, name in (("Naive", "naive"), ("Linear, least squares", "linear")):
        assert list(table.loc[label, ["Channel 1", "Channel 2", "Channel 3"]]) == pytest.approx(expected[name])
        assert table.loc[label, "Validation MSE"] == pytest.approx(np.mean(expected[name]))

    split = load(asked.source, asked.task)
    for channel in (1, 3):
        next(found for found in page.number_input if found.label == "Channel").set_value(channel).run()
        drawn = {trace["name"]: trace for trace in plot(page, "forecast")["data"]}
        assert numbers(drawn["Truth"]["y"]) == pytest.approx([float(split.valid.y[0, channel - 1])])


def test_a_model_that_cannot_forecast_these_windows_says_why_and_leaves_the_others_alone():
    models = (ModelChoice(name="seasonal_naive"), ModelChoice(name="linear"))
    page = open_lab(SMALL.model_copy(update={"models": models}))
    assert "12 steps, and it has 8" in " ".join(found.value.replace("\\", "") for found in page.warning)
    table = page.dataframe[0].value.set_index("Model")
    assert dict(table["State"]) == {"Naive": "done", "Seasonal naive": "not possible", "Linear, least squares": "done"}
    assert table["Validation MSE"].isna().to_dict() == {name: name == "Seasonal naive" for name in table.index}
    assert not page.error and "not trained yet" not in page.markdown[0].value


@pytest.mark.slow
def test_a_network_fills_in_what_is_hidden_before_anything_is_scored(finished):
    hiding = Task(input_size=8, masked=0.3)
    page = open_lab(SMALL.model_copy(update={"task": hiding, "models": (ModelChoice(name="linear"),)}))
    part = load(Waves(n_series=100), hiding).valid
    fillings = page.dataframe[1].value
    assert list(fillings["In use"]) == [False, True, False] and fillings["MSE"].isna().tolist() == [False, False, True]
    assert fillings["MSE"][1] == pytest.approx(fill_mse(part, part.x))
    assert len(plot(page, "mse")["data"]) == 2

    next(box for box in page.selectbox if box.label == "Filled in by").set_value("network").run()
    assert not page.exception and any("press Train" in found.value for found in page.caption)
    assert page.dataframe[0].value["Validation MSE"].isna().all()
    button(page, "train").click().run()
    run = finished(page)
    assert [fit.status for fit in run.fits] == ["finished", "finished"]
    page.run()
    learned = run.fits[0].result["valid_fill_mse"]
    assert page.dataframe[1].value["MSE"][2] == learned == run.fits[1].result["valid_fill_mse"]
    stored = computed.stored_forecasts(run.fits[0].id, run.fits[0].ended_at)["filled"]
    drawn = {trace["name"]: trace for trace in plot(page, "forecast")["data"]}["filled in"]
    shown = [value for value in numbers(drawn["y"]) if np.isfinite(value)]
    assert shown == pytest.approx(stored[: len(shown)].tolist())


def test_the_page_opens_with_the_tuned_comparison_its_baselines_computed():
    page = open_lab()
    assert metric(page, "Validation MSE") == "0.00298"
    assert metric(page, "Above the noise floor") == "3.58 ×"
    assert "85%" in page.markdown[0].value or any("below Naive" in m.value for m in page.markdown)
    assert address(page) == {}
    assert set(models_chosen(page).value) == {"linear", "deep_rnn_dense", "gru", "ensemble", "oracle"}
    assert any("Tuned settings" in found.value for found in page.caption)
    assert [row for row in page.dataframe[0].value["Model"]][3] == "GRU, tuned"


def test_a_recipe_sets_the_training_and_the_networks_and_says_when_it_is_left():
    page = open_lab(SMALL)
    assert any("The chapter's settings:" in found.value for found in page.caption)
    button(page, "recipe-tuned").click().run()
    assert not page.exception and any("Tuned settings" in found.value for found in page.caption)
    asked = decode(linked(page)["e"])
    assert (asked.training, asked.seeds) == (RECIPES["tuned"], (42,))
    assert asked.models == tuple(model_by_recipe(name, "tuned") for name in ("naive", "linear", "simple_rnn", "deep_rnn"))
    next(box for box in page.number_input if box.label == "Clip gradients").set_value(2.0).run()
    assert any("are your own" in found.value for found in page.caption)
    assert decode(linked(page)["e"]).training.clip_norm == 2
    button(page, "recipe-chapter").click().run()
    asked = decode(linked(page)["e"])
    assert asked == SMALL.model_copy(update={"training": Training()})


def test_the_scores_on_the_page_are_those_of_the_library():
    page = open_lab(SMALL)
    fits = {fit.model.name: fit for fit in fits_of(SMALL)}
    linear = run_fit(fits["linear"]).valid.mse
    bars = {trace["name"]: trace["x"][0] for trace in plot(page, "mse")["data"]}
    assert bars["Linear, least squares"] == pytest.approx(linear, rel=1e-12)
    assert set(bars) == {"Naive", "Linear, least squares"}


def test_train_runs_every_model_and_the_address_names_the_run(finished):
    page = open_lab(SMALL)
    button(page, "train").click().run()
    assert not page.exception
    run = finished(page)
    assert {fit.status for fit in run.fits} == {"finished"}
    page.run()
    assert {trace.get("name") for trace in plot(page, "learning")["data"]} == {"SimpleRNN(1)", "Deep RNN", None}
    table = page.dataframe[0].value
    assert list(table["State"]) == ["done"] * 4
    stored = {fit.fit.model.name: fit.result["valid_mse"] for fit in run.fits}
    assert sorted(table["Validation MSE"]) == pytest.approx(sorted(stored.values()))
    assert table["Validation MSE"].is_monotonic_increasing, "the best first, as the points are"
    assert button(page, "train").disabled

    other = open_lab(run=run.id)
    np.testing.assert_allclose(other.dataframe[0].value["Validation MSE"], table["Validation MSE"])


def test_a_run_of_an_earlier_version_keeps_its_results(finished, monkeypatch):
    page = open_lab(SMALL.model_copy(update={"source": Waves(n_series=100, seed=11)}))
    button(page, "train").click().run()
    run = finished(page)
    page.run()
    before = page.dataframe[0].value
    for module in ("experiment.fits", "runs.views"):
        monkeypatch.setattr(f"forecasting.{module}.NUMERICS", 1_000)
    assert [fit.fit.id for fit in service.store().run(run.id).fits] != [fit.id for fit in run.fits]
    later = open_lab(run=run.id).run()
    np.testing.assert_array_equal(later.dataframe[0].value["Validation MSE"], before["Validation MSE"])
    drawn = {trace["name"]: trace for trace in plot(later, "forecast")["data"]}
    stored = service.store().arrays(run.fits[-1].id, "forecasts")["valid"][0]
    assert numbers(drawn["Deep RNN"]["y"]) == pytest.approx(stored.tolist())
    assert any("Computed by an earlier version" in caption.value for caption in later.caption)
    assert not button(later, "train").disabled, "it can be asked for anew"


def test_an_ensemble_stands_in_the_table_as_soon_as_two_models_have_learned(finished):
    models = tuple(ModelChoice(name=name) for name in ("linear", "simple_rnn", "ensemble"))
    page = open_lab(SMALL.model_copy(update={"models": models, "seeds": (1, 2)}))
    before = page.dataframe[0].value.set_index("Model")
    assert before.loc["Ensemble", "State"] == "needs two fits"
    assert np.isnan(before.loc["Ensemble", "Validation MSE"])
    button(page, "train").click().run()
    run = finished(page)
    page.run()
    assert not page.exception
    after = page.dataframe[0].value.set_index("Model")
    fits = [fit for fit in run.fits if fit.fit.model.name != "naive"]
    forecasts = [service.store().arrays(fit.id, "forecasts") for fit in fits]
    expected = combine(ensembles_of(run.experiment)[0], load(SMALL.source, SMALL.task), forecasts)
    assert after.loc["Ensemble", "Validation MSE"] == pytest.approx(expected.valid.mse)
    assert after.loc["Ensemble", "State"] == "done"
    linear = float(expected.weights[0][0])
    assert any(f"Ensemble: {linear:.0%} Linear, least squares" in found.value for found in page.caption)
    assert button(page, "train").disabled


def test_several_seeds_are_one_row_with_median_mean_and_spread(finished):
    seeds = SMALL.model_copy(update={"seeds": (1, 2, 3), "models": (ModelChoice(name="simple_rnn"),)})
    page = open_lab(seeds)
    button(page, "train").click().run()
    run = finished(page)
    page.run()
    scores = [fit.result["valid_mse"] for fit in run.fits if fit.fit.model.name == "simple_rnn"]
    row = page.dataframe[0].value.set_index("Model").loc["SimpleRNN(1)"]
    assert len(scores) == 3
    assert row["Validation MSE"] == pytest.approx(np.median(scores))
    assert row["Mean"] == pytest.approx(np.mean(scores))
    assert row["± SD"] == pytest.approx(np.std(scores, ddof=1))


def test_test_scores_are_covered_until_revealed_and_covered_again_for_other_settings():
    page = open_lab(SMALL)
    assert "Test MSE" not in page.dataframe[0].value
    button(page, "reveal-test").click().run()
    assert "Test MSE" in page.dataframe[0].value
    next(s for s in page.select_slider if s.label == "Look-back").set_value(9).run()
    assert "Test MSE" not in page.dataframe[0].value


def test_naive_cannot_be_removed():
    page = open_lab(SMALL)
    models_chosen(page).set_value([]).run()
    assert not page.exception
    assert list(page.dataframe[0].value["Model"]) == ["Naive"]
    models_chosen(page).set_value(["drift"]).run()
    assert set(page.dataframe[0].value["Model"]) == {"Naive", "Drift"}


def test_the_leaderboard_has_the_best_of_every_model_with_a_link_to_its_run(finished):
    page = open_lab(SMALL.model_copy(update={"source": Waves(n_series=100, seed=77)}))
    button(page, "train").click().run()
    run = finished(page)
    next(toggle for toggle in page.toggle if toggle.label == "Leaderboard").set_value(True).run()
    assert not page.exception
    table = next(shown.value for shown in page.dataframe if "Run" in shown.value).set_index("Model")
    stored = {fit.label: fit.result["valid_mse"] for fit in run.fits if fit.result}
    assert {name: table.loc[name, "Validation MSE"] for name in stored} == stored
    assert set(table["Run"]) == {f"?run={run.id}"} and list(table["Validation MSE"]) == sorted(stored.values())


def test_a_setting_changes_the_address_and_going_back_restores_the_run(finished):
    page = open_lab(SMALL)
    button(page, "train").click().run()
    run = finished(page)
    page.run()
    next(s for s in page.slider if s.label == "Epochs").set_value(3).run()
    assert set(linked(page)) == {"e"}
    button(page, "back").click().run()
    assert address(page) == {"run": run.id}


def test_what_is_closed_is_not_drawn_and_keeps_its_settings():
    waves = Waves(n_series=100, trend="linear", level=3.0)
    settings = SMALL.model_copy(
        update={
            "source": waves,
            "task": Task(input_size=8, masked=0.2, scaling="standard"),
            "models": (ModelChoice(name="naive"), ModelChoice(name="deep_rnn", params={"units": [3]})),
            "training": Training(epochs=2, batch_size=64),
            "seeds": (1, 2),
        }
    )
    page = open_lab(settings, forms=False)
    assert not page.text_input and not any(box.label == "Batch size" for box in page.select_slider)
    assert decode(linked(page)["e"]) == settings
    page.session_state["forms"] = page.session_state["more-training"] = True
    page.run()
    next(box for box in page.text_input if box.label == "Units per layer").set_value("4").run()
    next(box for box in page.text_input if box.label == "Seeds").set_value("3").run()
    page.session_state["forms"] = page.session_state["more-training"] = False
    page.run()
    assert not page.text_input
    changed = {"models": (ModelChoice(name="naive"), ModelChoice(name="deep_rnn", params={"units": [4]})), "seeds": (3,)}
    assert decode(linked(page)["e"]) == settings.model_copy(update=changed)
    page.session_state["forms"] = page.session_state["more-training"] = True
    page.run()
    assert {box.label: box.value for box in page.text_input} == {"Units per layer": "4", "Seeds": "3"}


def test_a_parameter_of_a_model_changes_its_count_and_its_name():
    page = open_lab(SMALL)
    units = next(box for box in page.text_input if box.label == "Units per layer")
    units.set_value("3, 4").run()
    assert not page.exception
    assert any(form.label == "Deep RNN 3–4 · 53 parameters" for form in page.expander)  # at once, not a change later
    row = page.dataframe[0].value.set_index("Model")
    assert row.loc["Deep RNN 3–4", "Parameters"] == (1 * 3 + 3 * 3 + 3) + (3 * 4 + 4 * 4 + 4) + (4 + 1 + 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda page: next(b for b in page.text_input if b.label == "Units per layer").set_value("20, many"), "units"),
        (lambda page: next(b for b in page.text_input if b.label == "Seeds").set_value("1, 1"), "listed twice"),
        (lambda page: next(b for b in page.text_input if b.label == "Seeds").set_value("one"), "seeds"),
        (lambda page: next(b for b in page.text_input if b.label == "Seeds").set_value("²"), "seeds"),
        (lambda page: next(b for b in page.text_input if b.label == "Seeds").set_value("9" * 5_000), "seeds"),
        (lambda page: next(b for b in page.text_input if b.label == "Units per layer").set_value("--5"), "units"),
    ],
)
def test_bad_input_gets_one_sentence_and_nothing_is_lost(change, says: str):
    page = open_lab(SMALL)
    change(page).run()
    assert not page.exception
    assert says in errors(page)
    button(page, "undo").click().run()
    assert not page.error and "Deep RNN" in list(page.dataframe[0].value["Model"])


def test_a_parameter_that_means_nothing_beside_the_others_is_not_asked_for():
    page = open_lab(SMALL)

    def asked() -> bool:
        return any(box.label == "Loss on the last" for box in page.number_input)

    assert not asked()
    next(box for box in page.selectbox if box.label == "Sequence to").set_value("sequence").run()
    assert asked() and not page.exception


def test_a_look_back_that_is_longer_than_the_series_is_refused_in_words():
    page = open_lab(Experiment(source=Sample(), task=Task(input_size=300, scaling="standard")))
    assert "No window fits into the training part: the longest series has 309 values" in errors(page)


def test_a_bounded_output_that_cannot_reach_the_targets_is_warned_about():
    page = open_lab(SMALL.model_copy(update={"source": Waves(n_series=100, level=3.0)}))
    assert [("SimpleRNN(1)" in w.value, "Deep RNN" in w.value) for w in page.warning] == [(True, False), (False, True)]
    assert "stays within [-1, 1]" in page.warning[0].value
    assert not open_lab(SMALL).warning


@pytest.mark.parametrize("text", ["nonsense", "e" * 30_000, "eJw"])
def test_a_damaged_address_is_said_on_an_empty_page_until_one_leaves_it(text: str):
    page = open_lab(e=text)
    page.run()
    assert "address" in errors(page) and address(page) == {"e": text}
    assert not page.metric and not page.get("plotly_chart"), "other results would pass for those of the link"
    button(page, "leave-address").click().run()
    assert not page.error and metric(page, "Validation MSE") == "0.00298" and address(page) == {}


def test_an_unknown_run_is_said_on_an_empty_page_until_one_leaves_it():
    page = open_lab(run="nowhere")
    page.run()
    assert "There is no run under this address" in errors(page) and not page.metric
    button(page, "leave-address").click().run()
    assert not page.error and metric(page, "Validation MSE") == "0.00298"


@pytest.mark.slow
def test_a_recurrent_fit_is_scored_at_another_look_back(finished):
    page = open_lab(SMALL)
    button(page, "train").click().run()
    finished(page)
    page.run()
    next(s for s in page.select_slider if s.label == "Look-back to score at").set_value(5).run()
    button(page, "score-look-back").click().run()
    run = finished(page)
    page.run()
    table = page.dataframe[1].value
    assert list(table["Look-back"]) == [5, 5]
    scored = {fit.label: fit.result["valid_mse"] for fit in run.fits if getattr(fit.fit, "look_back", None) == 5}
    assert dict(zip(table["Model"], table["Validation MSE"], strict=True)) == scored


def test_settings_that_the_sliders_could_not_make_survive_being_shown():
    odd = Experiment(
        source=Waves(n_series=123, amplitude_1=0.137, frequency_1=(3.3, 7.7), noise_width=0.011),
        task=Task(input_size=9, target="all_h", h=3, train=0.613, valid=0.211),
        training=Training(learning_rate=0.00137, batch_size=33),
    )
    assert address(open_lab(odd)) == {"e": encode(odd)}


def test_variants_of_a_model_stand_side_by_side_whatever_is_added_and_removed_between():
    page = open_lab(SMALL)

    def add(number: int) -> None:
        [b for b in page.button if b.label == "Add a variant"][number].click().run()
        assert not page.exception

    add(0)
    add(2)
    add(2)
    models_chosen(page).set_value([name for name in models_chosen(page).value if name != "linear"]).run()
    add(0)
    assert not page.exception
    labels = list(page.dataframe[0].value["Model"])
    assert len(labels) == len(set(labels)) and "SimpleRNN(1), relu" in labels


def test_what_a_link_says_is_shown_letter_by_letter():
    page = open_lab()
    content = {"models": [{"name": "[click](https://example.org)"}]}
    page = open_lab(e=base64.urlsafe_b64encode(zlib.compress(json.dumps(content).encode())).rstrip(b"=").decode())
    assert "[click](https://example.org)" in errors(page)
    assert r"\[click\]\(https" in page.error[0].value


def test_a_grid_is_fixed_at_the_length_that_it_has():
    page = open_lab()
    next(t for t in page.toggle if t.label == "Grid length").set_value(True).run()
    assert metric(page, "Validation MSE") == "0.00298"


def test_too_many_values_are_refused_before_they_are_made():
    page = open_lab(Experiment(source=Waves(n_series=100_000), task=Task(input_size=300)))
    assert "at most 25,000,000 are made" in errors(page)


def test_a_file_is_told_as_it_is_read_and_a_choice_that_cannot_be_used_is_a_complaint():
    days = "".join(f"2024-{1 + i // 28:02d}-{1 + i % 28:02d},{-200 if i % 9 == 4 else i % 7}\n" for i in range(28))
    upload_id = actions.add_upload("ann", "days.csv", f"date,y\n{days}".encode())
    page = open_lab(Experiment(source=Upload(upload_id=upload_id), task=Task(input_size=4), models=SMALL.models[:2]))
    assert any("28 rows; times: date; daily" in found.value for found in page.caption)
    assert any("-200 occurs 3 times" in found.value.replace("\\", "") for found in page.caption)
    missing = next(box for box in page.text_input if box.label == "Treated as missing")
    missing.set_value("minus two hundred").run()
    assert not page.exception and "a number is needed" in errors(page)
    next(box for box in page.text_input if box.label == "Treated as missing").set_value("-200").run()
    assert not page.exception and not page.error
    assert any("3 missing" in found.value for found in page.caption)
    assert decode(linked(page)["e"]).source.missing == (-200.0,)


def test_columns_first_rows_and_counts_of_a_file_stand_in_the_middle_and_a_click_takes_all_values():
    days = pd.date_range("2024-01-01", periods=60).strftime("%d.%m.%Y")
    lines = [f"{day};{shop};{n + 10 * (shop == 'B')};{n % 4},5" for shop in "AB" for n, day in enumerate(days)]
    content = "\n".join(["day;shop;sold;price", *lines]).encode()
    source = Upload(upload_id=actions.add_upload("ann", "shops.csv", content))
    page = open_lab(Experiment(source=source, task=Task(input_size=4), models=SMALL.models[:2]))

    def table(column: str) -> pd.DataFrame:
        return next(found.value for found in page.dataframe if column in found.value)

    columns = table("Taken for").set_index("Column")
    assert columns["Taken for"].to_dict() == {"day": "Time", "shop": "Series", "sold": "Value", "price": "Left out"}
    assert list(columns["Row 2"]) == ["02.01.2024", "A", "1", "1,5"], "as they stand in the file"
    assert list(table("ds")["sold"]) == [0, 1, 2, 3, 4]
    counts = table("Sum").iloc[0].to_dict()
    wanted = {"Series": 2, "Rows": 120, "First": "2024-01-01", "Last": "2024-02-29", "Sum": 2 * 1770 + 600, "Missing": 0}
    assert counts == {"Column": "sold"} | wanted
    next(found for found in page.button if found.label == "All 2, each a series").click().run()
    assert not page.exception and not page.error
    assert set(table("Taken for")["Taken for"]) == {"Time", "Series", "Value"}
    assert list(table("Sum")["Sum"]) == [4140, 2 * 15 * (0.5 + 1.5 + 2.5 + 3.5)]
    assert decode(linked(page)["e"]).source.every_value


def test_a_question_about_a_file_is_answered_by_a_click():
    days = "".join(f"0{1 + i % 9}/0{1 + (i * 5) % 7}/2024,{i}\n" for i in range(9))
    source = Upload(upload_id=actions.add_upload("ann", "days.csv", f"date,y\n{days}".encode()))
    page = open_lab(Experiment(source=source, task=Task(input_size=2), models=SMALL.models[:2]))
    assert "day first or month first" in errors(page)
    assert [found.label for found in page.button if found.key.startswith("answer-")] == list(ANSWERS["day_first"])
    button(page, "answer-False").click().run()
    assert "day first or month first" not in errors(page)
    assert page.session_state["draft"]["sources"]["upload"]["day_first"] is False


def test_another_sheet_of_a_workbook_is_read_once_it_is_chosen():
    n = np.arange(120.0)
    days, months = (pd.date_range("2010-01-01", periods=120, freq=step) for step in ("D", "MS"))
    daily = pd.DataFrame({"ds": days, "price": n % 7, "sold": n % 5})
    monthly, notes = pd.DataFrame({"month": months, "y": n % 12}), pd.DataFrame({"About prices": ["in euros"]})
    book = workbook({"Daily": daily, "Notes": notes, "Monthly": monthly})
    source = Upload(upload_id=actions.add_upload("ann", "book.xlsx", book), value=("sold",))
    page = open_lab(Experiment(source=source, task=Task(input_size=4), models=SMALL.models[:2]))
    assert any("120 rows; times: ds; daily" in found.value for found in page.caption)
    assert not any("columns of values" in found.value for found in page.caption)
    next(box for box in page.multiselect if box.label == "Values").set_value([]).run()
    assert any("1 of 2 columns of values is forecast: price" in found.value for found in page.caption)
    next(box for box in page.selectbox if box.label == "Sheet").select("Notes").run()
    assert not page.exception and page.error
    next(box for box in page.selectbox if box.label == "Sheet").select("Monthly").run()
    assert not page.exception and not page.error
    assert any("120 rows; times: month; monthly" in found.value for found in page.caption)
    found = decode(linked(page)["e"])
    assert (found.source.sheet, found.source.value, found.task.input_size) == ("Monthly", (), 24)


def test_an_empty_upload_is_no_mistake():
    page = open_lab()
    next(group for group in page.get("button_group") if "kind" in (group.key or "")).set_value("upload").run()
    assert not page.exception and not page.error
    assert any("Drop a file of series" in found.value for found in page.markdown)
    button(page, "take-sample").click().run()
    assert not page.exception and page.subheader and len(page.get("plotly_chart")) > 1


def test_examples_and_the_chapters_settings_are_one_click():
    page = open_lab(SMALL)
    button(page, "example-sunscreen").click().run()
    assert not page.exception and not page.error
    assert metric(page, "Best so far") == "Linear, least squares"
    button(page, "chapter").click().run()
    assert metric(page, "Validation MSE") == "0.00298"


def test_the_axis_of_a_live_chart_ends_with_the_epochs_that_a_time_budget_came_to():
    experiment = allotted(Experiment(source=Waves(n_series=100), models=(ModelChoice(name="simple_rnn"),), budget_s=10))
    fit, colours = window_fits(experiment)[-1], Theme("#ffffff", "#000000", "#eeeeee", "#0000ff", ("#888888", "#0000ff"))
    chart = live_chart([Fits(resolve(fit.model), [Outcome(fit, None, None)])], {}, colours, in_another_scale(experiment))
    assert chart["xAxis"]["max"] == experiment.allotted[0].epochs > 20
    assert chart["yAxis"]["name"] == "loss: MSE"


@pytest.mark.parametrize(
    "how", [{"transform": "log"}, {"scaling": "standard"}, {"differencing": "first", "target": "all_h"}]
)
def test_losses_in_another_scale_than_the_series_say_so(how):
    experiment = Experiment(source=Waves(n_series=100, level=5), task=Task(**how))
    assert in_another_scale(experiment)
    assert live_chart([], {}, Theme("#ffffff", "#000000", "#eeeeee", "#0000ff", ("#888888",)), in_another_scale(experiment))[
        "yAxis"
    ]["name"].endswith("the models see")


def test_the_windows_worth_a_look_are_one_click_away():
    two = SMALL.model_copy(update={"models": (ModelChoice(name="naive"), ModelChoice(name="linear"))})
    page = open_lab(two).run()  # what lies below the fold is drawn a moment later
    split, fits = load(two.source, two.task), {fit.model.name: fit for fit in fits_of(two)}
    y_hat = {name: run_fit(fits[name]).y_hat_valid for name in ("naive", "linear")}
    truth = split.valid.in_units(split.valid.y)

    def window() -> int:
        return next(box for box in page.number_input if box.label == "Window of the validation part").value

    button(page, "find-_worst").click().run()
    assert window() == np.square(y_hat["linear"] - truth).sum(axis=1).argmax()
    button(page, "find-_differing").click().run()
    assert window() == np.abs(y_hat["linear"] - y_hat["naive"]).sum(axis=1).argmax()


@pytest.mark.parametrize(("locale", "marks"), [("en-US", ".,"), ("de-DE", ",."), ("fr", ",\u202f"), (None, ".,")])
def test_charts_write_numbers_as_the_visitor_does(locale, marks):
    assert separators(locale) == marks


@pytest.mark.parametrize("values", [(2.7e-31, 8.4), (1e-9, 1.0), (0.001, 20.0)])
def test_a_log_axis_of_any_width_has_few_ticks_within_it(values):
    drawn = log_axis(values)
    low, high = drawn["range"]
    assert low < np.log10(values[0]) and np.log10(values[1]) < high
    assert 1 < (high - low) / drawn["dtick"] <= 6
