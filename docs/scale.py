"""How time and memory grow: `python -m docs.scale` measures and draws `docs/scale.png` (ten minutes; needs Chromium).

Each point is measured in a process of its own, on one thread as a worker of the dashboard has it.
`python -m docs.scale look-back` measures one axis anew, and `--draw` draws the figures of `docs/scale.json` again.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import plotly.graph_objects as go
from playwright.sync_api import sync_playwright
from plotly.subplots import make_subplots

from forecasting import Experiment, ModelChoice, Task, Training, Waves, fits_of, run_fit
from forecasting.data import load
from forecasting.models import Control

FOLDER = Path(__file__).parent
EPOCHS = 3
TEN = {"input_size": 50, "target": "all_h", "h": 10}
AXES: dict[str, tuple[str, list[int], tuple[str, ...]]] = {
    "series": ("series of 60 steps", [1_000, 3_000, 10_000, 30_000, 100_000, 300_000], ("linear", "deep_rnn_dense", "gru")),
    "look-back": ("look-back (2,000 series)", [50, 100, 200, 500, 1_000, 2_000], ("linear", "deep_rnn_dense", "gru")),
    "horizon": ("horizon (2,000 series)", [1, 2, 5, 10, 20, 50, 100, 200], ("linear", "gru", "encoder_decoder")),
    "units": ("units of one layer (2,000 series)", [1, 2, 4, 8, 16, 32, 64, 128, 256], ("deep_rnn_dense", "lstm", "gru")),
}
NAMES = {
    "deep_rnn_dense": "simple RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "encoder_decoder": "encoder–decoder",
    "linear": "least squares",
}


def experiment(axis: str, value: int, model: str) -> Experiment:
    """What is measured at a point."""
    n_series, task, params = 2_000, dict(TEN), {}
    if axis == "series":
        n_series = value
    elif axis == "look-back":
        task["input_size"] = value
    elif axis == "horizon":
        task["h"] = value
    else:
        params["units"] = [value]
    choice = ModelChoice(name=model, params=params)
    return Experiment(source=Waves(n_series=n_series), task=Task(**task), models=(choice,), training=Training(epochs=EPOCHS))


def measure(axis: str, value: int, model: str) -> dict:
    """Seconds to make the data, seconds per epoch (or to solve a model that is solved), and the memory that it takes."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    warm = Experiment(source=Waves(n_series=60), models=(ModelChoice(name="linear_sgd"),), training=Training(epochs=1))
    run_fit(fits_of(warm)[-1])
    before, asked, ended = _peak_mb(), experiment(axis, value, model), []
    began = time.perf_counter()
    split = load(asked.source, asked.task)
    loaded = time.perf_counter()
    result = run_fit(fits_of(asked)[-1], Control(on_epoch=lambda _: ended.append(time.perf_counter())), split=split)
    seconds = min(b - a for a, b in zip(ended, ended[1:], strict=False)) if ended else time.perf_counter() - loaded
    data_mb = sum(part.x.nbytes + part.path.nbytes for part in split.parts) / 1e6
    point = {"axis": axis, "value": value, "model": model, "load_s": loaded - began, "seconds": seconds}
    return point | {"peak_mb": _peak_mb() - before, "data_mb": data_mb, "valid_mse": result.valid.mse}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def draw(points: list[dict]) -> go.Figure:
    """Seconds above, memory below; a grey line says what growth in proportion would be."""
    figure = make_subplots(2, len(AXES), vertical_spacing=0.12, horizontal_spacing=0.05)
    colours = dict(zip(NAMES, ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#14181F"), strict=True))
    shown: set[str] = set()
    for column, (axis, (title, values, models)) in enumerate(AXES.items(), 1):
        for row, figure_of in ((1, "seconds"), (2, "peak_mb")):
            highest = []
            for model in models:
                line = [p for p in points if (p["axis"], p["model"]) == (axis, model)]
                y = [max(p[figure_of], 1e-3 if row == 1 else 1) for p in line]
                highest.append(y[-1])
                style = {
                    "name": NAMES[model],
                    "legendgroup": model,
                    "line": {"color": colours[model]},
                    "marker": {"size": 5},
                }
                trace = go.Scatter(x=[p["value"] for p in line], y=y, showlegend=model not in shown, **style)
                figure.add_trace(trace, row, column)
                shown.add(model)
            top = max(highest)
            proportion = [top * value / values[-1] for value in values]
            line = {"color": "#B8C0CC", "dash": "dot"}
            new = "in proportion" not in shown
            figure.add_trace(
                go.Scatter(x=values, y=proportion, mode="lines", line=line, name="in proportion", showlegend=new),
                row,
                column,
            )
            shown.add("in proportion")
            figure.update_xaxes(type="log", title=title if row == 2 else None, row=row, col=column)
            figure.update_yaxes(type="log", dtick=1, row=row, col=column)
    figure.update_yaxes(title="seconds per epoch, or to solve", row=1, col=1)
    figure.update_yaxes(title="MB beside the libraries", row=2, col=1)
    legend = {"orientation": "h", "y": -0.14, "x": 0}
    return figure.update_layout(
        template="plotly_white", width=1400, height=720, margin={"l": 60, "r": 20, "t": 20, "b": 60}, legend=legend
    )


def photograph(figure: go.Figure, path: Path) -> None:
    """Draw a figure in a browser and keep the picture."""
    from tests.browser.conftest import FLAGS, chromium

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        html = Path(folder) / "figure.html"
        figure.write_html(html, include_plotlyjs=True)
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1420, "height": 740})
        page.goto(html.as_uri())
        page.wait_for_selector(".main-svg")
        page.screenshot(path=path)
        browser.close()


def main() -> None:
    """Measure every axis, or those that are named; draw them all."""
    if sys.argv[1:2] == ["point"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]), sys.argv[4])))
        return
    kept = FOLDER / "scale.json"
    if sys.argv[1:] != ["--draw"]:
        wanted = sys.argv[1:] or list(AXES)
        points = [point for point in json.loads(kept.read_text()) if point["axis"] not in wanted] if kept.exists() else []
        for axis in wanted:
            points += _measured(axis)
        kept.write_text(json.dumps(points, indent=1) + "\n")
    photograph(draw(json.loads(kept.read_text())), FOLDER / "scale.png")


def _measured(axis: str) -> list[dict]:
    _, values, models = AXES[axis]
    points = []
    for model, value in ((model, value) for model in models for value in values):
        command = [sys.executable, "-m", "docs.scale", "point", axis, str(value), model]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        points.append(json.loads(done.stdout.splitlines()[-1]))
        print(points[-1], flush=True)
    return points


if __name__ == "__main__":
    main()
