"""Experiments are values: they survive JSON, refuse what cannot be, and name their fits by content."""

import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forecasting import BadInput, Experiment, LookBackFit, ModelChoice, Sample, Task, Training, Upload, Waves, fits_of
from forecasting.experiment import Allotment, Plan
from forecasting.experiment.formats import dumped, read_experiment, read_fit
from forecasting.experiment.training import MOST_EPOCHS
from forecasting.models import MODELS


def bounded(settings_class, name):
    """Numbers within the bounds that a field declares."""
    field = settings_class.model_json_schema()["properties"][name]
    field = next((choice for choice in field.get("anyOf", []) if choice["type"] != "null"), field)
    if field["type"] == "integer":
        return st.integers(field["minimum"], field["maximum"])
    low, open_low = field.get("minimum", field.get("exclusiveMinimum")), "exclusiveMinimum" in field
    return st.floats(low, field["maximum"], exclude_min=open_low)


def frequencies(name):
    low, high = Waves.model_fields[name].default
    return st.tuples(st.floats(0, low), st.floats(high, 50))


WAVES = st.builds(
    Waves,
    **{
        name: bounded(Waves, name)
        for name in ("n_series", "amplitude_1", "amplitude_2", "noise_width", "level", "trend_every", "season_amplitude")
    },
    frequency_1=frequencies("frequency_1"),
    frequency_2=frequencies("frequency_2"),
    trend=st.sampled_from(["none", "linear", "exponential"]),
    trend_change=st.floats(-0.9, 1),
    season=st.sampled_from(["none", "additive", "multiplicative"]),
    season_length=bounded(Waves, "season_length"),
    n_steps=st.none() | bounded(Waves, "n_steps"),
    seed=bounded(Waves, "seed"),
)
SOURCES = st.one_of(
    WAVES,
    st.builds(Sample, name=st.sampled_from(["sunspots", "co2"])),
    st.builds(Upload, upload_id=st.text("abcxyz019", min_size=16, max_size=40)),
)
TASKS = st.builds(
    Task,
    input_size=bounded(Task, "input_size"),
    target=st.sampled_from(["next", "at_h", "all_h"]),
    h=bounded(Task, "h"),
    train=st.floats(0.01, 0.6),
    valid=st.floats(0.01, 0.3),
    scaling=st.sampled_from(["none", "standard"]),
)
TRAININGS = st.builds(
    Training,
    epochs=bounded(Training, "epochs"),
    batch_size=bounded(Training, "batch_size"),
    learning_rate=bounded(Training, "learning_rate"),
    optimizer=st.sampled_from(["adam", "nadam", "rmsprop", "sgd"]),
    keep=st.sampled_from(["last", "best"]),
    patience=st.none() | bounded(Training, "patience"),
)
UNITS = st.lists(st.integers(1, 256), min_size=1, max_size=8)
CHOICES = st.one_of(
    st.builds(ModelChoice, name=st.sampled_from(sorted(MODELS))),
    st.builds(
        ModelChoice,
        name=st.sampled_from(["deep_rnn", "deep_rnn_dense", "lstm", "gru"]),
        params=st.fixed_dictionaries({"units": UNITS}, optional={"activation": st.sampled_from(["tanh", "relu"])}),
    ),
)
EXPERIMENTS = st.builds(
    Experiment,
    title=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
    source=SOURCES,
    task=TASKS,
    models=st.lists(CHOICES, min_size=1, max_size=4),
    training=TRAININGS,
    seeds=st.lists(bounded(Waves, "seed"), min_size=1, max_size=3, unique=True),
)


@settings(deadline=None)
@given(EXPERIMENTS)
def test_an_experiment_and_its_fits_survive_json(experiment):
    again = read_experiment(dumped(experiment))
    assert again == experiment and again.canonical() == experiment.canonical()
    for fit, fit_again in zip(fits_of(experiment), fits_of(again), strict=True):
        assert fit_again == fit and fit_again.id == fit.id
        assert read_fit(dumped(fit)) == fit


@settings(deadline=None)
@given(EXPERIMENTS)
def test_every_experiment_has_naive_and_each_trained_model_once_per_seed(experiment):
    fits = fits_of(experiment)
    assert sum(fit.model.name == "naive" for fit in fits) == 1
    assert len({fit.id for fit in fits}) == len(fits)
    for choice in experiment.models:
        seeds = {fit.seed for fit in fits if fit.model.name == choice.name}
        model = MODELS[choice.name]
        assert seeds == (set(experiment.seeds) if model.trained else set() if model.combines else {None})


