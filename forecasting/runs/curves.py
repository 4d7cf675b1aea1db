"""The learning curve of a fit in the database, and the state that it can go on from."""

from sqlalchemy import Connection, delete, func, insert, literal, select, update

from forecasting.runs import schema
from forecasting.runs.blobs import delete_blob
from forecasting.runs.schema import EPOCH, FIT


def trim_curve(db: Connection, fit_id: str) -> None:
    """Drop the epochs that a fit has done since its last state: they will be done again."""
    done = select(func.coalesce(FIT.epochs_done, 0)).where(FIT.id == fit_id).scalar_subquery()
    db.execute(delete(schema.epoch).where(EPOCH.fit_id == fit_id, EPOCH.epoch > done))


def forget_epochs(db: Connection, fit_id: str) -> None:
    """Let a fit start from nothing."""
    db.execute(delete(schema.epoch).where(EPOCH.fit_id == fit_id))
    forget_state(db, fit_id)


def forget_state(db: Connection, fit_id: str) -> None:
    """Delete the state from which a fit could go on."""
    delete_blob(db, f"fit/{fit_id}/state")
    db.execute(update(schema.fit).where(FIT.id == fit_id).values(epochs_done=None))


def copy_curve(db: Connection, parent_id: str, fit_id: str, epochs: int) -> None:
    """Give a fit the first epochs of another one's learning curve, in the place of its own.

    Args:
        db: in a transaction that writes.
        parent_id: the fit whose curve is copied.
        fit_id: the fit that gets it.
        epochs: how many of them.
    """
    db.execute(delete(schema.epoch).where(EPOCH.fit_id == fit_id))
    columns = (EPOCH.epoch, EPOCH.loss, EPOCH.valid_loss, EPOCH.elapsed_s)
    curve = select(literal(fit_id), *columns).where(EPOCH.fit_id == parent_id, EPOCH.epoch <= epochs)
    db.execute(insert(schema.epoch).from_select(["fit_id", *(column.name for column in columns)], curve))
