"""What one takes home of a run, read again by others' libraries."""

import io
import json
import re
import subprocess
import sys
import zipfile

import nbclient
import nbformat
import numpy as np
import pandas as pd
import pytest

from forecasting import BadInput, Experiment, ModelChoice, Sample, Task, Waves
from forecasting.data import load
from forecasting.experiment import Plan
from forecasting.experiment.formats import read_experiment
from forecasting.runs.report import report
from forecasting.runs.take_away import files_of, networks_of, scripts_of, tables_of, zipped


def test_tables_hold_scores_curves_and_forecasts(lab, small):
    run = lab.ended(lab.start(small("naive", "linear_sgd").model_copy(update={"title": "=1+1"})))
    files = tables_of(lab.store, run, with_test=True)
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
    book = pd.read_excel(io.BytesIO(files["run.xlsx"]), sheet_name=None, engine="calamine")
    assert list(book) == ["scores", "curves", "forecasts"] and len(book["forecasts"]) == len(made)
    covered = tables_of(lab.store, run, with_test=False)
    assert "test_mse" in scores and "test_mse" not in covered["scores.csv"].decode()
    assert set(pd.read_parquet(io.BytesIO(covered["forecasts.parquet"]))["part"]) == {"valid"}


def test_all_of_a_run_is_in_one_archive(lab, small):
    run = lab.ended(lab.start(small("naive", "linear").model_copy(update={"title": "=1+1"})))
    files = files_of(lab.store, run.id)
    with zipfile.ZipFile(io.BytesIO(zipped(files))) as archive:
        names = {
            "README.md",
            "EXPERIMENT.json",
            "report.html",
            "scores.csv",
            "forecasts.csv",
            "forecasts.parquet",
            "run.xlsx",
        }
        assert {name for name in archive.namelist() if not name.startswith("restore/")} == names
    assert read_experiment(files["EXPERIMENT.json"].decode()) == run.experiment
    with pytest.raises(BadInput, match="There is no run"):
        files_of(lab.store, "nothing")


def test_a_forecast_of_whole_series_is_there_by_cutoff(lab):
    plan = Plan(h=2, season_length=4, n_windows=2)
    run = lab.ended(lab.start(Experiment(source=Sample(name="gdp"), plan=plan, models=(ModelChoice(name="drift"),))))
    files = files_of(lab.store, run.id)
    made = pd.read_parquet(io.BytesIO(files["forecasts.parquet"]))
    assert set(made["cutoff"]) == {0, 2, 4} and set(made["step"]) == {1, 2} and set(made["series"]) == {0}
    assert json.loads(files["EXPERIMENT.json"])["plan"]["h"] == 2
    assert b"series-0" in files["report.html"] and not any(name.startswith("networks/") for name in files)


def test_a_report_needs_nothing_from_elsewhere_and_runs_nothing_of_a_strangers(lab, small):
    titled = small("naive", "linear").model_copy(update={"title": "</script><script>alert(1)</script>"})
    run = lab.ended(lab.start(titled))
    page = report(lab.store, run, "https://lab.example/?run=x").decode()
    assert "alert(1)</script>" not in page and "&lt;/script&gt;" in page and "https://lab.example/?run=x" in page
    assert "<link" not in page and not re.search(r"<(script|img)[^>]+src=", page) and "Plotly.newPlot" in page
    assert f"{run.fits[1].result['valid_mse']:.4g}" in page and "Test MSE" not in page
    assert "Test MSE" in report(lab.store, run, with_test=True).decode()


@pytest.mark.slow
@pytest.mark.parametrize("scaling", ["none", "standard", "window", "level"])
def test_a_saved_network_forecasts_what_the_run_has_forecast(lab, scaling, tmp_path):
    task = Task(input_size=12, target="all_h", h=3, scaling=scaling, season_length=4)
    waves = Waves(n_series=60, seed=77, level=3.0)
    made = Experiment(source=waves, task=task, models=(ModelChoice(name="gru", params={"units": [5]}),))
    run = lab.ended(lab.start(made.model_copy(update={"training": made.training.model_copy(update={"epochs": 1})})))
    files = networks_of(lab.store, run)
    folder = next(name for name in files if name.endswith("card.md")).rpartition("/")[0]
    for name in ("model.keras", "card.md", "predict.py"):
        (tmp_path / name).write_bytes(files[f"{folder}/{name}"])
    fit = run.fits[-1]
    assert f"{fit.result['valid_mse']:.6g}" in (tmp_path / "card.md").read_text()
    np.savetxt(tmp_path / "values.txt", load(waves, task).valid.seen()[5])
    done = subprocess.run(
        [sys.executable, "-I", "predict.py", "values.txt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    y_hat = [float(line.split()[1]) for line in done.stdout.splitlines()]
    np.testing.assert_allclose(y_hat, lab.store.arrays(fit.id, "forecasts")["valid"][5], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_script_is_a_notebook_too_which_comes_to_the_same_score(lab, small):
    run = lab.ended(lab.start(small("simple_rnn", epochs=2)))
    files = scripts_of(run)
    notebook = nbformat.reads(next(files[name] for name in files if name.endswith(".ipynb")).decode(), as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(notebook, timeout=200, kernel_name="python3").execute()
    said = "".join(out.get("text", "") for cell in notebook.cells for out in cell.get("outputs", []))
    score = float(said.rstrip().splitlines()[-1].removeprefix("validation MSE:"))
    assert score == pytest.approx(run.fits[-1].result["valid_mse"], rel=5e-4)
