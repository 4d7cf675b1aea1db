"""A search over settings: what is tried next, and what is not worth finishing. Optuna chooses.

All of it follows from the experiment and from the trials that are known. Of so many trials side by side, one knows what came
of all before those, and nothing of one that happens to be done already. So a search comes to the same trials on a busy
machine and on an idle one, and goes on where it was after a restart.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from forecasting.experiment import BadInput, Experiment, ModelChoice, Options, Range, Search, Training, WindowFit, plain
from forecasting.experiment.values import bounds
from forecasting.models import MODELS, resolve

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

Settings = dict[str, Any]
"""What a trial has chosen, by `params.units`, `training.learning_rate` and so on."""
TrialState = Literal["open", "complete", "pruned", "failed"]

TRAINING_SEARCHED: Mapping[str, Range | Options] = {
    "learning_rate": Range(low=0.001, high=0.05, log=True),
    "schedule": Options(values=("constant", "cosine")),
    "clip_norm": Options(values=(None, 1.0)),
    "keep": Options(values=("last", "best")),
}
"""What varies in the training of a network unless something else is chosen."""
AT_RANDOM = 8
"""Trials that are drawn at random before the others' results decide."""
TRIED_ANEW = 10
"""So often another setting is drawn where one has been tried already."""
PRUNED_FROM = 1 / 3
"""The share of the epochs before which no trial is ended."""
LAYERS = "layers"


@dataclass(frozen=True)
class Trial:
    """One setting that is tried.

    Attributes:
        number: counted from 0, which has the settings as they stood.
        settings: what it has chosen of what varies; empty for the first.
        fit_id: the fit that tries it.
        state: `open` until it is `complete`, `pruned` (not worth finishing) or `failed`.
        value: its validation MSE, in the units of the series; None unless it is complete.
        curve: validation losses after every epoch that has counted, in the scale that the model sees.
    """

    number: int
    settings: Settings
    fit_id: str
    state: TrialState = "open"
    value: float | None = None
    curve: tuple[float, ...] = field(default=(), repr=False)


def usual_search(experiment: Experiment, name: str | None = None) -> Search:
    """A search over what usually matters of a model.

    Args:
        experiment: its settings.
        name: of the model; None: the last of those that are trained.

    Raises:
        BadInput: when there is no such model, or nothing of it usually varies.
    """
    trained = [choice.name for choice in experiment.models if resolve(choice).trained]
    if name is None and not trained:
        raise BadInput("None of the models is trained: name one to search, and which of its parameters vary.")
    cls = MODELS.get(name or trained[-1])
    if cls is None or cls.name not in [choice.name for choice in experiment.models]:
        raise BadInput(f"The model to search, {name}, is not among the models of the experiment.")
    varied = TRAINING_SEARCHED if cls.trained else {}
    if not (cls.searched or varied):
        raise BadInput(f"Nothing of {cls.title} usually varies: name parameters and their ranges.")
    return Search(model=cls.name, params=dict(cls.searched), training=dict(varied))


def refuse_unusable(experiment: Experiment) -> None:
    """Refuse a search over settings that there are not, or beyond their bounds.

    Raises:
        BadInput: in one sentence.
    """
    for _ in _distributions(experiment):
        pass


def known_to(search: Search, number: int) -> int:
    """How many of the first trials a trial may know, and has to wait for."""
    return max(0, number - search.side_by_side + 1)


def suggested(experiment: Experiment, trials: Sequence[Trial]) -> tuple[Settings, WindowFit]:
    """What is tried next, and the fit that tries it.

    Args:
        experiment: with a search.
        trials: all before it; as many as it knows have ended.
    """
    search, number = _search_of(experiment), len(trials)
    if number == 0:
        return {}, fit_of(experiment, {})
    known = trials[: known_to(search, number)]
    tried = {trial.fit_id for trial in trials}
    for again in range(TRIED_ANEW):
        settings = _drawn(experiment, known, seed=(search.seed * 1_000_003 + number * 101 + again) % 2**32)
        fit = fit_of(experiment, settings)
        if fit.id not in tried:
            break
    return settings, fit


