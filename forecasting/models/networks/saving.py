"""A trained network as a file of Keras', which nothing but Keras is needed to open."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from forecasting.experiment import BadInput
from forecasting.models.base import NetworkModel
from forecasting.models.learning import Shape
from forecasting.models.networks.recurrent import Stack


def keras_file(model: NetworkModel, shape: Shape, weights: list[np.ndarray]) -> bytes:
    """The content of a `.keras` file: the network as it forecasts, with its weights.

    Args:
        model: which network.
        shape: of its windows.
        weights: `Fitted.weights` of the fit.

    Raises:
        BadInput: when it has layers that Keras does not bring.
    """
    network = model.network(shape)
    if any(map(_is_foreign, network.prediction_model.layers)):
        raise BadInput(f"{model.label} has layers that Keras does not bring: it cannot be saved for Keras alone.")
    network.training_model.set_weights(weights)
    plain = keras.models.clone_model(network.prediction_model, clone_function=_copied, call_function=_with_keras_own)
    plain.set_weights(network.prediction_model.get_weights())
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        plain.save(path)
        return path.read_bytes()


def _is_foreign(layer: Any) -> bool:
    """Whether Keras alone could not open a layer; a stack is taken apart into Keras' own."""
    parts = [layer, getattr(layer, "cell", None)]
    return any(
        part is not None and not type(part).__module__.startswith("keras.") and not isinstance(part, Stack) for part in parts
    )


def _copied(layer: Any) -> Any:
    return layer if isinstance(layer, Stack) else type(layer).from_config(layer.get_config())


def _with_keras_own(layer: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a layer; in the place of a stack its layers, one after the other."""
    if not isinstance(layer, Stack):
        return layer(*args, **kwargs)
    (out,) = args
    for i, one in enumerate(layer.stacked):
        whole_sequence = layer.whole_sequence or i < len(layer.stacked) - 1
        out = type(one).from_config(one.get_config() | {"return_sequences": whole_sequence})(out)
    return out
