"""The menu by which one takes a run home: everything, a report, networks, scripts, tables, settings."""

from collections.abc import Callable

import streamlit as st

from dashboard import address, computed, service
from dashboard.chart import file_name
from forecasting.experiment.formats import dumped
from forecasting.runs.report import report
from forecasting.runs.take_away import can_be_saved, files_of, found, networks_of, scripts_of, tables_of, zipped
from forecasting.runs.views import RunView

ZIP, HTML = "application/zip", "text/html"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def take_away(run: RunView | None) -> None:
    """The menu of a run; nothing where none was started. The test part stays covered until it is revealed.

    What is taken is made when it is asked for, and the page goes on meanwhile.
    """
    if run is None:
        return
    revealed = st.session_state.get("reveal") == run.experiment.canonical() or run.experiment.plan is not None
    store, link, run_id = service.store(), address.link(), run.id
    with st.popover("Take away", icon=":material/download:"):
        st.caption(
            "Made as the run stands now" + ("." if revealed else ", without the test part: reveal it to take it along.")
        )
        _item(
            "Everything, as a zip",
            lambda: zipped(files_of(store, run_id, revealed, link, computed.reader)),
            f"{file_name(run.title, run.id)}.zip",
            ZIP,
            "All below, forecasts and curves as CSV and Parquet, and what restores the run on another server. Some seconds.",
        )
        if any(fit.result for fit in run.fits):
            _item(
                "Report",
                lambda: report(store, found(store, run_id), link, revealed, computed.reader),
                f"{file_name(run.title, 'report')}.html",
                HTML,
                "One page with interactive charts: it opens offline, prints on A4 or to PDF, and saves its charts as PNG.",
            )
            _item(
                "Tables",
                lambda: tables_of(store, found(store, run_id), revealed)["run.xlsx"],
                f"{file_name(run.title, 'tables')}.xlsx",
                EXCEL,
                "Scores, learning curves and forecasts as a workbook.",
            )
        if any(map(can_be_saved, run.fits)):
            _item(
                "Trained networks",
                lambda: zipped(networks_of(store, found(store, run_id), revealed, computed.reader)),
                f"{file_name(run.title, 'networks')}.zip",
                ZIP,
                "Files that Keras opens, each with a card and a script of ten lines that forecasts. Some seconds.",
            )
        scripts = scripts_of(run)
        if scripts:
            _item(
                "Plain Keras scripts",
                lambda: zipped(scripts_of(found(store, run_id))),
                f"{file_name(run.title, 'scripts')}.zip",
                ZIP,
                "The fits as scripts and notebooks that need nothing of this app, and come to the same score.",
            )
        settings = f"{dumped(run.experiment)}\n"
        about = "For `python -m forecasting run`."
        _item("Settings", lambda: settings.encode(), f"{file_name(run.title, 'experiment')}.json", "application/json", about)


def _item(label: str, make: Callable[[], bytes], name: str, kind: str, about: str) -> None:
    key = f"take-{label.split(',')[0].lower().replace(' ', '-')}"
    st.download_button(
        label, make, name, kind, key=key, icon=":material/download:", on_click="ignore", help=about, width="stretch"
    )
