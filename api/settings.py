"""What the API can be told from outside."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal

from pydantic import Field, field_validator

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
    read_s: float = Field(
        20.0, gt=0, le=3600, description="seconds that a request has to arrive; each 10 kB of it give one more"
    )
    wait_max_s: float = Field(30.0, ge=0, le=300, description="longest wait that Prefer: wait= can ask for")
    waiters: int = Field(12, ge=0, le=256, description="requests of one process that may wait at once")
    legacy_open: bool | Literal["loopback"] = Field(
        "loopback", description="whether the old service's routes need no key; loopback: only where `host` is one"
    )
    streams: int = Field(1000, ge=0, le=100_000, description="event streams that one process holds open at once")
    stream_heartbeat_s: float = Field(15.0, gt=0, le=600, description="seconds of silence after which a stream says so")
    stream_most_s: float = Field(
        3600.0,
        gt=0,
        description="seconds after which a stream is ended; its client asks again, and its key is looked at",
    )
    webhook_allow: str = Field(
        "", description="hosts and networks (10.1.0.0/16) inside your own that webhooks may go to, separated by commas"
    )
    webhook_retries_s: str = Field(
        "5,300,1800,7200,18000,36000,50400,72000,86400",
        description="seconds between attempts at a webhook, give or take a fifth: about three days in all",
    )
    webhook_timeout_s: float = Field(20.0, gt=0, le=300, description="seconds that an endpoint has to answer")
    webhook_threads: int = Field(16, ge=1, le=256, description="webhooks that are sent at once")
    webhook_endpoint_most: int = Field(4, ge=1, le=256, description="webhooks that are sent to one endpoint at once")
    webhook_rotation_hours: int = Field(
        24, ge=0, le=8760, description="hours that a secret signs on after its successor"
    )
    webhook_keep_days: int = Field(30, ge=1, le=3650, description="days that the deliveries of webhooks are listed")
    metrics_token: str = Field(
        "",
        pattern=r"^(|\S{16,})$",
        description="a bearer token that opens GET /metrics and nothing else, 16 characters or more; empty: keys alone do",
    )
    metrics_statement_ms: int = Field(
        2000, ge=100, description="longest statement of a part of GET /metrics; a part that takes longer is left out"
    )
    metrics_rubrics: int = Field(50, ge=1, le=1000, description="rubric versions whose scores GET /metrics tells apart")

    @field_validator("webhook_retries_s")
    @classmethod
    def _are_seconds(cls, value: str) -> str:
        if any(float(part) < 0 for part in value.split(",") if part.strip()):
            raise ValueError("seconds between attempts can't be below 0")
        return value

    @property
    def webhook_pauses_s(self) -> tuple[float, ...]:
        """Seconds between attempts at a webhook; it is given up after the attempt that follows the last of them."""
        return tuple(float(part) for part in self.webhook_retries_s.split(",") if part.strip())

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
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host, a name or an address without its port, is this machine to itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
