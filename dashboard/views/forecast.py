"""The Forecast page: whole series, how well models would have forecast their past, and what comes next, to take along."""

from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from dashboard import actions, address, computed, series_figures, service
from dashboard.access import run_for
from dashboard.chart import file_name, show
from dashboard.components import csv_menu, show_error, show_errors, when_open
from dashboard.forecast_state import JUDGED_AT, ForecastState, forecast_state_of, verdict
from dashboard.identity import visitor
from dashboard.results import fits_of_run
from dashboard.state import NothingChosen, about_the_same, draft, key
from dashboard.titles import named_as_in, title_of, unit_of
from dashboard.views import actuals, backtest, forecast_settings, learning, progress
from dashboard.views.account import account_menu
from dashboard.views.diagnostics import how_far_back, look, series_chosen
from dashboard.views.header import recent, say_earlier, share, stop_button
from dashboard.views.take_away import take_away
from dashboard.views.understood import understood
from dashboard.views.upload import drop_zone
from dashboard.words import digits
from forecasting.evaluation.fits import fits_of
from forecasting.experiment import BadInput, Experiment, ModelChoice, Sample, Upload
from forecasting.models import MODELS
from forecasting.panels.backtest import DEFAULT, default_plan
from forecasting.panels.export import excel, parquet
from forecasting.panels.forecast import Forecast
from forecasting.runs.database import Unavailable
from forecasting.runs.views import RunView

LEVELS = (50.0, 80.0, 90.0, 95.0, 99.0)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def opening() -> Experiment:
    """What the page shows under the plain address."""
    source = Sample(name="elnino")
    panel = computed.panel_of(source)
    plan = default_plan(panel, seasons=computed.seasons_found(source))
    models = tuple(ModelChoice(name=name) for name in DEFAULT)
    asked = Experiment(source=source, plan=plan, models=models, **forecast_settings.HOW)
    return computed.decided(asked, None)


def page() -> None:
    """Draw the page; where the server itself has trouble, say so in words."""
    try:
        service.engine()
        _page()
    except BadInput as error:
        show_error(error)
    except Unavailable as error:
        show_error(error)
        st.button("Try again", key="again", icon=":material/refresh:")


def _page() -> None:
    _adopt()
    if address.cannot_be_shown("forecast"):
        return
    if "error" in st.session_state:
        show_error(st.session_state.pop("error"))
    try:
        experiment = forecast_settings.settings()
        run = _current_run(experiment)
        state = forecast_state_of(experiment, run)
    except NothingChosen:
        drop_zone(draft(), forecast_settings.take_sample)
        return
    except BadInput as error:
        show_error(error)
        if forecast_settings.chosen()["kind"] == "upload":
            understood(draft(), error)
        _as_before()
        return
    st.session_state["forecast_worked"] = experiment
    address.write("forecast", run.id if run else None, experiment, opening(), st.session_state.get(actuals.NEWER))
    _header(experiment, run, state)
    if experiment.source.kind == "upload":
        understood(draft())
    _results(experiment, run, state)


def _as_before() -> None:
    """While settings cannot be used, a way back to those before, and their results."""
    experiment: Experiment | None = st.session_state.get("forecast_worked")
    if experiment is None or not about_the_same(experiment, forecast_settings.chosen()["kind"]):
        return
    taken = (experiment,)
    st.button("Undo the last change", key="undo", icon=":material/undo:", on_click=forecast_settings.take, args=taken)
    try:
        run = _current_run(experiment)
        state = forecast_state_of(experiment, run)
    except BadInput:  # as with a file that has been deleted
        return
    st.caption("Below are the results of the settings before the last change.")
    _results(experiment, run, state)


def _results(experiment: Experiment, run: RunView | None, state: ForecastState) -> None:
    """All that is known about an experiment with a plan."""
    unit = unit_of(experiment)
    if run is not None and not run.ended:
        progress.growing(run, {})
    if state.forecast is not None:
        _forecast(experiment, state.forecast, unit, run)
        backtest.scores(state, unit)
    _learning(run)
    backtest.left_out(experiment, state)
    look(computed.panel_of(experiment.source), experiment, unit)


# ------------------------------------------------------------------------------------------------------- address, run


