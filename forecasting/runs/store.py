"""The store: runs and their fits, uploads and arrays, on top of the queue, in one database."""

import hashlib
import io
import secrets
import time
from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy import Connection, and_, delete, exists, func, insert, select, update

from forecasting.experiment import BadInput, Experiment, Fit, Upload
from forecasting.fit import Result, fits_of
from forecasting.models import Progress
from forecasting.runs import schema
from forecasting.runs.blobs import delete_blob, read_blob, write_blob
from forecasting.runs.queue import Queue
from forecasting.runs.views import FitView, RunView, UploadView, fit_view

TRY_AGAIN = ("failed", "stopped", "cancelled", "lost")
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def random_id(length: int) -> str:
    """An id that nobody can guess, of letters and digits that nobody confuses."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


class Store(Queue):
    """All that lasts. Safe to share between threads; every process opens its own."""

    # -------------------------------------------------------------------------------------------------------- runs

    def start_run(self, experiment: Experiment, owner: str) -> str:
        """Write down a run and queue those of its fits that are not known or under way; return its id.

        Raises:
            BadInput: when a model or parameter is unknown.
        """
        fits, run_id, now = fits_of(experiment), random_id(10), time.time()
        with self._engine.begin() as db:
            db.execute(
                insert(schema.run).values(
                    id=run_id,
                    title=experiment.title,
                    experiment=experiment.canonical(),
                    owner=owner,
                    upload_id=_upload_id(experiment.source),
                    created_at=now,
                )
            )
            self._claim(db, run_id, fits)
        return run_id

    def add_to_run(self, run_id: str, fits: Sequence[Fit]) -> None:
        """Queue further fits for a run."""
        with self._engine.begin() as db:
            self._claim(db, run_id, fits)

    def _claim(self, db: Connection, run_id: str, fits: Sequence[Fit]) -> None:
        taken = db.scalar(select(func.count()).where(schema.run_fit.c.run_id == run_id)) or 0
        known = self._statuses(db, [fit.id for fit in fits])
        claimed = set(db.scalars(select(schema.run_fit.c.fit_id).where(schema.run_fit.c.run_id == run_id)))
        for place, fit in enumerate(fits):
            if fit.id not in known:
                db.execute(insert(schema.fit).values(**_new_fit(fit, place)))
            elif known[fit.id] in TRY_AGAIN:
                db.execute(delete(schema.epoch).where(schema.epoch.c.fit_id == fit.id))
                db.execute(update(schema.fit).where(schema.fit.c.id == fit.id).values(**_new_fit(fit, place)))
            else:
                keep_going = update(schema.fit).where(schema.fit.c.id == fit.id)
                db.execute(keep_going.values(stop_requested=False))
            if fit.id in claimed:
                mine = and_(schema.run_fit.c.run_id == run_id, schema.run_fit.c.fit_id == fit.id)
                db.execute(update(schema.run_fit).where(mine).values(claimed=True))
            else:
                row = {"run_id": run_id, "fit_id": fit.id, "position": taken + place, "claimed": True}
                db.execute(insert(schema.run_fit).values(**row))

    @staticmethod
    def _statuses(db: Connection, fit_ids: Sequence[str]) -> dict[str, str]:
        rows = db.execute(select(schema.fit.c.id, schema.fit.c.status).where(schema.fit.c.id.in_(fit_ids)))
        return {row.id: row.status for row in rows}

    def run(self, run_id: str) -> RunView | None:
        """Return a run with its fits, or None."""
        with self._reader.connect() as db:
            row = db.execute(select(schema.run).where(schema.run.c.id == run_id)).one_or_none()
            if row is None:
                return None
            query = select(schema.run_fit).where(schema.run_fit.c.run_id == run_id).order_by(schema.run_fit.c.position)
            claims = {claim.fit_id: claim.claimed for claim in db.execute(query)}
            fit_ids = list(claims)
            wanted = set(db.scalars(select(schema.run_fit.c.fit_id).where(_claims_on(fit_ids))))
            fits = self._fit_views(db, fit_ids)
        experiment = Experiment.read(row.experiment)
        withdrawn = frozenset(fit_id for fit_id, claimed in claims.items() if not claimed) & wanted
        return RunView(row.id, row.title, experiment, row.created_at, [fits[fit_id] for fit_id in fit_ids], withdrawn)

    def fits(self, fit_ids: Sequence[str]) -> dict[str, FitView]:
        """Return the fits that are known, by id."""
        with self._reader.connect() as db:
            return self._fit_views(db, fit_ids)

    @staticmethod
    def _fit_views(db: Connection, fit_ids: Sequence[str]) -> dict[str, FitView]:
        epochs: dict[str, list[Progress]] = {}
        for row in db.execute(select(schema.epoch).where(schema.epoch.c.fit_id.in_(fit_ids)).order_by(schema.epoch.c.epoch)):
            point = Progress(row.epoch, _number(row.loss), _number(row.valid_loss), row.elapsed_s)
            epochs.setdefault(row.fit_id, []).append(point)
        queue = list(
            db.scalars(
                select(schema.fit.c.id)
                .where(schema.fit.c.status == "queued")
                .order_by(schema.fit.c.queued_at, schema.fit.c.place)
            )
        )
        places = {fit_id: i + 1 for i, fit_id in enumerate(queue)}
        rows = db.execute(select(schema.fit).where(schema.fit.c.id.in_(fit_ids)))
        return {row.id: fit_view(row, epochs.get(row.id, []), places.get(row.id)) for row in rows}

    def recent_runs(self, owner: str, limit: int = 8) -> list[tuple[str, str, float]]:
        """Return `(id, title, created_at)` of an owner's latest runs, newest first."""
        query = select(schema.run.c.id, schema.run.c.title, schema.run.c.created_at).where(schema.run.c.owner == owner)
        with self._reader.connect() as db:
            rows = db.execute(query.order_by(schema.run.c.created_at.desc()).limit(limit)).all()
        return [(row.id, row.title, row.created_at) for row in rows]

    def stop(self, run_id: str, fit_id: str | None = None) -> None:
        """Withdraw a run's claim on one fit or on all; fits that nobody claims any more end."""
        mine = schema.run_fit.c.run_id == run_id
        if fit_id is not None:
            mine = and_(mine, schema.run_fit.c.fit_id == fit_id)
        still_claimed = exists().where(schema.run_fit.c.fit_id == schema.fit.c.id, schema.run_fit.c.claimed)
        with self._engine.begin() as db:
            ids = list(db.scalars(select(schema.run_fit.c.fit_id).where(mine)))
            db.execute(update(schema.run_fit).where(mine).values(claimed=False))
            unwanted = and_(schema.fit.c.id.in_(ids), ~still_claimed)
            db.execute(
                update(schema.fit)
                .where(unwanted, schema.fit.c.status == "queued")
                .values(status="cancelled", reason="Stopped before it began.", ended_at=time.time())
            )
            running = update(schema.fit).where(unwanted, schema.fit.c.status == "running")
            db.execute(running.values(stop_requested=True))

    # ------------------------------------------------------------------------------------------- arrays and uploads

    def arrays(self, fit_id: str, name: str) -> dict[str, np.ndarray]:
        """Return stored arrays of a fit: `forecasts` (`valid`, `test`) or `weights` (`0`, `1`, …)."""
        with self._reader.connect() as db:
            content = read_blob(db, f"fit/{fit_id}/{name}")
        if content is None:
            raise BadInput(f"The {name} of fit {fit_id} are no longer stored: train it again.")
        return unpack(content)

    def weights(self, fit_id: str) -> list[np.ndarray]:
        """Return the weights that a fit kept."""
        arrays = self.arrays(fit_id, "weights")
        return [arrays[str(i)] for i in range(len(arrays))]

    def add_upload(self, owner: str, name: str, content: bytes) -> str:
        """Keep a file; the same content of the same owner is kept once. Return its random id."""
        digest = hashlib.sha256(content).hexdigest()
        known = select(schema.upload.c.id).where(schema.upload.c.owner == owner, schema.upload.c.digest == digest)
        with self._engine.begin() as db:
            upload_id = db.scalar(known)
            if upload_id is None:
                upload_id = random_id(20)
                row = {"id": upload_id, "owner": owner, "name": name[:200], "digest": digest, "created_at": time.time()}
                db.execute(insert(schema.upload).values(**row))
                write_blob(db, f"upload/{upload_id}", content)
        return upload_id

    def upload(self, upload_id: str) -> UploadView | None:
        """Return what is known of an upload, or None."""
        with self._reader.connect() as db:
            row = db.execute(select(schema.upload).where(schema.upload.c.id == upload_id)).one_or_none()
        return None if row is None else UploadView(row.id, row.owner, row.name, row.created_at)

    def read_upload(self, upload_id: str) -> bytes:
        """Return the content of an upload.

        Raises:
            BadInput: when it was deleted.
        """
        with self._reader.connect() as db:
            content = read_blob(db, f"upload/{upload_id}")
        if content is None:
            raise BadInput("The uploaded file of these settings was deleted by its owner: choose another series.")
        return content

    def delete_upload(self, upload_id: str, owner: str) -> None:
        """Delete an upload and all that was made of it: its runs, fits and forecasts.

        Raises:
            BadInput: when somebody else owns it.
        """
        with self._engine.begin() as db:
            mine = and_(schema.upload.c.id == upload_id, schema.upload.c.owner == owner)
            if db.execute(delete(schema.upload).where(mine)).rowcount != 1:
                raise BadInput("Only the browser that uploaded this file can delete it.")
            delete_blob(db, f"upload/{upload_id}")
            fit_ids = list(db.scalars(select(schema.fit.c.id).where(schema.fit.c.upload_id == upload_id)))
            for fit_id in fit_ids:
                delete_blob(db, f"fit/{fit_id}/forecasts")
                delete_blob(db, f"fit/{fit_id}/weights")
            db.execute(delete(schema.run).where(schema.run.c.upload_id == upload_id))
            db.execute(delete(schema.fit).where(schema.fit.c.upload_id == upload_id))


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as bytes, in NumPy's own format."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # the stub takes names for the flag allow_pickle
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, np.ndarray]:
    """Arrays from bytes; pickles are refused."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def packed(result: Result) -> dict[str, bytes]:
    """The arrays of a result, as they are stored."""
    return {
        "forecasts": pack({"valid": result.y_hat_valid, "test": result.y_hat_test}),
        "weights": pack({str(i): weight for i, weight in enumerate(result.weights)}),
    }


def _new_fit(fit: Fit, place: int) -> dict:
    return {
        "id": fit.id,
        "settings": fit.canonical(),
        "status": "queued",
        "upload_id": _upload_id(fit.source),
        "attempt": 0,
        "stop_requested": False,
        "queued_at": time.time(),
        "place": place,
        **dict.fromkeys(("reason", "stage", "fraction", "result", "holder", "heartbeat_at", "started_at", "ended_at")),
    }


def _claims_on(fit_ids: Sequence[str]):  # type: ignore[no-untyped-def]  # SQLAlchemy's condition types are internal
    return and_(schema.run_fit.c.fit_id.in_(fit_ids), schema.run_fit.c.claimed)


def _upload_id(source: object) -> str | None:
    return source.upload_id if isinstance(source, Upload) else None


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
