"""The front door for notebooks: plain DataFrames in, plain DataFrames out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from forecasting.data.reading.frequency import infer_frequency
from forecasting.data.repair import on_grid
from forecasting.data.seasons import season_of
from forecasting.data.series import series_of_file
from forecasting.experiment import NOT_STORED, BadInput, Experiment, ModelChoice, Plan, Upload, plain
from forecasting.panels import Panel
from forecasting.panels import backtest as backtests
from forecasting.panels import forecast as forecasts
from forecasting.panels.actuals import AgainstActuals, against_actuals
from forecasting.panels.judging import Backtest
from forecasting.runs.budget import allotted
from forecasting.studies.recipes import for_series

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Models = str | Sequence[str | ModelChoice]
"""A choice of models by its name, or models."""


@dataclass(frozen=True)
class BacktestResult:
    """What models would have forecast in the past, and how well.

    Attributes:
        frame: `unique_id, ds, cutoff, y` and a column per model; a row per step ahead of every cutoff.
        scores: a row per model, the best first: MASE, RMSSE, sMAPE (0 to 1), MAE, RMSE, MSE, bias in units, and skill
            against seasonal naive.
        best: the model with the lowest MASE on the cutoffs that choose (all but the last, where there are several).
        left_out: models that could not be tried, and why.
    """

    frame: pd.DataFrame
    scores: pd.DataFrame
    best: str
    left_out: dict[str, str]

    def plot(self, unique_id: str | None = None) -> "Figure":
        """A Plotly figure of one series, the first unless named: the truth, and each model's forecasts by cutoff."""
        from forecasting.plots import of_backtest

        return of_backtest(self.frame, unique_id)


@dataclass(frozen=True)
class ForecastResult:
    """The next h values of every series.

    Attributes:
        frame: `unique_id, ds`, and per model its forecast and the ends of its intervals, `<model>-lo-80`, `<model>-hi-80`;
            the model that backtests chose is the column `best` where no models were named.
        scores: of the backtest, as in `BacktestResult`.
        best: the model that backtests chose.
        why: why, in a sentence.
        history: the series, `unique_id, ds, y`, on their even grid.
        left_out: models that could not be tried, and why.
    """

    frame: pd.DataFrame
    scores: pd.DataFrame
    best: str
    why: str
    history: pd.DataFrame
    left_out: dict[str, str]

    def plot(self, unique_id: str | None = None) -> "Figure":
        """A Plotly figure of one series, the first unless named: its end, the forecasts and their intervals."""
        from forecasting.plots import of_forecast

        return of_forecast(self.history, self.frame, unique_id)

    def against(self, data: pd.DataFrame | pd.Series) -> AgainstActuals:
        """The forecast beside what came, and its errors.

        Args:
            data: newer values of the same series, in the form that `forecast` takes.

        Raises:
            BadInput: when the data is not of this form, or nothing of what was forecast has come.
        """
        return against_actuals(self.frame, _panel(data, None, (), ()).frame)


def read(path: str | Path, **said: Any) -> pd.DataFrame:
    """Read the series of a file: CSV, text, Excel or Parquet, compressed or not.

    Args:
        path: the file.
        said: what is known about it, where finding out goes wrong: `time`, `value`, `id` (lists of column names),
            `day_first`, `missing` (numbers), `frequency` with `aggregate` ("mean", "sum", "last"); see `Upload`.

    Returns:
        `unique_id, ds, y` on an even grid, missing values NaN.

    Raises:
        BadInput: when the file cannot be read surely, in a sentence.
        OSError: when there is no such file.
    """
    content = Path(path).read_bytes()
    try:
        source = Upload(upload_id=NOT_STORED, **said)
    except ValidationError as error:
        raise plain(error) from None
    series = series_of_file(source, content)
    return series.frame.rename(columns={series.values[0]: "y"} if len(series.values) == 1 else {})


def backtest(
    data: pd.DataFrame | pd.Series,
    h: int,
    models: Models = "default",
    *,
    freq: str | None = None,
    budget_s: float | None = 240.0,
    seed: int = 1,
    **settings: Any,
) -> BacktestResult:
    """Let models forecast from cutoffs in the past, each knowing nothing of what came later.

    Args:
        data: `unique_id, ds, y`, or without `unique_id` for one series; or a Series with a DatetimeIndex.
        h: steps ahead.
        models: names as `python -m forecasting models` lists them; or a choice of them, `default`, or `fast` for very many
            series: dynamic Theta, the MLP and their mean.
        freq: pandas' alias of the step between times; found out unless given.
        budget_s: seconds that all models may take together, about; None: as long as they take.
        seed: of networks.
        settings: further fields of `Plan`: `season_length`, `n_windows`, `step_size`, `refit`, `input_size`, `calendar` and
            others; and `past_covariates`, `future_covariates`: names of further columns of numbers.

    Raises:
        BadInput: when the data is not of this form, or the series are too short.
    """
    panel, asked = _asked(data, h, models, freq, budget_s, seed, settings)
    tested = backtests.backtest(panel, asked)
    if not tested.y_hat:
        raise BadInput("No model could forecast these series: " + "; ".join(tested.left_out.values()))
    return BacktestResult(_past(panel, tested), _scores(tested), tested.best(), tested.left_out)


