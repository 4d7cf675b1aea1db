"""What one takes home of a run: its settings, scores, learning curves and forecasts, as plain files."""

import io
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pandas as pd

from forecasting.evaluation.keras_script import keras_script
from forecasting.experiment import BadInput, LookBackFit, SeriesFit, WindowFit
from forecasting.experiment.formats import dumped
from forecasting.panels.export import csv, parquet
from forecasting.panels.fits import by_cutoff
from forecasting.runs.store import Store
from forecasting.runs.views import FitView, RunView

ABOUT = """# {title}

Run `{id}` of {when}, {state}. Forecasting lab {version}.

- `EXPERIMENT.json`: all settings; `python -m forecasting run EXPERIMENT.json` computes it again.
- `scores.csv`: a row per fit: its model, seed, state, errors, epochs and seconds.
- `curves.csv`: training and validation loss of every epoch.
- `keras-*.py`, for simple networks on the chapter's waves: the fit as a plain Keras script that trains it anew.
- `forecasts.parquet`: what every fit has forecast, in units: {forecasts}.
"""
WINDOWS = "a row per part (`valid`, `test`), window and output"
SERIES = "a row per cutoff (so many steps before the end; 0: what comes), series and step ahead"


def files_of(store: Store, run_id: str, with_test: bool = True) -> dict[str, bytes]:
    """The files of a run, by name.

    Args:
        store: where it lies.
        run_id: which run.
        with_test: whether what was scored and forecast of the test part is among them.

    Raises:
        BadInput: when there is no such run.
    """
    run = store.run(run_id)
    if run is None:
        raise BadInput(f"There is no run {run_id!r:.20} in this database: it was deleted, or its name is incomplete.")
    whole = run.experiment.plan is not None
    about = {
        "title": run.title or "A run",
        "id": run.id,
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(run.created_at)),
        "state": "ended" if run.ended else "still under way",
        "version": _version(),
        "forecasts": SERIES if whole else WINDOWS,
    }
    files = {"README.md": ABOUT.format(**about).encode(), "EXPERIMENT.json": (dumped(run.experiment) + "\n").encode()}
    files["scores.csv"] = csv(pd.DataFrame([_score(fit, with_test) for fit in run.fits]))
    curves = pd.DataFrame([line for fit in run.fits for line in _curve(fit)])
    if len(curves):
        files["curves.csv"] = csv(curves)
    files |= dict(_scripts(run))
    forecasts = list(_forecasts(store, run, with_test))
    if forecasts:
        files["forecasts.parquet"] = parquet(pd.concat(forecasts, ignore_index=True))
    return files


def zipped(files: dict[str, bytes]) -> bytes:
    """Files as one archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, each in files.items():
            archive.writestr(name, each)
    return content.getvalue()


def _version() -> str:
    from forecasting import __version__

    return __version__


def _scripts(run: RunView) -> Iterator[tuple[str, bytes]]:
    """The plain Keras scripts of the fits that have one."""
    for fit in run.fits:
        if isinstance(fit.fit, WindowFit):
            with suppress(BadInput):  # most fits do more than such a script can say
                yield f"keras-{fit.fit.model.name}-{fit.id[:6]}.py", keras_script(fit.fit).encode()


def _named(fit: FitView) -> dict[str, object]:
    return {"fit": fit.id, "model": fit.label, "seed": getattr(fit.fit, "seed", None)}


def _score(fit: FitView, with_test: bool) -> dict[str, object]:
    result = {name: value for name, value in (fit.result or {}).items() if isinstance(value, int | float | str)}
    result = {name: value for name, value in result.items() if with_test or not name.startswith("test_")}
    return {**_named(fit), "state": fit.status, "reason": fit.reason, **result}


def _curve(fit: FitView) -> Iterator[dict[str, object]]:
    for point in fit.epochs:
        losses = {"loss": point.loss, "valid_loss": point.valid_loss, "elapsed_s": point.elapsed_s}
        yield {**_named(fit), "epoch": point.epoch, **losses}


def _forecasts(store: Store, run: RunView, with_test: bool) -> Iterator[pd.DataFrame]:
    """What is stored of every fit that has a result, in long form."""
    for fit in run.fits:
        if fit.result is None or isinstance(fit.fit, LookBackFit):
            continue
        arrays = store.arrays(fit.id, "forecasts")
        if isinstance(fit.fit, SeriesFit):
            for back, y_hat in by_cutoff(fit.fit.cutoff_offsets, arrays).items():
                yield pd.DataFrame({**_named(fit), "cutoff": back, **_places(y_hat, "series"), "y_hat": y_hat.ravel()})
        else:
            for part in ("valid", "test") if with_test else ("valid",):
                y_hat = arrays[part]
                yield pd.DataFrame({**_named(fit), "part": part, **_places(y_hat, "window"), "y_hat": y_hat.ravel()})


def _places(y_hat: np.ndarray, row: str) -> dict[str, np.ndarray]:
    """Where each forecast of `(n, h)` stands: rows are counted from 0, steps ahead from 1."""
    rows, steps = np.indices(y_hat.shape)
    return {row: rows.ravel(), "step": 1 + steps.ravel()}
