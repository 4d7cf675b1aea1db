"""What a visitor asks of this server, within its limits: to start a run, to keep a file, to delete it."""

from collections.abc import Sequence

from dashboard import computed, service
from dashboard.access import refuse_hidden
from dashboard.identity import account, starts_private
from forecasting.experiment import BadInput, Experiment, Fit
from forecasting.panels.judging import long_enough


def refuse_too_large(experiment: Experiment) -> None:
    """Refuse an experiment that is larger than this server allows.

    Raises:
        BadInput: with what is allowed.
    """
    if experiment.plan is not None:
        long_enough(computed.panel_of(experiment.source), experiment.plan)
        return
    service.settings().size.refuse_too_large(experiment, computed.windows(experiment.source, experiment.task))


def start_run(experiment: Experiment, owner: str, tags: Sequence[str] = ()) -> str:
    """Start a run within the limits of this server; return its id.

    Args:
        experiment: what to run.
        owner: the visitor, who alone may stop, change and delete it.
        tags: words that it is found by.

    Raises:
        BadInput: when it is larger, or the owner has too much waiting.
    """
    refuse_hidden(experiment.source)
    refuse_too_large(experiment)
    known, store, quota = account(), service.store(), service.settings().quota
    author = "" if known is None else known.name
    run_id = store.start_run(experiment, owner, quota, tags, author=author, private=starts_private())
    service.engine().wake()
    return run_id


def add_to_run(run_id: str, fits: Sequence[Fit], owner: str) -> None:
    """Add fits to a run within the limits of this server.

    Args:
        run_id: which run.
        fits: in the order in which they are queued.
        owner: the visitor whose place in the queue they take.

    Raises:
        BadInput: when the run was deleted, or the owner has too much waiting.
    """
    service.store().add_to_run(run_id, fits, owner, service.settings().quota)
    service.engine().wake()


def add_upload(owner: str, name: str, content: bytes) -> str:
    """Keep a file; return its id.

    Args:
        owner: the visitor, who alone may delete it.
        name: of the file.
        content: of the file.

    Raises:
        BadInput: when it is too large, or no more can be stored.
    """
    limit = service.settings().max_upload_mb
    if len(content) > limit * 1_000_000:
        raise BadInput(f"The file has {len(content) / 1e6:.1f} MB, and this server takes {limit} MB: cut it down.")
    return service.store().add_upload(owner, name, content, service.settings().quota, private=starts_private())


def delete_upload(upload_id: str, owner: str) -> None:
    """Delete an upload with all that was made of it, also what this process still holds in memory.

    Raises:
        BadInput: when somebody else owns it.
    """
    service.store().delete_upload(upload_id, owner)
    computed.forget()
