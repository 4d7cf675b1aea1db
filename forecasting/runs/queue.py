"""The queue: fits are leased, worked on, and ended, in the database.

A fit is worked on under a lease (holder, attempt, heartbeat). Whoever writes for a fit names its lease; a writer whose
lease has gone to somebody else is refused. Statuses are written, never inferred.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError
from sqlalchemy import Connection, and_, delete, exists, insert, select, update

from forecasting.experiment import Fit
from forecasting.models import Progress
from forecasting.runs import schema
from forecasting.runs.blobs import write_blob
from forecasting.runs.database import open_database, reading

LEASE_S = 15.0
"""Seconds without a heartbeat after which a lease has expired."""
LOOK_AT = 20
"""So many waiting fits are looked at for one that a holder is well prepared for."""
MAX_ATTEMPTS = 2
"""A fit whose worker died is taken up once more, then lost."""


class LeaseLost(RuntimeError):
    """The lease has expired and the fit belongs to somebody else, or to nobody."""


@dataclass(frozen=True)
class Lease:
    """The right to work on a fit and to write for it."""

    fit: Fit
    holder: str
    attempt: int


class Queue:
    """Waiting and running fits. Safe to share between threads; every process opens its own."""

    def __init__(self, url: str) -> None:
        self._engine = open_database(url)
        self._reader = reading(self._engine)

    def lease(self, holder: str, run_id: str | None = None, leave: Callable[[Fit], bool] = lambda _: False) -> Lease | None:
        """Take the fit that has waited longest, or None when none waits.

        Args:
            holder: who takes it.
            run_id: take a fit of this run alone.
            leave: which of the first that wait are left to another holder, who is better prepared for them.
        """
        waiting = select(schema.fit.c.id, schema.fit.c.settings).where(schema.fit.c.status == "queued")
        if run_id is not None:
            of_run = select(schema.run_fit.c.fit_id).where(schema.run_fit.c.run_id == run_id)
            waiting = waiting.where(schema.fit.c.id.in_(of_run))
        waiting = waiting.order_by(schema.fit.c.queued_at, schema.fit.c.place).limit(LOOK_AT)
        with self._reader.connect() as db:
            if db.execute(waiting).first() is None:
                return None
        with self._engine.begin() as db:
            first = next((row for row in db.execute(waiting) if not _left(row.settings, leave)), None)
            if first is None:
                return None
            fit_id = first.id
            now, attempt = time.time(), schema.fit.c.attempt + 1
            values: dict[str, Any] = {
                "status": "running",
                "holder": holder,
                "attempt": attempt,
                "stage": "starting",
                "fraction": None,
            }
            values |= {"heartbeat_at": now, "started_at": now, "ended_at": None, "stop_requested": False}
            taken = update(schema.fit).where(schema.fit.c.id == fit_id).values(**values)
            db.execute(taken)
            db.execute(delete(schema.epoch).where(schema.epoch.c.fit_id == fit_id))
            row = db.execute(select(schema.fit).where(schema.fit.c.id == fit_id)).one()
            try:
                return Lease(Fit.model_validate_json(row.settings), holder, row.attempt)
            except ValidationError:
                reason = "These settings were written by another version and cannot be read any more: set them anew."
                failed = update(schema.fit).where(schema.fit.c.id == fit_id)
                db.execute(failed.values(status="failed", reason=reason, holder=None, **_ended()))
        return self.lease(holder, run_id, leave)

    @contextmanager
    def _held(self, lease: Lease) -> Iterator[Connection]:
        """A transaction in which the lease holds.

        Raises:
            LeaseLost: when it does not.
        """
        with self._engine.begin() as db:
            beat = update(schema.fit).where(_is_held(lease)).values(heartbeat_at=time.time())
            if db.execute(beat).rowcount != 1:
                raise LeaseLost(f"Fit {lease.fit.id}, attempt {lease.attempt}, is no longer held by {lease.holder}.")
            yield db

    def beat(self, lease: Lease) -> None:
        """Say that the fit is still being worked on."""
        with self._held(lease):
            pass

    def stop_wanted(self, lease: Lease) -> bool:
        """Whether somebody asked this fit to end."""
        with self._reader.connect() as db:
            return bool(db.scalar(select(schema.fit.c.stop_requested).where(schema.fit.c.id == lease.fit.id)))

    def report(self, lease: Lease, stage: str, fraction: float | None, epochs: Iterable[Progress]) -> None:
        """Write what a fit is at, and the epochs that it has finished since the last report."""
        rows = [
            {"fit_id": lease.fit.id, "epoch": e.epoch, "loss": _finite(e.loss), "valid_loss": _finite(e.valid_loss)}
            | {"elapsed_s": e.elapsed_s}
            for e in epochs
        ]
        with self._held(lease) as db:
            db.execute(update(schema.fit).where(_is_held(lease)).values(stage=stage, fraction=fraction))
            if rows:
                db.execute(insert(schema.epoch), rows)

    def finish(self, lease: Lease, summary: str, arrays: Mapping[str, bytes], stopped: str | None = None) -> None:
        """Write the result of a fit: finished, or stopped with the reason."""
        values = {"status": "stopped" if stopped else "finished", "reason": stopped, "result": summary}
        with self._held(lease) as db:
            for name, content in arrays.items():
                write_blob(db, f"fit/{lease.fit.id}/{name}", content)
            db.execute(update(schema.fit).where(_is_held(lease)).values(**values, **_ended()))

    def give_up(self, lease: Lease, status: str, reason: str) -> None:
        """Write that a fit ended without a result: `failed` or `cancelled`."""
        with self._held(lease) as db:
            values = {"status": status, "reason": reason, "result": None}
            db.execute(update(schema.fit).where(_is_held(lease)).values(**values, **_ended()))

    def put_back(self, lease: Lease, reason: str) -> None:
        """Queue a fit whose worker died once more, or call it lost when that was its last attempt."""
        with self._held(lease) as db:
            _queue_again(db, lease.fit.id, lease.attempt, reason)

    def release(self, lease: Lease) -> None:
        """Queue a fit again whose holder goes away in an orderly manner; it does not count as an attempt."""
        with self._held(lease) as db:
            attempt = lease.attempt - 1
            db.execute(update(schema.fit).where(_is_held(lease)).values(attempt=attempt))
            _queue_again(db, lease.fit.id, attempt, None)

    def sweep(self) -> None:
        """Take up fits whose lease has expired; leases that are kept alive are not touched."""
        expired = and_(schema.fit.c.status == "running", schema.fit.c.heartbeat_at < time.time() - LEASE_S)
        query = select(schema.fit.c.id, schema.fit.c.attempt).where(expired)
        with self._reader.connect() as db:
            if db.execute(query).first() is None:
                return
        with self._engine.begin() as db:
            for row in db.execute(query).all():
                _queue_again(db, row.id, row.attempt, "The process that trained it went away.")


def _left(settings: str, leave: Callable[[Fit], bool]) -> bool:
    try:
        return leave(Fit.model_validate_json(settings))
    except ValidationError:  # whoever leases it says so
        return False


def _is_held(lease: Lease):  # type: ignore[no-untyped-def]  # SQLAlchemy's condition types are internal
    table = schema.fit.c
    held = and_(table.status == "running", table.holder == lease.holder, table.attempt == lease.attempt)
    return and_(table.id == lease.fit.id, held)


def _ended() -> dict:
    return {"stage": None, "fraction": None, "ended_at": time.time()}


def _queue_again(db: Connection, fit_id: str, attempt: int, reason: str | None) -> None:
    """Queue a fit whose holder is gone, unless nobody claims it any more or it has used up its attempts."""
    wanted = db.scalar(select(exists().where(schema.run_fit.c.fit_id == fit_id, schema.run_fit.c.claimed)))
    if not wanted:
        status, reason = "cancelled", "Stopped before there was anything to keep."
    else:
        status = "queued" if attempt < MAX_ATTEMPTS else "lost"
    values = {"status": status, "reason": reason, "holder": None, "stage": None, "fraction": None}
    ended_at = None if status == "queued" else time.time()
    db.execute(update(schema.fit).where(schema.fit.c.id == fit_id).values(**values, ended_at=ended_at))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
