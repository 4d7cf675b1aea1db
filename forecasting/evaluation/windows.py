"""A fit on windows from its settings to its result, for workers and notebooks."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from forecasting.data import ReadUpload, Split, Windows, load, no_uploads
from forecasting.data.masking import fill_mse
from forecasting.data.transforms import Differences
from forecasting.evaluation.fits import for_fit
from forecasting.evaluation.scores import mse, mse_per_output
from forecasting.experiment import BadInput, LookBackFit, WindowFit
from forecasting.models import Arrays, Control, Ensemble, Learned, Learner, Model, Shape, resolve


@dataclass(frozen=True)
class Scores:
    """Errors on one part, in the series' units, squared: the model's, naive's on the same windows, and, where values were
    masked in the look-backs, those of what was put in their place."""

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
        weights: all that was learned; of an ensemble, the shares of its members.
        fit_s: seconds to fit and to score, also those of the fit whose state it went on from.
        filled: what a network has filled in for the masked values of the validation windows, `(n_masked,)`, in the scale
            that models see; None where no network does.
        state: where the fit has got to; another one of its lineage can go on from there. Empty without training.
        parameters: how many numbers the model learns.
        epochs, best_epoch: epochs done, and the one with the lowest validation loss; None without training.
        epoch_s, compile_s: seconds per epoch (median, without the first), and for the first gradient step.
        ended_early: None, or what ended it: "stopped".
    """

    valid: Scores
    test: Scores
    y_hat_valid: np.ndarray
    y_hat_test: np.ndarray
    weights: list[np.ndarray]
    fit_s: float
    filled: np.ndarray | None = None
    state: Arrays = field(default_factory=dict)
    parameters: int = 0
    epochs: int | None = None
    best_epoch: int | None = None
    epoch_s: float | None = None
    compile_s: float | None = None
    ended_early: str | None = None

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
            "fit_s": self.fit_s,
            "epoch_s": self.epoch_s,
            "compile_s": self.compile_s,
            "ended_early": self.ended_early,
        }