def test_the_canonical_text_is_sorted_and_without_blanks():
    text = Task().canonical()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_an_empty_object_is_the_experiment_of_the_chapter():
    experiment = read_experiment("{}")
    assert experiment == Experiment()
    assert (experiment.source.n_series, experiment.task.input_size, experiment.training.epochs) == (10_000, 50, 20)
    assert (experiment.training.batch_size, experiment.training.optimizer) == (32, "adam")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "JSON"),
        ("what?", "JSON"),
        ("[]", "object"),
        ("null", "object"),
        ("[" * 5_000, "JSON"),
        ('{"sed": 1}', "sed: there is no such setting"),
        ('{"training": {"epoch": 5}}', "training, epoch: there is no such setting"),
        ('{"source": {"kind": "moon"}}', "moon"),
        ('{"source": {}}', "source"),
        ('{"source": {"kind": "waves", "n_series": 9}}', "n_series.*10 or more is needed"),
        ('{"source": {"kind": "waves", "n_series": 10.5}}', "n_series.*whole number"),
        ('{"source": {"kind": "waves", "frequency_1": [20, 10]}}', "runs from 20 to 10"),
        ('{"source": {"kind": "waves", "frequency_1": [20]}}', "frequency_1"),
        ('{"source": {"kind": "waves", "trend": "exponential", "trend_change": -1}}', "above -1"),
        ('{"source": {"kind": "upload", "upload_id": "../../etc/passwd"}}', "upload_id"),
        ('{"task": {"input_size": 0}}', "input_size.*1 or more is needed"),
        ('{"task": {"input_size": "many"}}', "input_size.*whole number.*'many'"),
        ('{"task": {"target": "last"}}', "target"),
        ('{"task": {"target": "all_h", "h": 0}}', "h: "),
        ('{"task": {"train": 0.9, "valid": 0.2}}', "90% training and 20% validation leave nothing for the test part"),
        ('{"task": {"train": 0.8, "valid": 0.2}}', "leave nothing for the test part"),
        ('{"task": null}', "task"),
        ('{"training": {"learning_rate": NaN}}', "learning_rate.*finite"),
        ('{"training": {"learning_rate": Infinity}}', "learning_rate.*finite"),
        ('{"training": {"learning_rate": "nan"}}', "learning_rate.*finite"),
        ('{"training": {"learning_rate": 0}}', "learning_rate.*more than 0"),
        ('{"training": {"device": "TPU"}}', "device"),
        ('{"models": []}', "models.*at least 1"),
        ('{"models": ["naive"]}', "models, value 1"),
        ('{"seeds": []}', "seeds.*at least 1"),
        ('{"seeds": [1, 2, 1]}', "A seed is listed twice"),
        ('{"seeds": [-1]}', "seeds, value 1"),
        ('{"seeds": [1e400]}', "seeds, value 1"),
        ('{"title": 5}', "title.*string"),
        (json.dumps({"title": "x" * 121}), "title.*120 letters"),
        ('{"se\\ned": 1}', "there is no such setting"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(text, says):
    with pytest.raises(BadInput, match=says) as caught:
        read_experiment(text)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"name": "prophet"}, "There is no model 'prophet': `python -m forecasting models` lists those there are."),
        ({"name": "deep rnn"}, "There is no model 'deep rnn': perhaps deep_rnn or .* was meant."),
        ({"name": "naive", "params": {"units": [3]}}, "Naive: units: there is no such setting"),
        ({"name": "lstm", "params": {"units": []}}, "LSTM: units: .*at least 1"),
        ({"name": "lstm", "params": {"units": [0]}}, "LSTM: units, value 1: "),
        ({"name": "lstm", "params": {"units": [257]}}, "LSTM: units, value 1: "),
        ({"name": "lstm", "params": {"units": [float("nan")]}}, "LSTM: units, value 1: .*finite"),
        ({"name": "gru", "params": {"activation": "step"}}, "GRU: activation: "),
    ],
)
def test_unknown_models_and_parameters_are_refused_in_one_sentence(choice, says):
    with pytest.raises(BadInput, match=says) as caught:
        fits_of(read_experiment(json.dumps({"models": [choice]})))
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = sorted({*Experiment.model_fields, *Task.model_fields, *Training.model_fields, "kind", "name", "params"})
ALMOST = st.recursive(
    st.sampled_from(["waves", "next", "all_h", "lstm", 1, 0.5, float("nan")]) | JSON_VALUES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


def with_one_thing_replaced(experiment, path, value):
    """The JSON of an experiment in which what lies at a path has been replaced or added."""
    whole = json.loads(experiment.canonical())
    inner = whole[path[0]] if len(path) > 1 else whole
    inner[path[-1]] = value
    return json.dumps(whole)


PATHS = [(key,) for key in Experiment.model_fields]
PATHS += [("source", key) for key in Waves.model_fields] + [("task", key) for key in Task.model_fields]
PATHS += [("training", key) for key in Training.model_fields]
REPLACED = st.builds(with_one_thing_replaced, EXPERIMENTS, st.sampled_from(PATHS), ALMOST)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(KEYS), ALMOST, max_size=4).map(json.dumps) | REPLACED | st.text())
@example('{"\\n": 1}')
def test_any_text_is_an_experiment_or_refused_in_one_sentence(text):
    try:
        experiment = read_experiment(text)
        fits_of(experiment)
    except BadInput as refused:
        assert len(str(refused).splitlines()) == 1 and str(refused).endswith(".")
    else:
        assert read_experiment(dumped(experiment)) == experiment


