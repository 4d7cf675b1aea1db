"""A forecast against what came since: a newer file of the same series, its values in the chart, and the errors."""

import pandas as pd
import streamlit as st

from dashboard import actions, computed, service
from dashboard.access import refuse_hidden
from dashboard.components import show_error
from dashboard.identity import visitor
from dashboard.views.upload import FORMATS
from dashboard.words import digits
from forecasting.experiment import BadInput, Experiment, Upload
from forecasting.models import MODELS
from forecasting.panels.actuals import AgainstActuals, against_actuals
from forecasting.panels.forecast import Forecast
from forecasting.runs.database import Unavailable

NEWER = "newer"
"""The state, and the part of an address, that holds the id of the newer file."""


def known(experiment: Experiment, forecast: Forecast, levels: list[float]) -> AgainstActuals | None:
    """The forecast of all models beside the newer file, where the visitor or the link has given one; why not is shown."""
    upload_id = st.session_state.get(NEWER)
    if upload_id is None:
        return None
    source, wanted = experiment.source, {"upload_id": upload_id}
    newer = source.model_copy(update=wanted) if isinstance(source, Upload) else Upload(**wanted)
    try:
        refuse_hidden(newer)
        came = computed.panel_of(newer).frame
        return against_actuals(forecast.frame({name: name for name in forecast.ahead}, levels), came)
    except BadInput as error:
        show_error(error)
        return None


def compare(held: AgainstActuals | None, forecast: Forecast, unit: str) -> None:
    """Take a newer file, and say how the forecast did on what it holds.

    Args:
        held: the forecast beside the file that was given before, or none.
        forecast: with the backtest that it is held against.
        unit: of the series.
    """
    with st.expander("Compare with what came", icon=":material/fact_check:", expanded=held is not None):
        file = st.file_uploader(
            "A newer file of the same series",
            type=list(FORMATS),
            key="newer-file",
            max_upload_size=service.settings().max_upload_mb,
            help="Read as the file of this forecast was. Whoever has the link to this page then can see it.",
        )
        if file is not None and st.session_state.get("newer-taken") != file.file_id:
            st.session_state["newer-taken"] = file.file_id
            try:
                st.session_state[NEWER] = actions.add_upload(visitor(), file.name, file.getvalue())
                st.rerun()
            except (BadInput, Unavailable) as error:
                show_error(error)
        if held is not None:
            _say(held, forecast, unit)


def _say(held: AgainstActuals, forecast: Forecast, unit: str) -> None:
    tested = forecast.tested.scores()
    table = held.scores.assign(tested=[tested[name]["mae"] for name in held.scores["model"]])
    chosen = table[table["model"] == forecast.chosen].iloc[0]
    covered = [column for column in table if str(column).startswith("covered-")]
    n = int(chosen["n"])
    words = f"**{MODELS[forecast.chosen].title}** was off by {digits(chosen['mae'])} {unit} on "
    words += "the one value" if n == 1 else f"the mean of the {n:,} values"
    words += f" that came; in the backtest by {digits(chosen['tested'])}."
    for column in covered if n else ():
        words += f" Its {column.removeprefix('covered-')} % interval held {round(chosen[column] * n)} of {n:,}."
    st.markdown(words)
    figure = st.column_config.NumberColumn
    shown = pd.DataFrame(
        {
            "Model": [MODELS[name].title for name in table["model"]],
            "MAE": table["mae"],
            "In the backtest": table["tested"],
            "RMSE": table["rmse"],
            "sMAPE": 100 * table["smape"],
            "Bias": table["bias"],
            **{f"Covered by {column.removeprefix('covered-')} %": 100 * table[column] for column in covered},
            "Values": table["n"],
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        key="against-actuals",
        column_config={
            "Model": st.column_config.TextColumn(pinned=True, width=150),
            "MAE": figure(f"MAE ({unit})", format="%.4g", help="Mean absolute error on the values that came."),
            "In the backtest": figure("MAE in the backtest", format="%.4g", help="Over all cutoffs and steps ahead."),
            "RMSE": figure(format="%.4g"),
            "sMAPE": figure("sMAPE (%)", format="%.1f"),
            "Bias": figure(format="%.3g", help="Mean of forecast minus truth."),
            **{column: figure(f"{column} (%)", format="%.0f") for column in shown if column.startswith("Covered")},
        },
    )
