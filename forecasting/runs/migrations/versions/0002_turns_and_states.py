"""turns, states, sizes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("fit") as fit:
        fit.add_column(sa.Column("owner", sa.String(length=64), nullable=False, server_default=""))
        fit.add_column(sa.Column("turn", sa.Integer(), nullable=False, server_default="0"))
        fit.add_column(sa.Column("trunk", sa.String(length=24), nullable=False, server_default=""))
        fit.add_column(sa.Column("epochs_done", sa.Integer()))
        fit.add_column(sa.Column("parent_id", sa.String(length=24)))
        fit.add_column(sa.Column("epochs_before", sa.Integer()))
        fit.drop_index("ix_fit_queue")
        fit.create_index("ix_fit_queue", ["status", "turn", "queued_at", "place"])
        fit.create_index("ix_fit_trunk", ["trunk", "epochs_done"])
    op.add_column("blob", sa.Column("size", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE blob SET size = length(content)")


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("blob") as blob:
        blob.drop_column("size")
    with op.batch_alter_table("fit") as fit:
        fit.drop_index("ix_fit_trunk")
        fit.drop_index("ix_fit_queue")
        for column in ("owner", "turn", "trunk", "epochs_done", "parent_id", "epochs_before"):
            fit.drop_column(column)
        fit.create_index("ix_fit_queue", ["status", "queued_at", "place"])
