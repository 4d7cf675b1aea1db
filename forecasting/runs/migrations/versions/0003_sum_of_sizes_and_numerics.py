"""sum of sizes, numerics, priority and lineage under their names."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_blob_size", "blob", ["size"])
    op.add_column("fit", sa.Column("numerics", sa.Integer(), nullable=False, server_default="0"))
    # Not by Alembic's batches: on SQLite these make the table anew, and what refers to it would be deleted with the old one.
    op.execute("ALTER TABLE fit RENAME COLUMN turn TO priority")
    op.execute("ALTER TABLE fit RENAME COLUMN trunk TO lineage")
    op.drop_index("ix_fit_trunk", table_name="fit")
    op.create_index("ix_fit_lineage", "fit", ["lineage", "epochs_done"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_fit_lineage", table_name="fit")
    op.execute("ALTER TABLE fit RENAME COLUMN lineage TO trunk")
    op.execute("ALTER TABLE fit RENAME COLUMN priority TO turn")
    op.create_index("ix_fit_trunk", "fit", ["trunk", "epochs_done"])
    op.execute("ALTER TABLE fit DROP COLUMN numerics")
    op.drop_index("ix_blob_size", table_name="blob")