def test_an_experiment_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Experiment().training.epochs = 3


def test_next_step_has_horizon_one_whatever_is_given():
    assert Task(target="next", h=7) == Task(target="next", h=1)
    assert Task(target="next", h=7).steps == [1]


def test_steps_and_targets_follow_the_task():
    assert Task(target="at_h", h=3).steps == [3] and Task(target="all_h", h=3).steps == [1, 2, 3]
    assert Task(channels="one").n_targets(3) == 1 and Task(channels="all").n_targets(3) == 3


def test_a_fit_of_the_most_epochs_may_have_begun_anew_until_just_before_its_end():
    cosine = {"schedule": "cosine", "restarts": (MOST_EPOCHS - 1,)}
    assert Training(epochs=MOST_EPOCHS, **cosine).restarts == (MOST_EPOCHS - 1,)
    with pytest.raises(ValueError, match="less than or equal"):
        Training(epochs=MOST_EPOCHS + 1)


def test_a_constant_rate_has_neither_a_warm_up_nor_restarts():
    assert Training(warm_up=0.3, restarts=(5,)) == Training()
    assert Training(warm_up=0.3, schedule="cosine").warm_up == 0.3
    with pytest.raises(ValueError, match="ascending order, the last before the end"):
        Training(schedule="cosine", epochs=10, restarts=(12,))


def test_fits_share_a_trunk_as_long_as_they_walk_the_same_way():
    def lineages(epochs, **training):
        return only_fit(training={"epochs": epochs, **training}).lineages

    cosine = {"schedule": "cosine"}
    assert lineages(20)[0][0] == lineages(40)[0][0] and [end for _, end in lineages(40)] == [40]
    assert lineages(20, **cosine)[0][0] not in (lineages(40, **cosine)[0][0], lineages(20)[0][0])
    continued = lineages(40, restarts=[20], **cosine)
    assert continued[1] == lineages(20, **cosine)[0] and continued[0][1] == 40
    assert continued[0][0] != lineages(40, **cosine)[0][0]
    again = lineages(60, restarts=[20, 40], **cosine)
    assert again[1:] == continued


# ------------------------------------------------------------------------------------------------------------- fits

WHOLE = {
    "source": {"kind": "waves", "seed": 42, "frequency_1": [10, 20], "n_series": 10_000.0},
    "task": {"input_size": 50, "target": "next", "h": 1, "train": 0.7, "valid": 0.2, "scaling": "none"},
    "training": {"epochs": 20, "learning_rate": 1e-3, "patience": None},
    "models": [{"name": "deep_rnn", "params": {"activation": "tanh", "units": [20, 20]}}],
    "seeds": [42],
}


def only_fit(**changes):
    """The last fit of the chapter's deep RNN with some things changed."""
    experiment = json.loads(json.dumps({"models": [{"name": "deep_rnn"}]}))
    for key, value in changes.items():
        experiment[key] = {**experiment.get(key, {}), **value} if isinstance(value, dict) else value
    return fits_of(read_experiment(json.dumps(experiment)))[-1]