def fit_of(experiment: Experiment, settings: Settings) -> WindowFit:
    """The fit that tries some settings: the model of the search with them, of the first seed.

    Raises:
        BadInput: when they contradict each other.
    """
    chosen = with_settings(experiment, settings)
    choice = next(choice for choice in chosen.models if choice.name == _search_of(experiment).model)
    model = resolve(choice)
    short = ModelChoice(name=model.name, params=model.model_dump(mode="json", exclude_defaults=True))
    how = {"training": chosen.training, "seed": chosen.seeds[0]} if model.trained else {}
    return WindowFit(source=chosen.source, task=chosen.task, model=short, **how)


def with_settings(experiment: Experiment, settings: Settings) -> Experiment:
    """The experiment whose searched model has some settings, and that searches no more.

    Raises:
        BadInput: when they contradict each other.
    """
    search = _search_of(experiment)
    of_model: dict[str, Any] = {}
    of_training: dict[str, Any] = {}
    for name, value in settings.items():
        part, _, setting = name.partition(".")
        (of_model if part == "params" else of_training)[setting] = value
    for name in [name for name in of_model if name.endswith(f".{LAYERS}")]:
        setting = name.removesuffix(f".{LAYERS}")
        of_model[setting] = [of_model[setting]] * of_model.pop(name)
    models = tuple(
        choice.model_copy(update={"params": {**choice.params, **of_model}}) if choice.name == search.model else choice
        for choice in experiment.models
    )
    try:
        training = Training.model_validate(experiment.training.model_dump() | of_training)
    except ValidationError as error:
        raise plain(error) from None
    return experiment.model_copy(update={"models": models, "training": training, "search": None})


def pruned_after(experiment: Experiment, trials: Sequence[Trial], number: int, curve: Sequence[float]) -> int | None:
    """After how many epochs a trial is not worth finishing; None where it is.

    By Optuna's rule of the median: its best epoch so far is worse than that of half the complete trials that it knows, after
    as many epochs.

    Args:
        experiment: with a search.
        trials: from the first on; of those that the trial knows the outcome is given.
        number: of the trial.
        curve: its validation losses so far.
    """
    import optuna

    search = _search_of(experiment)
    known = trials[: known_to(search, number)]
    complete = sum(trial.state == "complete" for trial in known)
    first = math.ceil(PRUNED_FROM * experiment.training.epochs)
    if complete < AT_RANDOM // 2 or len(curve) < first:
        return None
    study = study_of(experiment, known)
    rule = optuna.pruners.MedianPruner(n_startup_trials=AT_RANDOM // 2, n_warmup_steps=first)
    for epochs in range(first, len(curve) + 1):
        values = dict(enumerate(curve[:epochs], start=1))
        so_far = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, intermediate_values=values)
        if rule.prune(study, so_far):
            return epochs
    return None


def study_of(experiment: Experiment, trials: Sequence[Trial], seed: int = 0) -> "Study":
    """Trials as an Optuna study, which draws the next one by its tree-structured Parzen estimator, the first ones at random.

    Args:
        experiment: with a search.
        trials: some of its trials; open ones are not part of the study, and the first has no settings there.
        seed: of what is drawn.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=AT_RANDOM, multivariate=True)
    study, space = optuna.create_study(sampler=sampler), dict(_distributions(experiment))
    study.add_trials([_frozen(trial, space) for trial in trials if trial.state != "open"])
    return study


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The complete trial with the lowest error, the earlier of equals; None while there is none."""
    complete = [trial for trial in trials if trial.value is not None]
    return min(complete, key=lambda trial: (trial.value or 0.0, trial.number)) if complete else None


