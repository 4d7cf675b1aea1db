"""The dashboard: `streamlit run dashboard/app.py`, from any directory."""

import os
import sys
from pathlib import Path

from streamlit.starlette import App

# Before NumPy is imported: on two threads its linear algebra takes six times as much of the processor that visitors share.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ROOT = str(Path(__file__).parents[1])
if ROOT not in sys.path:  # `streamlit run` puts this folder on the path, not the project's
    sys.path.insert(0, ROOT)

from dashboard.server import HEADERS, IDENTITY, READY, with_engine  # noqa: E402  # needs the path above

# Streamlit looks for this assignment in the text of the file.
app = App(Path(__file__).with_name("page.py"), lifespan=with_engine, routes=[READY], middleware=[HEADERS, IDENTITY])
