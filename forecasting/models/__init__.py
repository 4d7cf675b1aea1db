"""The models. `MODELS` is the one list: forms, command line, docs/models.md and tests draw from it."""

from difflib import get_close_matches

from pydantic import ValidationError

from forecasting.experiment import BadInput, ModelChoice, plain
from forecasting.models.arima import ARIMA
from forecasting.models.base import Learner, Model, NetworkModel
from forecasting.models.convolutional import ConvGRU, WaveNet
from forecasting.models.dense import MLP, NBEATS
from forecasting.models.ensemble import Ensemble
from forecasting.models.intermittent import Croston
from forecasting.models.learning import Arrays, Control, Fitted, Learned, Progress, Shape
from forecasting.models.linear import Linear, LinearTrained
from forecasting.models.naive import Drift, MovingAverage, Naive, SeasonalNaive, WeightedAverage
from forecasting.models.neural import GRU, LSTM, DeepRNN, DeepRNNDense, SimpleRNN1
from forecasting.models.oracle import Oracle
from forecasting.models.sequences import EncoderDecoder, VectorToSequence
from forecasting.models.smoothing import ComplexSmoothing, ExponentialSmoothing, Theta

__all__ = [
    "Arrays",
    "Control",
    "Ensemble",
    "Fitted",
    "Learned",
    "Learner",
    "MODELS",
    "Model",
    "NetworkModel",
    "Progress",
    "Shape",
    "resolve",
]

MODELS: dict[str, type[Model]] = {
    model.name: model
    for model in (
        *(Naive, SeasonalNaive, Drift, MovingAverage, WeightedAverage),
        *(Linear, LinearTrained),
        *(MLP, NBEATS),
        *(SimpleRNN1, DeepRNN, DeepRNNDense, LSTM, GRU),
        *(VectorToSequence, EncoderDecoder),
        *(ConvGRU, WaveNet),
        *(ExponentialSmoothing, Theta, ComplexSmoothing, ARIMA, Croston),
        *(Ensemble, Oracle),
    )
}


def resolve(choice: ModelChoice) -> Model:
    """Return the model that a choice names, its parameters validated.

    Raises:
        BadInput: when no model bears the name, or a parameter is unknown or out of range.
    """
    if choice.name not in MODELS:
        similar = get_close_matches(choice.name, MODELS, n=2)
        hint = (
            f"perhaps {' or '.join(similar)} was meant."
            if similar
            else "`python -m forecasting models` lists those there are."
        )
        raise BadInput(f"There is no model {choice.name!r:.60}: {hint}")
    try:
        return MODELS[choice.name].model_validate(choice.params)
    except ValidationError as error:
        raise BadInput(f"{MODELS[choice.name].title}: {plain(error)}") from None
