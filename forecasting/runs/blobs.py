"""Large contents in the database, in chunks that any backend takes."""

from sqlalchemy import Connection, delete, func, insert, select

from forecasting.runs.schema import blob

CHUNK = 1 << 20


def write_blob(db: Connection, key: str, content: bytes) -> None:
    """Store a content under a key; what was there is replaced.

    Args:
        db: in a transaction that writes.
        key: what it is stored under, as `fit/<id>/weights`.
        content: may be empty.
    """
    delete_blob(db, key)
    chunks = [content[start : start + CHUNK] for start in range(0, max(len(content), 1), CHUNK)]
    rows = [{"key": key, "chunk": i, "size": len(chunk), "content": chunk} for i, chunk in enumerate(chunks)]
    db.execute(insert(blob), rows)


def read_blob(db: Connection, key: str) -> bytes | None:
    """Return the content under a key, or None."""
    chunks = db.scalars(select(blob.c.content).where(blob.c.key == key).order_by(blob.c.chunk)).all()
    return b"".join(chunks) if chunks else None


def delete_blob(db: Connection, key: str) -> None:
    """Remove a content, if it is there."""
    db.execute(delete(blob).where(blob.c.key == key))


def delete_blobs(db: Connection, prefix: str) -> None:
    """Remove all contents whose keys begin alike."""
    db.execute(delete(blob).where(blob.c.key.startswith(prefix, autoescape=True)))


def stored_bytes(db: Connection) -> int:
    """The size of all contents together."""
    return int(db.scalar(select(func.sum(blob.c.size))) or 0)
