"""Large contents in the database, in chunks that any backend takes."""

from sqlalchemy import Connection, delete, insert, select

from forecasting.runs.schema import blob

CHUNK = 1 << 20


def write_blob(db: Connection, key: str, content: bytes) -> None:
    """Store a content under a key; what was there is replaced."""
    delete_blob(db, key)
    rows = [
        {"key": key, "chunk": i, "content": content[start : start + CHUNK]}
        for i, start in enumerate(range(0, max(len(content), 1), CHUNK))
    ]
    db.execute(insert(blob), rows)


def read_blob(db: Connection, key: str) -> bytes | None:
    """Return the content under a key, or None."""
    chunks = db.scalars(select(blob.c.content).where(blob.c.key == key).order_by(blob.c.chunk)).all()
    return b"".join(chunks) if chunks else None


def delete_blob(db: Connection, key: str) -> None:
    """Remove a content, if it is there."""
    db.execute(delete(blob).where(blob.c.key == key))
