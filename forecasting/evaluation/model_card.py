"""What lies beside a saved network: a card that says what it is, and a script that forecasts with it."""

import json
from typing import Any

from forecasting.data import Split, describe
from forecasting.experiment import BadInput, Task, WindowFit
from forecasting.experiment.formats import dumped
from forecasting.models import Model, Shape, resolve
from forecasting.models.base import NetworkModel

PREDICT = '''"""Forecasts by {file}: python predict.py VALUES.txt, a value per line, latest last. Needs keras, tensorflow."""

import sys
from pathlib import Path

import keras
import numpy as np

model = keras.models.load_model(Path(__file__).with_name("{file}"))
y = np.loadtxt(sys.argv[1], ndmin=1)[-{input_size}:]
loc, scale = {loc}, {scale}
x = ((y - loc) / scale).astype("float32").reshape(1, {input_size}, 1)
for step, y_hat in zip({steps}, model.predict(x, verbose=0)[0] * scale + loc, strict=True):
    print(step, float(y_hat))
'''

CARD = """# {title}

- **Model:** {label}, {parameters:,} parameters, as a file of Keras {keras}: `{file}`. `predict.py` forecasts with it.
- **Asked:** {asked}, from a look-back of {input_size} steps.
- **Series:** {source}
- **Learned from** {train:,} windows{training}; kept: {kept}.
- **Input:** {input} Shape `(windows, {input_size}, 1)`, float32; output `(windows, {n_outputs})`.
- **Validation MSE:** {valid_mse:.6g} on {valid:,} windows; naive {naive_mse:.6g}. {test}

## Limits

It was chosen and scored on these series alone: on others, or after they have changed, its errors may be any. It gives no
intervals. Compare it with naive on your own data before you trust it.

## Settings

Run `{run_id}`, fit `{fit_id}`, Forecasting lab {version}. The fit as it is stored:

```json
{settings}
```
"""
INPUTS = {
    "none": "values as they are.",
    "standard": "values minus {loc:.9g}, divided by {scale:.9g} (mean and standard deviation of the training part).",
    "window": "values minus the mean of the look-back, divided by its standard deviation.",
    "level": "values minus the last one, divided by the mean size of the last {level}.",
}


def saved_network(fit: WindowFit) -> NetworkModel:
    """The network of a fit, where a file of Keras' and a short script can say what it does.

    Raises:
        BadInput: in one sentence, where they cannot.
    """
    model, task = resolve(fit.model), fit.task
    if not isinstance(model, NetworkModel):
        raise BadInput(f"{model.label} is no network.")
    if model.strategy != "direct":
        raise BadInput(f"{model.label} forecasts one step at a time: a file of Keras' cannot say that.")
    prepared = task.masked or task.transform != "none" or task.differencing != "none" or fit.asks_network
    if prepared or Shape.asked(fit.source, task, model).n_features > 1:
        raise BadInput(f"{model.label} sees values that are prepared further than a short script can say.")
    return model


def predict_script(fit: WindowFit, split: Split, file: str) -> str:
    """The script that forecasts with a saved network.

    Args:
        fit: the settings.
        split: its windows.
        file: what the network's file is called.
    """
    loc, scale = _own_scale(fit.task, split)
    where = {"input_size": fit.task.input_size, "steps": fit.task.steps, "file": file}
    return PREDICT.format(loc=loc, scale=scale, **where)


def _own_scale(task: Task, split: Split) -> tuple[str, str]:
    """What is subtracted and divided by, as Python: see `data.windows`."""
    if task.scaling == "window":
        return "y.mean()", "y.std()"
    if task.scaling == "level":
        return "y[-1]", f"np.abs(y[-{_level(task)}:]).mean()"
    return repr(float(split.valid.loc[0, 0])), repr(float(split.valid.scale[0, 0]))


def _level(task: Task) -> int:
    return max(task.season_length, min(24, task.input_size))


def card(fit: WindowFit, result: dict[str, Any], split: Split, run_id: str, file: str, with_test: bool) -> str:
    """The card of a saved network, in Markdown.

    Args:
        fit: the settings.
        result: `Result.summary()` of it.
        split: its windows.
        run_id: the run that it was taken from.
        file: what the network's file is called.
        with_test: whether its error on the test part is told.
    """
    import importlib.metadata

    from forecasting import __version__

    model: Model = resolve(fit.model)
    training = fit.training
    loc, scale = float(split.valid.loc[0, 0]), float(split.valid.scale[0, 0])
    return CARD.format(
        title=describe(fit.source, fit.task),
        label=model.label,
        parameters=result["parameters"],
        keras=importlib.metadata.version("keras"),
        file=file,
        asked=f"steps {fit.task.steps[0]} to {fit.task.steps[-1]} ahead" if len(fit.task.steps) > 1 else _step(fit.task),
        input_size=fit.task.input_size,
        source=f"`{dumped(fit.source, short=True)}`, as the settings below name them.",
        train=len(split.train),
        training="" if training is None else f", in {result['epochs']} epochs ({training.optimizer}, {training.loss})",
        kept="the weights of the best epoch" if training and training.keep == "best" else "the last weights",
        input=INPUTS[fit.task.scaling].format(loc=loc, scale=scale, level=_level(fit.task)),
        n_outputs=len(fit.task.steps),
        valid_mse=result["valid_mse"],
        valid=result["valid_windows"],
        naive_mse=result["valid_naive_mse"],
        test=f"Test MSE: {result['test_mse']:.6g}." if with_test else "The test part is covered.",
        run_id=run_id,
        fit_id=fit.id,
        version=__version__,
        settings=json.dumps(json.loads(dumped(fit, short=True)), indent=2),
    )


def _step(task: Task) -> str:
    return "the next value" if task.steps == [1] else f"the value {task.steps[0]} steps ahead"
