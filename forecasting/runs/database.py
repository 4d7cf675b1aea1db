"""Opening the database: SQLite or PostgreSQL by URL, one writer at a time on both, the schema brought up to date.

One writer at a time is what makes the queue easy to think about: a transaction that writes sees all that others wrote
before it, and nobody writes until it ends. SQLite works so by itself; on PostgreSQL every writer takes the same lock.
"""

import logging
import re
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, Float, create_engine, event, make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from forecasting.experiment import BadInput

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_S = 5
"""Seconds that a transaction waits for another writer."""
POOL: dict[str, Any] = {"pool_size": 10, "max_overflow": 30}
"""So many connections are kept, and so many more are opened when many visitors come at once."""
WRITERS = 7_036_402
"""The number of the lock that writers take on PostgreSQL."""


class Unavailable(RuntimeError):
    """The database cannot be read or written at the moment; nothing of the transaction was kept."""


class now_s(GenericFunction[float]):  # noqa: N801  # named as it is called
    """The database's own clock, in seconds since 1970: processes on several machines agree on it."""

    type = Float()
    inherit_cache = True


@compiles(now_s, "sqlite")
def _now_on_sqlite(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now_s, "postgresql")
def _now_on_postgresql(*_: Any, **__: Any) -> str:
    return "extract(epoch FROM clock_timestamp())::float8"


class Database:
    """A database on the newest schema.

    Args:
        url: SQLAlchemy's; a SQLite file and its folder are made when missing.

    Raises:
        BadInput: when the URL is none, or the database cannot be opened.
    """

    def __init__(self, url: str) -> None:
        try:
            self.engine = _engine(make_url(url))
            weakref.finalize(self, self.engine.dispose)  # connections are closed when nobody needs them any more
            self._readers = self.engine.execution_options(only_reads=True)
            _migrate(self)
        except (OSError, ValueError, SQLAlchemyError, Unavailable, ImportError) as error:
            why = _why(error.__cause__ or error)
            raise BadInput(
                f"The database {without_password(url)} cannot be opened ({why}): give a URL such as sqlite:///lab.db or "
                "postgresql://user:password@host/name, and look whether it can be reached and written."
            ) from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes, alone.

        Raises:
            Unavailable: when the database is locked for long, read-only, full or gone.
        """
        with self._plainly(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads and never waits for a writer.

        Raises:
            Unavailable: when the database cannot be read.
        """
        with self._plainly(), self._readers.connect() as connection:
            yield connection

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except (DataError, IntegrityError, ProgrammingError):
            raise  # a mistake of ours, not a state of the database
        except (DBAPIError, PoolTimeout) as error:
            raise Unavailable(
                f"The database does not answer ({_why(error)}): what it holds is not touched. Try again in a moment."
            ) from error


def _why(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or getattr(error, "strerror", None) or error
    return (str(cause).splitlines() or [type(error).__name__])[0]


def without_password(url: str) -> str:
    """A database's URL as it may be shown."""
    try:
        return make_url(url).set(query={}).render_as_string(hide_password=True)
    except (SQLAlchemyError, ValueError):
        return re.sub("//.*@", "//***@", url.partition("?")[0])[:100]


def _engine(url: URL) -> Engine:
    if url.drivername in ("postgres", "postgresql"):  # as hosting services write it
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite":
        if url.database:
            Path(url.database).expanduser().parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, **POOL)
        event.listen(engine, "connect", _tune)
        event.listen(engine, "begin", _begin_on_sqlite)
        event.listen(engine, "handle_error", _drop_read_only)
        return engine
    if url.get_backend_name() != "postgresql":
        raise BadInput(f"The database may be SQLite or PostgreSQL, not {url.get_backend_name()}.")
    options = {"connect_timeout": BUSY_S, "options": f"-c lock_timeout={BUSY_S * 1000}"}
    engine = create_engine(url, pool_pre_ping=True, connect_args=options, **POOL)
    event.listen(engine, "begin", _begin_on_postgresql)
    return engine


def _tune(connection: Any, record: Any) -> None:  # noqa: ARG001  # the signature that SQLAlchemy calls
    connection.isolation_level = None  # transactions are begun in `_begin_on_sqlite`, not by the driver
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000}")
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """Switch to WAL; SQLite's busy timeout does not hold here when another process does the same."""
    for patience in range(100):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if patience == 99:
                raise
            time.sleep(0.02)


def _drop_read_only(context: Any) -> None:
    """Give up a connection that was opened while the file could not be written: it would stay read-only for ever."""
    code = getattr(context.original_exception, "sqlite_errorcode", 0)
    context.is_disconnect = context.is_disconnect or code & 0xFF == sqlite3.SQLITE_READONLY


def _begin_on_sqlite(connection: Connection) -> None:
    """Take the write lock at once: a transaction that starts by reading could not get it later."""
    connection.exec_driver_sql("BEGIN" if _only_reads(connection) else "BEGIN IMMEDIATE")


def _begin_on_postgresql(connection: Connection) -> None:
    if not _only_reads(connection):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")


def _only_reads(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("only_reads"))


def migrations() -> Config:
    """Alembic's settings."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _migrate(database: Database) -> None:
    config = migrations()
    head = ScriptDirectory.from_config(config).get_current_head()
    with database.reading() as connection:
        if MigrationContext.configure(connection).get_current_revision() == head:
            return
    with database.writing() as connection:  # waits for another process that does the same
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        log.info("the database is at revision %s", head)
