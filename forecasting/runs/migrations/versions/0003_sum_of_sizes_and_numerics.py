"""sum of sizes, numerics."""

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


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("fit") as fit:
        fit.drop_column("numerics")
    op.drop_index("ix_blob_size", table_name="blob")