def forecast(
    data: pd.DataFrame | pd.Series,
    h: int,
    models: Models = "default",
    *,
    level: Sequence[float] = (80, 95),
    freq: str | None = None,
    budget_s: float | None = 240.0,
    seed: int = 1,
    **settings: Any,
) -> ForecastResult:
    """Forecast every series, with conformal intervals; without models, by the one that backtests choose.

    Args:
        data, h, models, freq, budget_s, seed, settings: as `backtest` takes them.
        level: of the intervals, in percent.

    Raises:
        BadInput: when the data is not of this form, or no model could forecast it.
    """
    panel, asked = _asked(data, h, models, freq, budget_s, seed, settings)
    whole_choice = isinstance(models, str) and models in backtests.CHOICES
    made = forecasts.forecast(panel, asked, only_best=whole_choice)
    names = {made.chosen: "best"} if whole_choice else {name: name for name in made.tested.y_hat}
    tested = made.tested
    return ForecastResult(made.frame(names, level), _scores(tested), made.chosen, made.why, panel.frame, tested.left_out)


def _asked(
    data: pd.DataFrame | pd.Series,
    h: int,
    models: Models,
    freq: str | None,
    budget_s: float | None,
    seed: int,
    settings: dict[str, Any],
) -> tuple[Panel, Experiment]:
    """The series, and what is asked of them."""
    columns = {name: tuple(settings.pop(name, ())) for name in ("past_covariates", "future_covariates")}
    panel = _panel(data, freq, **columns)
    names = backtests.CHOICES.get(models, (models,)) if isinstance(models, str) else models
    chosen = [one if isinstance(one, ModelChoice) else ModelChoice(name=one) for one in names]
    return panel, experiment_on(panel, h, chosen, settings, budget_s, seed)


def experiment_on(
    panel: Panel,
    h: int,
    models: Sequence[ModelChoice],
    settings: Mapping[str, Any],
    budget_s: float | None,
    seed: int = 1,
    source: Upload | None = None,
) -> Experiment:
    """What is asked of a panel that has been read already, and what the time comes to.

    Args:
        panel: the series.
        h: steps ahead.
        models: those that are tried; networks are trained as `studies.recipes.for_series` says.
        settings: further fields of `Plan`; the others are what fits the series.
        budget_s: seconds that all models may take together, about; None: as long as they take.
        seed: of networks.
        source: where the panel comes from; None: from nothing that is stored.

    Raises:
        BadInput: when a setting is out of range, or no model has one of the names.
    """
    seasons = (settings["season_length"], *settings.get("longer_seasons", ())) if "season_length" in settings else None
    usual = backtests.default_plan(panel, h, seasons).model_dump()
    try:
        plan = Plan.model_validate(usual | dict(settings))
        asked = Experiment(
            source=source or Upload(upload_id=NOT_STORED),
            plan=plan,
            models=tuple(models),
            training=for_series(panel, plan),
            seeds=(seed,),
            budget_s=budget_s,
        )
    except ValidationError as error:
        raise plain(error) from None
    return allotted(asked, panel=panel)


def _panel(
    data: pd.DataFrame | pd.Series,
    freq: str | None,
    past_covariates: tuple[str, ...],
    future_covariates: tuple[str, ...],
) -> Panel:
    """The series of a frame, on the even grid of their frequency."""
    frame = data.rename("y").rename_axis("ds").reset_index() if isinstance(data, pd.Series) else data
    further = (*past_covariates, *future_covariates)
    lacking = [name for name in ("ds", "y", *further) if name not in frame]
    if lacking:
        raise BadInput(f"The frame has no column {lacking[0]!r}: it needs unique_id, ds, y, and has {list(frame)!s:.200}.")
    try:
        times = pd.to_datetime(frame["ds"])
        numbers = {name: pd.to_numeric(frame[name]) for name in ("y", *further)}
    except (ValueError, TypeError) as error:
        raise BadInput(f"ds must hold times, and y and the covariates numbers ({error!s:.200}).") from None
    ids = frame["unique_id"] if "unique_id" in frame else "series"
    long = pd.DataFrame({"unique_id": ids, "ds": times, **numbers}).sort_values(["unique_id", "ds"], kind="stable")
    longest = long[long["unique_id"] == long["unique_id"].value_counts().idxmax()]
    frequency = freq or infer_frequency(longest["ds"].drop_duplicates())
    made = on_grid(long[["unique_id", "ds", "y"]], frequency)
    for name in further:
        column = on_grid(long[["unique_id", "ds", name]].rename(columns={name: "y"}), frequency)
        made[name] = column["y"].to_numpy()
    season = season_of(frequency)
    return Panel.of(
        made, frequency, season_length=season, past_covariates=past_covariates, future_covariates=future_covariates
    )


def _past(panel: Panel, tested: Backtest) -> pd.DataFrame:
    """Truth and forecasts, a row per step ahead; of series that are too short to be judged there are none."""
    pieces = []
    h = tested.y.shape[2]
    for c, back in enumerate(tested.cutoff_offsets):
        for i in np.flatnonzero(np.isfinite(tested.y[c]).any(axis=1)).tolist():
            piece = {"unique_id": panel.ids[i], "ds": panel.times_after(i, back, h), "cutoff": panel.cutoff(i, back)}
            piece |= {"y": tested.y[c, i]} | {name: y_hat[c, i] for name, y_hat in tested.y_hat.items()}
            pieces.append(pd.DataFrame(piece))
    made = pd.concat(pieces, ignore_index=True)
    return made[made["y"].notna()].sort_values(["unique_id", "cutoff", "ds"], kind="stable", ignore_index=True)


def _scores(tested: Backtest) -> pd.DataFrame:
    best = tested.best()
    table = pd.DataFrame.from_dict(tested.scores(), orient="index").rename_axis("model").reset_index()
    first = table["model"] != best
    return table.assign(_first=first).sort_values(["_first", "mase", "rmse"], ignore_index=True).drop(columns="_first")
