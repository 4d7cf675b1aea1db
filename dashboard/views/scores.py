"""What is known at once and in the end: headline figures, the series, warnings, the table of scores."""

import math

import pandas as pd
import streamlit as st

from dashboard import chart, figures, results, service
from dashboard.components import csv_menu
from dashboard.identity import visitor
from dashboard.results import Row
from dashboard.verdict import best_of, table_of
from dashboard.words import digits, escaped, spoken
from forecasting.data import Split
from forecasting.experiment import Experiment
from forecasting.models.naive import Naive

FEW = ("Model", "Validation MSE", "Skill", "State")
"""What a phone has room for."""


def headlines(rows: list[Row], split: Split, unit: str) -> None:
    """The best model so far, in four figures.

    Args:
        rows: the models; the best by validation error is shown.
        split: its windows; of them the noise floor is used.
        unit: of the series.
    """
    best = best_of(rows)
    if best is None:
        return
    against, floor = results.held_against(rows), split.noise_floor
    mse, gained = best.middle("valid_mse") or 0.0, best.skill(against)
    baseline = (Naive.title if against is None else against.model.title).lower()
    grid = st.grid(3 if floor is None else 4, min_column_width=130)
    grid.metric("Best so far", best.label, border=True, height="stretch")
    grid.metric(f"Validation MSE ({unit}²)", digits(mse), border=True, height="stretch")
    grid.metric(
        f"Skill against {baseline}",
        "undefined" if gained is None else f"{gained:.1%}",
        border=True,
        height="stretch",
        help=f"The share of the error of {baseline} that the model takes away: 100 % is perfect, 0 % no better.",
    )
    if floor is not None:
        grid.metric(
            "Above the noise floor",
            f"{mse / floor:.2f} ×" if floor else "no noise",
            border=True,
            height="stretch",
            help="The noise floor is the variance of the noise, which nobody can forecast: the lowest MSE there can be. "
            "So many times that is the model's; 1 would be perfect.",
        )


