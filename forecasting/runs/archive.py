"""A run as an archive that another server can take up: what was computed comes along, and serves no other run there.

An archive is somebody's word. Its fits get random ids in place of their hashes, so that nobody who asks for the same
settings is given them, and the run says that it was brought. Pickles are refused, sizes are bounded, and what does not fit
together is refused before anything is written.
"""

import io
import json
import math
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from forecasting.data import ReadUpload, load
from forecasting.data.reading import read
from forecasting.data.series import Reader
from forecasting.evaluation.fits import fits_of
from forecasting.evaluation.search import Trial, fit_of
from forecasting.experiment import BadInput, Experiment, Fit, LookBackFit, Upload
from forecasting.experiment.formats import dumped, read_experiment, read_fit
from forecasting.models import Progress, Shape
from forecasting.panels import read_panel
from forecasting.panels.forecast import of_stored
from forecasting.runs.arrays import unpack
from forecasting.runs.views import ENDED, RunView

FOLDER = "restore"
RUN, UPLOAD = f"{FOLDER}/run.json", f"{FOLDER}/upload"
ARRAYS = ("forecasts", "weights")
MOST_BYTES = 500_000_000
"""What an archive may hold, unfolded."""
TOO_LARGE = f"The archive unfolds to more than {MOST_BYTES // 1_000_000} MB: it is not read."
MOST_FITS = 2_000
OF_WINDOWS = {"valid_mse", "valid_mse_per_step", "valid_naive_mse", "valid_windows", "test_mse", "parameters", "fit_s"}
"""What the result of a fit on windows has at least."""


@dataclass(frozen=True)
class BroughtFit:
    """A fit that was computed elsewhere.

    Attributes:
        arrays: `forecasts` and `weights`, as `arrays.pack` writes them.
    """

    fit: Fit
    status: str
    reason: str | None
    result: dict[str, Any] | None
    epochs: list[Progress]
    started_at: float | None
    ended_at: float | None
    arrays: Mapping[str, bytes] = field(repr=False, default_factory=dict)


@dataclass(frozen=True)
class Archive:
    """A run that was computed elsewhere.

    Attributes:
        upload: name and content of the file that its series come from.
        trials: of a search: each with the place of its fit in the place of an id.
    """

    experiment: Experiment
    created_at: float
    fits: list[BroughtFit]
    upload: tuple[str, bytes] | None = None
    trials: list[tuple[int, Trial]] = field(default_factory=list)


# ---------------------------------------------------------------------------------------------------------------- write


def archived(run: RunView, trials: list[Trial], upload: tuple[str, bytes] | None, arrays: Any) -> dict[str, bytes]:
    """The files of an archive from which a run is restored.

    Args:
        run: which run; what of it has not ended is left out.
        trials: of its search.
        upload: name and content of the file that its series come from.
        arrays: gives what is stored of a fit, by its id and `forecasts` or `weights`; None where nothing is.
    """
    views = [view for view in run.fits if view.ended]
    places = {view.id: place for place, view in enumerate(views)}
    told: dict[str, Any] = {
        "format": 1,
        "experiment": json.loads(dumped(run.experiment.model_copy(update={"title": run.title}))),
        "created_at": run.created_at,
        "upload": None if upload is None else upload[0],
        "trials": [{**vars(trial), "fit": places[trial.fit_id]} for trial in trials if trial.fit_id in places],
        "fits": [
            {
                "fit": json.loads(dumped(view.fit)),
                "epochs": [[_kept(value) for value in vars(point).values()] for point in view.epochs],
                **{name: getattr(view, name) for name in ("status", "reason", "result", "started_at", "ended_at")},
            }
            for view in views
        ],
    }
    files = {RUN: json.dumps(told, allow_nan=False).encode()}
    if upload is not None:
        files[UPLOAD] = upload[1]
    for place, view in enumerate(views):
        for name in ARRAYS if view.result is not None else ():
            content = arrays(view.id, name)
            if content is not None:
                files[f"{FOLDER}/{place}/{name}.npz"] = content
    return files


def _kept(value: float) -> float | None:
    return value if math.isfinite(value) else None


# ----------------------------------------------------------------------------------------------------------------- read


