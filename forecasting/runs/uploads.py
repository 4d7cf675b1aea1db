"""Files that visitors have uploaded."""

import hashlib
import time

from sqlalchemy import and_, delete, func, insert, select, update

from forecasting.experiment import BadInput
from forecasting.runs import schema
from forecasting.runs.blobs import delete_blob, delete_blobs, read_blob, stored_bytes, write_blob
from forecasting.runs.ids import random_id
from forecasting.runs.limits import Quota
from forecasting.runs.queue import Queue
from forecasting.runs.schema import FIT, RUN
from forecasting.runs.views import UploadView


class Uploads(Queue):
    """Files, each kept for its owner."""

    def add_upload(self, owner: str, name: str, content: bytes, quota: Quota | None = None, private: bool = False) -> str:
        """Keep a file and return its random id; the same content of the same owner is kept once, and once as a private file.

        Args:
            owner: who may delete it.
            name: of the file; 200 characters of it are kept.
            content: of the file.
            quota: what the store may hold; None for no bounds.
            private: whether its owner alone may use it.

        Raises:
            BadInput: when the store is full.
        """
        digest = hashlib.sha256(content).hexdigest()
        upload = schema.upload.c
        known = select(upload.id).where(upload.owner == owner, upload.digest == digest, upload.private == private).limit(1)
        with self._writing() as db:
            upload_id = db.scalar(known)
            db.execute(update(schema.upload).where(upload.id == upload_id).values(created_at=time.time()))
            if upload_id is None:
                if quota is not None:
                    quota.refuse_when_full(stored_bytes(db) + len(content))
                upload_id = random_id(20)
                row = {"id": upload_id, "owner": owner, "name": name[:200], "digest": digest, "created_at": time.time()}
                db.execute(insert(schema.upload).values(**row, private=private))
                write_blob(db, f"upload/{upload_id}", content)
        return upload_id

    def upload(self, upload_id: str) -> UploadView | None:
        """Return what is known of an upload, or None."""
        with self._reading() as db:
            row = db.execute(select(schema.upload).where(schema.upload.c.id == upload_id)).one_or_none()
        return None if row is None else UploadView(row.id, row.owner, row.name, row.created_at, row.private)

    def runs_of_upload(self, upload_id: str) -> int:
        """How many runs were made of an upload."""
        with self._reading() as db:
            return db.scalar(select(func.count()).select_from(schema.run).where(RUN.upload_id == upload_id)) or 0

    def read_upload(self, upload_id: str) -> bytes:
        """Return the content of an upload.

        Raises:
            BadInput: when it was deleted.
        """
        with self._reading() as db:
            content = read_blob(db, f"upload/{upload_id}")
        if content is None:
            raise BadInput("The uploaded file of these settings was deleted by its owner: choose another series.")
        return content

    def delete_upload(self, upload_id: str, owner: str) -> None:
        """Delete an upload and all that was made of it: its runs, fits and forecasts.

        Raises:
            BadInput: when somebody else owns it.
        """
        with self._writing() as db:
            mine = and_(schema.upload.c.id == upload_id, schema.upload.c.owner == owner)
            if db.execute(delete(schema.upload).where(mine)).rowcount != 1:
                raise BadInput("Only who has uploaded this file can delete it.")
            delete_blob(db, f"upload/{upload_id}")
            fit_ids = list(db.scalars(select(FIT.id).where(FIT.upload_id == upload_id)))
            for fit_id in fit_ids:
                delete_blobs(db, f"fit/{fit_id}/")
            db.execute(delete(schema.run).where(RUN.upload_id == upload_id))
            db.execute(delete(schema.fit).where(FIT.upload_id == upload_id))
