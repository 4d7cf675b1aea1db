"""The page of a search over settings: the best so far, how it was found, which settings decide, and all trials."""

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard import address, service
from dashboard.access import run_for
from dashboard.chart import ABOVE, blank, show, theme
from dashboard.components import asked_again, show_error, show_errors
from dashboard.identity import acting
from dashboard.views.account import account_menu
from dashboard.views.header import is_mine, recent, share, stop_button
from dashboard.views.take_away import take_away
from dashboard.words import digits, escaped, spoken
from forecasting.evaluation.search import AT_RANDOM, LAYERS, Settings, Trial, best_of, importance, with_settings
from forecasting.experiment import BadInput, Experiment, Training
from forecasting.models import MODELS
from forecasting.models.linear import Linear
from forecasting.models.naive import Naive
from forecasting.runs.database import Unavailable
from forecasting.runs.views import RunView

TICK_S = 1.0
STATES = {"open": "under way", "complete": "complete", "pruned": "stopped early", "failed": "failed"}


def page() -> None:
    """Draw the page; where the server itself has trouble, say so in words."""
    st.session_state["page"] = "search"
    try:
        service.engine()
        _page()
    except (BadInput, Unavailable) as error:
        show_error(error)


def _page() -> None:
    chosen = address.chosen_run("search")
    if chosen:
        st.query_params["run"] = chosen
    if "error" in st.session_state:
        show_error(st.session_state.pop("error"))
    run = run_for(st.query_params.get("run", "")[:16])
    if run is None or run.experiment.search is None:
        st.info(
            "There is no search under this address. The Lab starts one: *Settings of each model*, *Search its settings*.",
            icon=":material/search:",
        )
        return
    st.session_state["link"] = {"run": run.id}
    trials = service.store().trials(run.id)
    _header(run, goes_further=len(trials) < run.experiment.search.trials or any(t.state == "open" for t in trials))
    best = best_of(trials)
    st.markdown(_verdict(run, trials, best))
    if run.searching:
        st.fragment(_under_way, run_every=TICK_S)(run.id, _n_ended(trials))
    if best is not None and st.button(
        "Open the best in the Lab", key="open-best", type="primary", icon=":material/science:"
    ):
        _open_in_lab(run.experiment, best)
    if sum(trial.state == "complete" for trial in trials) > 1:
        _charts(run.experiment, trials)
    _table(run.experiment, trials)


def _header(run: RunView, goes_further: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="header"):
        st.session_state["about"] = run.title or "A search"
        st.subheader(escaped(st.session_state["about"]), width="stretch", anchor=False)
        st.badge("searching" if run.searching else "ended", color="blue" if run.searching else "green")
        recent()
        share(run)
        take_away(run)
        account_menu()
        if run.searching:
            stop_button(run)
        elif is_mine(run) and goes_further:
            st.button("Go on", key="search-on", icon=":material/resume:", on_click=_go_on, args=(run.id,))


@show_errors
def _go_on(run_id: str) -> None:
    service.store().search_on(run_id, acting())
    service.engine().wake()


def _verdict(run: RunView, trials: list[Trial], best: Trial | None) -> str:
    """How far the search is, and what it has found, in words."""
    search = run.experiment.search
    early = sum(trial.state == "pruned" for trial in trials)
    asked = "" if search is None else f" of {search.trials}"
    done = f"{_n_ended(trials)}{asked} trials have ended" + (f", {early} of them early." if early else ".")
    if best is None or best.value is None:
        return f"{done} None is complete yet."
    words = f"Best: **trial {best.number}**, {_in_words(run.experiment, best.settings)}, with a validation MSE of "
    words += f"**{digits(best.value)}**"
    first = trials[0]
    if best.number and first.value:
        words += f", {1 - best.value / first.value:.0%} below that of the settings as they were ({digits(first.value)})"
    known = {cls.title: _mse_of(run, cls.name) for cls in (Naive, Linear)}
    against = [f"{title} has {digits(mse)}" for title, mse in known.items() if mse is not None]
    words += f"; {', '.join(against)}. " if against else ". "
    return (
        words + done + " Chosen on validation among many, its error there is a little too low: the test part is the judge."
    )


