"""The tables. A change here needs a revision in `migrations/versions/`; a test compares the two."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text, false

metadata = MetaData()

run = Table(
    "run",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("title", String(120), nullable=False),
    Column("experiment", Text, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("upload_id", String(40)),
    Column("created_at", Float, nullable=False),
    # what it is found by, as `runs.records.found_by` names it
    Column("source", String(120), nullable=False, server_default=""),
    Column("task", String(12), nullable=False, server_default=""),
    Column("models", Text, nullable=False, server_default=""),
    # what its owner says about it; tags are words with a blank before and behind each
    Column("tags", Text, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Column("pinned", Boolean, nullable=False, server_default=false()),
    Column("deleted_at", Float),
    # the best model so far, its validation MSE, of whole series its MASE, and what it takes away of the baseline's error
    Column("best", String(40), nullable=False, server_default=""),
    Column("error", Float),
    Column("skill", Float),
    # whether further settings are still tried
    Column("searching", Boolean, nullable=False, server_default=false()),
    # what its owner is called, and whether it opens for the owner alone
    Column("author", String(120), nullable=False, server_default=""),
    Column("private", Boolean, nullable=False, server_default=false()),
    # whether it was computed by another server
    Column("brought", Boolean, nullable=False, server_default=false()),
    Index("ix_run_owner", "owner", "created_at"),
    Index("ix_run_listed", "deleted_at", "created_at"),
    Index("ix_run_searching", "searching"),
)

account = Table(
    "account",
    metadata,
    Column("id", String(64), primary_key=True),
    # whether what is started and uploaded opens for the owner alone
    Column("starts_private", Boolean, nullable=False, server_default=false()),
)
"""What those who have signed in have chosen, by their ids as owners."""

secret = Table("secret", metadata, Column("name", String(40), primary_key=True), Column("value", Text, nullable=False))
"""What the servers of one database share, and nobody else knows."""

fit = Table(
    "fit",
    metadata,
    Column("id", String(24), primary_key=True),
    Column("settings", Text, nullable=False),
    Column("status", String(12), nullable=False),
    Column("reason", Text),
    Column("stage", String(20)),
    Column("fraction", Float),
    Column("result", Text),
    Column("upload_id", String(40)),
    Column("owner", String(64), nullable=False, default=""),
    Column("priority", Integer, nullable=False, default=0),
    Column("lineage", String(24), nullable=False, default=""),
    Column("epochs_done", Integer),
    Column("parent_id", String(24)),
    Column("epochs_before", Integer),
    Column("attempt", Integer, nullable=False, default=0),
    Column("holder", String(64)),
    Column("heartbeat_at", Float),
    Column("stop_requested", Boolean, nullable=False, default=False),
    Column("queued_at", Float, nullable=False),
    Column("place", Integer, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    # the version of all that computes, under which the fit was computed; 0: an earlier one, which did not record it
    Column("numerics", Integer, nullable=False, server_default="0"),
    Index("ix_fit_queue", "status", "priority", "queued_at", "place"),
    Index("ix_fit_lineage", "lineage", "epochs_done"),
)

run_fit = Table(
    "run_fit",
    metadata,
    Column("run_id", String(16), ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("fit_id", String(24), ForeignKey("fit.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("claimed", Boolean, nullable=False, default=True),
    Index("ix_run_fit_fit", "fit_id"),
)

trial = Table(
    "trial",
    metadata,
    Column("run_id", String(16), ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("fit_id", String(24), nullable=False),
    # what it has chosen, and the losses that have counted, as JSON
    Column("settings", Text, nullable=False),
    Column("state", String(12), nullable=False),
    Column("value", Float),
    Column("curve", Text, nullable=False),
)

epoch = Table(
    "epoch",
    metadata,
    Column("fit_id", String(24), ForeignKey("fit.id", ondelete="CASCADE"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("loss", Float),
    Column("valid_loss", Float),
    Column("elapsed_s", Float, nullable=False),
)

upload = Table(
    "upload",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("private", Boolean, nullable=False, server_default=false()),
    Index("ix_upload_owner", "owner"),
)

blob = Table(
    "blob",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("chunk", Integer, primary_key=True),
    Column("size", Integer, nullable=False, default=0),
    Column("content", LargeBinary, nullable=False),
    # in SQLite a size lies behind the content of its row: the sum of all is read from this index, and not from all contents
    Index("ix_blob_size", "size"),
)

RUN, FIT, CLAIM, EPOCH, TRIAL, ACCOUNT = run.c, fit.c, run_fit.c, epoch.c, trial.c, account.c
"""The columns of the tables, as conditions name them."""
