"""A time budget decides by sizes and costs, beforehand; how busy the machine is decides nothing."""

import multiprocessing
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from forecasting.experiment import Experiment, ModelChoice, Plan, Training, Waves
from forecasting.models import MODELS, Shape
from forecasting.models.smoothing import Theta
from forecasting.panels.backtest import DEFAULT, backtest
from forecasting.panels.cutting import n_windows, split_of
from forecasting.panels.fits import series_fits
from forecasting.panels.forecasters import ENOUGH_WINDOWS
from forecasting.panels.panel import Panel
from forecasting.panels.tasks import task_of
from forecasting.runs.budget import WORK_PER_S, allotted
from tests.whole_series import asked

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(8)


def daily(n_series: int, n: int, gaps: int = 0) -> Panel:
    """Daily series with a week, some values of which are missing."""
    values = [50 + 5 * np.sin(2 * np.pi * np.arange(n) / 7) + RNG.normal(size=n) for _ in range(n_series)]
    for y in values:
        y[RNG.permutation(n - 2)[:gaps] + 1] = np.nan
    times = [pd.date_range("2021-01-01", periods=n) for _ in values]
    return Panel([f"s{i}" for i in range(n_series)], times, values, "D", season_length=7)


def shares(panel: Panel, names: tuple[str, ...], budget_s: float, **plan: int) -> dict:
    experiment = asked(Plan(**{"h": 14, "season_length": 7, "n_windows": 4, **plan}), names, budget_s=budget_s)
    return dict(zip(names, allotted(experiment, panel=panel).allotted, strict=True))


def test_two_series_of_three_years_have_time_for_every_default_model():
    assert not any(share.left_out for share in shares(daily(2, 1_095), DEFAULT, 120, h=28, n_windows=8).values())


def test_what_costs_too_much_is_left_out_with_what_it_would_take_and_the_cheap_are_not():
    found = shares(daily(300, 400), ("naive", "linear", "theta", "ets", "arima"), 150)
    assert [name for name, share in found.items() if share.left_out] == ["ets", "arima"]
    assert "would take about" in found["ets"].left_out and "raise it to include it" in found["ets"].left_out
    assert not shares(daily(300, 400), ("naive", "linear", "theta", "ets"), 5_000)["ets"].left_out


def test_networks_share_what_is_left_so_that_all_together_keep_to_the_budget():
    panel, budget_s = daily(200, 400), 20.0
    names = ("naive", "linear", "gru", "lstm", "simple_rnn")
    found, plan = shares(panel, names, budget_s), Plan(h=14, season_length=7, n_windows=4)
    assert found["simple_rnn"].max_windows is None, "it costs so little that it sees all"
    assert ENOUGH_WINDOWS < found["lstm"].max_windows < n_windows(panel, task_of(panel, plan, 56), 56)
    alone = shares(panel, ("naive", "linear", "lstm"), budget_s)["lstm"]
    assert alone.max_windows is None or alone.max_windows > 1.5 * found["lstm"].max_windows


@pytest.mark.parametrize("gaps", [0, 25])
def test_windows_are_counted_as_they_are_cut(gaps):
    panel, plan = daily(3, 120, gaps), Plan(h=6, season_length=7, n_windows=2)
    for back in (0, 12):
        task = task_of(panel, plan, back)
        assert n_windows(panel, task, back) == len(split_of(panel, task, back).train)


def test_networks_with_too_few_windows_are_left_out_before_anything_is_trained():
    share = shares(daily(1, 60), ("naive", "gru"), 120, h=4, n_windows=2)["gru"]
    assert "windows are too few for a network" in share.left_out


def test_of_windows_a_budget_is_as_many_epochs_as_the_arithmetic_of_a_network_allows():
    def epochs(name: str, budget_s: float, n_series: int = 1_000) -> int:
        experiment = Experiment(source=Waves(n_series=n_series), models=(ModelChoice(name=name),), budget_s=budget_s)
        return allotted(experiment).allotted[0].epochs

    assert epochs("deep_rnn", 20) == pytest.approx(2 * epochs("deep_rnn", 10), abs=1)
    assert epochs("simple_rnn", 10) > epochs("deep_rnn", 10) > epochs("lstm", 10)
    assert epochs("deep_rnn", 10, 10_000) == pytest.approx(epochs("deep_rnn", 10) / 10, rel=0.25)
    work = MODELS["deep_rnn"]().work(Shape(50, 1, 1), 700, Training(epochs=epochs("deep_rnn", 10)))
    assert 0.9 * 10 * WORK_PER_S < work <= 10 * WORK_PER_S


def test_a_new_statistical_model_works_on_whole_series_with_nothing_but_its_class(monkeypatch):
    class Another(Theta):
        name: ClassVar[str] = "another"
        title: ClassVar[str] = "Another"

    monkeypatch.setitem(MODELS, "another", Another)
    panel = daily(2, 120)
    experiment = allotted(asked(Plan(h=7, season_length=7, n_windows=2), ("theta", "another"), budget_s=60), panel=panel)
    tested = backtest(panel, experiment)
    np.testing.assert_array_equal(tested.y_hat["another"], tested.y_hat["theta"])


# ------------------------------------------------------------------------------------------------------ a busy machine


def _spin(until: float) -> None:
    while time.monotonic() < until:
        pass


@contextmanager
def kept_busy() -> Iterator[None]:
    """Three times as many processes as there are cores want all of them."""
    context = multiprocessing.get_context("spawn")
    spinning = [
        context.Process(target=_spin, args=(time.monotonic() + 120,)) for _ in range(3 * (multiprocessing.cpu_count()))
    ]
    for process in spinning:
        process.start()
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.join()


def evaluated(path: Path) -> str:
    """What the command line makes of a file within a budget that is tight on an idle machine."""
    models = ["--models", "naive,seasonal_naive,linear,theta,ets,simple_rnn,ensemble"]
    command = [sys.executable, "-m", "forecasting", "evaluate", str(path), "--h", "7", "--seconds", "5", "--json", *models]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_the_same_experiment_on_a_machine_that_is_kept_busy_gives_the_same_bits(tmp_path):
    panel = daily(4, 180)
    rows = [pd.DataFrame({"unique_id": i, "ds": ds, "y": y}) for i, ds, y in zip(panel.ids, panel.ds, panel.y, strict=True)]
    pd.concat(rows).to_csv(tmp_path / "panel.csv", index=False)
    idle = evaluated(tmp_path / "panel.csv")
    with kept_busy():
        busy = evaluated(tmp_path / "panel.csv")
    assert busy == idle
    assert '"ets"' in idle and "simple_rnn" in idle


def test_statistical_models_of_many_series_are_cut_into_fits_and_the_fastest_stand_first():
    """So that slots share them, Stop works between them, and the page fills in."""
    names = ("ets", "theta", "linear", "naive")
    found = shares(daily(600, 60), names, 80_000, n_windows=2)
    assert {name: share.chunks for name, share in found.items()} == {
        "naive": (1, 1),
        "linear": (1, 1),
        "theta": (1, 3),
        "ets": (1, 3),
    }
    experiment = asked(Plan(h=14, season_length=7, n_windows=2), names, allotted=tuple(found.values()))
    fits = [fit.model.name for fit in series_fits(experiment)]
    assert set(fits[:4]) == {"naive", "linear"} and fits[4:] == ["theta"] * 4 + ["ets"] * 4
    assert found["naive"].work_s < found["theta"].work_s < found["ets"].work_s
