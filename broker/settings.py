"""What the way between API and workers can be told from outside."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from broker.old_names import OldNames
from db.settings import DatabaseSettings

EMBEDDED_MODEL = "all-MiniLM-L6-v2"


class BrokerSettings(DatabaseSettings):
    """Everything the database layer reads, and how work is sent."""

    redis_url: str = Field("redis://127.0.0.1:6379/0", validation_alias="REDIS_URL")
    redis_master: str = Field("", description="the master that the Sentinels of sentinel:// are asked for")
    redis_sentinel_password: str = Field("", description="password of those Sentinels; empty: they want none")
    redis_connect_s: float = Field(2.0, gt=0, le=60, description="seconds to wait for a connection to Redis")
    redis_timeout_s: float = Field(5.0, gt=0, le=60, description="seconds to wait for an answer of Redis")
    model: str = Field("", description="the encoder: a Hugging Face name or a folder; empty: the one that comes along")
    models: str = Field("", description="models that jobs may name, separated by commas; empty: the one of `model`")
    chunk_first: int = Field(8, ge=1, le=1024, description="jobs a message while nobody knows how long one takes")
    chunk_most: int = Field(256, ge=1, le=1024, description="most jobs a message, however fast they are")
    chunk_interactive_s: float = Field(
        0.3, gt=0, le=60, description="seconds of work a message of the interactive lane"
    )
    chunk_bulk_s: float = Field(
        1.0, gt=0, le=60, description="seconds of work a message of other lanes: what an interactive job may wait for"
    )
    window_chunks: int = Field(2, ge=1, le=64, description="messages in Redis for each live worker child, a queue")
    redispatch_s: float = Field(12.0, gt=0, description="seconds after which a message that nobody claimed is lost")
    unclaimed_s: float = Field(
        2.0, gt=0, description="the same where the broker holds no more messages of the queue: it has lost them"
    )
    lease_s: float = Field(10.0, gt=0, description="seconds a worker holds a job without a sign of life")
    beat_s: float = Field(2.0, gt=0, description="seconds between a worker's signs of life")
    sweep_s: float = Field(1.0, gt=0, description="seconds between two looks for work that was lost or not sent")
    max_attempts: int = Field(
        3,
        ge=1,
        le=20,
        description="attempts that may be lost before a job is given up; the last one is alone in its chunk",
    )
    backoff_s: float = Field(1.0, ge=0, description="wait after the second lost attempt; it doubles with each more")
    chunk_limit_s: float = Field(
        60.0, gt=0, description="seconds a chunk may take beside twenty times what it should; then it is handed back"
    )
    time_limit_s: int = Field(240, ge=10, description="longest run of any chunk; its child is killed then")
    visibility_s: int = Field(
        300,
        ge=1,
        description="seconds after which Redis delivers an unacknowledged message again; more than `time_limit_s`",
    )
    idempotency_hours: int = Field(24, ge=1, le=8760, description="hours an Idempotency-Key is remembered")
    retain_texts_days: int = Field(
        0, ge=0, le=36_500, description="days after a job's end at which its text is erased; 0: never"
    )
    retain_results_days: int = Field(
        0, ge=0, le=36_500, description="days after a job's end at which its scores and metadata are erased; 0: never"
    )
    otlp_endpoint: str = Field(
        "",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="a collector of OpenTelemetry traces, such as http://collector:4318; empty: nothing is traced",
    )
    worker_grace_s: float = Field(8.0, ge=0, description="seconds a stopping worker may go on with its chunk")
    task_events: bool = Field(True, description="workers tell Flower of each message; false where nobody looks at it")
    heartbeat_file: str = Field(
        "",
        description="file whose time of change lies in the future while the process is alive and connected; empty: none",
    )

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, and after it the old names in it."""
        return (*sources, named["init_settings"], named["env_settings"], OldNames(settings_cls))

    @field_validator("models")
    @classmethod
    def _trim(cls, value: str) -> str:
        return ",".join(part.strip() for part in value.split(",") if part.strip())

    @property
    def own_model(self) -> str:
        """The model that a worker of these settings serves, by the name that jobs use."""
        return self.model or EMBEDDED_MODEL

    @property
    def offered(self) -> tuple[str, ...]:
        """The models that jobs may name; the first is used by jobs that name none."""
        return tuple(self.models.split(",")) if self.models else (self.own_model,)

    @property
    def live_s(self) -> float:
        """How long after its last sign of life a worker counts as alive."""
        return max(5 * self.beat_s, 5.0)
