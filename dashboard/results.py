"""What the page knows about an experiment: a row per model, from the database and from what was computed here."""

from dataclasses import dataclass, field
from statistics import mean, median, stdev

import numpy as np

from dashboard import computed, service
from forecasting.data import Split
from forecasting.data.masking import fill_mse, forward, interpolation
from forecasting.evaluation.fits import ensembles_of, joins, window_fits
from forecasting.evaluation.scores import skill
from forecasting.evaluation.windows import with_filled
from forecasting.experiment import BadInput, Experiment, Fit, LookBackFit, ModelChoice, WindowFit
from forecasting.models import MODELS, Model, Shape, resolve
from forecasting.models.naive import Baseline, Naive, SeasonalNaive
from forecasting.runs.views import FitView, RunView

ROUNDING = 1e-6
"""Naive's errors are computed twice, in the scale that models see and in units: so little they may differ."""
SCORED = ("finished", "stopped")


@dataclass(frozen=True)
class Outcome:
    """One fit as the page shows it: what is stored of it, or what was computed here.

    Attributes:
        trouble: why the page could not compute it.
    """

    fit: Fit
    view: FitView | None
    result: dict | None
    y_hat: dict[str, np.ndarray] = field(repr=False, default_factory=dict)
    trouble: str | None = None

    @property
    def status(self) -> str:
        """The stored status; `computed` where the page did it; `new` where nobody has."""
        if self.view is not None:
            return self.view.status
        return "new" if self.result is None else "computed"

    def forecasts(self, part: str) -> np.ndarray | None:
        """Forecasts of a part in units, `(n_windows, n_outputs)`, or None when there are none; `filled`: what a network has
        put in the place of masked validation values, in the scale that models see."""
        if self.result is None:
            return None
        if self.y_hat:
            return self.y_hat.get(part)
        view = self.view
        return None if view is None else computed.stored_forecasts(view.id, view.ended_at or 0.0).get(part)


@dataclass(frozen=True)
class Fits:
    """A model with all its fits."""

    model: Model
    outcomes: list[Outcome]

    @property
    def label(self) -> str:
        """The model's name."""
        return self.model.label

    @property
    def place(self) -> int:
        """Its place among the models that have a colour of their own."""
        return place_of(self.model.name)


@dataclass(frozen=True)
class Row(Fits):
    """A model on windows, with all its seeds."""

    shape: Shape

    @property
    def fits(self) -> list[WindowFit]:
        """One per seed."""
        return [outcome.fit for outcome in self.outcomes if isinstance(outcome.fit, WindowFit)]

    @property
    def instant(self) -> bool:
        """Whether the page computes it; the others are fitted by a worker."""
        return computed.is_instant(self.fits[0])

    @property
    def scored(self) -> list[Outcome]:
        """The seeds that have a score."""
        return [outcome for outcome in self.outcomes if outcome.result is not None]

    def values(self, name: str) -> list[float]:
        """A figure of every scored seed; a result that an earlier version stored may lack it."""
        found = [outcome.result.get(name) for outcome in self.scored if outcome.result is not None]
        return [value for value in found if value is not None]

    def middle(self, name: str) -> float | None:
        """The median over the seeds, or None without a score."""
        values = self.values(name)
        return median(values) if values else None

    @property
    def windows(self) -> int | None:
        """How many validation windows it is scored on, or None without a score."""
        count = self.middle("valid_windows")
        return None if count is None else int(count)

    @property
    def error(self) -> float | None:
        """By what models are compared: the validation MSE as a multiple of naive's on the same windows, which may be a
        sample; the MSE itself where naive makes no error, and None without a score."""
        mse, naive = self.middle("valid_mse"), self.middle("valid_naive_mse")
        return mse / naive if mse is not None and naive else mse

    def skill(self, against: "Row | None") -> float | None:
        """The share of a baseline's error that the model takes away; None where there is none.

        Args:
            against: the baseline, see `held_against`; errors are compared as multiples of naive's on the same windows.
        """
        if self.error is None or against is None or against.error is None:
            return None
        return skill(self.error, against.error)

    @property
    def spread(self) -> tuple[float, float] | None:
        """Mean and standard deviation of the validation MSE over the seeds, where there are several."""
        values = self.values("valid_mse")
        return (mean(values), stdev(values)) if len(values) > 1 else None

    @property
    def typical(self) -> Outcome | None:
        """The seed nearest to the median: the one that charts show."""
        middle = self.middle("valid_mse")
        if middle is None:
            return None
        return min(self.scored, key=lambda outcome: abs((outcome.result or {})["valid_mse"] - middle))

    @property
    def per_step(self) -> list[float] | None:
        """The validation MSE per step ahead, the median over the seeds."""
        return self._medians("valid_mse_per_step")

    @property
    def per_channel(self) -> list[float] | None:
        """The validation MSE per channel that is forecast, the median over the seeds."""
        return self._medians("valid_mse_per_channel")

    def _medians(self, name: str) -> list[float] | None:
        lists = [outcome.result[name] for outcome in self.scored if outcome.result and name in outcome.result]
        return [float(value) for value in np.median(np.array(lists), axis=0)] if lists else None


