"""Networks as files that Keras alone opens: the same forecasts, and what has layers of its own is refused."""

import keras
import numpy as np
import pytest

from forecasting import BadInput, ModelChoice
from forecasting.models import Shape, resolve
from forecasting.models.networks.saving import keras_file

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # of Keras, when it saves
SHAPE = Shape(input_size=10, n_features=1, n_outputs=2)
SAVED = [
    ("simple_rnn", {}),
    ("deep_rnn", {"units": [4, 3]}),
    ("gru", {"units": [4], "sequence_to": "sequence"}),
    pytest.param("lstm", {"units": [4, 4]}, marks=pytest.mark.slow),
    pytest.param("deep_rnn_dense", {"units": [4], "normalisation": "batch"}, marks=pytest.mark.slow),
    pytest.param("lstm", {"units": [4], "dropout": 0.2}, marks=pytest.mark.slow),
    pytest.param("mlp", {"units": [5]}, marks=pytest.mark.slow),
    pytest.param("nbeats", {"units": 4}, marks=pytest.mark.slow),
    pytest.param("vector_to_sequence", {"units": [4]}, marks=pytest.mark.slow),
    pytest.param("conv_gru", {"units": [4]}, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "params"), SAVED)
def test_a_file_opens_with_keras_alone_and_forecasts_the_same(name, params, tmp_path):
    model = resolve(ModelChoice(name=name, params=params))
    keras.utils.set_random_seed(3)
    network = model.network(SHAPE)
    (tmp_path / "model.keras").write_bytes(keras_file(model, SHAPE, network.training_model.get_weights()))
    opened = keras.saving.load_model(tmp_path / "model.keras")
    assert all(type(layer).__module__.startswith("keras.") for layer in opened.layers)
    x = np.random.default_rng(4).normal(size=(6, 10, 1)).astype("float32")
    np.testing.assert_allclose(opened(x), network.prediction_model(x, training=False), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "params"), [("wavenet", {}), ("encoder_decoder", {"units": [4]}), ("gru", {"normalisation": "layer"})]
)
def test_layers_that_keras_does_not_bring_are_refused(name, params):
    model = resolve(ModelChoice(name=name, params=params))
    with pytest.raises(BadInput, match="layers that Keras does not bring"):
        keras_file(model, SHAPE, [])
