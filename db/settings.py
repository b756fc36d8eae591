"""What the database layer can be told from outside."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class DatabaseSettings(BaseSettings):
    """Read once at the edge of a process and passed in; every field has a line in .env.example."""

    model_config = SettingsConfigDict(env_prefix="GRADELINE_", frozen=True, extra="ignore", populate_by_name=True)

    database_url: str = Field(
        "postgresql://gradeline:gradeline@127.0.0.1:5432/gradeline", validation_alias="DATABASE_URL"
    )
    database_pool: int = Field(16, ge=1, le=200, description="connections a process may keep")
    database_connect_s: int = Field(3, ge=1, le=60, description="seconds to wait for a connection")
    database_statement_ms: int = Field(15_000, ge=100, description="longest statement, in milliseconds")
    silence_s: int = Field(
        10,
        ge=2,
        le=600,
        description="seconds after which a connection to PostgreSQL or Redis counts as cut when nothing comes back on it",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="how lines are logged; auto: columns on a terminal, JSON elsewhere"
    )
