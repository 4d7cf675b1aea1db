"""searches: the trials of a run, and whether it goes on; runs of another server; authors, private runs and uploads."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SWITCHES = (("run", "searching"), ("run", "brought"), ("run", "private"), ("upload", "private"))


def upgrade() -> None:
    """Apply."""
    for table, name in SWITCHES:
        op.add_column(table, sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("run", sa.Column("author", sa.String(120), nullable=False, server_default=""))
    op.create_index("ix_run_searching", "run", ["searching"])
    op.create_table(
        "trial",
        sa.Column("run_id", sa.String(16), sa.ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("fit_id", sa.String(24), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("curve", sa.Text(), nullable=False),
    )
    op.create_table(
        "account",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("starts_private", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("account")
    op.drop_table("trial")
    op.drop_index("ix_run_searching", table_name="run")
    op.execute("ALTER TABLE run DROP COLUMN author")
    for table, name in SWITCHES:
        op.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
