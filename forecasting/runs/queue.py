"""The queue: fits wait, are leased, worked on, and ended, in the database.

A fit is worked on under a lease (holder, attempt, heartbeat). Whoever writes for a fit names its lease; a writer whose
lease has gone to somebody else is refused. Statuses are written, never inferred.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, exists, insert, or_, select, update

from forecasting.experiment import BadInput, Fit, LookBackFit, SeriesFit, WindowFit
from forecasting.experiment.formats import read_fit
from forecasting.models import Progress
from forecasting.runs import schema
from forecasting.runs.blobs import read_blob, write_blob
from forecasting.runs.curves import copy_curve, forget_epochs, forget_state, trim_curve
from forecasting.runs.database import Database, now_s
from forecasting.runs.priorities import ORDER, front
from forecasting.runs.schema import CLAIM, EPOCH, FIT, RUN

LEASE_S = 15.0
"""Seconds without a heartbeat after which a lease has expired."""
CONSIDERED = 20
"""So many waiting fits are looked at for one that a holder is well prepared for."""
MAX_ATTEMPTS = 2
"""A fit whose worker died is taken up once more."""


class LeaseLost(RuntimeError):
    """The lease has expired and the fit belongs to somebody else, or to nobody."""


@dataclass(frozen=True)
class Lease:
    """The right to work on a fit and to write for it."""

    fit: Fit
    holder: str
    attempt: int
    runs: tuple[str, ...] = ()
    """The ids of the runs that want it."""


@dataclass(frozen=True)
class Done:
    """What a worker brought back.

    Attributes:
        summary: `Result.summary()` as JSON.
        arrays: `forecasts`, `weights`, and `state` where there is one.
        epochs: how many epochs the state has behind it.
        stopped: why the fit ended before it was done; None when it is finished.
        by_wish: whether it ended because somebody asked; it goes on when meanwhile somebody else wants it.
    """

    summary: str
    arrays: Mapping[str, bytes]
    epochs: int | None = None
    stopped: str | None = None
    by_wish: bool = False


class Queue:
    """Waiting and running fits. Safe to share between threads; every process opens its own."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._writing, self._reading = self._database.writing, self._database.reading

    # ------------------------------------------------------------------------------------------------------- leasing

    def lease(
        self, holder: str, only_runs: Sequence[str] | None = None, leave: Callable[[Fit], bool] = lambda _: False
    ) -> Lease | None:
        """Take the fit that is next, or None when none waits.

        Args:
            holder: who takes it.
            only_runs: take a fit of these runs alone, by their ids; None for any.
            leave: which of the first that wait are left to another holder, who is better prepared for them.
        """
        waiting = select(FIT.id, FIT.settings).where(FIT.status == "queued").order_by(*ORDER).limit(CONSIDERED)
        if only_runs is not None:
            waiting = waiting.where(FIT.id.in_(select(CLAIM.fit_id).where(CLAIM.run_id.in_(list(only_runs)))))
        with self._reading() as db:
            if db.execute(waiting).first() is None:
                return None
        with self._writing() as db:
            first = next((row for row in db.execute(waiting) if not _left(row.settings, leave)), None)
            if first is None:
                return None
            lease = _take(db, first, holder)
        return lease or self.lease(holder, only_runs, leave)

    def resume(self, lease: Lease) -> bytes | None:
        """Return the state from which the fit can go on, its own or that of another fit of its lineage, or None.

        The learning curve up to there becomes the fit's own.
        """
        fit, training = lease.fit, lease.fit.training
        with self._held(lease) as db:
            db.execute(update(schema.fit).where(FIT.id == fit.id).values(parent_id=None, epochs_before=None))
            found = None if isinstance(fit, LookBackFit) or training is None else _furthest(db, fit, training.epochs)
            state = None if found is None else read_blob(db, f"fit/{found.id}/state")
            if found is None or state is None:
                forget_epochs(db, fit.id)
                return None
            if found.id != fit.id:
                copy_curve(db, found.id, fit.id, found.epochs_done)
            taken = update(schema.fit).where(FIT.id == fit.id)
            db.execute(taken.values(parent_id=found.id, epochs_before=found.epochs_done))
        return state

    @contextmanager
    def _held(self, lease: Lease) -> Iterator[Connection]:
        """A transaction in which the lease holds.

        Raises:
            LeaseLost: when it does not.
        """
        with self._writing() as db:
            beat = update(schema.fit).where(_is_held(lease)).values(heartbeat_at=now_s())
            if db.execute(beat).rowcount != 1:
                raise LeaseLost(f"Fit {lease.fit.id}, attempt {lease.attempt}, is no longer held by {lease.holder}.")
            yield db

    # ------------------------------------------------------------------------------------------------- while it runs

    def beat(self, lease: Lease) -> None:
        """Say that the fit is still being worked on."""
        with self._held(lease):
            pass

    def stop_wanted(self, lease: Lease) -> bool:
        """Whether somebody asked this fit to end."""
        with self._reading() as db:
            return _stop_wanted(db, lease)

    def report(self, lease: Lease, stage: str, fraction: float | None, epochs: Iterable[Progress]) -> None:
        """Write what a fit is at, and the epochs that it has finished since the last report.

        Args:
            lease: the right to write for the fit.
            stage: what it is at, in a word: `compiling`, `training`, `scoring` and others.
            fraction: how much of the present epoch is done, or of a fit without epochs, from 0 to 1; None where that is not
                known.
            epochs: those that it has finished since.

        Raises:
            LeaseLost: when the fit has gone to somebody else.
        """
        rows = [
            {"fit_id": lease.fit.id, "epoch": e.epoch, "loss": finite(e.loss), "valid_loss": finite(e.valid_loss)}
            | {"elapsed_s": e.elapsed_s}
            for e in epochs
        ]
        with self._held(lease) as db:
            db.execute(update(schema.fit).where(_is_held(lease)).values(stage=stage, fraction=fraction))
            if rows:  # written twice when the database has taken a report whose answer was lost
                again = EPOCH.epoch.in_([row["epoch"] for row in rows])
                db.execute(delete(schema.epoch).where(EPOCH.fit_id == lease.fit.id, again))
                db.execute(insert(schema.epoch), rows)

    def keep_state(self, lease: Lease, state: bytes, epochs: int) -> None:
        """Store how far a fit has got, so that it can go on from there.

        Args:
            lease: the right to write for the fit.
            state: as `arrays.pack` writes it.
            epochs: how many were done before it.

        Raises:
            LeaseLost: when the fit has gone to somebody else.
        """
        with self._held(lease) as db:
            write_blob(db, f"fit/{lease.fit.id}/state", state)
            db.execute(update(schema.fit).where(_is_held(lease)).values(epochs_done=epochs))

    # ---------------------------------------------------------------------------------------------------------- ends

    def finish(self, lease: Lease, done: Done) -> None:
        """Write the result of a fit: finished, or stopped with the reason."""
        status = "stopped" if done.stopped else "finished"
        values: dict[str, Any] = {"status": status, "reason": done.stopped, "result": done.summary}
        with self._held(lease) as db:
            for name, content in done.arrays.items():
                write_blob(db, f"fit/{lease.fit.id}/{name}", content)
            if "state" in done.arrays:
                values["epochs_done"] = done.epochs
            if done.by_wish and not _stop_wanted(db, lease):
                db.execute(update(schema.fit).where(_is_held(lease)).values(epochs_done=done.epochs))
                _queue_again(db, lease.fit.id, lease.attempt - 1, "lost", None)
            else:
                db.execute(update(schema.fit).where(_is_held(lease)).values(**values, **_ended()))
                note_best(db, lease.fit, done.summary, CLAIM.fit_id == lease.fit.id)

    def give_up(self, lease: Lease, status: str, reason: str) -> None:
        """Write that a fit ended without a result: `failed`, and then its state is not to be trusted, or `cancelled`.

        One that is to be cancelled is queued again where another run wants it meanwhile.

        Args:
            lease: the right to write for the fit.
            status: `failed` or `cancelled`.
            reason: why, in words.

        Raises:
            LeaseLost: when the fit has gone to somebody else.
        """
        values: dict[str, Any] = {"status": status, "reason": reason, "result": None}
        with self._held(lease) as db:
            if status == "failed":
                forget_state(db, lease.fit.id)
            elif not _stop_wanted(db, lease):  # meanwhile another run wants the fit
                _queue_again(db, lease.fit.id, lease.attempt - 1, "lost", None)
                return
            db.execute(update(schema.fit).where(_is_held(lease)).values(**values, **_ended()))

    def put_back(self, lease: Lease, reason: str) -> None:
        """Queue a fit whose worker died once more; when that was its last attempt it has failed."""
        with self._held(lease) as db:
            _queue_again(db, lease.fit.id, lease.attempt, "failed", reason)

    def release(self, lease: Lease) -> None:
        """Queue a fit again whose holder goes away in an orderly manner; it does not count as an attempt."""
        with self._held(lease) as db:
            _queue_again(db, lease.fit.id, lease.attempt - 1, "lost", None)

    def sweep(self) -> None:
        """Take up fits whose lease has expired; leases that are kept alive are not touched."""
        expired = and_(FIT.status == "running", FIT.heartbeat_at < now_s() - LEASE_S)
        query = select(FIT.id, FIT.attempt).where(expired)
        with self._reading() as db:
            if db.execute(query).first() is None:
                return
        with self._writing() as db:
            for row in db.execute(query).all():
                _queue_again(db, row.id, row.attempt, "lost", "The process that trained it went away.")


