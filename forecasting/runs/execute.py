"""Doing a job, wherever: that of a network imports TensorFlow, so only a worker calls it."""

import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from forecasting.data import ReadUpload
from forecasting.experiment import BadInput, LookBackFit, SeriesFit
from forecasting.panels import Panel, read_panel
from forecasting.runs.job import Job, Message, Outcome

Send = Callable[[Message], None]
"""Sends a message about a job: `stage`, `epoch`, `fraction`, `alive`, or `state`, from which it could go on."""

STATE_S = 2.0
"""Seconds between the states of a fit from which it could go on."""
ALIVE_S = 2.0
"""Seconds without another message after which a fit says that it is alive."""
FRACTION_S = 0.4


def execute(job: Job, send: Send, stop_wanted: Callable[[], bool], *, fatal: Callable[[Exception], bool]) -> Outcome:
    """Do a job to its end.

    Here alone is decided what is partial: once a fit has heard the wish to stop, whatever it brings back is `stopped` and
    never `finished`, whether it says so itself or not.

    Args:
        job: what to do.
        send: sends messages about progress.
        stop_wanted: whether somebody asked it to end.
        fatal: which errors are no fault of the fit's, and raised.
    """
    from forecasting.models.learning import Diverged, Stopped
    from forecasting.runs.arrays import packed

    reporter = ProgressReporter(send, stop_wanted)
    try:
        result = _result(job, reporter)
    except Stopped:
        return Outcome("cancelled")
    except (BadInput, Diverged) as error:
        return Outcome("failed", reason=str(error))
    except Exception as error:  # a fit that fails must not take the worker along; the reason reaches the visitor
        if fatal(error):
            raise
        traceback.print_exc()
        return Outcome("failed", reason=_reason(error))
    summary = result.summary()
    partial = reporter.stop_heard or summary["ended_early"] is not None
    return Outcome("stopped" if partial else "finished", summary, packed(result))


class ProgressReporter:
    """The callbacks of a job: they send its progress, not too often."""

    def __init__(self, send: Send, stop_wanted: Callable[[], bool]) -> None:
        self._send, self._stop_wanted = send, stop_wanted
        self.stop_heard = False
        self._sent_at = self._state_at = time.monotonic()

    def event(self, event: str, **content: Any) -> None:
        """Send a message."""
        self._sent_at = time.monotonic()
        self._send(Message({"event": event, **content}))

    def should_stop(self) -> bool:
        """Whether somebody asked the fit to end: once True, always True."""
        if time.monotonic() - self._sent_at > ALIVE_S:
            self.event("alive")
        self.stop_heard = self.stop_heard or self._stop_wanted()
        return self.stop_heard

    def on_fraction(self, epoch: int, fraction: float) -> None:
        """Send how much of an epoch is done."""
        if time.monotonic() - self._sent_at > FRACTION_S:
            self.event("fraction", epoch=epoch, fraction=fraction)

    def on_state(self, state: Callable[[], Any]) -> None:
        """Send a state from which the fit could go on."""
        from forecasting.runs.arrays import pack

        if time.monotonic() - self._state_at > STATE_S:
            arrays = state()
            self._send(Message({"event": "state", "epochs": int(arrays["epoch"])}, {"state": pack(arrays)}))
            self._state_at = time.monotonic()


def _result(job: Job, reporter: ProgressReporter) -> Any:
    from forecasting.evaluation.windows import run_fit, score_at
    from forecasting.models import Control
    from forecasting.panels.fits import run_series_fit
    from forecasting.runs.arrays import unpack

    control = Control(
        state=None if job.state is None else unpack(job.state),
        on_stage=lambda stage: reporter.event("stage", stage=stage),
        on_epoch=lambda progress: reporter.event("epoch", **vars(progress)),
        on_fraction=reporter.on_fraction,
        on_state=reporter.on_state,
        should_stop=reporter.should_stop,
    )

    def read_upload(upload_id: str) -> bytes:
        if job.upload is None:
            raise BadInput(f"The upload {upload_id} did not come along with its fit.")
        return job.upload

    fit = job.fit
    if isinstance(fit, SeriesFit):
        return run_series_fit(fit, _panel_of(fit, read_upload), control)
    if isinstance(fit, LookBackFit):
        weights = unpack(job.weights or b"")
        return score_at(fit, [weights[str(i)] for i in range(len(weights))], control, read_upload)
    return run_fit(fit, control, read_upload)


_kept: dict[str, Panel] = {}
"""The last panel that was read, by its source: the fits of a run ask for the same one, one after the other."""


def _panel_of(fit: SeriesFit, read_upload: ReadUpload) -> Panel:
    source = fit.source.canonical()
    if source not in _kept:
        _kept.clear()
        _kept[source] = read_panel(fit.source, read_upload)
    return _kept[source]


def _reason(error: Exception) -> str:
    """Why a fit failed, in words."""
    from forecasting.runs.machine import disk_trouble

    if isinstance(error, MemoryError) or _tensorflow_ran_out_of_memory(error):
        return "The worker ran out of memory: use fewer series, steps or units."
    return disk_trouble(error) or f"{type(error).__name__}: {error}"[:500]


def _tensorflow_ran_out_of_memory(error: Exception) -> bool:
    if "tensorflow" not in sys.modules:
        return False
    from forecasting.models.networks.runtime import is_out_of_memory

    return is_out_of_memory(error)
