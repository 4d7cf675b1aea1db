"""One fit from its settings to its result: what a worker runs, and what a notebook can call."""

import time
from dataclasses import dataclass, replace

import numpy as np

from forecasting.data import ReadUpload, Split, Windows, load, no_uploads
from forecasting.data.holes import fill_mse
from forecasting.data.transforms import Differences
from forecasting.evaluation.scores import mse, mse_per_output
from forecasting.experiment import BadInput, Experiment, Fit, ModelChoice
from forecasting.models import Arrays, Control, Learned, Model, Shape, resolve


@dataclass(frozen=True)
class Scores:
    """Errors on one part, in the series' units, squared: the model's, naive's on the same windows, and, where values were
    hidden from the look-backs, those of what was put in their place."""

    n_windows: int
    mse: float
    mse_per_step: list[float]
    mse_per_channel: list[float]
    naive_mse: float
    fill_mse: float | None


@dataclass(frozen=True)
class Result:
    """What came out of a fit.

    Attributes:
        valid, test: scores of the weights kept.
        y_hat_valid, y_hat_test: forecasts in the series' units, `(n_windows, n_outputs)`, float32; NaN for windows that are
            not in the model's sample.
        filled: what a network has filled in for the hidden values of the validation windows, `(n_hidden,)`, in the scale
            that models see; None where no network does.
        weights: all that was learned.
        state: where the fit has got to; another one of its trunk can go on from there. Empty without training.
        parameters: how many numbers the model learns.
        epochs, best_epoch: epochs done, and the one with the lowest validation loss; None without training.
        planned: epochs after which the fit was to end, a time budget turned into them; None without training.
        fit_s: seconds to fit and to score, also those of the fit whose state it went on from.
        epoch_s, compile_s: seconds per epoch (median, without the first), and for the first gradient step.
        ended_early: None, or what ended it: "stopped".
    """

    valid: Scores
    test: Scores
    y_hat_valid: np.ndarray
    y_hat_test: np.ndarray
    filled: np.ndarray | None
    weights: list[np.ndarray]
    state: Arrays
    parameters: int
    epochs: int | None
    best_epoch: int | None
    planned: int | None
    fit_s: float
    epoch_s: float | None
    compile_s: float | None
    ended_early: str | None

    def summary(self) -> dict:
        """All but the arrays, as plain JSON values."""
        return {
            "valid_mse": self.valid.mse,
            "valid_mse_per_step": self.valid.mse_per_step,
            "valid_mse_per_channel": self.valid.mse_per_channel,
            "valid_naive_mse": self.valid.naive_mse,
            "valid_fill_mse": self.valid.fill_mse,
            "valid_windows": self.valid.n_windows,
            "test_mse": self.test.mse,
            "test_mse_per_step": self.test.mse_per_step,
            "parameters": self.parameters,
            "epochs": self.epochs,
            "best_epoch": self.best_epoch,
            "planned": self.planned,
            "fit_s": self.fit_s,
            "epoch_s": self.epoch_s,
            "compile_s": self.compile_s,
            "ended_early": self.ended_early,
        }


def fits_of(experiment: Experiment) -> list[Fit]:
    """List the fits of an experiment: every model once, or once per seed where a seed matters, in their order.

    Naive is in every comparison: it is put first when it was not chosen. Parameters are left out where they are the default,
    so that a fit has one id however it was written down.

    Raises:
        BadInput: when a model or a parameter is unknown or out of range.
    """
    choices = list(experiment.models)
    if all(choice.name != "naive" for choice in choices):
        choices.insert(0, ModelChoice(name="naive"))
    fits: dict[str, Fit] = {}
    for choice in choices:
        model = resolve(choice)
        shortest = ModelChoice(name=choice.name, params=model.model_dump(mode="json", exclude_defaults=True))
        for seed in experiment.seeds if model.trained else (None,):
            fit = Fit(
                source=experiment.source,
                task=experiment.task,
                model=shortest,
                training=experiment.training if model.trained else None,
                seed=seed,
            )
            fits.setdefault(fit.id, fit)
    return list(fits.values())


