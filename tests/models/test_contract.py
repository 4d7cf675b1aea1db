"""What every model owes, whatever it is."""

import re

import numpy as np
import pytest

from forecasting.data import load
from forecasting.experiment import ModelChoice, Task, Training, Waves
from forecasting.models import MODELS, Control, NetworkModel, Shape, resolve

STACKS = ("deep_rnn", "deep_rnn_dense", "lstm", "gru")
SMALLER = {name: {"units": [3]} for name in (*STACKS, "vector_to_sequence", "encoder_decoder")} | {
    "seasonal_naive": {"season_length": 4},
    "conv_gru": {"units": [3]},
    "wavenet": {"layers_per_block": 2, "blocks": 1},
    "arima": {"orders": "given", "q": 0},
}
CASES = {"next": (1, "one"), "all_h": (1, "one"), "at_h": (3, "one"), "all_h of all channels": (3, "all")}
THE_WIDEST = ("next", "all_h of all channels")
"""What networks, which take seconds to compile, are asked for."""
SEQUENCE = {"sequence_to": "sequence", "units": [3, 2]}
VARIANTS = [
    *((name, SEQUENCE | {"loss_last": 2, "normalisation": "batch"}) for name in ("deep_rnn", "gru")),
    *((name, SEQUENCE | {"normalisation": "layer", "dropout": 0.2, "recurrent_dropout": 0.1}) for name in ("lstm", "gru")),
    *(("encoder_decoder", {"cell": cell, "units": [3, 2], "teacher_forcing": True}) for cell in ("simple", "lstm", "gru")),
    ("vector_to_sequence", {"cell": "lstm", "units": [3, 2]}),
    ("wavenet", {"gated": True, "layers_per_block": 2, "filters": 3}),
    ("linear", {"strategy": "iterated"}),
    ("conv_gru", {"strategy": "iterated", "units": [3]}),
    ("encoder_decoder", {"strategy": "iterated", "units": [3], "teacher_forcing": True}),
    ("weighted_average", {"weights": [1, 2]}),
]


OF_EACH_KIND = ("linear_sgd", "mlp", "gru", "encoder_decoder", "wavenet")
"""Networks that the README's command looks at, and CI with several channels; the others are of the same kinds."""


def how_slow(name: str, case: str) -> pytest.MarkDecorator | tuple[()]:
    """Whether a case is among the slow ones, or the long ones."""
    if not MODELS[name].trained or (case == "next" and name in OF_EACH_KIND):
        return ()
    return pytest.mark.slow if name in OF_EACH_KIND or case == "next" else pytest.mark.long


FORECASTERS = [name for name, model in MODELS.items() if not (model.reference or model.combines)]


@pytest.mark.parametrize(
    ("name", "case"),
    [
        pytest.param(name, case, marks=how_slow(name, case))
        for name in FORECASTERS
        for case in CASES
        if not MODELS[name].trained or case in THE_WIDEST
    ],
)
def test_every_model_learns_forecasts_and_can_be_loaded_again(name, case):
    learns_forecasts_and_can_be_loaded_again(name, SMALLER.get(name, {}), case.split()[0], *CASES[case])


@pytest.mark.long
@pytest.mark.parametrize(("name", "params"), VARIANTS)
def test_so_does_every_variant(name, params):
    learns_forecasts_and_can_be_loaded_again(name, params, "all_h")


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("gru", {"units": [3], **SEQUENCE}),
        ("encoder_decoder", {"units": [3], "teacher_forcing": True}),
        ("linear", {"strategy": "iterated"}),
        ("lstm", {"units": [3], "strategy": "iterated"}),
        ("wavenet", {"gated": True, "layers_per_block": 2, "filters": 3}),
    ],
)
def test_so_does_every_way_to_several_channels(name, params):
    learns_forecasts_and_can_be_loaded_again(name, params, "all_h", 2, "all")


def learns_forecasts_and_can_be_loaded_again(name, params, target, n_channels=1, channels="one"):
    model = resolve(ModelChoice(name=name, params=params))
    task = Task(input_size=8, target=target, h=3, channels=channels)
    split = load(Waves(n_series=60, n_channels=n_channels), task)
    control = Control(Training(epochs=2), seed=1)
    learned = model.fit(split, control)
    y_hat = learned.fitted.predict(split.valid.x)
    assert y_hat.shape == split.valid.y.shape == (12, len(task.steps) * task.n_targets(n_channels))
    assert np.isfinite(y_hat).all()
    assert model.n_parameters(Shape.of(split)) == sum(weights.size for weights in learned.fitted.weights)
    assert learned.epochs == (2 if model.trained else 0)
    low, high = model.output_range()
    assert low <= y_hat.min() and y_hat.max() <= high

    copies = [weights.copy() for weights in learned.fitted.weights]
    loaded = model.load(copies, Shape.of(split), control)
    np.testing.assert_array_equal(loaded.predict(split.valid.x), y_hat)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_says_who_it_is_in_a_label_and_two_sentences(name):
    model = resolve(ModelChoice(name=name))
    assert model.name == name and model.label.startswith(model.title) and model.group and model.formula
    assert len(re.findall(r"\.(?= [A-Z]|$)", model.description)) == 2 and model.description.endswith(".")
    assert model.trained == isinstance(model, NetworkModel)


def test_labels_and_descriptions_tell_the_models_apart():
    models = [resolve(ModelChoice(name=name)) for name in MODELS]
    assert len({model.label for model in models}) == len({model.description for model in models}) == len(MODELS)


def test_labels_tell_sizes_apart():
    labels = [resolve(ModelChoice(name="gru", params={"units": units})).label for units in ([20, 20], [32, 32], [8], [8, 4])]
    assert labels == ["GRU", "GRU 2 × 32", "GRU 1 × 8", "GRU 8–4"]


@pytest.mark.parametrize(
    ("name", "n_outputs", "parameters"),
    [
        ("naive", 1, 0),
        ("naive", 10, 0),
        ("linear", 1, 51),
        ("linear_sgd", 1, 51),
        ("linear", 10, 510),
        ("linear_sgd", 10, 510),
        ("simple_rnn", 1, 3),
        ("deep_rnn", 1, 1_282),
        ("deep_rnn_dense", 1, 1_281),
    ],
)
def test_parameters_are_those_that_the_chapter_counts(name, n_outputs, parameters):
    assert resolve(ModelChoice(name=name)).n_parameters(Shape(50, 1, n_outputs)) == parameters


@pytest.mark.parametrize("name", FORECASTERS)
def test_only_models_that_weigh_each_step_by_itself_grow_with_the_look_back(name):
    model = resolve(ModelChoice(name=name))
    grows = model.n_parameters(Shape(60, 1, 1)) > model.n_parameters(Shape(50, 1, 1))
    assert grows == (not model.variable_length)


def test_naive_repeats_the_last_value():
    split = load(Waves(n_series=60), Task(input_size=8, target="all_h", h=3))
    y_hat = resolve(ModelChoice(name="naive")).fit(split, Control()).fitted.predict(split.test.x)
    for i in range(len(split.test)):
        assert y_hat[i].tolist() == [split.test.x[i, 7, 0]] * 3


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.model_fields])
def test_a_variant_is_another_model_and_so_is_a_variant_of_it(name):
    labels, params = [], resolve(ModelChoice(name=name)).model_dump()
    for _ in range(3):
        labels.append(resolve(ModelChoice(name=name, params=params)).label)
        params = MODELS[name].variant(params)
    assert labels[0] != labels[1] != labels[2], labels
