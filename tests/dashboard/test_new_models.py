"""A new model is one class and one line: it works in the Lab, on the Forecast page and on the command line by itself."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import service
from dashboard.state import encode
from forecasting import Experiment, ModelChoice, Sample, Task, Training, Waves
from forecasting.experiment import Plan
from forecasting.models import MODELS
from tests.new_models import NEW, register

ROOT = Path(__file__).parents[2]
LAB = Experiment(
    source=Waves(n_series=100),
    task=Task(input_size=8),
    training=Training(epochs=2),
    models=(
        ModelChoice(name="historic_average", params={"sample": 4}),
        ModelChoice(name="one_hidden_layer", params={"units": 3}),
    ),
)
FORECAST = Experiment(
    source=Sample(name="elnino"),
    plan=Plan(h=3, season_length=12, n_windows=2),
    training=Training(epochs=2),
    models=tuple(ModelChoice(name=name) for name in ("naive", *NEW)),
)


@pytest.fixture(scope="module", autouse=True)
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The models are in the list of this process, and of those that it starts."""
    folder = tmp_path_factory.mktemp("new")
    (folder / "sitecustomize.py").write_text("from tests.new_models import register\n\nregister()\n")
    before = dict(MODELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{folder}:{ROOT}")
        patch.setenv("FORECASTING_DATABASE_URL", f"sqlite:///{folder / 'lab.db'}")
        patch.setenv("FORECASTING_SLOTS", "1")
        patch.setattr(service, "_store", None)
        patch.setattr(service, "_engine", None)
        service.settings.cache_clear()
        register()
        yield folder
        service.engine().close()
        service.settings.cache_clear()
    MODELS.clear()
    MODELS.update(before)


def press(page: AppTest, key: str, eventually: Callable) -> AppTest:
    """Start a run, and open it when it has ended."""
    assert not page.exception
    next(button for button in page.button if button.key == key).click().run()
    run_id = str(np.atleast_1d(page.query_params["run"])[0])
    run = eventually(lambda: (run := service.store().run(run_id)) and run.ended and run, 120)
    assert {fit.fit.model.name for fit in run.fits} >= NEW.keys()
    assert [fit.status for fit in run.fits] == ["finished"] * len(run.fits), [fit.reason for fit in run.fits]
    page.run()
    assert not page.exception
    return page


@pytest.mark.slow
def test_in_the_lab(eventually):
    page = AppTest.from_file(str(ROOT / "dashboard" / "page.py"), default_timeout=60)
    page.query_params["e"] = encode(LAB)
    page.session_state["forms"] = True
    page = press(page.run(), "train", eventually)
    table = page.dataframe[0].value.set_index("Model")
    assert table["Validation MSE"].notna().all()
    assert {"Historic average, 4 windows", "One hidden layer, 3"} <= set(table.index)
    assert table.loc["One hidden layer, 3", "Parameters"] == 9 * 3 + 4
    for button in [button for button in page.button if button.label == "Add a variant"]:
        button.click()
    page.run()
    assert not page.exception
    variants = {"Historic average, 8 windows", "One hidden layer, 6"}
    assert variants <= set(page.dataframe[0].value["Model"])


@pytest.mark.slow
def test_on_the_forecast_page(eventually):
    def script() -> None:
        import streamlit as st

        from dashboard.views import forecast, lab

        st.session_state["pages"] = {"lab": st.Page(lab.page, title="Lab")}
        forecast.page()

    page = AppTest.from_function(script, default_timeout=60)
    page.query_params["e"] = encode(FORECAST)
    page = press(page.run(), "forecast", eventually)
    tables = [frame.value for frame in page.dataframe if "MASE" in frame.value]
    scores = tables[0].set_index("Model")["MASE"]
    assert scores[["Naive", "Historic average", "One hidden layer"]].notna().all()


@pytest.mark.slow
def test_on_the_command_line(registered):
    def run(*arguments: object, text: str | None = None) -> str:
        command = [sys.executable, "-m", "forecasting", *map(str, arguments)]
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=ROOT, timeout=200, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed = run("models")
    assert all(f"{name}: {model.title}." in listed for name, model in NEW.items())
    known = json.loads(run("run", "-", "--json", text=LAB.canonical()))["fits"]
    assert {fit["model"] for fit in known} == {"naive", *NEW} and all(fit["valid_mse"] > 0 for fit in known)
    file, out = registered / "file.csv", registered / "out.csv"
    times = pd.date_range("2000-01-01", periods=800, freq="D")
    pd.DataFrame({"ds": times, "y": np.arange(800) % 7}).to_csv(file, index=False)
    run("forecast", file, "--h", 3, "--out", out, "--models", ",".join(NEW), "--seconds", 5)
    assert NEW.keys() <= set(pd.read_csv(out).columns)