def _mse_of(run: RunView, name: str) -> float | None:
    found = [fit.result["valid_mse"] for fit in run.fits if fit.fit.model.name == name and fit.result]
    return found[0] if found else None


def _n_ended(trials: list[Trial]) -> int:
    return sum(trial.state != "open" for trial in trials)


@asked_again
def _under_way(run_id: str, ended_before: int) -> None:
    """One tick: what is tried now; the whole page once another trial has ended."""
    store = service.store()
    run, trials = run_for(run_id), store.trials(run_id)
    if run is None or not run.searching or _n_ended(trials) != ended_before:
        st.rerun()
    views = {fit.id: fit for fit in run.fits}
    for trial in trials:
        if trial.state == "open" and trial.fit_id in views:
            fit = views[trial.fit_id]
            epochs = fit.fit.training.epochs if fit.fit.training else 1
            said = f"epoch {len(fit.epochs)} of {epochs}" if fit.epochs else fit.stage or fit.status
            st.progress(
                min(1.0, len(fit.epochs) / epochs),
                text=f"**Trial {trial.number}** · {_in_words(run.experiment, trial.settings)} · {said}",
            )


def _open_in_lab(experiment: Experiment, trial: Trial) -> None:
    found = with_settings(experiment, trial.settings).model_copy(update={"title": ""})
    address.go("lab", {"e": address.encode(found)})


def _label(experiment: Experiment, name: str) -> str:
    """What a setting is called on screen."""
    part, _, setting = name.partition(".")
    setting, _, layers = setting.partition(".")
    if layers == LAYERS:
        return "Layers"
    search = experiment.search
    cls = Training if part == "training" or search is None else MODELS[search.model]
    return str(cls.model_fields[setting].title)