def test_a_fit_has_one_id_however_it_is_written():
    assert only_fit().id == fits_of(read_experiment(json.dumps(WHOLE)))[-1].id
    backwards = {key: WHOLE[key] for key in reversed(WHOLE)}
    assert only_fit().id == fits_of(read_experiment(json.dumps(backwards)))[-1].id
    assert only_fit().id == fits_of(Experiment(models=(ModelChoice(name="deep_rnn"),)))[-1].id


def test_a_parameter_that_means_nothing_beside_the_others_does_not_change_an_id():
    def fit(**params):
        return only_fit(models=[{"name": "gru", "params": params}])

    assert fit(loss_last=5).id == fit().id
    sequence = {"sequence_to": "sequence"}
    assert fit(loss_last=5, **sequence).id != fit(**sequence).id


def test_the_order_of_a_models_parameters_does_not_change_an_id():
    fit = only_fit(models=[{"name": "deep_rnn", "params": {"units": [3], "activation": "relu"}}])
    backwards = ModelChoice(name="deep_rnn", params=dict(reversed(fit.model.params.items())))
    assert list(backwards.params) != list(fit.model.params)
    assert fit.model_copy(update={"model": backwards}).id == fit.id


def test_title_and_neighbours_do_not_change_an_id():
    assert only_fit(title="Mine").id == only_fit().id
    assert only_fit(models=[{"name": "lstm"}, {"name": "deep_rnn"}]).id == only_fit().id
    assert only_fit(seeds=[7, 42]).id == only_fit().id


@pytest.mark.parametrize(
    "change",
    [
        {"source": {"kind": "waves", "seed": 43}},
        {"source": {"kind": "waves", "n_series": 9_999}},
        {"source": {"kind": "waves", "noise_width": 0.2}},
        {"source": {"kind": "waves", "frequency_2": [20, 41]}},
        {"source": {"kind": "waves", "n_steps": 60}},
        {"source": {"kind": "sample", "name": "sunspots"}},
        {"task": {"input_size": 49}},
        {"task": {"target": "all_h", "h": 10}},
        {"task": {"target": "at_h", "h": 10}},
        {"task": {"train": 0.6}},
        {"task": {"valid": 0.1}},
        {"task": {"scaling": "standard"}},
        {"training": {"epochs": 21}},
        {"training": {"batch_size": 64}},
        {"training": {"learning_rate": 0.002}},
        {"training": {"optimizer": "sgd"}},
        {"training": {"keep": "best"}},
        {"training": {"patience": 5}},
        {"models": [{"name": "deep_rnn", "params": {"units": [20, 21]}}]},
        {"models": [{"name": "deep_rnn", "params": {"activation": "relu"}}]},
        {"models": [{"name": "deep_rnn_dense"}]},
        {"seeds": [43]},
    ],
    ids=lambda change: json.dumps(change),
)
def test_all_that_decides_a_result_changes_the_id(change):
    assert only_fit(**change).id != only_fit().id


def test_training_and_seeds_do_not_change_the_id_of_a_model_that_is_not_trained():
    def linear(**changes):
        return only_fit(models=[{"name": "linear"}], **changes)

    assert linear(seeds=[1], training={"epochs": 3}).id == linear().id
    assert linear().seed is None and linear().training is None
    assert linear(source={"kind": "waves", "seed": 1}).id != linear().id


def test_scoring_at_another_look_back_is_a_fit_of_its_own_with_a_parent():
    fit = only_fit()
    longer = LookBackFit(parent=fit, look_back=60)
    assert longer.id != fit.id and longer.parent.id == fit.id and longer.training is None
    assert read_fit(dumped(longer)) == longer
    assert len({LookBackFit(parent=only_fit(**change), look_back=60).id for change in ({}, {"seeds": [7]})}) == 2


def test_a_model_on_whole_series_is_a_fit_for_its_backtest_and_one_for_what_comes():
    plan = Plan(h=6, season_length=12, n_windows=3)
    experiment = Experiment(source=Sample(name="elnino"), plan=plan, models=(ModelChoice(name="gru"),))
    past, future = fits_of(experiment)[2:]
    assert (past.cutoff_offsets, future.cutoff_offsets) == ((18, 12, 6), (0,)) and past.training == experiment.training
    further = fits_of(experiment.model_copy(update={"plan": plan.model_copy(update={"n_windows": 4})}))
    assert further[3].id == future.id and further[2].id != past.id, "how it is judged does not decide what comes"
    anew = experiment.model_copy(update={"plan": plan.model_copy(update={"refit": True})})
    assert [fit.cutoff_offsets for fit in fits_of(anew)[4:]] == [(18,), (12,), (6,), (0,)]


