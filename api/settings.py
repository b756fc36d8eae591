"""What the API can be told from outside."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from broker.settings import BrokerSettings


class ApiSettings(BrokerSettings):
    """Everything the broker layer reads, and how HTTP is served."""

    host: str = "127.0.0.1"
    port: int = Field(5001, ge=1, le=65535)
    api_processes: int = Field(1, ge=1, le=64, description="processes that answer requests")
    api_threads: int = Field(16, ge=1, le=256, description="requests that one process answers at once")
    max_body_bytes: int = Field(4 * 2**20, ge=1024, description="longest body; 200,000 characters escaped take 2.4 MB")
    max_upload_bytes: int = Field(64 * 2**20, ge=1024, description="longest body of graded examples, or of a batch")
    max_file_bytes: int = Field(10 * 2**20, ge=1024, description="longest file of one text, also inside a .zip")
    max_unzipped_bytes: int = Field(256 * 2**20, ge=1024, description="most that a .zip of texts may unpack to")
    max_batch_items: int = Field(10_000, ge=1, le=1_000_000, description="most texts of one batch")
    most_waiting: int = Field(1_000_000, ge=0, description="texts that may wait at once, of all tenants; 0: any number")
    most_waiting_tenant: int = Field(0, ge=0, description="texts of one tenant that may wait at once; 0: any number")
    wait_max_s: float = Field(30.0, ge=0, le=300, description="longest wait that Prefer: wait= can ask for")
    waiters: int = Field(12, ge=0, le=256, description="requests of one process that may wait at once")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
