"""searches: the trials of a run, and whether it goes on; runs that were brought from another server."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    for name in ("searching", "brought"):
        op.add_column("run", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
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


def downgrade() -> None:
    """Take back."""
    op.drop_table("trial")
    op.drop_index("ix_run_searching", table_name="run")
    for name in ("searching", "brought"):
        op.execute(f"ALTER TABLE run DROP COLUMN {name}")
