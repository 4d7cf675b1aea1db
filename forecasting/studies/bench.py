"""How much faster networks are trained here than by Keras' own `fit`, measured side by side on this machine.

Two processes take turns: one trains as the chapter does, by Keras at its defaults and with all cores, the other as a worker
of the dashboard does, on one.
"""

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.data import Split, Windows, load
from forecasting.evaluation.fits import window_fits
from forecasting.evaluation.windows import run_fit
from forecasting.experiment import Experiment, ModelChoice, Training, Waves, WindowFit
from forecasting.models import MODELS as REGISTERED
from forecasting.models import Control
from forecasting.models.convolutional import WaveNet
from forecasting.models.linear import LinearTrained
from forecasting.models.neural import GRU, LSTM, DeepRNN, SimpleRNN1

if TYPE_CHECKING:
    from keras import layers


def measure(
    epochs: int = 5, rounds: int = 2, n_series: int = 10_000, models: tuple[str, ...] | None = None
) -> Iterator[dict[str, Any]]:
    """Train every model by Keras and here, in turns; a row per model as it is done.

    Both see the chapter's next-step data in batches of 32, with Adam at its default rate, and validate after each epoch. A
    start is the time from the request to the end of the first epoch: cold where the process has not compiled the program
    yet, warm where it has.

    Args:
        epochs: of every fit; the first, which compiles, is left out of the seconds per epoch.
        rounds: fits of each kind, with a seed each. The seconds are those of the quickest epoch, for what else the machine
            does only ever adds to them; the MSEs are medians over fits.
        n_series: of which 70 % are trained on.
        models: names of those to measure; None: all of `MODELS`.
    """
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, spawn) as keras,
        ProcessPoolExecutor(1, spawn, _as_a_worker) as here,
    ):
        for name in models or MODELS:
            cold_s, warm_s = (here.submit(_start, name, n_series).result() for _ in range(2))
            theirs, ours = [], []
            for seed in range(1, rounds + 1):
                theirs.append(keras.submit(_by_keras, name, n_series, epochs, seed).result())
                ours.append(here.submit(_by_us, name, n_series, epochs, seed).result())
            keras_s, epoch_s = (min(s for seconds, _ in fits for s in seconds) for fits in (theirs, ours))
            yield {
                "model": name,
                "keras_epoch_s": keras_s,
                "epoch_s": epoch_s,
                "ratio": keras_s / epoch_s,
                "keras_valid_mse": median(mse for _, mse in theirs),
                "valid_mse": median(mse for _, mse in ours),
                "cold_start_s": cold_s,
                "warm_start_s": warm_s,
            }


@cache
def _data(n_series: int) -> Split:
    return load(Waves(n_series=n_series), Experiment().task)


def _fit(name: str, n_series: int, epochs: int, seed: int) -> WindowFit:
    source, model = Waves(n_series=n_series), (ModelChoice(name=name),)
    return window_fits(Experiment(source=source, models=model, training=Training(epochs=epochs), seeds=(seed,)))[-1]


# ------------------------------------------------------------------------------------------------- as a worker does it


def _as_a_worker() -> None:
    """Work on one thread, and be warm: with TensorFlow imported and a first program compiled."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    run_fit(_fit(LinearTrained.name, 20, 1, 0))


def _start(name: str, n_series: int) -> float:
    """Seconds to the end of the first epoch."""
    split, ended = _data(n_series), []
    began = time.perf_counter()
    run_fit(_fit(name, n_series, 1, 0), Control(on_epoch=lambda _: ended.append(time.perf_counter())), split=split)
    return ended[0] - began


def _by_us(name: str, n_series: int, epochs: int, seed: int) -> tuple[list[float], float]:
    """Seconds of every epoch but the first, and the validation MSE."""
    split, ended = _data(n_series), []
    control = Control(on_epoch=lambda _: ended.append(time.perf_counter()))
    result = run_fit(_fit(name, n_series, epochs, seed), control, split=split)
    return list(np.diff(ended)), result.valid.mse


# ------------------------------------------------------------------------------------------------------- as Keras does


def _by_keras(name: str, n_series: int, epochs: int, seed: int) -> tuple[list[float], float]:
    """The same by Keras' `fit`; of networks from sequence to sequence the last step is scored."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it warns that every network is compiled anew
    split, ended = _data(n_series), []
    keras.utils.set_random_seed(seed)
    network = keras.Sequential([keras.Input((None if REGISTERED[name].variable_length else 50, 1)), *NETWORKS[name]()])
    network.compile(optimizer="adam", loss="mse")
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_, **__: ended.append(time.perf_counter()))
    (x, y), valid = _lesson(name, split.train), _lesson(name, split.valid)
    network.fit(x, y, batch_size=32, epochs=epochs, validation_data=valid, verbose=0, callbacks=[clock])
    y_hat = network.predict(split.valid.x, batch_size=1024, verbose=0).reshape(len(split.valid), -1)[:, -1:]
    gc.collect()
    return list(np.diff(ended)), float(np.square(y_hat - split.valid.y).mean())


def _lesson(name: str, part: Windows) -> tuple[np.ndarray, np.ndarray]:
    """What Keras is given: a network from sequence to sequence learns the next value at every step."""
    if not REGISTERED[name].return_sequences:
        return part.x, part.y
    return part.x, np.concatenate([part.x[:, 1:], part.y_path[:, :1]], axis=1)


def _linear() -> "list[layers.Layer]":
    from keras import layers

    return [layers.Flatten(), layers.Dense(1)]


def _one_neuron() -> "list[layers.Layer]":
    from keras import layers

    return [layers.SimpleRNN(1)]


def _deep() -> "list[layers.Layer]":
    from keras import layers

    return [layers.SimpleRNN(20, return_sequences=True), layers.SimpleRNN(20, return_sequences=True), layers.SimpleRNN(1)]


def _gated(kind: str) -> "list[layers.Layer]":
    from keras import layers

    layer = getattr(layers, kind)
    return [layer(20, return_sequences=True), layer(20), layers.Dense(1)]


def _wavenet() -> "list[layers.Layer]":
    from keras import layers

    rates = (1, 2, 4, 8) * 2
    return [
        *(layers.Conv1D(20, 2, padding="causal", activation="relu", dilation_rate=rate) for rate in rates),
        layers.Dense(1),
    ]


NETWORKS: "dict[str, Callable[[], list[layers.Layer]]]" = {
    LinearTrained.name: _linear,
    SimpleRNN1.name: _one_neuron,
    DeepRNN.name: _deep,
    LSTM.name: lambda: _gated("LSTM"),
    GRU.name: lambda: _gated("GRU"),
    WaveNet.name: _wavenet,
}
"""The models of the bench, as the chapter would write them with Keras."""
MODELS = tuple(NETWORKS)
