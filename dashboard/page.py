"""The page's script, which Streamlit runs anew for every visitor and every change."""

from pathlib import Path

import streamlit as st

from dashboard.chart import theme
from dashboard.memory import tidy_up
from dashboard.views import forecast, guide, lab, runs, search

CSS = """
[data-testid="stSidebarHeader"] {height: 2.2rem; margin-bottom: 0; padding-bottom: 0}
[data-testid="stMetricValue"] {font-variant-numeric: tabular-nums; font-size: 1.55rem}
.st-key-header > :first-child {flex: 1 1 18rem !important; min-width: 18rem}
.st-key-rested {display: none}
[data-testid="stSidebar"] .katex {font-size: 1em}
[data-testid="stDataFrame"] {margin-top: 0.9rem}
kbd {opacity: 1 !important}
@media (pointer: coarse) {[data-testid="stElementToolbar"] {display: none}}
[data-testid="stMetricValue"] p, [data-testid="stMetricLabel"] p {white-space: normal !important}
"""

# In the dark theme the accent is bright: letters on it are dark.
DARK = """
[data-tag] *, [data-testid="stBaseButton-primary"]:not(:disabled) * {color: var(--dark) !important}
"""

tidy_up()
# A picture of our own: for a named icon every visitor's browser would ask a server of Google's.
st.set_page_config(page_title="Forecasting lab", page_icon=str(Path(__file__).with_name("icon.svg")), layout="wide")
dark = f":root {{--dark: {theme().paper}}}{DARK}" if st.context.theme.type == "dark" else ""
st.html(f"<style>{CSS}{dark}</style>")
st.session_state["pages"] = pages = {
    "lab": st.Page(lab.page, title="Lab", icon=":material/science:", default=True),
    "forecast": st.Page(forecast.page, title="Forecast", icon=":material/timeline:", url_path="forecast"),
    "runs": st.Page(runs.page, title="Runs", icon=":material/list_alt:", url_path="runs"),
    "search": st.Page(search.page, title="Search", icon=":material/search:", url_path="search", visibility="hidden"),
    "guide": st.Page(guide.page, title="Guide", icon=":material/school:", url_path="guide"),
}
st.navigation(list(pages.values()), position="top").run()
