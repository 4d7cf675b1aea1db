"""A fit as a plain Keras script, as a reader of the chapter would write it: it needs nothing of this package.

It trains, and loads nothing: from the fit's seed it makes the same start weights and the same order of batches.
"""

import json

from forecasting.experiment import BadInput, Task, Training, Waves, WindowFit
from forecasting.models import Shape, resolve
from forecasting.models.base import NetworkModel

SCRIPT = '''"""{label} on sums of two sine waves; seed {seed}. It needs numpy, keras and tensorflow."""

import keras
import numpy as np

# Series: two waves with a frequency and a phase of their own, and a little noise.
n_series, n_steps = {n_series}, {n_steps}
rng = np.random.default_rng({data_seed})
f1, f2, o1, o2 = rng.random((4, n_series, 1))
time = {time}
series = {level} + {amplitude_1} * np.sin((time - o1) * ({low_1} + {width_1} * f1))
series = series + {amplitude_2} * np.sin((time - o2) * ({low_2} + {width_2} * f2))
series = series + {noise} * (rng.random((n_series, n_steps)) - 0.5)

# Windows: what is seen, and what is to be forecast.
x = series[:, :{input_size}, None].astype("float32")
y = series[:, {targets}].astype("float32")
train, valid = slice(0, {train}), slice({train}, {valid})

# The model, and its training: every epoch deals the windows anew.
keras.utils.set_random_seed({seed})
model = keras.Sequential(
    [
        keras.Input(({input_size}, 1)),
{layers}
    ]
)
model.compile(loss="{loss}", optimizer=keras.optimizers.{optimizer}, metrics=["mse"])
deal = np.random.default_rng({seed})
best, kept = np.inf, None
for epoch in range({epochs}):
    rows = deal.permutation({train})
    model.fit(x[train][rows], y[train][rows], batch_size={batch_size}, shuffle=False, verbose=0)
    error = model.evaluate(x[valid], y[valid], batch_size=1_000, verbose=0)[1]
    print(f"epoch {{epoch + 1}}: validation MSE {{error:.5f}}")
    if {keeps}:
        best, kept = error, model.get_weights()

model.set_weights(kept)
print("validation MSE:", float(np.mean((model.predict(x[valid], verbose=0) - y[valid]) ** 2)))
'''
OPTIMIZERS = {"adam": "Adam", "nadam": "Nadam", "rmsprop": "RMSprop", "sgd": "SGD"}
LOSSES = {"mse": "mse", "mae": "mae", "huber": "huber"}


def keras_script(fit: WindowFit) -> str:
    """The script of a fit.

    Raises:
        BadInput: in one sentence, when a script so plain cannot say what the fit does.
    """
    source, task, training, model = fit.source, fit.task, fit.training, resolve(fit.model)
    layers = model.keras_layers(Shape.asked(source, task, model)) if isinstance(model, NetworkModel) else None
    if layers is None or training is None:
        raise BadInput(f"{model.label} has no plain Keras script: only simple stacks of layers have one.")
    if not isinstance(source, Waves) or not _is_plain(source, task, training):
        raise BadInput("A plain Keras script is made for the chapter's waves, unscaled, at a constant learning rate.")
    (low_1, high_1), (low_2, high_2) = source.frequency_1, source.frequency_2
    n_steps, n = task.input_size + task.h, source.n_series
    first = task.input_size + task.steps[0] - 1
    clipped = "" if training.clip_norm is None else f", global_clipnorm={training.clip_norm!r}"
    optimizer = f"{OPTIMIZERS[training.optimizer]}(learning_rate={training.learning_rate!r}{clipped})"
    return SCRIPT.format(
        label=model.label,
        seed=fit.seed,
        n_series=n,
        n_steps=n_steps,
        data_seed=source.seed,
        time=f"np.arange(n_steps) / {source.unit_steps}" if source.unit_steps else "np.linspace(0, 1, n_steps)",
        level=source.level,
        amplitude_1=source.amplitude_1,
        low_1=low_1,
        width_1=high_1 - low_1,
        amplitude_2=source.amplitude_2,
        low_2=low_2,
        width_2=high_2 - low_2,
        noise=source.noise_width,
        input_size=task.input_size,
        targets=f"{first}:{task.input_size + task.steps[-1]}",
        train=round(n * task.train),
        valid=round(n * (task.train + task.valid)),
        layers="\n".join(f"        keras.layers.{layer}," for layer in layers),
        loss=LOSSES[training.loss],
        optimizer=optimizer,
        epochs=training.epochs,
        batch_size=training.batch_size,
        keeps="error < best" if training.keep == "best" else "True",
    )


def as_notebook(script: str) -> str:
    """The same as a Jupyter notebook (format 4.5): a cell of text, and one of code for each part of the script."""
    about, *parts = [part.strip("\n") for part in script.split("\n\n# ")]
    words, _, imports = about.partition("\n\n")
    cells = [_cell("markdown", 0, words.strip('"')), _cell("code", 1, imports)]
    cells += [_cell("code", place, f"# {part}") for place, part in enumerate(parts, start=2)]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def _cell(kind: str, place: int, text: str) -> dict[str, object]:
    code: dict[str, object] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": f"part-{place}", "metadata": {}, "source": text, **code}


def _is_plain(source: Waves, task: Task, training: Training) -> bool:
    """Whether everything that the script does not say is at its plainest."""
    waves = (source.n_channels, source.trend, source.season, source.n_steps, source.train_n_steps)
    asked = (task.masked, task.scaling, task.transform, task.differencing)
    unchanging = not training.changes_rate and training.patience is None
    return waves == (1, "none", "none", None, None) and asked == (0, "none", "none", "none") and unchanging