def place_of(name: str) -> int:
    """A model's place among those that have a colour of their own, from 1; 0 for what they are held against, in grey."""
    coloured = [other for other, model in MODELS.items() if not (issubclass(model, Baseline) or model.reference)]
    return 1 + coloured.index(name) if name in coloured else 0


def rows_of(experiment: Experiment, run: RunView | None = None) -> list[Row]:
    """Look up every fit of an experiment; models that need no training are computed at once.

    A run keeps its results, also where an earlier version of this program has computed them, which gives fits other ids.

    Raises:
        BadInput: when source, task and models do not fit together.
    """
    fits = window_fits(experiment)
    views = service.store().fits([fit.id for fit in fits])
    rows: dict[str, Row] = {}
    for fit in fits:
        model, view = resolve(fit.model), views.get(fit.id) or (None if run is None else run.kept(fit))
        row = rows.setdefault(fit.model.canonical(), Row(model, [], Shape.asked(fit.source, fit.task, model)))
        row.outcomes.append(_outcome(fit, view))
    return list(rows.values())


def fits_of_run(run: RunView) -> list[Fits]:
    """The models of a run that workers fit, as they stand, from the database alone."""
    models: dict[str, Fits] = {}
    for view in run.fits:
        if not isinstance(view.fit, LookBackFit) and not (isinstance(view.fit, WindowFit) and computed.is_instant(view.fit)):
            fits = models.setdefault(view.fit.model.canonical(), Fits(resolve(view.fit.model), []))
            fits.outcomes.append(Outcome(view.fit, view, view.result))
    return list(models.values())


def _outcome(fit: WindowFit, view: FitView | None) -> Outcome:
    if view is not None and view.status in SCORED:
        return Outcome(fit, view, view.result)
    if not computed.is_instant(fit):
        return Outcome(fit, view, None)
    try:
        result = computed.result_of(fit.canonical())
    except BadInput as error:
        return Outcome(fit, view, None, trouble=str(error))
    return Outcome(fit, view, result.summary(), {"valid": result.y_hat_valid, "test": result.y_hat_test})


def with_known_filled(split: Split, rows: list[Row]) -> Split:
    """The split with what a network has put in the place of masked validation values; NaN while none has done so yet."""
    if not rows[0].fits[0].asks_network:
        return split
    known = (filled for row in rows for o in row.scored if (filled := o.forecasts("filled")) is not None)
    return with_filled(split, next(known, None))


def ensemble_rows(experiment: Experiment, rows: list[Row], split: Split) -> list[Row]:
    """A row per ensemble of an experiment, made of the rows that have learned; without a score while they are too few.

    Args:
        experiment: the settings.
        rows: its other models.
        split: its windows.
    """
    members = [(row, outcome) for row in rows if joins(row.fits[0]) for outcome in row.scored]
    made = []
    for fit in ensembles_of(experiment):
        model = resolve(fit.model)
        outcome = Outcome(fit, None, None)
        if len(members) > 1:
            keys = tuple((o.fit.id, 0.0 if o.view is None else o.view.ended_at) for _, o in members)
            result = computed.combined(fit.canonical(), keys, split, [o.forecasts for _, o in members])
            shares: dict[str, float] = {}
            for (row, _), share in zip(members, result.weights[0], strict=True):
                shares[row.label] = shares.get(row.label, 0.0) + float(share)
            y_hat = {"valid": result.y_hat_valid, "test": result.y_hat_test}
            outcome = Outcome(fit, None, result.summary() | {"shares": shares}, y_hat)
        made.append(Row(model, [outcome], Shape.asked(fit.source, fit.task, model)))
    return made


def held_against(rows: list[Row]) -> Row | None:
    """The baseline that skill is measured by: of naive and seasonal naive the better; None where neither has a score."""
    baselines = [row for row in rows if row.model.name in (Naive.name, SeasonalNaive.name) and row.error is not None]
    return min(baselines, key=lambda row: row.error or 0.0, default=None)


def in_order(rows: list[Row]) -> list[Row]:
    """The best first, then those without a score, and at the end what no model can do better than."""
    return sorted(rows, key=lambda row: (row.model.reference, not row.scored, row.error or 0.0))


def fillings(experiment: Experiment, split: Split) -> dict[str, float | None]:
    """The error of every way to fill in, on what was masked in the validation windows, in units squared.

    Naive is fitted to whatever a network has filled in, so its stored result tells how well that went.
    """
    part, task = split.valid, experiment.task.model_copy(update={"fill": "network"})
    whole = part.x if part.complete is None else part.complete
    naive = window_fits(
        experiment.model_copy(
            update={"task": task, "models": (ModelChoice(name=Naive.name),), "budget_s": None, "allotted": ()}
        )
    )[0]
    view = service.store().fits([naive.id]).get(naive.id)
    learned = None if view is None or view.result is None else view.result.get("valid_fill_mse")
    return {
        "forward": fill_mse(part, forward(whole, part.missing)),
        "interpolation": fill_mse(part, interpolation(whole, part.missing)),
        "network": learned,
    }
