"""What the API can be told from outside."""

from __future__ import annotations

from ipaddress import ip_address
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
    rate_read: int = Field(120_000, ge=0, description="reading requests of one key in a window; 0: any number")
    rate_submit: int = Field(60_000, ge=0, description="other requests of one key in a window; 0: any number")
    rate_window_s: int = Field(60, ge=1, le=86_400, description="seconds of a window in which requests are counted")
    cors_origins: str = Field(
        "", description="web origins whose pages may read answers, by commas; *: any; empty: none"
    )
    wait_max_s: float = Field(30.0, ge=0, le=300, description="longest wait that Prefer: wait= can ask for")
    waiters: int = Field(12, ge=0, le=256, description="requests of one process that may wait at once")
    legacy_open: bool | Literal["loopback"] = Field(
        "loopback", description="whether the old service's routes need no key; loopback: only where `host` is one"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of `cors_origins`."""
        return tuple(part.strip() for part in self.cors_origins.split(",") if part.strip())

    @property
    def asks_no_legacy_key(self) -> bool:
        """Whether `POST /llm/rubric-score` is open."""
        return self.is_local if self.legacy_open == "loopback" else self.legacy_open

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the API."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
