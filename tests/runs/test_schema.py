"""The tables in `schema.py` and the revisions in `migrations/` say the same."""

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from forecasting.experiment import NUMERICS
from forecasting.runs import schema
from forecasting.runs.blobs import stored_bytes
from forecasting.runs.database import Database, migrations
from forecasting.runs.store import Store


@pytest.fixture
def database_url(each_database_url: str) -> str:
    """Every test of this file runs on SQLite and on PostgreSQL."""
    return each_database_url


def tables(engine: sa.Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names()) - {"alembic_version"}


def test_the_newest_revision_makes_exactly_the_tables_of_the_schema(database_url):
    database = Database(database_url)
    engine = database.engine
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    assert tables(engine) == set(schema.metadata.tables)


def test_a_database_is_at_the_newest_revision_once_it_is_opened_and_there_is_only_one_newest(database_url):
    heads = ScriptDirectory.from_config(migrations()).get_heads()
    assert len(heads) == 1
    database = Database(database_url)
    with database.engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_heads() == tuple(heads)


def test_all_revisions_can_be_taken_back_and_applied_again(database_url, small):
    database = Database(database_url)
    engine = database.engine
    config = migrations()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert tables(engine) == set()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    assert tables(engine) == set(schema.metadata.tables)
    store = Store(database_url)
    assert len(store.run(store.start_run(small(), "somebody")).fits) == 3


def test_what_is_stored_keeps_its_size_over_the_newest_revision_and_back(database_url, small):
    store = Store(database_url)
    store.add_upload("somebody", "a.csv", bytes(3_000_000))
    config, database = migrations(), Database(database_url)
    engine = database.engine
    for step in (command.downgrade, command.upgrade):
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            step(config, "0002" if step is command.downgrade else "head")
            assert connection.scalar(sa.select(sa.func.sum(schema.blob.c.size))) == 3_000_000
    store.start_run(small("naive"), "somebody")
    with engine.connect() as connection:
        assert connection.scalar(sa.select(schema.fit.c.numerics)) == NUMERICS


def test_the_sum_of_all_sizes_does_not_read_the_contents(database_url):
    """In SQLite a size lies behind the content of its row, and each Train asks for the sum while nobody can write."""
    database = Database(database_url)
    if database.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL keeps large contents in a table of their own.")
    asked: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    with database.reading() as connection:
        stored_bytes(connection)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[-1]}").all()
    assert [row.detail for row in plan] == ["SCAN blob USING COVERING INDEX ix_blob_size"]


def test_what_a_database_holds_is_still_there_when_it_is_opened_again(database_url, small):
    run_id = Store(database_url).start_run(small(), "somebody")
    assert [fit.status for fit in Store(database_url).run(run_id).fits] == ["queued"] * 3


def test_sqlite_files_are_made_together_with_their_folder(tmp_path, small):
    store = Store(f"sqlite:///{tmp_path / 'not' / 'there' / 'lab.db'}")
    assert store.run(store.start_run(small(), "somebody")) is not None


def test_deleting_a_fit_takes_its_epochs_along(store, database_url, small):
    """SQLite heeds foreign keys only when it is header to, on every connection."""
    from forecasting.models import Progress

    store.start_run(small("naive"), "somebody")
    lease = store.lease("worker")
    store.report(lease, "training", None, [Progress(1, 0.5, 0.5, 0.1)])
    database = Database(database_url)
    engine = database.engine
    with engine.begin() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.epoch)) == 1
        connection.execute(sa.delete(schema.fit))
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.epoch)) == 0
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.run_fit)) == 0
