"""Claims: which fits a run wants, and what becomes of those that nobody wants any more."""

import time
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, insert, select, update

from forecasting.experiment import NUMERICS, BadInput, Fit, Upload
from forecasting.experiment.formats import dumped
from forecasting.runs import schema
from forecasting.runs.blobs import delete_blobs
from forecasting.runs.curves import trim_curve
from forecasting.runs.priorities import next_priority
from forecasting.runs.queue import Queue, note_best
from forecasting.runs.schema import CLAIM, FIT, RUN

TRY_AGAIN = ("failed", "stopped", "cancelled", "lost")


class Claims(Queue):
    """Runs claim fits: a fit that several want is done once, and ends when the last one gives it up."""

    def _claim(self, db: Connection, run_id: str, fits: Sequence[Fit], owner: str) -> None:
        taken = db.scalar(select(func.count()).where(CLAIM.run_id == run_id)) or 0
        known = self._statuses(db, [fit.id for fit in fits])
        claimed = set(db.scalars(select(CLAIM.fit_id).where(CLAIM.run_id == run_id)))
        priority, found = next_priority(db, owner), []
        for place, fit in enumerate(fits):
            values = new_fit(fit, place) | {"owner": owner, "priority": priority}
            if fit.id not in known:
                db.execute(insert(schema.fit).values(**values, epochs_done=None))
                priority += 1
            elif known[fit.id] in TRY_AGAIN:
                db.execute(update(schema.fit).where(FIT.id == fit.id).values(**values))
                trim_curve(db, fit.id)
                priority += 1
            else:
                sooner = update(schema.fit).where(FIT.id == fit.id, FIT.status == "queued", FIT.priority > priority)
                db.execute(sooner.values(priority=priority))
                priority += known[fit.id] == "queued"
                db.execute(update(schema.fit).where(FIT.id == fit.id).values(stop_requested=False))
            if known.get(fit.id) == "finished":
                summary = db.scalar(select(FIT.result).where(FIT.id == fit.id))
                found.append((fit, summary or "{}"))
            if fit.id in claimed:
                mine = and_(CLAIM.run_id == run_id, CLAIM.fit_id == fit.id)
                db.execute(update(schema.run_fit).where(mine).values(claimed=True))
            else:
                row = {"run_id": run_id, "fit_id": fit.id, "position": taken + place, "claimed": True}
                db.execute(insert(schema.run_fit).values(**row))
        for fit, summary in found:
            note_best(db, fit, summary, CLAIM.run_id == run_id)

    @staticmethod
    def _statuses(db: Connection, fit_ids: Sequence[str]) -> dict[str, str]:
        rows = db.execute(select(FIT.id, FIT.status).where(FIT.id.in_(fit_ids)))
        return {row.id: row.status for row in rows}

    @staticmethod
    def _drop_unused(db: Connection, which: ColumnElement[bool]) -> None:
        """Delete some fits with all that they have stored, where no run has them any more."""
        unused = ~exists().where(CLAIM.fit_id == FIT.id)
        for fit_id in list(db.scalars(select(FIT.id).where(unused, FIT.status != "running", which))):
            delete_blobs(db, f"fit/{fit_id}/")
            db.execute(delete(schema.fit).where(FIT.id == fit_id))

    @staticmethod
    def _withdraw(db: Connection, claims: ColumnElement[bool]) -> None:
        """Give up some claims; fits that nobody claims any more end."""
        still_claimed = exists().where(CLAIM.fit_id == FIT.id, CLAIM.claimed)
        ids = list(db.scalars(select(CLAIM.fit_id).where(claims)))
        db.execute(update(schema.run_fit).where(claims).values(claimed=False))
        unwanted = and_(FIT.id.in_(ids), ~still_claimed)
        reason = "Stopped before it began."
        waiting = update(schema.fit).where(unwanted, FIT.status == "queued")
        db.execute(waiting.values(status="cancelled", reason=reason, ended_at=time.time()))
        running = update(schema.fit).where(unwanted, FIT.status == "running")
        db.execute(running.values(stop_requested=True))


def refuse_others(db: Connection, run_ids: Sequence[str], owner: str | None) -> None:
    """Refuse an owner to whom a run does not belong.

    Args:
        db: in a transaction.
        run_ids: which runs.
        owner: who asks; None: whoever has the machine, or administrates it.

    Raises:
        BadInput: in one sentence.
    """
    if owner is None:
        return
    theirs = select(func.count()).select_from(schema.run).where(RUN.id.in_(run_ids), RUN.owner == owner)
    if (db.scalar(theirs) or 0) < len(set(run_ids)):
        raise BadInput("Only who has started a run can stop, change or delete it: start a copy of your own.")


def new_fit(fit: Fit, place: int) -> dict:
    """A fit that waits, as a row."""
    return {
        "id": fit.id,
        "settings": dumped(fit),
        "numerics": NUMERICS,
        "status": "queued",
        "upload_id": upload_id_of(fit.source),
        "lineage": fit.lineage,
        "attempt": 0,
        "stop_requested": False,
        "queued_at": time.time(),
        "place": place,
        **dict.fromkeys(("reason", "stage", "fraction", "result", "holder", "heartbeat_at", "started_at", "ended_at")),
    }


def upload_id_of(source: object) -> str | None:
    """The upload that a source is read from; None where it is none."""
    return source.upload_id if isinstance(source, Upload) else None
