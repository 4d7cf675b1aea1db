"""What a newcomer sees first: what this is for, and three ways to begin."""

import streamlit as st

from dashboard import service
from dashboard.identity import visitor
from dashboard.state import draft

PURPOSE = "Train recurrent networks on a series, and see what they gain over simple forecasts."


def cards() -> None:
    """The purpose in a line and three ways to begin, until the visitor has gone one of them, now or at an earlier visit."""
    if st.query_params:  # by a link, or with settings of one's own
        st.session_state["welcomed"] = True
    if st.session_state.get("welcomed") or service.store().recent_runs(visitor()):
        return
    pages = st.session_state["pages"]
    with st.container(border=True, key="welcome"):
        st.markdown(f"**Forecasting lab.** {PURPOSE}")
        learn, file, waves = st.columns(3, gap="small")
        about = "Ten steps, from naive to WaveNet, each with a guess and a run."
        if learn.button("Learn how it works", "begin-guide", about, icon=":material/school:", width="stretch"):
            st.switch_page(pages["guide"])
        about = "Drop a file; models are judged on its past, and forecast what comes, with intervals."
        if file.button("Forecast my file", "begin-file", about, icon=":material/upload_file:", width="stretch"):
            draft()["kind"] = "upload"
            st.switch_page(pages["forecast"])
        about = "Move a slider in the side bar and press Train."
        waves.button("Play with waves", "begin-waves", about, _close, icon=":material/tune:", width="stretch")


def _close() -> None:
    st.session_state["welcomed"] = True
