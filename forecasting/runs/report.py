"""A run as one HTML file: interactive charts that open offline, print on A4, and can be saved as pictures."""

import html
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.offline import get_plotlyjs

from forecasting import plots
from forecasting.data import Split, describe, floor_of, load
from forecasting.data.reading import read
from forecasting.data.series import Reader
from forecasting.evaluation.scores import skill
from forecasting.experiment import BadInput, WindowFit
from forecasting.experiment.formats import dumped
from forecasting.models import MODELS
from forecasting.models.naive import Naive
from forecasting.panels import read_panel
from forecasting.runs.forecasts import forecast_of
from forecasting.runs.store import Store
from forecasting.runs.views import FitView, RunView

WIDTH, HEIGHT = 690, 380
"""Of a chart, in pixels: it fits on A4 between its margins."""
SHOWN_SERIES = 6
COLOURS = qualitative.Safe
LEVEL = 80.0

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{font: 15px/1.5 system-ui, sans-serif; color: #14181F; background: #FFF; max-width: {width}px; margin: 2rem auto;
  padding: 0 1rem}}
h1 {{font-size: 1.6rem; line-height: 1.25}} h2 {{font-size: 1.15rem; margin-top: 2rem}}
table {{border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums}}
th, td {{text-align: right; padding: .25rem .5rem; border-bottom: 1px solid #E3E8EF}}
th:first-child, td:first-child {{text-align: left}}
figure {{margin: 1rem 0; break-inside: avoid}} .about {{color: #545B66; font-size: .85rem}}
pre {{white-space: pre-wrap; overflow-wrap: anywhere; font-size: .75rem; background: #F5F7FA; padding: .75rem}}
button {{font: inherit; padding: .35rem .9rem; border: 1px solid #0B57E8; background: #0B57E8; color: #FFF;
  border-radius: .5rem; cursor: pointer}}
@page {{size: A4; margin: 14mm}}
@media print {{nav {{display: none}} body {{margin: 0; padding: 0}} pre {{break-inside: auto}}}}
</style>
<script>{plotly}</script>
</head>
<body>
<h1>{title}</h1>
<p class="about">{about}</p>
<nav>
<button onclick="print()">Print, or save as PDF</button>
<button onclick="pictures()">Save the charts as PNG</button>
</nav>
<p>{verdict}</p>
{table}
{figures}
<h2>Settings</h2>
<pre>{settings}</pre>
<script>
const charts = {charts};
for (const [name, chart] of Object.entries(charts))
  Plotly.newPlot(name, chart.data, chart.layout, {{displaylogo: false, responsive: false}});
async function pictures() {{
  const size = {{format: "png", width: {width}, height: {height}, scale: 3}};
  for (const name of Object.keys(charts)) await Plotly.downloadImage(name, {{...size, filename: "{file}-" + name}});
}}
</script>
</body>
</html>
"""


@dataclass(frozen=True)
class Content:
    """What a report shows.

    Attributes:
        verdict: a sentence.
        table: a row per model.
        charts: by name, each with its heading.
    """

    verdict: str
    table: pd.DataFrame
    charts: dict[str, tuple[str, go.Figure]]


def report(store: Store, run: RunView, address: str = "", with_test: bool = False, reader: Reader = read) -> bytes:
    """The report of a run.

    Args:
        store: where it lies.
        run: which run.
        address: where it opens; empty where that is not known.
        with_test: whether errors on the test part are told.
        reader: reads the file that its series come from.

    Raises:
        BadInput: when nothing of it is scored yet, or its file was deleted.
    """
    experiment = run.experiment
    whole = experiment.plan is not None
    content = _of_series(store, run, reader) if whole else _of_windows(store, run, with_test, reader)
    title = run.title or describe(experiment.source, experiment.task, experiment.plan)
    place = f"run {run.id}" + (f", {address}" if address else "")
    where = f"{title} · {place}"
    charts = {name: _finished(figure, heading, where) for name, (heading, figure) in content.charts.items()}
    figures = "\n".join(f'<figure><div id="{name}"></div></figure>' for name in charts)
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(run.created_at))
    return PAGE.format(
        title=html.escape(title),
        about=html.escape(f"{place}, of {when}; {'ended' if run.ended else 'still under way'}"),
        verdict=html.escape(content.verdict),
        table=content.table.to_html(index=False, border=0, escape=True, na_rep="–"),
        figures=figures,
        settings=html.escape(json.dumps(json.loads(dumped(experiment, short=True)), indent=1, ensure_ascii=False)),
        charts=json.dumps({name: json.loads(figure.to_json()) for name, figure in charts.items()}).replace("</", "<\\/"),
        plotly=get_plotlyjs(),
        width=WIDTH,
        height=HEIGHT,
        file=f"run-{run.id}",
    ).encode()


def _finished(figure: go.Figure, heading: str, where: str) -> go.Figure:
    """A figure with a background, a title, its whole legend, and a line that says what it is of."""
    line = {"text": html.escape(where[:110]), "showarrow": False, "font": {"size": 10, "color": "#545B66"}}
    figure.add_annotation(**line, x=0, y=-0.16, xref="paper", yref="paper", xanchor="left", yanchor="top", yshift=-22)
    figure.update_layout(
        template="plotly_white",
        width=WIDTH,
        height=HEIGHT,
        paper_bgcolor="#FFFFFF",
        plot_bgcolor="#FFFFFF",
        margin={"l": 60, "r": 20, "t": 84, "b": 90},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        title={"text": html.escape(heading), "x": 0, "xref": "paper", "font": {"size": 17, "color": "#14181F"}},
    )
    return figure


# ------------------------------------------------------------------------------------------------------------- windows


def _of_windows(store: Store, run: RunView, with_test: bool, reader: Reader) -> Content:
    experiment = run.experiment
    by_label: dict[str, list[FitView]] = {}
    for fit in run.fits:
        if isinstance(fit.fit, WindowFit) and fit.result and fit.status == "finished":
            by_label.setdefault(fit.label, []).append(fit)
    if not by_label:
        raise BadInput("Nothing of this run is scored yet: let it end first.")
    errors = {label: median(_results(fits, "valid_mse")) for label, fits in by_label.items()}
    order = sorted(errors, key=lambda label: errors[label])
    naive = next((errors[label] for label, fits in by_label.items() if fits[0].fit.model.name == Naive.name), None)
    lines = []
    for label in order:
        fits = by_label[label]
        line: dict[str, object] = {"Model": label, "Validation MSE": f"{errors[label]:.4g}"}
        line["Skill"] = "–" if not naive else f"{skill(errors[label], naive):.1%}"
        line |= {"Test MSE": f"{median(_results(fits, 'test_mse')):.4g}"} if with_test else {}
        line |= {"Parameters": f"{fits[0].result['parameters']:,}" if fits[0].result else "–", "Seeds": len(fits)}
        lines.append(line)
    best = order[0]
    verdict = f"{best} has the lowest validation MSE: {errors[best]:.4g}"
    verdict += f", {skill(errors[best], naive):.0%} below naive's." if naive else "."
    floor = floor_of(experiment.source)
    verdict += f" The noise floor is {floor:.3g}." if floor else ""
    split = load(experiment.source, experiment.task, store.read_upload, reader=reader)
    charts = {"scores": ("Validation MSE", _scores(order, errors, floor))}
    trained = {label: by_label[label] for label in order if by_label[label][0].epochs}
    if trained:
        charts["learning"] = ("Learning", _curves(trained))
    charts["forecast"] = (
        "One window of the validation part",
        _window(store, {name: by_label[name] for name in order}, split),
    )
    if len(experiment.task.steps) > 1:
        charts["steps"] = ("Error by step ahead", _steps(by_label, order, experiment.task.steps))
    return Content(verdict, pd.DataFrame(lines), charts)


def _results(fits: Sequence[FitView], name: str) -> list[float]:
    return [fit.result[name] for fit in fits if fit.result]


def _scores(order: Sequence[str], errors: dict[str, float], floor: float | None) -> go.Figure:
    shown = list(reversed(order))
    values = [errors[label] for label in shown]
    figure = go.Figure(go.Scatter(x=values, y=shown, mode="markers", marker={"size": 11, "color": "#0B57E8"}))
    figure.update_xaxes(_log_axis("MSE (log scale)", values))
    if floor:
        figure.add_vline(x=floor, line={"dash": "dot", "color": "#545B66"})
    return figure.update_yaxes(automargin=True)


def _curves(trained: dict[str, list[FitView]]) -> go.Figure:
    figure = go.Figure()
    for place, (label, fits) in enumerate(trained.items()):
        for nth, fit in enumerate(fits):
            x, y = [point.epoch for point in fit.epochs], [point.valid_loss for point in fit.epochs]
            line = {"color": COLOURS[place % len(COLOURS)]}
            figure.add_scatter(x=x, y=y, name=label, legendgroup=label, showlegend=nth == 0, line=line)
    figure.update_xaxes(title="Epoch")
    losses = [point.valid_loss for fits in trained.values() for fit in fits for point in fit.epochs]
    return figure.update_yaxes(_log_axis("Validation loss (log scale)", losses))


def _window(store: Store, by_label: dict[str, list[FitView]], split: Split) -> go.Figure:
    part = split.valid.take(np.array([0]))
    seen, truth = part.known()[0], part.in_units(part.y)[0, :: part.n_targets]
    steps = list(range(1, len(truth) + 1))
    ink = {"color": "#14181F"}
    figure = go.Figure(go.Scatter(x=list(range(1 - len(seen), 1)), y=seen, name="look-back", line=ink))
    figure.add_scatter(x=steps, y=truth, name="truth", mode="markers", marker={"symbol": "x", "size": 9, **ink})
    for place, (label, fits) in enumerate(by_label.items()):
        y_hat = store.arrays(fits[0].id, "forecasts")["valid"][0, :: part.n_targets]
        how = {"color": COLOURS[place % len(COLOURS)]}
        figure.add_scatter(x=steps, y=y_hat, name=label, mode="lines+markers", line=how, marker={"size": 6})
    figure.update_xaxes(title="Steps from the last value seen")
    return figure.update_yaxes(title="value")


def _steps(by_label: dict[str, list[FitView]], order: Sequence[str], steps: list[int]) -> go.Figure:
    figure, errors = go.Figure(), []
    for place, label in enumerate(order):
        values = np.median([fit.result["valid_mse_per_step"] for fit in by_label[label] if fit.result], axis=0)
        line = {"color": COLOURS[place % len(COLOURS)]}
        figure.add_scatter(x=steps, y=values, name=label, mode="lines+markers", line=line)
        errors += list(values)
    figure.update_xaxes(title="Steps ahead")
    return figure.update_yaxes(_log_axis("MSE (log scale)", errors))


def _log_axis(title: str, values: Sequence[float]) -> dict:
    """A logarithmic axis; over several decades Plotly's own ticks, which never run together."""
    known = [value for value in values if value > 0 and np.isfinite(value)]
    wide = bool(known) and max(known) > 100 * min(known)
    return {"type": "log", "title": title, "dtick": None if wide else "D2", "tickformat": "~g"}


# -------------------------------------------------------------------------------------------------------- whole series


def _of_series(store: Store, run: RunView, reader: Reader) -> Content:
    panel = read_panel(run.experiment.source, store.read_upload, reader)
    made = forecast_of(run, panel, store)
    scores = made.tested.scores()
    order = sorted(scores, key=lambda name: (name != made.chosen, scores[name]["mase"]))
    lines = [
        {"Model": MODELS[name].title}
        | {metric.upper(): f"{scores[name][metric]:.4g}" for metric in ("mase", "rmsse", "smape", "mae", "rmse")}
        for name in order
    ]
    title = MODELS[made.chosen].title
    frame = made.frame({made.chosen: title}, (LEVEL,))
    history, charts = panel.frame, {}
    for place, unique_id in enumerate(panel.ids[:SHOWN_SERIES]):
        charts[f"series-{place}"] = (str(unique_id), plots.of_forecast(history, frame, str(unique_id)))
    verdict = made.why
    if len(panel.ids) > SHOWN_SERIES:
        verdict += f" The first {SHOWN_SERIES} of {len(panel.ids):,} series are drawn."
    return Content(verdict, pd.DataFrame(lines), charts)