def _adopt() -> None:
    """Take settings and run from the address or from the list of recent runs."""
    run_id = address.chosen_run("forecast")
    wanted = {"run": run_id} if run_id else address.asked("forecast")
    if wanted is None:
        return
    st.session_state["not_shown"] = {}
    try:
        run, experiment = address.found(wanted, opening())
        if experiment.plan is None:
            address.go("lab", wanted)
        st.session_state["forecast_run"] = None if run is None else run.id
        st.session_state[actuals.NEWER] = wanted.get("newer")
        forecast_settings.take(experiment)
    except BadInput as error:
        address.has_failed("forecast", error)


def _current_run(experiment: Experiment) -> RunView | None:
    """The run of these very settings, if it is known which."""
    run_id = st.session_state.get("forecast_run")
    run = None if run_id is None else run_for(run_id)
    if run is None or [fit.id for fit in fits_of(run.experiment)] != [fit.id for fit in fits_of(experiment)]:
        return None
    return run


@show_errors
def _start(experiment: Experiment) -> None:
    titled = experiment.model_copy(update={"title": title_of(experiment)})
    st.session_state["forecast_run"] = actions.start_run(titled, visitor())
    st.session_state[actuals.NEWER] = None


# -------------------------------------------------------------------------------------------------------------- parts


def _header(experiment: Experiment, run: RunView | None, state: ForecastState) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="header"):
        st.session_state["about"] = title_of(experiment)
        st.subheader(st.session_state["about"], width="stretch", anchor=False)
        if run is not None:
            _pill(run)
        recent()
        share(run)
        take_away(run)
        account_menu()
        if run is not None and not run.ended:
            stop_button(run)
        else:
            left = state.open
            st.button(
                "Forecast",
                key="forecast",
                type="primary",
                icon=":material/play_arrow:",
                on_click=_start,
                args=(experiment if run is None or not run.earlier else computed.anew(experiment),),
                disabled=state.refused is not None or (run is not None and not left and not run.earlier),
                help=f"{len(left)} of {len(state.wanted)} fits to do: of every model those that forecast the past from the "
                "cutoffs, and those that forecast what comes; the fastest first.",
                shortcut="Ctrl+Enter",
            )
    if state.forecast is not None:
        st.markdown(verdict(state.forecast))
    elif state.refused is not None:
        show_error(state.refused)
    else:
        st.markdown("Press *Forecast*: models forecast the past from several cutoffs, and the next values with intervals.")
    say_earlier(run)
    if state.only_baselines and run is None:
        st.caption("These are rules of thumb. Press *Forecast*, and models that learn try to do better.")


def _pill(run: RunView) -> None:
    """How the run stands; a model that cannot forecast the series is no failure of the run."""
    stopped = any(fit.status in ("cancelled", "stopped", "lost") for fit in run.fits)
    if not run.ended:
        st.badge("forecasting", color="blue")
    elif stopped:
        st.badge("stopped", color="orange")
    else:
        st.badge("finished", color="green")


def _learning(run: RunView | None) -> None:
    """The learning curves of a run that has ended, and why fits ended early."""
    if run is None or not run.ended:
        return
    trained = [fits for fits in fits_of_run(run) if any(outcome.view and outcome.view.epochs for outcome in fits.outcomes)]
    if trained:
        st.markdown("#### Learning")
        said = " Of each network there are fits for the backtest and for what comes."
        learning.finished_curves(trained, {}, run, run.experiment, said)
        learning.offer_to_continue(run)
    for fit in run.fits:
        if fit.reason and fit.status != "finished":
            learning.say_why(fit)


def _headline(forecast: Forecast) -> None:
    """The best model in four figures."""
    tested, best = forecast.tested, forecast.chosen
    headline, (covered, _) = tested.headline(best), tested.covered(best, JUDGED_AT)
    mase, skill = headline["mase"], headline["skill"]
    kept = "on the last cutoff, which chose nothing" if tested.keeps_one else "on the cutoff that chose it"
    grid = st.grid(4, min_column_width=130)
    for label, value, about in (
        ("Chosen by backtests", MODELS[best].title, None),
        (
            "MASE",
            digits(mase) if np.isfinite(mase) else "undefined",
            f"Mean absolute error {kept}, in those that seasonal naive makes within the history: below 1 is better.",
        ),
        ("Skill against seasonal naive", f"{skill:.1%}" if np.isfinite(skill) else "undefined", None),
        (
            f"Covered by {JUDGED_AT:g} % intervals",
            f"{covered:.1%}" if np.isfinite(covered) else "undefined",
            "Intervals calibrated on the earlier cutoffs, counted on the later ones.",
        ),
    ):
        grid.metric(label, value, border=True, height="stretch", help=about)


