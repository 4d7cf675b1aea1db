"""Every model has a drawing of its own kind."""

from xml.etree import ElementTree

import pytest

from dashboard.chart import Theme
from dashboard.drawings import drawing
from forecasting import ModelChoice
from forecasting.models import MODELS, resolve

COLOURS = Theme("#FFFFFF", "#111111", "#222222", "#333333", ("#444444",))
SVG = "{http://www.w3.org/2000/svg}"


def drawn(name, **params):
    """The drawing of a model, read as XML."""
    return ElementTree.fromstring(drawing(resolve(ModelChoice(name=name, params=params)), COLOURS))


def words(picture):
    return [text.text for text in picture.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_drawn_within_its_frame_and_says_what_it_is(name):
    picture = drawn(name)
    assert picture.find(f"{SVG}title").text == f"Drawing: {MODELS[name].title}"
    left, top, width, height = map(float, picture.get("viewBox").split())
    for text in picture.iter(f"{SVG}text"):
        assert left <= float(text.get("x")) <= left + width and top <= float(text.get("y")) <= top + height
    assert {"#111111", "#333333"} <= {part.get("stroke") for part in picture.iter()}


def test_a_stack_is_drawn_with_its_cells_and_layers():
    assert words(drawn("lstm", units=[4, 4, 4])).count("LSTM") == 15
    assert words(drawn("deep_rnn", units=[4])).count("RNN") == 10  # the output layer is recurrent too


def test_outputs_that_the_loss_counts_are_drawn_in_the_accent_colour():
    def counted(**params):
        boxes = drawn("gru", **params).iter(f"{SVG}rect")
        return sum(box.get("stroke") == "#333333" for box in boxes)

    assert counted() == 1
    assert counted(sequence_to="sequence") == 5
    assert counted(sequence_to="sequence", loss_last=2) == 2


def test_a_taught_decoder_is_drawn_with_the_true_values():
    assert len(words(drawn("encoder_decoder", teacher_forcing=True))) == len(words(drawn("encoder_decoder"))) + 2


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("wavenet", {"gated": True}),
        ("wavenet", {"layers_per_block": 2}),
        ("conv_gru", {"stride": 1}),
        ("conv_gru", {"kernel_size": 2}),
    ],
)
def test_a_convolution_is_drawn_as_it_is_set(name, params):
    def shape(picture):
        return [sorted(part.attrib.items()) for part in picture.iter()], words(picture)

    assert shape(drawn(name, **params)) != shape(drawn(name))


def test_the_forecast_of_an_iterated_model_comes_back_as_an_input():
    def arrows(**params):
        return [group for group in drawn("linear", **params).iter(f"{SVG}g") if group.get("stroke") == "#333333"]

    assert "ŷₜ₊₁" in words(drawn("linear", strategy="iterated"))
    assert len(arrows(strategy="iterated")) == len(arrows()) + 1


def test_a_stack_says_how_it_is_normalised_and_how_deep_it_is_where_not_all_is_drawn():
    assert words(drawn("gru", units=[4, 4], normalisation="layer")).count("layer norm") == 2
    assert "… 5 layers" in words(drawn("gru", units=[4] * 5))
    assert not any("layers" in word for word in words(drawn("gru", units=[4] * 3)))