def read_archive(content: bytes, reader: Reader = read) -> Archive:
    """Read an archive, and see whether its parts fit together.

    Args:
        content: of the archive.
        reader: reads the file that its series come from.

    Raises:
        BadInput: in one sentence, when they do not.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(each.file_size for each in archive.infolist()) > MOST_BYTES:
                raise BadInput(TOO_LARGE)
            names = set(archive.namelist())
            if RUN not in names:
                raise BadInput("The archive holds no run: give one that was downloaded from a run's page, or by `export`.")
            told = json.loads(_part(archive, RUN), parse_constant=_no_number)
            upload = _part(archive, UPLOAD) if UPLOAD in names else None
            fits = [_fit_of(archive, names, place, each) for place, each in enumerate(told["fits"][:MOST_FITS])]
            experiment = read_experiment(json.dumps(told["experiment"]))
            trials = [_trial_of(each, len(fits)) for each in told["trials"]]
        brought = None if upload is None else (str(told["upload"])[:200], upload)
        found = Archive(experiment, min(float(told["created_at"]), time.time()), fits, brought, trials)
    except (
        zipfile.BadZipFile,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
        EOFError,
        MemoryError,
    ) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput("The archive is damaged, or no archive of a run.") from None
    _refuse_what_does_not_fit(found, reader)
    return found


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    """A file of the archive; no more of it than its size says, whatever it unfolds to."""
    with archive.open(name) as part:
        size = archive.getinfo(name).file_size
        content = part.read(size + 1)
    if len(content) > size:
        raise BadInput("The archive unfolds to more than it says: it is not read.")
    return content


def _fit_of(archive: zipfile.ZipFile, names: set[str], place: int, told: dict[str, Any]) -> BroughtFit:
    if told["status"] not in ENDED:
        raise ValueError(told["status"])
    curve = [Progress(int(n), _number(a), _number(b), float(s)) for n, a, b, s in told["epochs"]]
    paths = {name: f"{FOLDER}/{place}/{name}.npz" for name in ARRAYS}
    arrays = {name: _part(archive, path) for name, path in paths.items() if path in names}
    for each in arrays.values():
        _refuse_arrays_that_are_none(each)
    fit, result = read_fit(json.dumps(told["fit"])), told["result"]
    if result is not None and (not isinstance(result, dict) or ("forecasts" not in arrays)):
        raise ValueError("no result")
    reason = None if told["reason"] is None else str(told["reason"])[:500]
    times = [None if told[name] is None else float(told[name]) for name in ("started_at", "ended_at")]
    return BroughtFit(fit, told["status"], reason, result, curve, times[0], times[1], arrays)


def _refuse_arrays_that_are_none(content: bytes) -> None:
    """Refuse pickles, and arrays that unfold to more than an archive may hold."""
    with zipfile.ZipFile(io.BytesIO(content)) as arrays:
        if sum(each.file_size for each in arrays.infolist()) > MOST_BYTES:
            raise BadInput(TOO_LARGE)
    unpack(content)


def _trial_of(told: dict[str, Any], n_fits: int) -> tuple[int, Trial]:
    place, value = int(told["fit"]), told["value"]
    if not 0 <= place < n_fits or told["state"] not in ("complete", "pruned", "failed"):
        raise ValueError("no trial")
    curve = tuple(_number(each) for each in told["curve"])
    return place, Trial(
        int(told["number"]), dict(told["settings"]), "", told["state"], None if value is None else float(value), curve
    )


def _no_number(text: str) -> float:
    raise ValueError(text)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _refuse_what_does_not_fit(archive: Archive, reader: Reader) -> None:
    """Refuse fits that are none of the experiment's, and forecasts that do not lie beside its windows or series.

    Raises:
        BadInput: in one sentence.
    """
    experiment, mine = archive.experiment, {fit.id for fit in fits_of(archive.experiment)}
    mine |= {fit_of(experiment, trial.settings).id for _, trial in archive.trials}
    if any(fit_of(experiment, trial.settings).id != archive.fits[place].fit.id for place, trial in archive.trials):
        raise BadInput("The archive's trials are not those of its fits: it is damaged.")
    if any(one.fit.id not in mine for one in archive.fits if not isinstance(one.fit, LookBackFit)):
        raise BadInput("The archive holds fits that are none of its experiment's: it is damaged, or of another version.")
    if any(one.fit.source != experiment.source for one in archive.fits):
        raise BadInput("The archive's fits are about other series than its experiment: it is damaged.")
    if isinstance(experiment.source, Upload) and archive.upload is None:
        raise BadInput("The archive lacks the file that its series come from.")

    def content_of(_: str) -> bytes:
        return archive.upload[1] if archive.upload else b""

    try:
        if experiment.plan is None:
            _refuse_other_windows(archive, content_of, reader)
        else:
            _refuse_other_series(archive, content_of, reader)
    except BadInput:
        raise
    except Exception:  # whatever arrays of other shapes lead to
        raise BadInput("The archive's forecasts do not lie beside its series: it is damaged.") from None


def _refuse_other_windows(archive: Archive, read_upload: ReadUpload, reader: Reader) -> None:
    experiment = archive.experiment
    split = load(experiment.source, experiment.task, read_upload, reader=reader)
    n_outputs = Shape.of(split).n_outputs
    for one in archive.fits:
        if one.result is None:
            continue
        forecasts = unpack(one.arrays["forecasts"])
        shapes = [(forecasts[name].shape, part) for name, part in (("valid", split.valid), ("test", split.test))]
        alike = all(shape == (len(part), n_outputs) for shape, part in shapes)
        if not alike or not set(one.result) >= OF_WINDOWS or not isinstance(one.result["valid_mse"], float):
            raise BadInput("The archive's forecasts do not lie beside its windows: it is damaged, or of another version.")


def _refuse_other_series(archive: Archive, read_upload: ReadUpload, reader: Reader) -> None:
    """Put the forecast together as the page will."""
    panel = read_panel(archive.experiment.source, read_upload, reader)
    left_out = {one.fit.model.name: one.reason or one.status for one in archive.fits if one.status != "finished"}
    done = [one for one in archive.fits if one.result is not None and one.fit.model.name not in left_out]
    if done:
        stored = ((one.fit, unpack(one.arrays["forecasts"])) for one in done)
        of_stored(panel, archive.experiment, stored, left_out).tested.scores()


def about_upload(fit: Fit, upload_id: str) -> Fit:
    """A fit whose file has another id here."""
    if isinstance(fit, LookBackFit):
        return fit.model_copy(update={"parent": about_upload(fit.parent, upload_id)})
    if not isinstance(fit.source, Upload):
        return fit
    return fit.model_copy(update={"source": fit.source.model_copy(update={"upload_id": upload_id})})
