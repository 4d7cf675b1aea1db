"""The Lab: settings at the side; series, scores, learning, forecasts and errors in the middle."""

import time

import streamlit as st

from dashboard import figures, service
from dashboard.results import Row, best_of, rows_of, table_of, verdict
from dashboard.state import decode, draft, encode, experiment_of, key, take, visitor
from dashboard.views import live, sidebar
from dashboard.words import digits
from forecasting.data import SAMPLES, Split, describe
from forecasting.evaluation.scores import skill
from forecasting.experiment import BadInput, Experiment, Sample
from forecasting.runs.views import RunView

CSS = """
[data-testid="stSidebarHeader"] {height: 2.2rem; margin-bottom: 0; padding-bottom: 0}
.st-key-greyed {opacity: .55}
[data-testid="stMetricValue"] {font-variant-numeric: tabular-nums; font-size: 1.55rem}
[data-testid="stMetricValue"] * {white-space: normal; overflow-wrap: anywhere}
"""


def page() -> None:
    """Draw the page from its address, the settings and what is known about them."""
    st.html(f"<style>{CSS}</style>")
    _adopt_address()
    service.engine()
    sidebar.settings()
    run = _current_run()
    try:
        experiment = experiment_of(draft())
        split = service.windows(experiment.source, experiment.task)
        rows = rows_of(experiment, split)
    except BadInput as error:
        st.error(str(error), icon=":material/report:")
        if run is not None:
            _offer_way_back(run)
        return
    mine = run is not None and _same(run.experiment, experiment)
    _write_address(run.id if run and mine else None, experiment)
    _header(experiment, rows, run if mine else None)
    if run is not None and not mine:
        _offer_way_back(run)
    _sections(experiment, split, rows, run if mine else None)


# --------------------------------------------------------------------------------------------------------- address


def _adopt_address() -> None:
    """Take settings and run from the address, when it is not what this page has written there itself."""
    asked = {name: st.query_params[name] for name in ("run", "e") if name in st.query_params}
    if asked == st.session_state.get("address", {}):
        return
    st.session_state["address"] = asked
    st.session_state["reveal"] = None
    try:
        if "run" in asked:
            run = service.store().run(asked["run"][:16])
            if run is None:
                raise BadInput("There is no run under this address: it was deleted, or the link is incomplete.")
            st.session_state["run_id"] = run.id
            take(run.experiment)
        elif "e" in asked:
            take(decode(asked["e"]))
    except BadInput as error:
        st.toast(str(error), icon=":material/report:", duration="long")
        st.session_state["complaint"] = str(error)


def _write_address(run_id: str | None, experiment: Experiment) -> None:
    if run_id is not None:
        address = {"run": run_id}
    elif _same(experiment, Experiment()):
        address = {}
    else:
        address = {"e": encode(experiment)}
    st.session_state["address"] = address
    if {name: st.query_params[name] for name in st.query_params} != address:
        st.query_params.from_dict(address)


def _same(one: Experiment, other: Experiment) -> bool:
    untitled = {"title": ""}
    return one.model_copy(update=untitled) == other.model_copy(update=untitled)


def _current_run() -> RunView | None:
    run_id = st.session_state.get("run_id")
    return None if run_id is None else service.store().run(run_id)


# ---------------------------------------------------------------------------------------------------------- header


def _header(experiment: Experiment, rows: list[Row], run: RunView | None) -> None:
    complaint = st.session_state.pop("complaint", None)
    if complaint:
        st.error(complaint, icon=":material/report:")
    with st.container(horizontal=True, vertical_alignment="center", key="header"):
        st.subheader(describe(experiment.source, experiment.task), width="stretch", anchor=False)
        if run is not None:
            _pill(run)
        _recent()
        _share(run)
        _train_or_stop(experiment, rows, run)
    st.markdown(verdict(rows, service.windows(experiment.source, experiment.task).noise_floor))


def _pill(run: RunView) -> None:
    statuses = {fit.status for fit in run.fits}
    for status, colour, word in (
        ("running", "blue", "training"),
        ("queued", "gray", "waiting"),
        ("failed", "red", "failed"),
        ("lost", "red", "lost"),
        ("stopped", "orange", "stopped"),
        ("cancelled", "orange", "stopped"),
    ):
        if status in statuses:
            st.badge(word, color=colour)  # type: ignore[arg-type]  # a literal, listed above
            return
    st.badge("finished", color="green")


def _recent() -> None:
    runs = service.store().recent_runs(visitor())
    if not runs:
        return
    with st.popover("Recent", icon=":material/history:"):
        for run_id, title, created_at in runs:
            ago = _ago(time.time() - created_at)
            st.button(f"{title} · {ago}", key=f"recent-{run_id}", on_click=_open, args=(run_id,), type="tertiary")


