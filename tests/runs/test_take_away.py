"""What one takes home of a run, read again by others' libraries."""

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from forecasting import BadInput, Experiment, ModelChoice, Sample
from forecasting.experiment import Plan
from forecasting.experiment.formats import read_experiment
from forecasting.runs.take_away import files_of, zipped


def test_a_run_on_windows_is_settings_scores_curves_and_forecasts(lab, small):
    run = lab.ended(lab.start(small("naive", "simple_rnn").model_copy(update={"title": "=1+1"})))
    files = files_of(lab.store, run.id)
    with zipfile.ZipFile(io.BytesIO(zipped(files))) as archive:
        names = {"README.md", "EXPERIMENT.json", "scores.csv", "curves.csv", "forecasts.parquet"}
        assert set(archive.namelist()) == names | {f"keras-simple_rnn-{run.fits[-1].id[:6]}.py"}
    assert read_experiment(files["EXPERIMENT.json"].decode()) == run.experiment
    scores = pd.read_csv(io.BytesIO(files["scores.csv"])).set_index("model")
    for fit in run.fits:
        assert scores.loc[fit.label, "valid_mse"] == pytest.approx(fit.result["valid_mse"])
    curves = pd.read_csv(io.BytesIO(files["curves.csv"]))
    assert curves["epoch"].tolist() == [1, 2, 3] and curves["valid_loss"].tolist() == [
        pytest.approx(point.valid_loss) for point in run.fits[-1].epochs
    ]
    made = pd.read_parquet(io.BytesIO(files["forecasts.parquet"]))
    stored = lab.store.arrays(run.fits[-1].id, "forecasts")
    for part in ("valid", "test"):
        own = made[(made["fit"] == run.fits[-1].id) & (made["part"] == part)]
        np.testing.assert_array_equal(own["y_hat"].to_numpy().reshape(stored[part].shape), stored[part])
        assert own["window"].tolist() == list(range(len(stored[part]))) and set(own["step"]) == {1}
    covered = files_of(lab.store, run.id, with_test=False)
    assert "test_mse" in scores and "test_mse" not in covered["scores.csv"].decode()
    assert set(pd.read_parquet(io.BytesIO(covered["forecasts.parquet"]))["part"]) == {"valid"}
    with pytest.raises(BadInput, match="There is no run"):
        files_of(lab.store, "nothing")


def test_a_forecast_of_whole_series_is_there_by_cutoff(lab):
    plan = Plan(h=2, season_length=4, n_windows=2)
    run = lab.ended(lab.start(Experiment(source=Sample(name="gdp"), plan=plan, models=(ModelChoice(name="drift"),))))
    made = pd.read_parquet(io.BytesIO(files_of(lab.store, run.id)["forecasts.parquet"]))
    assert set(made["cutoff"]) == {0, 2, 4} and set(made["step"]) == {1, 2} and set(made["series"]) == {0}
    assert json.loads(files_of(lab.store, run.id)["EXPERIMENT.json"])["plan"]["h"] == 2
