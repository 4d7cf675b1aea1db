"""Columns that are features of one another: seen together and all forecast, or seen beside the one that is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting import ModelChoice, Sample, Task, Upload
from forecasting.data import load, read_series
from forecasting.data.samples import read_sample
from forecasting.evaluation.fits import fits_of
from forecasting.evaluation.windows import run_fit
from forecasting.experiment import BadInput, Experiment, Plan, Source
from forecasting.models import Control, Shape, resolve
from forecasting.panels import read_panel
from forecasting.panels.filling import filling
from forecasting.panels.forecast import forecast
from tests.whole_series import asked, made_by

N, LEAD = 600, 4
RNG = np.random.default_rng(11)
SIGNAL = RNG.normal(size=N + LEAD).cumsum() * 0.1 + RNG.normal(size=N + LEAD)
LEADER, FOLLOWER = SIGNAL[LEAD:], SIGNAL[:N] * 30 + 200
"""The follower repeats, on a scale of its own, what the leader did four days before."""


def content(rows: int = N, holed: int | None = None) -> bytes:
    days = pd.date_range("2023-01-01", periods=rows)
    lead = ["" if k == holed else f"{value:.4f}" for k, value in enumerate(LEADER[:rows])]
    lines = [f"{day:%Y-%m-%d},{y:.4f},{x}" for day, y, x in zip(days, FOLLOWER, lead, strict=False)]
    return "\n".join(["day,follower,leader", *lines]).encode()


ALONE = Upload(upload_id="a" * 20, value=("follower",))
BESIDE = ALONE.model_copy(update={"past_covariates": ("leader",)})
SEVERAL = Upload(upload_id="a" * 20, value=("follower", "leader"), multivariate=True)


@pytest.mark.parametrize("scaling", ["none", "standard", "window"])
@pytest.mark.parametrize("source", [BESIDE, SEVERAL])
def test_windows_hold_every_channel_in_its_own_scale(source: Source, scaling: str):
    task = Task(input_size=6, target="all_h", h=3, scaling=scaling)
    split = load(source, task, lambda _: content())
    for part in split.parts:
        assert part.x.shape[1:] == (6, 2) and part.y.shape[1] == 3 and part.n_targets == 1
        k = int((part.ds[7] - np.datetime64("2023-01-01")).astype("timedelta64[D]").astype(int))
        np.testing.assert_allclose(part.seen(0)[7], FOLLOWER[k - 6 : k], rtol=1e-4)
        np.testing.assert_allclose(part.seen(1)[7], LEADER[k - 6 : k], atol=1e-3)
        np.testing.assert_allclose(part.in_units(part.y)[7], FOLLOWER[k : k + 3], rtol=1e-4)
    every = load(source, task.model_copy(update={"channels": "all"}), lambda _: content()).valid
    both = every.in_units(every.y).reshape(len(every), 3, 2)
    np.testing.assert_allclose(both[:, :, 0], split.valid.in_units(split.valid.y), rtol=1e-4)
    if scaling == "standard":
        np.testing.assert_allclose(split.train.x[:, 0].std(axis=0), 1, atol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linear", "gru"])
def test_in_the_lab_a_leading_column_takes_most_of_the_error_away(name: str):
    errors = {}
    for source in (ALONE, BESIDE):
        choice = ModelChoice(name=name)
        task = Task(input_size=8, target="all_h", h=LEAD, scaling="standard")
        experiment = Experiment(source=source, task=task, models=(choice,))
        fit = next(fit for fit in fits_of(experiment) if fit.model.name == name)
        result = run_fit(fit, read_upload=lambda _: content())
        assert result.parameters == resolve(choice).n_parameters(Shape.asked(source, task, resolve(choice)))
        errors[source] = result.valid.mse
    assert errors[BESIDE] < 0.3 * errors[ALONE]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "name"), [(BESIDE, "linear"), (SEVERAL, "linear"), pytest.param(SEVERAL, "gru", marks=pytest.mark.long)]
)
def test_whole_series_are_forecast_from_the_columns_around_them(source: Upload, name: str):
    plan = Plan(h=LEAD, n_windows=6, input_size=10)
    alone = made_by(read_panel(ALONE, lambda _: content()), plan, name)
    panel = read_panel(source, lambda _: content())
    made = made_by(panel, plan, name)
    assert made.y_hat.shape == (6, len(panel.ids), LEAD)
    truth = np.stack([FOLLOWER[N - back : N - back + LEAD] for back in plan.cutoff_offsets()])
    error, blind = (np.abs(some.y_hat[:, 0] - truth).mean() for some in (made, alone))
    assert error < 0.5 * blind
    assert np.abs(made.ahead[0] - (SIGNAL[N:] * 30 + 200)).mean() < 0.5 * blind


def test_columns_seen_together_are_all_forecast_in_their_places():
    panel = read_panel(SEVERAL, lambda _: content())
    assert panel.ids == ["follower", "leader"] and panel.n_targets == 2
    made = forecast(panel, asked(Plan(h=LEAD, n_windows=3, input_size=10), ("naive", "linear")))
    means = {
        unique_id: rows["linear"].mean() for unique_id, rows in made.frame({"linear": "linear"}, ()).groupby("unique_id")
    }
    assert abs(means["follower"] - FOLLOWER[-50:].mean()) < 120 and abs(means["leader"] - LEADER[-50:].mean()) < 4


def test_nothing_that_comes_later_is_seen_in_a_column_beside():
    plan = Plan(h=LEAD, n_windows=3, input_size=10)
    panel = read_panel(BESIDE, lambda _: content())
    assert panel.past_covariates is not None
    spiked = panel.past_covariates[0].copy()
    spiked[-plan.cutoff_offsets()[0] :] += 1_000
    one, other = (made_by(some, plan, "linear") for some in (panel, replace(panel, past_covariates=[spiked])))
    np.testing.assert_array_equal(one.y_hat[0], other.y_hat[0])
    assert not np.allclose(one.y_hat[1], other.y_hat[1])


@pytest.mark.parametrize("source", [BESIDE, SEVERAL])
def test_a_hole_in_one_channel_costs_the_windows_that_hold_it_or_is_filled_in(source: Upload):
    task = Task(input_size=6, target="all_h", h=3)
    whole, holed = (load(source, task, lambda _, k=k: content(holed=k)) for k in (None, 100))
    assert holed.left_out == 6 and len(holed.train) == len(whole.train) - 6
    every = task.model_copy(update={"channels": "all"})
    assert load(source, every, lambda _: content(holed=100)).left_out == 9
    filled = load(source.model_copy(update={"repair": "interpolation"}), task, lambda _: content(holed=100))
    assert filled.left_out == 0
    panel = read_panel(source, lambda _: content(holed=N - 20))
    assert np.isfinite(made_by(panel, Plan(h=2, n_windows=2), "linear").ahead).all()


def test_the_series_of_a_sample_are_channels_of_one_where_that_is_wished():
    source = Sample(name="economy", multivariate=True)
    series = read_series(source)
    apart = read_sample("economy")
    assert list(series.channels)[2:] == ["realcons", "realinv", "realgovt", "realdpi"]
    for name in series.values:
        np.testing.assert_array_equal(series.frame[name], apart.loc[apart["unique_id"] == name, "y"])
    panel = read_panel(source)
    assert panel.ids == list(series.values) == read_panel(Sample(name="economy")).ids
    assert np.isfinite(made_by(panel, Plan(h=4, season_length=4, n_windows=2), "linear").ahead).all()
    with pytest.raises(BadInput, match="too many for a multivariate one"):
        read_series(Sample(name="fertility", multivariate=True))


def test_columns_that_never_have_a_value_at_once_are_refused():
    lines = [
        f"{day:%Y-%m-%d},{k if k < 20 else ''},{'' if k < 20 else k}"
        for k, day in enumerate(pd.date_range("2024", periods=40))
    ]
    source = Upload(upload_id="a" * 20, value=("a", "b"), multivariate=True)
    with pytest.raises(BadInput, match="times at which all of them have a value"):
        read_panel(source, lambda _: "\n".join(["day,a,b", *lines]).encode())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"multivariate": True, "value": ("a",)}, "two columns of values or more"),
        ({"multivariate": True, "every_value": True}, "two columns of values or more"),
        ({"past_covariates": ("b",), "every_value": True}, "go with one column of values"),
        ({"future_covariates": ("b",), "value": ("a", "c")}, "go with one column of values"),
        ({"future_covariates": ("b",), "past_covariates": ("b",)}, "named twice"),
        ({"value": ("b", "b"), "multivariate": True}, "named twice"),
    ],
)
def test_columns_that_do_not_go_together_are_refused_in_a_sentence(settings: dict, said: str):
    with pytest.raises(ValueError, match=said):
        Upload(upload_id="a" * 20, **settings)


def test_columns_of_any_names_are_taken_for_what_they_are_named_for():
    days = pd.date_range("2024-01-01", periods=60)
    rows = [f"{day:%Y-%m-%d},{k % 7},{7.5 + k % 5},{k}" for k, day in enumerate(days)]
    file = "\n".join(["date,y,item_price,sales", *rows]).encode()
    panel = read_panel(Upload(upload_id="a" * 20, value=("sales",), past_covariates=("item_price", "y")), lambda _: file)
    assert panel.ids == ["series"] and panel.past_covariates is not None
    np.testing.assert_array_equal(panel.past_covariates[0], [[7.5 + k % 5, k % 7] for k in range(60)])
    unnamed = read_panel(Upload(upload_id="a" * 20, past_covariates=("y",)), lambda _: file)
    np.testing.assert_array_equal(unnamed.y[0], [7.5 + k % 5 for k in range(60)])
    together = read_panel(Upload(upload_id="a" * 20, value=("y", "sales"), multivariate=True), lambda _: file)
    assert together.ids == ["y", "sales"]
    with pytest.raises(BadInput, match="call it otherwise"):
        read_panel(ALONE.model_copy(update={"value": ("ds",)}), lambda _: file.replace(b"y,item", b"ds,item"))


def test_a_transform_is_for_what_is_forecast_and_columns_beside_may_be_below_zero():
    task = Task(input_size=6, target="all_h", h=3, transform="log")
    split = load(BESIDE, task, lambda _: content())
    np.testing.assert_allclose(split.train.seen(1)[0], LEADER[:6], atol=1e-3)
    assert np.isnan(split.train.lmbda[0, 1]) and split.train.lmbda[0, 0] == 0
    with pytest.raises(BadInput, match="leader"):
        load(SEVERAL, task, lambda _: content())


@pytest.mark.slow
def test_gaps_in_a_column_beside_are_repaired_by_the_network_too():
    source = BESIDE.model_copy(update={"repair": "network"})
    panel = read_panel(source, lambda _: content(holed=300))
    assert filling(panel, 4, Control()).by_network is not None
