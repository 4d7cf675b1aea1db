"""What a visitor may see: runs and uploads that are private open for their owners and for administrators alone.

To everybody else they are what was never there: the same words, under the same addresses.
"""

from dashboard import service
from dashboard.identity import account, visitor
from forecasting.experiment import BadInput, Source, Upload
from forecasting.runs.views import RunView, UploadView


def run_for(run_id: str) -> RunView | None:
    """A run that the visitor may see; None where there is none.

    Raises:
        BadInput: when it was written by another version and cannot be read any more.
    """
    found = service.store().run(run_id)
    return found if found is not None and (not found.private or _is_open_to(found.owner)) else None


def upload_for(upload_id: str) -> UploadView | None:
    """A file that the visitor may use; None where there is none."""
    found = service.store().upload(upload_id)
    return found if found is not None and (not found.private or _is_open_to(found.owner)) else None


def refuse_hidden(source: Source) -> None:
    """Refuse a source whose file was deleted, or is somebody else's alone.

    Raises:
        BadInput: in the same words for both.
    """
    if isinstance(source, Upload) and upload_for(source.upload_id) is None:
        raise BadInput("The uploaded file of these settings was deleted by its owner: choose another series.")


def _is_open_to(owner: str) -> bool:
    known = account()
    return owner == visitor() or (known is not None and known.administrator)
