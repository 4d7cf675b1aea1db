"""Settings from the environment, in one typed place: `FORECASTING_DATABASE_URL`, `FORECASTING_SLOTS` …"""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from forecasting.experiment import BadInput
from forecasting.experiment.training import MOST_EPOCHS
from forecasting.runs.limits import Quota, Size
from forecasting.runs.machine import cores, memory_mb
from forecasting.runs.worker_process import Guard

SERVER_MB = 400
"""What the dashboard itself takes, with room for many visitors."""


HOME = Path.home() / ".forecasting-lab"


class Settings(BaseSettings):
    """What a deployment may set; `docs/settings.md` lists it."""

    model_config = SettingsConfigDict(env_prefix="FORECASTING_", frozen=True)

    database_url: str = Field(
        f"sqlite:///{HOME / 'lab.db'}",
        description="SQLAlchemy URL of the database that holds runs and uploads: SQLite, or PostgreSQL for several servers. "
        "By default a SQLite file in `~/.forecasting-lab`.",
    )
    slots: int = Field(
        0,
        ge=0,
        le=64,
        description="Fits that train at the same time, each in a process of its own. 0: as many as cores and memory allow.",
    )
    worker_threads: int = Field(1, ge=1, le=64, description="Threads of each of these processes; one is as fast as two.")
    worker_mb: int = Field(
        1_500,
        ge=700,
        description="Memory that each may take, in MB (about 600 when idle). A fit that needs more is ended; a process that "
        "has grown beyond two thirds is replaced between fits.",
    )
    max_fit_s: int = Field(600, ge=1, description="Seconds that a fit may train; then it is stopped, its best weights kept.")
    no_progress_s: int = Field(120, ge=30, description="Seconds without a sign of life after which a process is replaced.")
    max_epochs: int = Field(500, ge=1, le=MOST_EPOCHS, description="Epochs of a fit, those included that it goes on from.")
    max_work: int = Field(
        500, ge=1, description="Windows × look-back × units of a fit, in millions; the chapter's deep RNN has 14."
    )
    max_waiting: int = Field(100, ge=1, description="Fits that one visitor may have waiting.")
    reader_mb: int = Field(
        1_500,
        ge=300,
        description="Memory that reading an upload may take, in MB, in each of at most two processes (about 150 when idle). "
        "A file that needs more is refused.",
    )
    max_upload_mb: int = Field(50, ge=1, le=1_000, description="Largest file that a visitor may upload, in MB.")
    max_stored_mb: int = Field(2_000, ge=1, description="Uploads, forecasts and weights together, in MB.")
    keep_days: int = Field(0, ge=0, description="Days after which a run is deleted with all that is its own. 0: never.")
    administrators: str = Field(
        "",
        description="Who may change and delete everything, where visitors sign in: verified e-mail addresses, or `sub` of "
        "the provider's tokens, with commas between.",
    )
    cache_dir: str = Field(
        str(HOME / "programs"),
        description="Folder for compiled programs, so that the next process need not compile them. Empty: none. By default "
        "`~/.forecasting-lab/programs`.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much is logged.")
    log_format: Literal["text", "json"] = Field("text", description="`json`: one object per line, with run and fit ids.")

    @classmethod
    def read(cls) -> "Settings":
        """Read the environment.

        Raises:
            BadInput: in one sentence that names the variable.
        """
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = f"FORECASTING_{str(first['loc'][0]).upper()}"
            raise BadInput(f"{name} is {str(first['input'])[:60]!r}: {first['msg'][0].lower()}{first['msg'][1:]}.") from None

    @property
    def administrates(self) -> frozenset[str]:
        """The names of the administrators, in small letters."""
        return frozenset(name.strip().lower() for name in self.administrators.split(",") if name.strip())

    @property
    def n_slots(self) -> int:
        """How many fits train at the same time."""
        return self.slots or max(1, min(cores(), (memory_mb() - SERVER_MB) // self.worker_mb, 64))

    @property
    def quota(self) -> Quota:
        """What a visitor may have waiting and the store may hold."""
        return Quota(self.max_waiting, self.max_stored_mb)

    @property
    def size(self) -> Size:
        """How large a fit may be."""
        return Size(self.max_epochs, self.max_work)

    @property
    def guard(self) -> Guard:
        """What is watched while a fit runs."""
        return Guard(self.max_fit_s, self.no_progress_s, self.worker_mb, self.worker_threads, self.cache_dir)