def series(experiment: Experiment, split: Split, unit: str) -> None:
    """Three series of the validation part, and how many there are.

    Args:
        experiment: the settings, which say which steps ahead are forecast.
        split: its windows.
        unit: of the series.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("#### Series", width="stretch")
        st.button("Others", key="shuffle", icon=":material/shuffle:", on_click=_shuffle, type="tertiary")
    start = st.session_state.get("shown", 0)
    indices = [(start + i * 7) % len(split.valid) for i in range(min(3, len(split.valid)))]
    alt = "Three series of the validation part: the look-back as a line, the values to forecast as crosses."
    chart.show(figures.series_figure(split, indices, experiment.task.steps, unit), "series", alt)
    parts = (
        f"{len(split.train):,} windows to learn from, {len(split.valid):,} to choose by, {len(split.test):,} for the test"
    )
    floor = "" if split.noise_floor is None else f" · noise floor {digits(split.noise_floor)}"
    left_out = f" · {split.left_out:,} with missing values left out" if split.left_out else ""
    st.caption(parts + floor + left_out)


def _shuffle() -> None:
    st.session_state["shown"] = st.session_state.get("shown", 0) + 23


def troubles(rows: list[Row]) -> None:
    """Say why a model cannot forecast these windows."""
    for row in rows:
        for outcome in row.outcomes:
            if outcome.trouble:
                st.warning(f"{row.label}: {escaped(outcome.trouble)}", icon=":material/warning:")


def warnings(rows: list[Row], split: Split) -> None:
    """Say where a bounded output cannot reach the targets."""
    parts = (split.train.y, split.valid.y)
    lowest, highest = min(float(y.min()) for y in parts), max(float(y.max()) for y in parts)
    after = " after scaling" if float(split.train.scale.max()) != 1.0 else ""
    for row in rows:
        low, high = row.model.output_range()
        if lowest < low or highest > high:
            limits = f"stays within [{low:g}, {high:g}]" if high < math.inf else f"never falls below {low:g}"
            st.warning(
                f"The targets go from {digits(lowest)} to {digits(highest)}{after}, but the output of {row.label} {limits}: "
                "choose a dense, linear output, or other amplitudes.",
                icon=":material/warning:",
            )


def scores(experiment: Experiment, rows: list[Row], split: Split, unit: str) -> None:
    """The table of models; test scores are covered until somebody asks for them.

    Args:
        experiment: the settings; test scores stay revealed as long as these stay the same.
        rows: its models, ensembles included.
        split: its windows.
        unit: of the series.
    """
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
        csv_menu(table, chart.file_name(st.session_state["about"], "scores"), "scores-csv")
    figure = st.column_config.NumberColumn
    best_lowest = [name for name in ("Validation MSE", "RMSE", "× floor", "Test MSE") if name in table]
    narrow = chart.on_touch() and not st.toggle("All columns", key="all-columns")
    ranked, bold = [i for i, row in enumerate(rows) if not row.model.reference], "font-weight: 700"
    styled = table.style.highlight_min((ranked, best_lowest), props=bold).highlight_max((ranked, ["Skill"]), props=bold)
    st.dataframe(
        styled,
        hide_index=True,
        height="content",
        placeholder="–",
        key="scores",
        column_order=FEW if narrow else None,
        column_config={
            "Model": st.column_config.TextColumn(pinned=True, width=190),
            "Validation MSE": figure(format="%.3g", help=f"Mean squared error on validation, {unit}²; median of seeds."),
            "Mean": figure(format="%.3g", help="Mean of the validation MSE over the seeds."),
            "± SD": figure(format="%.2g", help="Standard deviation of the validation MSE over the seeds."),
            **{
                f"Channel {i + 1}": figure(name or None, format="%.3g", help="Validation MSE of this channel.")
                for i, name in enumerate(split.valid.channels or split.valid.n_targets * ("",))
            },
            "RMSE": figure(f"RMSE ({unit})", format="%.3g", help="Root of the validation MSE, in the series' own units."),
            "Skill": figure(
                "Skill (%)",
                format="%.1f",
                help="Share of the error of naive, or of a better seasonal naive, that it saves.",
            ),
            "× floor": figure(format="%.2f", help="Multiple of the noise floor."),
            "Windows": figure(format="localized", help="Validation windows that it is scored on: all, or a sample."),
            "Parameters": figure(format="localized", help="Numbers that the model learns."),
            "Fit": figure("Fit (s)", format="%.2f", help="Seconds for the whole fit."),
            "Per epoch": figure("Epoch (s)", format="%.3f", help="Seconds per epoch, without the first, which compiles."),
            "Test MSE": figure(format="%.3g", help="Scored once at the end of a fit, never used to choose."),
        },
    )
    _shares(rows)


def _shares(rows: list[Row]) -> None:
    """What the ensembles are made of."""
    for row in rows:
        for result in (outcome.result or {} for outcome in row.scored):
            if "shares" in result:
                shares = sorted(result["shares"].items(), key=lambda item: -item[1])
                listed = ", ".join(f"{share:.0%} {label}" for label, share in shares)
                st.caption(f"{row.label}: {listed}.")


def fillings(experiment: Experiment, split: Split) -> None:
    """How well each way to fill in meets what was masked."""
    task, found = experiment.task, results.fillings(experiment, split)
    st.markdown("#### Filling in")
    used = [way == task.fill for way in found]
    lines = {"Filled in by": [spoken(way) for way in found], "MSE": list(found.values()), "In use": used}
    st.dataframe(
        pd.DataFrame(lines),
        hide_index=True,
        placeholder="–",
        key="fillings",
        width="content",
        column_config={"MSE": st.column_config.NumberColumn("MSE on the masked values", format="%.3g")},
    )
    masked = f"{split.valid.missing.mean():.0%} of the look-backs is masked, and models see what is put in its place"
    rest = "." if found["network"] is not None else ". The network has not learned to fill in yet: "
    if found["network"] is None:
        rest += "press Train." if task.asks_network else "choose it under *Missing values*, and press Train."
    st.caption(masked + rest)


def leaders(experiment: Experiment) -> None:
    """On request the best fits that anybody has made on these windows, by model, each with its run."""
    about = "The best fit of every model that anybody has made on these windows."
    if not st.toggle("Leaderboard", key="leaderboard", help=about):
        return
    lines = [
        {
            "Model": leader.model,
            "Validation MSE": leader.valid_mse,
            "Epochs": leader.epochs,
            "Seed": leader.seed,
            "Run": f"?run={leader.run_id}",
            "Title": leader.title,
        }
        for leader in service.store().leaders(experiment, visitor())
    ]
    if not lines:
        st.caption("Nobody has trained on these windows yet.")
        return
    columns = {
        "Validation MSE": st.column_config.NumberColumn(format="%.3g"),
        "Run": st.column_config.LinkColumn(display_text="open", width=80),
    }
    st.dataframe(lines, hide_index=True, height="content", key="leaders", placeholder="–", column_config=columns)


def _reveal(experiment: Experiment) -> None:
    st.session_state["reveal"] = experiment.canonical()