def run_fit(
    fit: Fit, control: Control | None = None, read_upload: ReadUpload = no_uploads, split: Split | None = None
) -> Result:
    """Fit a model and score it: on validation, by which models are chosen, and once on test.

    Args:
        fit: the settings.
        control: callbacks for progress and stop; training settings and seed are taken from the fit.
        read_upload: gives the content of an upload.
        split: the fit's windows, where the caller has them already.

    Raises:
        BadInput: when source, task and model do not fit together.
        Diverged: when a loss turns NaN.
        Stopped: when it was stopped before its first epoch had ended.
    """
    if fit.look_back is not None:
        raise BadInput("Scoring at another look-back needs the weights of the finished fit: call `score_at`.")
    control = _control(fit, control)
    control.on_stage("preparing")
    split, control = _filled(split or load(fit.source, fit.task, read_upload), fit, control)
    model, started = resolve(fit.model), time.monotonic()
    differences = _differences(model, fit, split)
    seen = differences.split(split)
    learned = model.fit(seen, control)
    control.on_stage("scoring")
    return _result(fit, learned, differences, Shape.of(seen), split, started)


def score_at(
    fit: Fit, weights: list[np.ndarray], control: Control | None = None, read_upload: ReadUpload = no_uploads
) -> Result:
    """Score a fitted model on the same targets, seeing `fit.look_back` steps instead of those it was trained on.

    Raises:
        BadInput: when the model's look-back is not open, or the series are too short.
    """
    control, model = _control(fit, control), resolve(fit.model)
    if not model.open_time:
        raise BadInput(f"{model.label} is bound to the look-back that it was fitted with: only open models can change it.")
    control.on_stage("scoring")
    split, control = _filled(load(fit.source, fit.task, read_upload, look_back=fit.look_back), fit, control)
    differences, started = _differences(model, fit, split), time.monotonic()
    shape = Shape.of(differences.split(split))
    learned = Learned(model.load(weights, shape, control))
    return _result(fit, learned, differences, shape, split, started)


def is_instant(fit: Fit) -> bool:
    """Whether a fit is so fast that the page does it while it is drawn; the others are done by a worker."""
    model = resolve(fit.model)
    return not (model.trained or model.local or fit.task.asks_network)


def _filled(split: Split, fit: Fit, control: Control) -> tuple[Split, Control]:
    """The windows with their holes filled in, and a time budget that begins afterwards."""
    if not fit.task.asks_network:
        return split, control
    from forecasting.models.imputing import fill_in

    split = fill_in(split, fit.task, control)
    return split, replace(control, started=time.monotonic())


def _differences(model: Model, fit: Fit, split: Split) -> Differences:
    """What is done to the windows that a model sees."""
    return Differences.learn(fit.task, split.train) if model.takes_differences else Differences()


def _control(fit: Fit, control: Control | None) -> Control:
    started = control or Control()
    return replace(started, training=fit.training or started.training, seed=fit.seed or 0)


def _result(fit: Fit, learned: Learned, differences: Differences, shape: Shape, split: Split, started: float) -> Result:
    model, y_hats, scores = resolve(fit.model), [], []
    for part in (split.valid, split.test):
        chosen = model.sampled(len(part))
        seen = part if len(chosen) == len(part) else part.take(chosen)
        y, y_hat = seen.in_units(seen.y), learned.fitted.predict(differences.windows(seen).x)
        y_hat = seen.in_units(differences.undo(seen.x, y_hat, seen.n_targets)).astype("float32")
        repeated = seen.in_units(np.tile(seen.x[:, -1, : seen.n_targets], shape.n_steps))
        scores.append(_scores(y, y_hat, repeated, part))
        whole = np.full((len(part), y_hat.shape[1]), np.nan, "float32")
        whole[chosen] = y_hat
        y_hats.append(whole)
    trained = model.trained and learned.epochs > 0
    return Result(
        valid=scores[0],
        test=scores[1],
        y_hat_valid=y_hats[0],
        y_hat_test=y_hats[1],
        filled=split.valid.x[split.valid.missing] if fit.task.asks_network else None,
        weights=learned.fitted.weights,
        state=learned.state,
        parameters=model.n_parameters(shape),
        epochs=learned.epochs if trained else None,
        best_epoch=learned.best_epoch if trained else None,
        planned=learned.planned if trained else None,
        fit_s=learned.before_s + time.monotonic() - started,
        epoch_s=learned.epoch_s,
        compile_s=learned.compile_s,
        ended_early=learned.ended_early,
    )


def _scores(y: np.ndarray, y_hat: np.ndarray, repeated: np.ndarray, part: Windows) -> Scores:
    """The errors of a model, those of the repeated last value, and those of what was filled in."""
    cells = np.array(mse_per_output(y, y_hat)).reshape(-1, part.n_targets)
    per_step, per_channel = (cells.mean(axis=axis).tolist() for axis in (1, 0))
    return Scores(len(y), mse(y, y_hat), per_step, per_channel, mse(y, repeated), fill_mse(part, part.x))
