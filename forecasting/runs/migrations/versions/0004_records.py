"""what runs are found by, what their owners note about them, and a secret that the servers of one database share."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXTS = {"source": 120, "task": 12, "models": None, "tags": None, "note": None}


def upgrade() -> None:
    """Apply."""
    for name, length in TEXTS.items():
        kind = sa.String(length) if length else sa.Text()
        op.add_column("run", sa.Column(name, kind, nullable=False, server_default=""))
    op.add_column("run", sa.Column("pinned", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("run", sa.Column("deleted_at", sa.Float(), nullable=True))
    op.create_index("ix_run_listed", "run", ["deleted_at", "created_at"])
    op.create_table(
        "secret", sa.Column("name", sa.String(40), primary_key=True), sa.Column("value", sa.Text(), nullable=False)
    )
    db = op.get_bind()
    found_by = sa.text("UPDATE run SET source = :source, task = :task, models = :models WHERE id = :id")
    for run_id, text in list(db.execute(sa.text("SELECT id, experiment FROM run"))):
        db.execute(found_by, {"id": run_id, **_found_by(text)})


def _found_by(text: str) -> dict[str, str]:
    """What an experiment of any format tells; what it does not tell was at its default then."""
    try:
        content = json.loads(text)
        source, task = content.get("source") or {}, content.get("task") or {}
        kind = source.get("kind", "waves")
        named = source.get("name") or source.get("upload_id") or ""
        models = [choice["name"] for choice in content.get("models") or ()]
        whole = content.get("plan") or content.get("judging")
        asked = "series" if whole else task.get("target", "next")
        return {"source": f"{kind} {named}".strip()[:120], "task": str(asked)[:12], "models": f" {' '.join(models)} "}
    except (ValueError, TypeError, KeyError, AttributeError):  # a run that cannot be read any more is found by its title
        return {"source": "", "task": "", "models": ""}


def downgrade() -> None:
    """Take back."""
    op.drop_table("secret")
    op.drop_index("ix_run_listed", table_name="run")
    for name in ("deleted_at", "pinned", *TEXTS):
        op.execute(f"ALTER TABLE run DROP COLUMN {name}")