def _forecast(experiment: Experiment, forecast: Forecast, unit: str, run: RunView | None) -> None:
    panel, tested, best = forecast.panel, forecast.tested, forecast.chosen
    scores = tested.scores()
    _headline(forecast)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown("#### Forecast", width="stretch")
        many = len(panel.ids) > 1 and st.toggle(f"Many of the {len(panel.ids):,} at once", key="many")
        i = series_chosen(panel, "series")
    ranked = sorted(forecast.ahead, key=lambda name: (name != best, scores[name]["mase"]))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # Names that are no longer there must not stay chosen: the key changes with what is.
        names = st.multiselect(
            "Models, the first with its intervals",
            ranked,
            ranked[:1],
            key=key("shown", *ranked),
            format_func=lambda name: MODELS[name].title,
        )
        levels = st.multiselect("Levels (%)", LEVELS, (80.0, 95.0), key="levels", format_func=lambda v: f"{v:g}", width=220)
    with st.container(horizontal=True, vertical_alignment="center"):
        since = how_far_back(len(panel.y[i]), forecast.tested.y.shape[2], "since")
        past = st.toggle("What it would have forecast", key="past", help="The dotted lines begin at the cutoffs.")
    held = actuals.known(experiment, forecast, levels) if run is not None else None
    if many:
        chart = series_figures.side_by_side(forecast, i, names or [best], levels, since, unit)
        show(chart, "many", "A small chart per series, from the chosen one on: its end, the forecast, and its intervals.")
    chart = series_figures.whole_series_figure(forecast, i, names, levels, since, unit, past, held and held.frame)
    show(chart, "forecast", "The end of the series, the forecast, and its intervals as bands.")
    known = tested.conformal(names[0] if names else best).n_scores
    rare = [f"{level:g} %" for level in levels if known < level / (100 - level)]
    if rare:
        st.caption(f"{known} past errors are too few for {' and '.join(rare)}: there the largest counts, widened a little.")
    when_open(":material/table: The forecast as a table", "forecast-table", _values, forecast, i, names or [best], levels)
    _take_along(experiment, forecast, names or [best], levels)
    if run is not None and run.ended:
        actuals.compare(held, forecast, unit)


def _values(forecast: Forecast, i: int, names: list[str], levels: list[float]) -> None:
    """What is drawn, as a table: the next values of one series, step by step."""
    table = forecast.frame({name: MODELS[name].title for name in names}, levels)
    table = table[table["unique_id"] == forecast.panel.ids[i]].drop(columns="unique_id")
    whole = (table["ds"] == table["ds"].dt.normalize()).all()
    shown: dict[str, Any] = {"ds": (st.column_config.DateColumn if whole else st.column_config.DatetimeColumn)("Time")}
    for column in table.columns[1:]:
        model, *bound = column.rsplit("-", 2)
        title = column if len(bound) < 2 else f"{model}, {bound[1]} % {'from' if bound[0] == 'lo' else 'to'}"
        shown[column] = st.column_config.NumberColumn(title, format="%.4g")
    st.dataframe(table, hide_index=True, key="values", column_config=shown)


def _take_along(experiment: Experiment, forecast: Forecast, names: list[str], levels: list[float]) -> None:
    """Downloads: the next values of all series, by the models that are drawn or by all, with their intervals."""
    with st.container(horizontal=True, vertical_alignment="center"):
        everything = st.toggle(
            "All models", key="take-all", help="Downloads hold all models, and not those alone that are drawn."
        )
        table = forecast.frame({name: name for name in (forecast.ahead if everything else names)}, levels)
        named = {"unique_id": "unique_id", "ds": "ds"}
        if isinstance(experiment.source, Upload) and st.toggle(
            "Names of the file", key="take-named", help="Columns of times and series are called as in the file."
        ):
            named = named_as_in(experiment.source)
        table = table.rename(columns=named)
        words = f"{len(table):,} rows: `{named['unique_id']}`, `{named['ds']}`, and per model its forecast and its intervals"
        st.caption(f"{words}. A workbook takes the series along.", width="stretch")
        name = file_name(st.session_state["about"], "forecast")
        csv_menu(table, name, "take-CSV")
        for word, suffix, kind, make in (
            ("Excel", "xlsx", XLSX, lambda: excel(table, forecast.panel.frame.rename(columns=named))),
            ("Parquet", "parquet", "application/vnd.apache.parquet", partial(parquet, table)),
        ):
            st.download_button(
                word, make, f"{name}.{suffix}", kind, key=f"take-{word}", icon=":material/download:", on_click="ignore"
            )
