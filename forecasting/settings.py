"""Settings from the environment, in one typed place: `FORECASTING_DATABASE_URL`, `FORECASTING_SLOTS` …"""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_database() -> str:
    return f"sqlite:///{Path.home() / '.forecasting-lab' / 'lab.db'}"


class Settings(BaseSettings):
    """What a deployment may set; the README lists it."""

    model_config = SettingsConfigDict(env_prefix="FORECASTING_", frozen=True)

    database_url: str = Field(
        default_factory=_default_database, description="SQLAlchemy URL of the database that holds runs and uploads."
    )
    slots: int = Field(
        default_factory=lambda: min(2, os.cpu_count() or 1),
        ge=1,
        le=64,
        description="Fits that train at the same time, each in a process of its own (about 800 MB).",
    )
    max_upload_mb: int = Field(10, ge=1, le=1_000, description="Largest file that a visitor may upload, in MB.")