def _ago(seconds: float) -> str:
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        n = int(seconds // size)
        if n:
            return f"{n} {word}{'s' if n > 1 else ''} ago"
    return "just now"


def _open(run_id: str) -> None:
    run = service.store().run(run_id)
    if run is not None:
        st.session_state["run_id"] = run_id
        take(run.experiment)


def _share(run: RunView | None) -> None:
    with st.popover("Share", icon=":material/link:"):
        address = "&".join(f"{name}={value}" for name, value in st.session_state["address"].items())
        base = (st.context.url or "").split("?")[0]
        st.caption("This link opens the run with its results." if run else "This link opens these settings.")
        st.code(f"{base}?{address}" if address else base, language=None, wrap_lines=True)


def _train_or_stop(experiment: Experiment, rows: list[Row], run: RunView | None) -> None:
    if run is not None and not run.ended:
        st.button("Stop", key="stop-all", icon=":material/stop:", on_click=service.store().stop, args=(run.id,))
        return
    waiting = [o for row in rows if row.model.trained for o in row.outcomes if o.status not in ("finished",)]
    known = sum(row.model.trained for row in rows for _ in row.outcomes) - len(waiting)
    words = f"{len(waiting)} fits to train, {known} already known."
    label = "Train" if waiting or run is None else "Trained"
    st.button(
        label,
        key="train",
        type="primary",
        icon=":material/play_arrow:",
        on_click=_train,
        args=(experiment,),
        disabled=run is not None and not waiting,
        help=words,
    )


def _train(experiment: Experiment) -> None:
    """Start a run; fits that are known or under way are shared, not repeated."""
    titled = experiment.model_copy(update={"title": describe(experiment.source, experiment.task)})
    st.session_state["run_id"] = service.store().start_run(titled, visitor())
    service.engine().wake()


def _offer_way_back(run: RunView) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("The settings have changed since the last run. Its results are kept.", width="stretch")
        st.button("Back to them", key="back", icon=":material/undo:", on_click=_open, args=(run.id,))


# -------------------------------------------------------------------------------------------------------- sections


def _sections(experiment: Experiment, split: Split, rows: list[Row], run: RunView | None) -> None:
    unit = unit_of(experiment)
    _headlines(rows, split, unit)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _series(experiment, split, unit)
    with right:
        st.markdown("#### Validation MSE")
        alt = "Bars: validation MSE per model on a log axis; the table below holds the numbers."
        figures.show(figures.bars_figure(rows, split.noise_floor, unit), "mse", alt)
    _warnings(rows, split)
    _scores(experiment, rows, split, unit)
    live.learning(rows, run, split, experiment)
    _forecasts(experiment, split, rows, unit)
    _errors(experiment, split, rows, unit)
    if run is not None and run.ended:
        live.other_look_backs(rows, run, experiment)
    st.segmented_control("Charts are saved as", ["png", "svg"], key="picture", default="png", format_func=str.upper)


def unit_of(experiment: Experiment) -> str:
    """The unit of the series, as far as it is known."""
    if isinstance(experiment.source, Sample) and experiment.source.name in SAMPLES:
        return SAMPLES[experiment.source.name].unit
    return "value"


def _headlines(rows: list[Row], split: Split, unit: str) -> None:
    best = best_of(rows)
    naive = next(row for row in rows if row.model.name == "naive").middle("valid_mse")
    if best is None or naive is None:
        return
    mse = best.middle("valid_mse") or 0.0
    gained = skill(mse, naive)
    grid = st.grid(4, min_column_width=150)
    grid.metric("Best so far", best.label, border=True, height="stretch")
    grid.metric(f"Validation MSE ({unit}²)", digits(mse), border=True, height="stretch")
    grid.metric(
        "Skill against naive",
        "undefined" if gained is None else f"{gained:.1%}",
        border=True,
        height="stretch",
        help="The share of the naive error that the model takes away: 100 % is perfect, 0 % no better than naive.",
    )
    floor = split.noise_floor
    grid.metric(
        "Above the noise floor",
        f"{mse / floor:.2f} ×" if floor else "not known",
        border=True,
        height="stretch",
        help="How many times the variance of the noise; 1 would be perfect, and cannot quite be reached.",
    )


def _series(experiment: Experiment, split: Split, unit: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("#### Series", width="stretch")
        st.button("Others", key="shuffle", icon=":material/shuffle:", on_click=_shuffle, type="tertiary")
    start = st.session_state.get("shown", 0)
    indices = [(start + i * 7) % len(split.valid) for i in range(min(3, len(split.valid)))]
    alt = "Three series of the validation part: the look-back as a line, the values to forecast as crosses."
    figures.show(figures.series_figure(split, indices, experiment.task.steps, unit), "series", alt)
    parts = (
        f"{len(split.train):,} windows to learn from, {len(split.valid):,} to choose by, {len(split.test):,} for the test"
    )
    floor = "" if split.noise_floor is None else f" · noise floor {digits(split.noise_floor)}"
    left_out = f" · {split.left_out:,} with missing values left out" if split.left_out else ""
    st.caption(parts + floor + left_out)


def _shuffle() -> None:
    st.session_state["shown"] = st.session_state.get("shown", 0) + 23


def _warnings(rows: list[Row], split: Split) -> None:
    largest = max(float(abs(part.y).max()) for part in (split.train, split.valid))
    bounded = [row.label for row in rows if (reach := row.model.reaches()) is not None and largest > reach]
    if bounded:
        after = " after scaling" if float(split.train.scale.max()) != 1.0 else ""
        st.warning(
            f"The targets reach {digits(largest)}{after}, but the output of {', '.join(bounded)} cannot leave [-1, 1]: choose a dense, "
            "linear output, or other amplitudes.",
            icon=":material/warning:",
        )


def _scores(experiment: Experiment, rows: list[Row], split: Split, unit: str) -> None:
    revealed = st.session_state.get("reveal") == experiment.canonical()
    table = table_of(rows, split.noise_floor, revealed)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("#### Scores", width="stretch")
        if not revealed:
            st.button(
                "Reveal test",
                key="reveal-test",
                icon=":material/visibility:",
                on_click=_reveal,
                args=(experiment,),
                help="Test scores are for the last word: whoever chooses by them spoils them.",
            )
        st.download_button(
            "CSV", table.to_csv(index=False), "scores.csv", "text/csv", key="scores-csv", icon=":material/download:"
        )
    figure = st.column_config.NumberColumn
    best_lowest = [name for name in ("Validation MSE", "RMSE", "× floor", "Test MSE") if name in table]
    styled = table.style.highlight_min(best_lowest, props="font-weight: 700").highlight_max(
        ["Skill"], props="font-weight: 700"
    )
    st.dataframe(
        styled,
        hide_index=True,
        placeholder="–",
        key="scores",
        column_config={
            "Model": st.column_config.TextColumn(pinned=True),
            "Validation MSE": figure(format="%.3g", help=f"Mean squared error on validation, {unit}²; median of seeds."),
            "Mean": figure(format="%.3g", help="Mean of the validation MSE over the seeds."),
            "± SD": figure(format="%.2g", help="Standard deviation of the validation MSE over the seeds."),
            "RMSE": figure(f"RMSE ({unit})", format="%.3g", help="Root of the validation MSE, in the series' own units."),
            "Skill": figure("Skill (%)", format="%.1f", help="Share of the naive error that the model takes away."),
            "× floor": figure(format="%.2f", help="Multiple of the noise floor."),
            "Parameters": figure(format="localized", help="Numbers that the model learns."),
            "Fit": figure("Fit (s)", format="%.2f", help="Seconds for the whole fit."),
            "Per epoch": figure("Epoch (s)", format="%.3f", help="Seconds per epoch, without the first, which compiles."),
            "Test MSE": figure(format="%.3g", help="Scored once at the end of a fit, never used to choose."),
        },
    )


def _reveal(experiment: Experiment) -> None:
    st.session_state["reveal"] = experiment.canonical()


def _forecasts(experiment: Experiment, split: Split, rows: list[Row], unit: str) -> None:
    last = len(split.valid) - 1
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("#### Forecasts", width="stretch")
        index = st.number_input("Window of the validation part", 0, last, key=key("window", str(last)), width=220)
    alt = "One window: look-back, truth as crosses, and a line per model."
    figures.show(figures.forecast_figure(rows, split, int(index), experiment.task.steps, unit), "forecast", alt)
    seeded = [row.label for row in rows if len(row.scored) > 1]
    if seeded:
        st.caption(f"{', '.join(seeded)}: the seed whose validation error is nearest to the median.")


def _errors(experiment: Experiment, split: Split, rows: list[Row], unit: str) -> None:
    several = experiment.task.n_outputs > 1
    left, right = st.columns(2, gap="medium") if several else (None, st.container())
    if left is not None:
        with left:
            st.markdown("#### Error by step ahead")
            chart = figures.per_step_figure(rows, experiment.task.steps, split.noise_floor, unit)
            figures.show(chart, "steps", "Validation MSE of every model at each step ahead.")
    with right:
        st.markdown("#### Distribution of errors")
        figures.show(figures.distribution_figure(rows, split, unit), "distribution", "How each model's errors are spread.")