def importance(experiment: Experiment, trials: Sequence[Trial]) -> dict[str, float]:
    """The share that each setting has in what decides whether a trial is among the better ones; nothing of too few trials.

    By PED-ANOVA (Watanabe, Bansal and Hutter, 2023), which needs no model of the errors.
    """
    import optuna

    complete = [trial for trial in trials if trial.state == "complete" and trial.settings]
    if len(complete) < AT_RANDOM:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return optuna.importance.get_param_importances(study_of(experiment, complete), evaluator=evaluator)


def _search_of(experiment: Experiment) -> Search:
    if experiment.search is None:
        raise BadInput("This experiment searches nothing: give `search`, or name a model.")
    return experiment.search


def _drawn(experiment: Experiment, known: Sequence[Trial], seed: int) -> Settings:
    """What Optuna chooses after some trials."""
    space = dict(_distributions(experiment))
    asked = study_of(experiment, [trial for trial in known if trial.settings], seed).ask(space).params
    return {name: _rounded(space[name], value) for name, value in asked.items()}


def _rounded(distribution: "BaseDistribution", value: Any) -> Any:
    """A number with three digits, within its range: settings that people read, write down and share."""
    from optuna.distributions import FloatDistribution

    if not isinstance(distribution, FloatDistribution):
        return value
    return min(max(float(f"{value:.3g}"), distribution.low), distribution.high)


def _frozen(trial: Trial, space: Mapping[str, "BaseDistribution"]) -> "FrozenTrial":
    import optuna

    states = {name: getattr(optuna.trial.TrialState, now) for name, now in _STATES.items()}
    return optuna.trial.create_trial(
        state=states[trial.state],
        value=trial.value if trial.state == "complete" else None,
        params=trial.settings,
        distributions={name: space[name] for name in trial.settings},
        intermediate_values=dict(enumerate(trial.curve, start=1)),
    )


_STATES = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}


def _distributions(experiment: Experiment) -> Iterator[tuple[str, "BaseDistribution"]]:
    """What varies, as Optuna names it.

    Raises:
        BadInput: when there is no such setting, or a bound is beyond what it takes.
    """
    search = _search_of(experiment)
    model = MODELS.get(search.model)
    if model is None:
        raise BadInput(f"There is no model {search.model!r:.50}: `models` lists them.")
    for part, cls, varied in (("params", model, search.params), ("training", Training, search.training)):
        for name, within in sorted(varied.items()):  # in whatever order they were written down
            if name not in cls.model_fields or (part == "training" and name in ("epochs", "restarts", "device")):
                raise BadInput(f"{name!r:.50} is no setting that a search of {model.title} can vary.")
            yield from _of_one(f"{part}.{name}", cls.model_fields[name], within)


def _of_one(name: str, setting: FieldInfo, within: Range | Options) -> Iterator[tuple[str, "BaseDistribution"]]:
    """One setting; of one with a number per layer also how many layers there are."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(within, Options):
        words = get_args(setting.annotation) if get_origin(setting.annotation) is Literal else within.values
        if unknown := [value for value in within.values if value not in words]:
            raise BadInput(f"{setting.title}: {unknown[0]!r:.50} is none of its values.")
        yield name, CategoricalDistribution(within.values)
        return
    try:
        low, high = bounds(setting)
    except TypeError:
        raise BadInput(f"{setting.title} has no range: give the values to choose from.") from None
    if not low <= within.low < within.high <= high:
        raise BadInput(f"{setting.title}: the range from {within.low:g} to {within.high:g} is beyond {low:g} to {high:g}.")
    if _is_whole(setting):
        yield name, IntDistribution(math.ceil(within.low), math.floor(within.high), log=within.log)
    else:
        yield name, FloatDistribution(within.low, within.high, log=within.log)
    if get_origin(setting.annotation) is tuple:
        yield f"{name}.{LAYERS}", IntDistribution(*within.layers)


def _is_whole(setting: FieldInfo) -> bool:
    """Whether a setting is a whole number, or several."""
    kind = setting.annotation
    return "float" not in str(kind)
