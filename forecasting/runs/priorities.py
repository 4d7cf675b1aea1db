"""In which order fits that wait are taken up.

Queueing is fair: each fit that a visitor queues gets a priority, one after the visitor's last, and the first of a newcomer
stands beside those that wait at the front (start-time fair queueing; Goyal, Vin and Cheng, 1996). So fifty fits of one
visitor do not hold up another's first.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from forecasting.runs.schema import FIT

ORDER = (FIT.priority, FIT.queued_at, FIT.place)


def next_priority(db: Connection, owner: str) -> int:
    """The priority of the next fit that a visitor queues."""
    last = db.scalar(select(func.max(FIT.priority)).where(FIT.status == "queued", FIT.owner == owner))
    return front(db) if last is None else max(front(db), last + 1)


def front(db: Connection) -> int:
    """The priority of those that are next. It never goes back while anybody waits."""
    return db.scalar(select(func.min(FIT.priority)).where(FIT.status == "queued")) or 0


def places(db: Connection, fit_ids: Sequence[str]) -> dict[str, int]:
    """The places of those fits that wait, among all that wait, from 1."""
    place = func.row_number().over(order_by=ORDER).label("nth")
    waiting = select(FIT.id, place).where(FIT.status == "queued").subquery()
    return {row.id: row.nth for row in db.execute(select(waiting).where(waiting.c.id.in_(fit_ids)))}