def note_best(db: Connection, fit: Fit, summary: str, claims: ColumnElement[bool]) -> None:
    """Write a fit down as the best of some runs, where its error is lower than that of the best so far.

    Args:
        db: in a transaction that writes.
        fit: which fit.
        summary: `Result.summary()` of it, as JSON.
        claims: of the runs that have it.
    """
    result = json.loads(summary)
    error, naive = result.get("valid_mse"), result.get("valid_naive_mse")
    if error is None:
        return
    these = and_(RUN.id.in_(select(CLAIM.run_id).where(claims)), or_(RUN.error.is_(None), RUN.error > error))
    values = {"best": fit.model.name, "error": error, "skill": 1 - error / naive if naive else None}
    db.execute(update(schema.run).where(these).values(**values))


def _take(db: Connection, row: Row, holder: str) -> Lease | None:
    """Lease a waiting fit; None when it was asked of another version, which would have come to another result."""
    try:
        fit = read_fit(row.settings)
    except BadInput:
        fit = None
    if fit is None or fit.id != row.id:
        reason = "This was asked of another version of this app: ask for it anew."
        db.execute(update(schema.fit).where(FIT.id == row.id).values(status="cancelled", reason=reason, **_ended()))
        return None
    values: dict[str, Any] = {
        "status": "running",
        "holder": holder,
        "attempt": FIT.attempt + 1,
        "stage": "starting",
        "fraction": None,
    }
    values |= {"heartbeat_at": now_s(), "started_at": time.time(), "ended_at": None, "stop_requested": False}
    db.execute(update(schema.fit).where(FIT.id == row.id).values(**values))
    trim_curve(db, row.id)
    runs = db.scalars(select(CLAIM.run_id).where(CLAIM.fit_id == row.id, CLAIM.claimed).order_by(CLAIM.run_id))
    return Lease(fit, holder, db.scalar(select(FIT.attempt).where(FIT.id == row.id)) or 0, tuple(runs))


