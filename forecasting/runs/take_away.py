"""What one takes home of a run: settings, scores, curves, forecasts, a report, networks and scripts, as plain files."""

import io
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pandas as pd

from forecasting.data import load
from forecasting.data.reading import read
from forecasting.data.series import Reader
from forecasting.evaluation.keras_script import as_notebook, keras_script
from forecasting.evaluation.model_card import card, predict_script, saved_network
from forecasting.experiment import BadInput, LookBackFit, SeriesFit, WindowFit
from forecasting.experiment.formats import dumped
from forecasting.panels.export import ROWS_OF_A_SHEET, csv, parquet, workbook
from forecasting.panels.fits import by_cutoff
from forecasting.runs.job import Job
from forecasting.runs.keras_process import keras_files
from forecasting.runs.report import report
from forecasting.runs.store import Store
from forecasting.runs.views import FitView, RunView

ABOUT = """# {title}

Run `{id}` of {when}, {state}. Forecasting lab {version}.

- `report.html`: what came of it, with charts; it opens offline, prints on A4, and saves its charts as pictures.
- `EXPERIMENT.json`: all settings; `python -m forecasting run EXPERIMENT.json` computes it again.
- `scores.csv`: a row per fit: its model, seed, state, errors, epochs and seconds.
- `curves.csv`: training and validation loss of every epoch.
- `forecasts.parquet`, `forecasts.csv`: what every fit has forecast, in units: {forecasts}.
- `run.xlsx`: the three as sheets of a workbook.
- `networks/`: trained networks, as files of Keras with a card and a script that forecasts.
- `keras-*.py`, `keras-*.ipynb`, for simple networks on the chapter's waves: the fit as a plain Keras script, trained anew.
- `restore/`: what `python -m forecasting import`, or the page *Runs* of another server, restores the run from.
"""
WINDOWS = "a row per part (`valid`, `test`), window and output"
SERIES = "a row per cutoff (so many steps before the end; 0: what comes), series and step ahead"


def files_of(
    store: Store, run_id: str, with_test: bool = True, address: str = "", reader: Reader = read
) -> dict[str, bytes]:
    """The files of a run, by name, those in folders with a slash.

    Args:
        store: where it lies.
        run_id: which run.
        with_test: whether what was scored and forecast of the test part is among them; what restores the run has it always.
        address: where the run opens; empty where that is not known.
        reader: reads the file that its series come from.

    Raises:
        BadInput: when there is no such run.
    """
    run = found(store, run_id)
    about = {
        "title": run.title or "A run",
        "id": run.id,
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(run.created_at)),
        "state": "ended" if run.ended else "still under way",
        "version": _version(),
        "forecasts": WINDOWS if run.experiment.plan is None else SERIES,
    }
    files = {"README.md": ABOUT.format(**about).encode(), "EXPERIMENT.json": (dumped(run.experiment) + "\n").encode()}
    with suppress(BadInput):  # nothing is scored yet
        files["report.html"] = report(store, run, address, with_test, reader)
    files |= tables_of(store, run, with_test)
    files |= scripts_of(run)
    files |= networks_of(store, run, with_test, reader)
    return files | store.archived_run(run_id)


def found(store: Store, run_id: str) -> RunView:
    """A run that is there.

    Raises:
        BadInput: when it is not.
    """
    run = store.run(run_id)
    if run is None:
        raise BadInput(f"There is no run {run_id!r:.20} in this database: it was deleted, or its name is incomplete.")
    return run


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


def tables_of(store: Store, run: RunView, with_test: bool) -> dict[str, bytes]:
    """Scores, curves and forecasts, each as files of its own and as sheets of a workbook."""
    scores = pd.DataFrame([_score(fit, with_test) for fit in run.fits])
    curves = pd.DataFrame([line for fit in run.fits for line in _curve(fit)])
    made = list(_forecasts(store, run, with_test))
    sheets, files = {"scores": scores}, {"scores.csv": csv(scores)}
    if len(curves):
        sheets["curves"], files["curves.csv"] = curves, csv(curves)
    if made:
        forecasts = pd.concat(made, ignore_index=True)
        files |= {"forecasts.parquet": parquet(forecasts), "forecasts.csv": csv(forecasts)}
        sheets |= {"forecasts": forecasts} if len(forecasts) <= ROWS_OF_A_SHEET else {}
    return files | {"run.xlsx": workbook(sheets)}


def scripts_of(run: RunView) -> dict[str, bytes]:
    """The plain Keras scripts of the fits that have one, and the same as notebooks."""
    files: dict[str, bytes] = {}
    for fit in run.fits:
        if isinstance(fit.fit, WindowFit):
            with suppress(BadInput):  # most fits do more than such a script can say
                script, name = keras_script(fit.fit), f"keras-{_short(fit)}"
                files |= {f"{name}.py": script.encode(), f"{name}.ipynb": as_notebook(script).encode()}
    return files


def networks_of(store: Store, run: RunView, with_test: bool = True, reader: Reader = read) -> dict[str, bytes]:
    """The trained networks of a run that Keras alone can open: each with a card, and a script that forecasts.

    Args:
        store, with_test, reader: as in `files_of`.
        run: which run.

    Raises:
        BadInput: when the networks cannot be written.
    """
    views = [view for view in run.fits if can_be_saved(view)]
    if not views:
        return {}
    jobs = [Job(view.id, view.fit, weights=store.packed_weights(view.id)) for view in views]
    split = load(run.experiment.source, run.experiment.task, store.read_upload, reader=reader)
    files: dict[str, bytes] = {}
    for view, content in zip(views, keras_files(jobs), strict=True):
        if isinstance(content, bytes) and isinstance(view.fit, WindowFit) and view.result is not None:
            folder, file = f"networks/{_short(view)}", "model.keras"
            told = card(view.fit, view.result, split, run.id, file, with_test)
            script = predict_script(view.fit, split, file)
            files |= {
                f"{folder}/{file}": content,
                f"{folder}/card.md": told.encode(),
                f"{folder}/predict.py": script.encode(),
            }
    return files


def can_be_saved(view: FitView) -> bool:
    """Whether Keras alone can open the network of a fit; whether its layers allow it is seen when it is written."""
    if not isinstance(view.fit, WindowFit) or view.result is None:
        return False
    try:
        saved_network(view.fit)
    except BadInput:
        return False
    return True


def _short(fit: FitView) -> str:
    return f"{fit.fit.model.name}-{fit.id[:6]}"


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
