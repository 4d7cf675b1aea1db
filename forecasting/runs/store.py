"""The store: runs and their fits, searches, uploads and arrays, on top of the queue, in one database."""

import json
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select, update

from forecasting.evaluation.fits import fits_of
from forecasting.evaluation.search import refuse_unusable
from forecasting.experiment import Allotment, BadInput, Experiment, Fit, Upload
from forecasting.experiment.formats import dumped, read_experiment
from forecasting.models import Progress
from forecasting.runs import schema
from forecasting.runs.archive import Archive, BroughtFit, about_upload, archived
from forecasting.runs.arrays import unpack
from forecasting.runs.blobs import delete_blob, read_blob, stored_bytes, write_blob
from forecasting.runs.claims import new_fit, refuse_others, upload_id_of
from forecasting.runs.ids import random_id
from forecasting.runs.limits import Quota
from forecasting.runs.priorities import places
from forecasting.runs.queue import finite, note_best
from forecasting.runs.records import Records, found_by
from forecasting.runs.schema import CLAIM, FIT, RUN
from forecasting.runs.searches import Searches
from forecasting.runs.uploads import Uploads
from forecasting.runs.views import FitView, RunView, fit_view

log = logging.getLogger(__name__)

T = TypeVar("T")


class Store(Records, Searches, Uploads):
    """All that lasts. Safe to share between threads; every process opens its own."""

    # -------------------------------------------------------------------------------------------------------- runs

    def start_run(
        self,
        experiment: Experiment,
        owner: str,
        quota: Quota | None = None,
        tags: Sequence[str] = (),
        author: str = "",
        private: bool = False,
    ) -> str:
        """Write down a run and queue those of its fits that are not known or under way; return its id.

        Args:
            experiment: what to run.
            owner: whose place in the queue its fits take.
            quota: what the owner may have waiting and the store may hold; None for no bounds.
            tags: words that the run is found by.
            author: what the owner is called.
            private: whether it opens for its owner alone, with the file that it is about.

        Raises:
            BadInput: when a model or parameter is unknown, or a quota is used up; then nothing is written.
        """
        fits, run_id, now = fits_of(experiment), random_id(10), time.time()
        if experiment.search is not None:
            refuse_unusable(experiment)
        with self._writing() as db:
            if quota is not None:
                quota.refuse_when_full(stored_bytes(db))
            db.execute(
                insert(schema.run).values(
                    id=run_id,
                    title=experiment.title,
                    experiment=dumped(experiment),
                    owner=owner,
                    upload_id=upload_id_of(experiment.source),
                    created_at=now,
                    author=author[:120],
                    searching=experiment.search is not None,
                    tags="".join(f" {tag}" for tag in tags) + " " if tags else "",
                    **found_by(experiment),
                )
            )
            if private:
                self._keep_private(db, run_id, True)
            self._claim(db, run_id, fits, owner)
            if quota is not None:
                quota.refuse_too_many(_waiting(db, owner))
        ids = {"run": run_id, "fits": [fit.id for fit in fits]}
        log.info("run %s of %d fits was asked for", run_id, len(fits), extra=ids)
        return run_id

    def add_to_run(self, run_id: str, fits: Sequence[Fit], owner: str, quota: Quota | None = None) -> None:
        """Queue further fits for a run.

        Args:
            run_id: which run.
            fits: in the order in which they are queued; those that are known or under way are not repeated.
            owner, quota: as in `start_run`.

        Raises:
            BadInput: when there is no such run, somebody else owns it, or a quota is used up.
        """
        with self._writing() as db:
            if db.scalar(select(RUN.id).where(RUN.id == run_id, RUN.deleted_at.is_(None))) is None:
                raise BadInput("This run was deleted: nothing can be added to it.")
            refuse_others(db, [run_id], owner)
            if quota is not None:
                quota.refuse_when_full(stored_bytes(db))
            self._claim(db, run_id, fits, owner)
            if quota is not None:
                quota.refuse_too_many(_waiting(db, owner))

    def bring_run(self, archive: Archive, owner: str, quota: Quota | None = None) -> str:
        """Keep a run that another server has computed; return its id here. Its fits serve no other run.

        Args:
            archive: as `read_archive` gives it.
            owner: who brings it.
            quota: what the store may hold; None for no bounds.

        Raises:
            BadInput: when the store is full.
        """
        experiment, run_id, now = archive.experiment, random_id(10), time.time()
        if archive.upload is not None and isinstance(experiment.source, Upload):
            here = {"upload_id": self.add_upload(owner, *archive.upload, quota)}
            experiment = experiment.model_copy(update={"source": experiment.source.model_copy(update=here)})
        upload_id, ids = upload_id_of(experiment.source), [random_id(24) for _ in archive.fits]
        with self._writing() as db:
            if quota is not None:
                size = sum(len(content) for one in archive.fits for content in one.arrays.values())
                quota.refuse_when_full(stored_bytes(db) + size)
            about = {"title": experiment.title, "owner": owner, "upload_id": upload_id, "created_at": archive.created_at}
            row = {"id": run_id, "experiment": dumped(experiment), "brought": True, **about, **found_by(experiment)}
            db.execute(insert(schema.run).values(**row))
            for place, (fit_id, one) in enumerate(zip(ids, archive.fits, strict=True)):
                self._bring(db, run_id, place, fit_id, one, upload_id)
            for place, trial in archive.trials:
                self._write_trial(db, run_id, replace(trial, fit_id=ids[place]))
        log.info("run %s was brought, after %.0f days", run_id, (now - archive.created_at) / 86_400, extra={"run": run_id})
        return run_id

    @staticmethod
    def _bring(db: Connection, run_id: str, place: int, fit_id: str, one: BroughtFit, upload_id: str | None) -> None:
        fit = one.fit if upload_id is None else about_upload(one.fit, upload_id)
        values = new_fit(fit, place) | {"id": fit_id, "numerics": 0, "lineage": fit_id, "status": one.status}
        values |= {"reason": one.reason, "started_at": one.started_at, "ended_at": one.ended_at}
        values["result"] = None if one.result is None else json.dumps(one.result)
        db.execute(insert(schema.fit).values(**values))
        db.execute(insert(schema.run_fit).values(run_id=run_id, fit_id=fit_id, position=place, claimed=True))
        note_best(db, fit, values["result"] or "{}", CLAIM.run_id == run_id)
        curve = [{"fit_id": fit_id, **{name: finite(value) for name, value in vars(point).items()}} for point in one.epochs]
        if curve:
            db.execute(insert(schema.epoch), curve)
        for name, content in one.arrays.items():
            write_blob(db, f"fit/{fit_id}/{name}", content)

    def archived_run(self, run_id: str) -> dict[str, bytes]:
        """The files of an archive from which a run can be restored.

        Raises:
            BadInput: when there is no such run.
        """
        run = self.run(run_id)
        if run is None:
            raise BadInput("This run was deleted: nothing can be taken of it.")
        source, upload = run.experiment.source, None
        if isinstance(source, Upload):
            known = self.upload(source.upload_id)
            upload = None if known is None else (known.name, self.read_upload(source.upload_id))

        def arrays(fit_id: str, name: str) -> bytes | None:
            with self._reading() as db:
                return read_blob(db, f"fit/{fit_id}/{name}")

        return archived(run, self.trials(run_id), upload, arrays)

    def continue_run(self, run_id: str, epochs: int, owner: str, quota: Quota | None = None) -> str:
        """Start a run of the same experiment with so many further epochs; return its id.

        Its fits go on from where those of the first one ended.

        Args:
            run_id: the first run.
            epochs: how many more than its longest fit has done.
            owner, quota: as in `start_run`.

        Raises:
            BadInput: when there is no such run, none of its fits has learned anything, there would be too many epochs, or a
                quota is used up.
        """
        run = self.run(run_id)
        if run is None:
            raise BadInput("This run was deleted: nothing can go on from it.")
        return self.start_run(run.further(epochs), owner, quota)

    def run(self, run_id: str) -> RunView | None:
        """Return a run with its fits, or None.

        Raises:
            BadInput: when it was written by another version and cannot be read any more.
        """
        if not (run_id.isascii() and run_id.isalnum()):  # addresses hold whatever somebody writes
            return None
        with self._reading() as db:
            row = db.execute(select(schema.run).where(RUN.id == run_id, RUN.deleted_at.is_(None))).one_or_none()
            if row is None:
                return None
            query = select(schema.run_fit).where(CLAIM.run_id == run_id).order_by(CLAIM.position)
            claims = {claim.fit_id: claim.claimed for claim in db.execute(query)}
            fit_ids = list(claims)
            wanted = set(db.scalars(select(CLAIM.fit_id).where(CLAIM.fit_id.in_(fit_ids), CLAIM.claimed)))
            fits = _readable(self._fit_views, db, fit_ids)
        experiment = _of_a_run(_readable(read_experiment, row.experiment))
        withdrawn = frozenset(fit_id for fit_id, claimed in claims.items() if not claimed) & wanted
        ordered = [fits[fit_id] for fit_id in fit_ids]
        about = {name: getattr(row, name) for name in ("owner", "searching", "brought", "author", "private", "best")}
        return RunView(row.id, row.title, experiment, row.created_at, ordered, withdrawn, **about)

    def fits(self, fit_ids: Sequence[str]) -> dict[str, FitView]:
        """Return the fits that are known, by id."""
        with self._reading() as db:
            return self._fit_views(db, fit_ids)

    @staticmethod
    def _fit_views(db: Connection, fit_ids: Sequence[str]) -> dict[str, FitView]:
        epochs: dict[str, list[Progress]] = {}
        for row in db.execute(select(schema.epoch).where(schema.epoch.c.fit_id.in_(fit_ids)).order_by(schema.epoch.c.epoch)):
            point = Progress(row.epoch, _number(row.loss), _number(row.valid_loss), row.elapsed_s)
            epochs.setdefault(row.fit_id, []).append(point)
        rows = db.execute(select(schema.fit).where(FIT.id.in_(fit_ids))).all()
        waiting = places(db, [row.id for row in rows if row.status == "queued"])
        return {row.id: fit_view(row, epochs.get(row.id, []), waiting.get(row.id)) for row in rows}

    def census(self) -> tuple[int, int]:
        """How many runs there are, and the bytes that uploads, forecasts and weights take."""
        with self._reading() as db:
            return db.scalar(select(func.count()).select_from(schema.run)) or 0, stored_bytes(db)

    def forget(self, before: float, deleted_before: float | None = None) -> None:
        """Delete old runs, and the fits and uploads that no run needs any more.

        Args:
            before: the time before which runs were created, and fits queued.
            deleted_before: the time before which runs were deleted that nobody has taken back; None: the same.
        """
        gone = RUN.deleted_at < (before if deleted_before is None else deleted_before)
        with self._writing() as db:
            db.execute(delete(schema.run).where(or_(RUN.created_at < before, gone)))
            self._drop_unused(db, FIT.queued_at < before)
            upload = schema.upload.c
            needed = exists().where(RUN.upload_id == upload.id)
            for upload_id in list(db.scalars(select(upload.id).where(~needed, upload.created_at < before))):
                delete_blob(db, f"upload/{upload_id}")
                db.execute(delete(schema.upload).where(upload.id == upload_id))

    def recent_runs(self, owner: str, limit: int = 8) -> list[tuple[str, str, float]]:
        """Return `(id, title, created_at)` of an owner's latest runs, newest first."""
        query = select(RUN.id, RUN.title, RUN.created_at).where(RUN.owner == owner, RUN.deleted_at.is_(None))
        with self._reading() as db:
            rows = db.execute(query.order_by(RUN.created_at.desc()).limit(limit)).all()
        return [(row.id, row.title, row.created_at) for row in rows]

    def stop(self, run_id: str, fit_id: str | None = None, owner: str | None = None) -> None:
        """Withdraw a run's claim on one fit or on all; fits that nobody claims any more end.

        Args:
            run_id: which run.
            fit_id: which of its fits; None: all.
            owner: who asks; None: whoever has the machine, or administrates it.

        Raises:
            BadInput: when somebody else owns the run.
        """
        mine = CLAIM.run_id == run_id
        if fit_id is not None:
            mine = and_(mine, CLAIM.fit_id == fit_id)
        with self._writing() as db:
            refuse_others(db, [run_id], owner)
            self._withdraw(db, mine)
            if fit_id is None:
                db.execute(update(schema.run).where(RUN.id == run_id).values(searching=False))

    def secret(self, name: str) -> str:
        """A secret that all servers of this database share; made when it is first asked for."""
        known = select(schema.secret.c.value).where(schema.secret.c.name == name)
        with self._reading() as db:
            value = db.scalar(known)
        if value is None:
            with self._writing() as db:
                value = db.scalar(known)
                if value is None:
                    value = secrets.token_hex(32)
                    db.execute(insert(schema.secret).values(name=name, value=value))
        return value

    # ------------------------------------------------------------------------------------------------------- arrays

    def arrays(self, fit_id: str, name: str) -> dict[str, np.ndarray]:
        """Return stored arrays of a fit: `forecasts` (`valid`, `test`) or `weights` (`0`, `1`, …)."""
        with self._reading() as db:
            content = read_blob(db, f"fit/{fit_id}/{name}")
        if content is None:
            raise BadInput(f"The {name} of fit {fit_id} are no longer stored: train it again.")
        return unpack(content)

    def packed_weights(self, fit_id: str) -> bytes | None:
        """The weights that a fit kept, as `arrays.pack` writes them; None where there are none."""
        with self._reading() as db:
            return read_blob(db, f"fit/{fit_id}/weights")

    def weights(self, fit_id: str) -> list[np.ndarray]:
        """Return the weights that a fit kept."""
        arrays = self.arrays(fit_id, "weights")
        return [arrays[str(i)] for i in range(len(arrays))]


def _of_a_run(experiment: Experiment) -> Experiment:
    """A run knows what its time budget came to; those of format 1 did not tell, and have tried every model."""
    if experiment.allotted or (experiment.budget_s is None and experiment.plan is None):
        return experiment
    return experiment.model_copy(update={"allotted": tuple(Allotment() for _ in experiment.models)})


def _readable(read: Callable[..., T], *args: Any) -> T:
    try:
        return read(*args)
    except BadInput:
        raise BadInput("This run was written by another version and cannot be read any more: set it anew.") from None


def _waiting(db: Connection, owner: str) -> int:
    return db.scalar(select(func.count()).where(FIT.status == "queued", FIT.owner == owner)) or 0


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