def _left(settings: str, leave: Callable[[Fit], bool]) -> bool:
    try:
        return leave(read_fit(settings))
    except BadInput:  # whoever leases it says so
        return False


def _furthest(db: Connection, fit: WindowFit | SeriesFit, epochs: int) -> Row | None:
    """The fit of the same lineage that has got furthest, within so many epochs."""
    paths = (and_(FIT.lineage == lineage, FIT.epochs_done <= min(end, epochs)) for lineage, end in fit.lineages)
    query = select(FIT.id, FIT.epochs_done).where(or_(*paths))
    return db.execute(query.order_by(FIT.epochs_done.desc()).limit(1)).first()


def _stop_wanted(db: Connection, lease: Lease) -> bool:
    return bool(db.scalar(select(FIT.stop_requested).where(FIT.id == lease.fit.id)))


def _is_held(lease: Lease):  # type: ignore[no-untyped-def]  # SQLAlchemy's condition types are internal
    held = and_(FIT.status == "running", FIT.holder == lease.holder, FIT.attempt == lease.attempt)
    return and_(FIT.id == lease.fit.id, held)


def _ended() -> dict:
    return {"stage": None, "fraction": None, "holder": None, "ended_at": time.time()}


def _queue_again(db: Connection, fit_id: str, attempt: int, at_last: str, reason: str | None) -> None:
    """Queue a fit whose holder is gone, unless nobody claims it any more or it has used up its attempts."""
    wanted = db.scalar(select(exists().where(CLAIM.fit_id == fit_id, CLAIM.claimed)))
    if not wanted:
        status, reason = "cancelled", "Stopped before there was anything to keep."
    else:
        status = "queued" if attempt < MAX_ATTEMPTS else at_last
    first = front(db)  # a fit that comes back must not bring back an old priority, which newcomers would be given too
    priority = case((FIT.priority < first, first), else_=FIT.priority)
    values: dict[str, Any] = {"status": status, "reason": reason, "attempt": attempt, "priority": priority} | _ended()
    values["ended_at"] = None if status == "queued" else values["ended_at"]
    db.execute(update(schema.fit).where(FIT.id == fit_id).values(**values))


def finite(value: float) -> float | None:
    """A number as the database keeps it: None where it is none."""
    return value if np.isfinite(value) else None