def test_a_time_budget_that_nobody_has_looked_at_has_no_fits():
    asked = Experiment(budget_s=30)
    with pytest.raises(BadInput, match="time budget"):
        fits_of(asked)
    shares = [Allotment(epochs=7) if MODELS[choice.name].trained else Allotment() for choice in asked.models]
    trained = fits_of(asked.model_copy(update={"allotted": tuple(shares)}))[-1]
    assert trained.id == fits_of(Experiment(training=Training(epochs=7)))[-1].id, "the seconds decide nothing"


def test_naive_is_put_first_only_when_it_was_not_chosen():
    def names(*chosen):
        return [fit.model.name for fit in fits_of(Experiment(models=tuple(ModelChoice(name=name) for name in chosen)))]

    assert names("linear", "lstm") == ["naive", "linear", "lstm"]
    assert names("linear", "naive") == ["linear", "naive"]


def test_the_same_model_written_twice_is_fitted_once():
    twice = [ModelChoice(name="gru"), ModelChoice(name="gru", params={"units": [20, 20]}), ModelChoice(name="linear")]
    fits = fits_of(Experiment(models=(*twice, twice[0]), seeds=(1, 2)))
    assert [(fit.model.name, fit.seed) for fit in fits] == [("naive", None), ("gru", 1), ("gru", 2), ("linear", None)]


# --------------------------------------------------------------------------------------------- what a stranger may send


def in_lists(depth):
    return "[" * depth + "]" * depth


def in_objects(depth):
    return '{"a":' * depth + "1" + "}" * depth