def _said(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "on" if value else "off"
    return spoken(value).lower() if isinstance(value, str) else f"{value:g}"


def _in_words(experiment: Experiment, settings: Settings) -> str:
    if not settings:
        return "the settings as they were"
    return ", ".join(f"{_label(experiment, name).lower()} {_said(value)}" for name, value in settings.items())


def _charts(experiment: Experiment, trials: list[Trial]) -> None:
    """How the search went, what decides, and what goes together."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.markdown("#### Errors of the trials")
        show(_history(trials), "search-history", "Validation MSE of every trial, and the lowest so far, on a log axis.")
    shares = importance(experiment, trials)
    with right:
        st.markdown("#### Which settings decide")
        if shares:
            show(
                _importance(experiment, shares), "search-importance", "The share of every setting in what makes trials good."
            )
        else:
            st.caption(f"Said once {AT_RANDOM} trials are complete.")
    st.markdown("#### Settings side by side")
    st.caption(
        "A line per complete trial; the stronger its colour, the lower its error. Drag along an axis to keep a part of it."
    )
    show(_side_by_side(experiment, trials), "search-settings", "A line per trial over one axis for each setting.", lift=44)


def _history(trials: list[Trial]) -> go.Figure:
    colours = theme()
    figure = blank(260, "Trial", "Validation MSE (log scale)")
    complete = [trial for trial in trials if trial.value is not None]
    numbers, values = [trial.number for trial in complete], [trial.value or math.nan for trial in complete]
    lowest = [min(values[: i + 1]) for i in range(len(values))]
    figure.add_scatter(
        x=numbers, y=lowest, name="lowest so far", mode="lines", line={"shape": "hv", "color": colours.accent}
    )
    marker = {"color": colours.ink, "size": 7}
    figure.add_scatter(x=numbers, y=values, name="complete trials", mode="markers", marker=marker)
    pruned = [trial for trial in trials if trial.state == "pruned"]
    if pruned:
        ends = [min((value for value in trial.curve if math.isfinite(value)), default=math.nan) for trial in pruned]
        faint = {"color": colours.muted, "size": 7, "symbol": "x-thin", "line": {"width": 1.5, "color": colours.muted}}
        figure.add_scatter(x=[t.number for t in pruned], y=ends, name="stopped early", mode="markers", marker=faint)
    figure.update_yaxes(type="log")
    figure.update_layout(hovermode="closest")
    return figure


def _importance(experiment: Experiment, shares: dict[str, float]) -> go.Figure:
    figure = blank(260, "Share", "")
    names = [_label(experiment, name) for name in shares][::-1]
    figure.add_bar(x=[*shares.values()][::-1], y=names, orientation="h", marker_color=theme().accent)
    figure.update_xaxes(tickformat=".0%")
    figure.update_layout(hovermode="closest")
    return figure


def _side_by_side(experiment: Experiment, trials: list[Trial]) -> go.Figure:
    """Parallel coordinates: an axis for each setting, and one for the error, a line per complete trial."""
    colours = theme()
    shown = [trial for trial in trials if trial.value is not None and trial.settings]
    names = list(dict.fromkeys(name for trial in shown for name in trial.settings))
    exponents = [math.log10(max(trial.value or 0.0, 1e-12)) for trial in shown]
    axes = [_axis_of(_label(experiment, name), [trial.settings[name] for trial in shown]) for name in names]
    ticks = sorted({min(exponents), *exponents[:: max(1, len(exponents) // 4)], max(exponents)})
    axes.append({"label": "MSE", "values": exponents, "tickvals": ticks, "ticktext": [digits(10**value) for value in ticks]})
    line = {"color": exponents, "colorscale": [[0, colours.accent], [1, colours.muted]]}
    font = {"color": colours.muted}
    return go.Figure(
        go.Parcoords(dimensions=axes, line=line, labelfont={"color": colours.ink}, tickfont=font, rangefont=font),
        layout={
            "height": 380 + ABOVE,
            "margin": {"l": 70, "r": 50, "t": ABOVE + 44, "b": 16},
            "paper_bgcolor": colours.paper,
        },
    )


def _axis_of(label: str, values: list[Any]) -> dict[str, Any]:
    """The axis of a setting: numbers as they are, words and switches side by side."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return {"label": label, "values": values}
    words = list(dict.fromkeys(map(_said, values)))
    places = [words.index(_said(value)) for value in values]
    return {"label": label, "values": places, "tickvals": list(range(len(words))), "ticktext": words}


def _table(experiment: Experiment, trials: list[Trial]) -> None:
    names = list(dict.fromkeys(name for trial in trials for name in trial.settings))
    order = sorted(trials, key=lambda trial: (math.inf if trial.value is None else trial.value, trial.number))
    rows = [
        {
            "Trial": trial.number,
            "Validation MSE": trial.value,
            "State": STATES[trial.state],
            "Epochs": len(trial.curve),
            **{_label(experiment, name): _cell(trial, name) for name in names},
        }
        for trial in order
    ]
    if not rows:
        return
    st.markdown("#### Trials")
    event: Any = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="trials",
        on_select="rerun",
        selection_mode="single-row",
        placeholder="–",
        column_config={"Validation MSE": st.column_config.NumberColumn(format="%.3g")},
    )
    chosen = [order[i] for i in event.selection.rows if i < len(order)]
    if chosen and st.button(f"Open trial {chosen[0].number} in the Lab", key="open-trial", icon=":material/science:"):
        _open_in_lab(experiment, chosen[0])
    st.caption("Choose a trial by the box at its left to open it in the Lab. The first has the settings as they were.")


def _cell(trial: Trial, name: str) -> str | None:
    return _said(trial.settings[name]) if name in trial.settings else None
