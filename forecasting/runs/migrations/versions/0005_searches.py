"""searches: the trials of a run, and whether it goes on; runs of another server; authors, what is private; best models."""

import json

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
    op.add_column("run", sa.Column("best", sa.String(40), nullable=False, server_default=""))
    for name in ("error", "skill"):
        op.add_column("run", sa.Column(name, sa.Float(), nullable=True))
    _find_best(op.get_bind())
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


def _find_best(db: sa.Connection) -> None:
    """The fit with the lowest validation MSE of every run, as it is written from now on when a fit ends."""
    fits = "SELECT c.run_id, f.settings, f.result FROM run_fit c JOIN fit f ON f.id = c.fit_id WHERE f.result IS NOT NULL"
    best: dict[str, dict] = {}
    for run_id, settings, result in db.execute(sa.text(fits)):
        try:
            model, told = json.loads(settings)["model"]["name"], json.loads(result)
            mse, naive = told.get("valid_mse"), told.get("valid_naive_mse")
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
        if isinstance(mse, float) and (run_id not in best or mse < best[run_id]["error"]):
            best[run_id] = {"id": run_id, "best": model, "error": mse, "skill": 1 - mse / naive if naive else None}
    for row in best.values():
        db.execute(sa.text("UPDATE run SET best = :best, error = :error, skill = :skill WHERE id = :id"), row)


def downgrade() -> None:
    """Take back."""
    op.drop_table("account")
    op.drop_table("trial")
    op.drop_index("ix_run_searching", table_name="run")
    for name in ("author", "best", "error", "skill"):
        op.execute(f"ALTER TABLE run DROP COLUMN {name}")
    for table, name in SWITCHES:
        op.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