NASTY = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](https://example.org)",
    "**bold** $x^2$ :material/delete:",
    "'; DROP TABLE run; --",
    "a\nb",
    "\x1b[31m",
    "\x00",
    "\u202e",
    "\u2028",
    "\ud800",
    "\U000e0001",
    "ﷺ",
    "nan",
    "1e999",
    "9",
)
TEXTS = st.builds(lambda text, n: text * n, st.sampled_from(NASTY), st.sampled_from([1, 40, 5_000]))
TEXTS |= st.text(st.characters(), max_size=20)  # lone surrogates too
FRAGMENTS = st.one_of(
    st.sampled_from(["null", "true", "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "-0", "0.5", "[]", "{}"]),
    st.sampled_from(
        ["", "undefined", "'single'", "01", "+1", "0x10", "[,]", '{"a" 1}', '"', '"\\ud800"', '"\\x"', "\ufeff1"]
    ),
    st.builds(lambda sign, n: sign + "9" * n, st.sampled_from(["", "-"]), st.sampled_from([20, 400, 4_300, 4_301, 20_000])),
    st.builds(lambda wrap, n: wrap(n), st.sampled_from([in_lists, in_objects]), st.sampled_from([3, 190, 1_000, 50_000])),
    TEXTS.map(json.dumps) | TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.builds(lambda part, n: f"[{','.join([part] * n)}]", st.sampled_from(["-1", '""', "{}", "[]", "1"]), st.just(2_000)),
    ALMOST.map(json.dumps),
)
"""Values as JSON texts: some cannot be made by Python's own writer, and some are no JSON."""
PLACES = [*PATHS, ("source", "kind"), ("source", "upload_id"), ("source", "name"), ("models", 0), ("seeds", 0), ("seed",)]
PLACES += [("models", 0, "name"), ("models", 0, "params"), ("models", 0, "params", "units"), ("models", 0, "params", "x")]


def with_a_fragment(experiment, path, fragment):
    """The JSON of an experiment with a text put in the place of what lies at a path."""
    inner = whole = json.loads(experiment.canonical())
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = "put it here"
    return json.dumps(whole).replace('"put it here"', fragment)


def with_a_key(experiment, path, key, before):
    """The JSON of an experiment with a further key in one of its objects, which may be there already."""
    text = json.dumps(json.loads(experiment.canonical()) | dict.fromkeys(path[:1], {"put it here": 1}))
    return text.replace('"put it here": 1', f"{before}{json.dumps(key, ensure_ascii=False)}: 1")


class Sent(str):
    """A text of which only the beginning is shown when a test fails."""

    def __repr__(self):
        return f"{ascii(self[:300])} ({len(self):,} characters)"


HOSTILE = st.one_of(
    FRAGMENTS,
    st.builds(with_a_fragment, EXPERIMENTS, st.sampled_from(PLACES), FRAGMENTS),
    st.builds(
        with_a_key,
        EXPERIMENTS,
        st.sampled_from([("source",), ("task",), ("training",), ("x",)]),
        TEXTS | st.sampled_from(["h", "epochs", "kind"]),
        st.sampled_from(["", '"kind": "waves", ', '"h": 3, "h": "x", ', '"epochs": 2, ']),
    ),
).map(Sent)
"""Texts that may or may not be experiments, most of them with one thing in them that is not as it should be."""


def is_one_clear_sentence(text):
    assert text.endswith(".") and len(text) < 300, text
    assert text.isprintable(), f"{text!r} breaks the line, or moves what stands around it"
    assert "pydantic" not in text
    return True


def read_or_refuse(read, text, within_s):
    """Read a text; give the experiment, or nothing when it was refused as it should be. Processor seconds are counted."""
    began = time.thread_time()
    try:
        experiment = read(str(text))
        fits_of(experiment)
    except BadInput as refused:
        assert is_one_clear_sentence(str(refused))
        return None
    finally:
        took = time.thread_time() - began
        assert took < within_s, f"{took:.1f} s"
    return experiment


@settings(deadline=None, max_examples=250)
@given(HOSTILE)
@example(json.dumps({"source": {"kind": "a\nb"}}))
@example(json.dumps({"source": {"kind": "x" * 5_000}}))
@example(json.dumps({"task": {"input_size": "\U000e0001" * 60}}))
@example(json.dumps({"models": [{"name": "\U000e0001" * 40}]}))
@example(json.dumps({"\x1b[31m": 1}))
def test_whatever_a_stranger_sends_is_an_experiment_or_refused_in_one_clear_sentence(text):
    experiment = read_or_refuse(read_experiment, text, within_s=1)
    if experiment is not None:
        assert read_experiment(dumped(experiment)) == experiment
        assert [fit.id for fit in fits_of(read_experiment(str(text)))] == [fit.id for fit in fits_of(experiment)]


MEGABYTES = {
    "blanks": " " * 1_000_000,
    "a word": "x" * 1_000_000,
    "a title": json.dumps({"title": "x" * 1_000_000}),
    "a key": json.dumps({"x" * 1_000_000: 1}),
    "a kind": json.dumps({"source": {"kind": "x" * 1_000_000}}),
    "a model": json.dumps({"models": [{"name": "x" * 1_000_000}]}),
    "a number": '{"seeds": [' + "9" * 1_000_000 + "]}",
    "a parameter": json.dumps({"models": [{"name": "lstm", "params": {"units": "x" * 1_000_000}}]}),
    "lists": in_lists(500_000),
    "objects": in_objects(180_000),
    "keys": json.dumps({f"k{i}": 1 for i in range(90_000)}),
    "seeds": json.dumps({"seeds": [-1] * 250_000}),
    "good seeds": json.dumps({"seeds": list(range(150_000))}),
    "models": json.dumps({"models": [{}] * 250_000}),
    "units": json.dumps({"models": [{"name": "lstm", "params": {"units": ["x"] * 200_000}}]}),
    "good units": json.dumps({"models": [{"name": "lstm", "params": {"units": [3] * 300_000}}]}),
    "parameters": json.dumps({"models": [{"name": "lstm", "params": {f"k{i}": i for i in range(90_000)}}]}),
    "large numbers": json.dumps({"models": [{"name": "gru", "params": {"units": [0]}}]}).replace(
        "0", ",".join(["9" * 4_000] * 250)
    ),
}


@pytest.mark.parametrize("text", MEGABYTES.values(), ids=MEGABYTES.keys())
def test_a_megabyte_of_nonsense_is_refused_soon(text):
    assert read_or_refuse(read_experiment, text, within_s=3) is None


def test_the_last_of_two_equal_keys_counts():
    assert read_experiment('{"title": "one", "title": "two"}').title == "two"


@pytest.mark.parametrize("text", [text for text in NASTY if text.isprintable()])
def test_a_title_is_kept_letter_by_letter(text):
    assert read_experiment(json.dumps({"title": text})).title == text