def run_fit(
    fit: WindowFit, control: Control | None = None, read_upload: ReadUpload = no_uploads, split: Split | None = None
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
    control = for_fit(fit, control)
    control.on_stage("preparing")
    split = _filled(split or load(fit.source, fit.task, read_upload), fit, control)
    model, started = resolve(fit.model), time.monotonic()
    differences = _differences(model, fit, split)
    seen = differences.split(split)
    learned = model.fit(seen, control)
    control.on_stage("scoring")
    return _result(fit, learned, differences, Shape.of(seen), split, started)


def score_at(
    fit: LookBackFit, weights: list[np.ndarray], control: Control | None = None, read_upload: ReadUpload = no_uploads
) -> Result:
    """Score a fitted model on the same targets, seeing `fit.look_back` steps instead of those it was trained on.

    Args:
        fit: the finished fit, and the other look-back in steps.
        weights: those that it kept (`Result.weights`).
        control: callbacks for progress and stop; training settings and seed are taken from the fit. None: no callbacks.
        read_upload: gives the content of an upload.

    Raises:
        BadInput: when the model's look-back is not open, or the series are too short.
        Stopped: when it was stopped.
    """
    parent = fit.parent
    control, model = for_fit(parent, control), resolve(parent.model)
    if not model.variable_length:
        raise BadInput(f"{model.label} is bound to the look-back that it was fitted with: only open models can change it.")
    control.on_stage("scoring")
    split = _filled(load(parent.source, parent.task, read_upload, look_back=fit.look_back), parent, control)
    differences, started = _differences(model, parent, split), time.monotonic()
    shape = Shape.of(differences.split(split))
    learned = Learned(model.load(weights, shape, control))
    return _result(parent, learned, differences, shape, split, started)


def combine(ensemble: WindowFit, split: Split, members: Sequence[Mapping[str, np.ndarray]]) -> Result:
    """Mix the forecasts of other fits on the same windows, and score the mixture.

    Args:
        ensemble: one of `ensembles_of`.
        split: its windows.
        members: per fit its forecasts in units, `valid` and `test`, each `(n_windows, n_outputs)`.

    Raises:
        BadInput: with fewer than two members.
    """
    if len(members) < 2:
        raise BadInput("An ensemble needs two models that have learned: train another one.")
    model, started = Ensemble.model_validate(ensemble.model.params), time.monotonic()
    valid, test = (np.stack([member[part] for member in members]) for part in ("valid", "test"))
    y_hat_valid, y_hat_test, shares = model.mixed(split.valid.in_units(split.valid.y), valid, test)
    scores = []
    for part, y_hat in ((split.valid, y_hat_valid), (split.test, y_hat_test)):
        scores.append(_scores(part.in_units(part.y), y_hat, _repeated(part), part))
    return Result(
        valid=scores[0],
        test=scores[1],
        y_hat_valid=y_hat_valid,
        y_hat_test=y_hat_test,
        weights=[shares],
        fit_s=time.monotonic() - started,
    )


def with_filled(split: Split, filled: np.ndarray | None) -> Split:
    """A split with what a network has put in the place of masked validation values (`Result.filled`); NaN without it."""
    x = split.valid.x.copy()
    x[split.valid.missing] = np.nan if filled is None else filled
    return replace(split, valid=replace(split.valid, x=x))


def _filled(split: Split, fit: WindowFit, control: Control) -> Split:
    """The windows with what is masked or missing filled in."""
    if not fit.asks_network:
        return split
    from forecasting.models.imputing import fill_in

    return fill_in(split, fit.task, control)


def _differences(model: Model, fit: WindowFit, split: Split) -> Differences:
    """What is done to the windows that a model sees."""
    if not model.takes_differences:
        return Differences()
    if fit.task.differencing == "last_season" and isinstance(model, Learner) and not model.learns_ahead_alone:
        raise BadInput(
            f"{model.label} learns from a forecast after every step of the look-back, not differences to the last season "
            "repeated: choose other differences, or another model."
        )
    return Differences.learn(fit.task, split.train)


def _result(
    fit: WindowFit, learned: Learned, differences: Differences, shape: Shape, split: Split, started: float
) -> Result:
    model, y_hats, scores = resolve(fit.model), [], []
    for part in (split.valid, split.test):
        chosen = model.sampled(len(part))
        seen = part if len(chosen) == len(part) else part.take(chosen)
        y, y_hat = seen.in_units(seen.y), learned.fitted.predict(differences.windows(seen).x)
        y_hat = seen.in_units(differences.undo(seen.x, y_hat, seen.n_targets)).astype("float32")
        scores.append(_scores(y, y_hat, _repeated(seen), part))
        whole = np.full((len(part), y_hat.shape[1]), np.nan, "float32")
        whole[chosen] = y_hat
        y_hats.append(whole)
    trained = model.trained and learned.epochs > 0
    return Result(
        valid=scores[0],
        test=scores[1],
        y_hat_valid=y_hats[0],
        y_hat_test=y_hats[1],
        filled=split.valid.x[split.valid.missing] if fit.asks_network else None,
        weights=learned.fitted.weights,
        state=learned.state,
        parameters=model.n_parameters(shape),
        epochs=learned.epochs if trained else None,
        best_epoch=learned.best_epoch if trained else None,
        fit_s=learned.before_s + time.monotonic() - started,
        epoch_s=learned.epoch_s,
        compile_s=learned.compile_s,
        ended_early=learned.ended_early,
    )


def _repeated(part: Windows) -> np.ndarray:
    """What naive forecasts, in units."""
    return part.in_units(np.tile(part.x[:, -1, : part.n_targets], part.y.shape[1] // part.n_targets))


def _scores(y: np.ndarray, y_hat: np.ndarray, repeated: np.ndarray, part: Windows) -> Scores:
    """The errors of a model, those of the repeated last value, and those of what was filled in."""
    cells = np.array(mse_per_output(y, y_hat)).reshape(-1, part.n_targets)
    per_step, per_channel = (cells.mean(axis=axis).tolist() for axis in (1, 0))
    return Scores(len(y), mse(y, y_hat), per_step, per_channel, mse(y, repeated), fill_mse(part, part.x))
