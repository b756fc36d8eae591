"""Spans: what took how long, from a request to the row that it made, in the terms of OpenTelemetry.

Without OTEL_EXPORTER_OTLP_ENDPOINT nothing is traced, and nothing of OpenTelemetry is imported (`broker/otel.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from broker.settings import BrokerSettings

log = logging.getLogger(__name__)

Kind = Literal["internal", "server", "client", "producer", "consumer"]


class Span(Protocol):
    """Something that takes time. `traceparent` names it to others (W3C Trace Context); None where nothing is traced."""

    traceparent: str | None

    def end(self, at: float | None = None, failed: str = "", **attributes: object) -> None:
        """Ends it, now or at a time (seconds since the epoch). `failed`: the kind of error, never its message."""


class Traces(Protocol):
    """The spans of one process."""

    @property
    def on(self) -> bool:
        """Whether anything is traced."""

    def begin(
        self, name: str, kind: Kind = "internal", parent: str | None = None, links: Sequence[str] = (),
        at: float | None = None, **attributes: object,
    ) -> Span:  # fmt: skip
        """A span below `parent`, or one of its own, that began now or at a time (seconds since the epoch)."""

    def stop(self) -> None:
        """Sends what is not sent yet, for a moment at most."""


class NoSpan:
    """Stands for every span of a process that traces nothing."""

    traceparent: str | None = None

    def end(self, *_: Any, **__: Any) -> None:
        """Nothing to do."""


class NoTraces:
    """Traces nothing."""

    on = False

    def begin(self, *_: Any, **__: Any) -> Span:
        """The span that is none."""
        return NO_SPAN

    def stop(self) -> None:
        """Nothing to do."""


NO_SPAN, NO_TRACES = NoSpan(), NoTraces()


def make_traces(settings: BrokerSettings, service: str) -> Traces:
    """The traces that the settings ask for, under the name of a service. Threads start at the first span, after a fork."""
    if not settings.otlp_endpoint:
        return NO_TRACES
    try:
        from broker.otel import Exported, exporter
    except ImportError:
        log.error(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and OpenTelemetry is not installed: pip install 'gradeline[tracing]'"
        )
        return NO_TRACES
    return Exported(service, lambda: exporter(settings.otlp_endpoint))


def trace_id(traceparent: str | None) -> str | None:
    """The trace that a span is part of, for log lines."""
    return traceparent.split("-")[1] if traceparent else None
