"""Spans that are sent to a collector by OpenTelemetry's SDK. Only imported where something is traced."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer
from opentelemetry.trace.propagation import tracecontext
from opentelemetry.util.types import AttributeValue

from broker.traces import Kind, Span

# How long a process that ends waits for a collector, and how long one request to it may take.
LAST_S, SEND_S = 2.0, 5.0
# The SDK complains of every span that a full queue loses, and of every try that fails.
COMPLAIN_S = 60.0
COMPLAINING = ("opentelemetry.sdk._shared_internal", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
MOST_LINKS = 128
W3C = tracecontext.TraceContextTextMapPropagator()


def exporter(endpoint: str) -> SpanExporter:
    """What sends to a collector over HTTP. OTEL_EXPORTER_OTLP_HEADERS, _CERTIFICATE and others are read by the SDK."""
    for name in COMPLAINING:
        logging.getLogger(name).addFilter(Seldom())
    return OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=SEND_S)


class Exported:
    """Opened at the first span, and again after a fork: its thread does not outlive one, nor its queue."""

    def __init__(self, service: str, exporter: Callable[[], SpanExporter]) -> None:
        self._service, self._exporter = service, exporter
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None
        self._pid = 0
        self._lock = threading.Lock()

    on = True

    def begin(
        self, name: str, kind: Kind = "internal", parent: str | None = None, links: Sequence[str] = (),
        at: float | None = None, **attributes: object,
    ) -> Span:  # fmt: skip
        """As `Traces` says."""
        above = W3C.extract({"traceparent": parent}, Context()) if parent else Context()
        found = [_context(each) for each in links[:MOST_LINKS]]
        begun = self._open().start_span(
            name, above, SpanKind[kind.upper()], _values(attributes), [Link(each) for each in found if each], _nanos(at),
        )  # fmt: skip
        return Begun(begun)

    def stop(self) -> None:
        """A collector that is away is not waited for: what it has not got then is lost."""
        provider, self._provider, self._tracer = self._provider, None, None
        if provider is not None and self._pid == os.getpid():
            ending = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
            ending.start()
            ending.join(LAST_S)

    def _open(self) -> Tracer:
        if self._tracer is not None and self._pid == os.getpid():
            return self._tracer
        with self._lock:
            if self._tracer is None or self._pid != os.getpid():
                about = {"service.name": self._service, "service.version": importlib.metadata.version("gradeline")}
                instance = f"{socket.gethostname()}-{os.getpid()}"
                resource = Resource.create({**about, "service.instance.id": instance})
                self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
                self._provider.add_span_processor(BatchSpanProcessor(self._exporter()))
                self._tracer, self._pid = self._provider.get_tracer("gradeline"), os.getpid()
            return self._tracer


class Begun:
    """A span of the SDK."""

    def __init__(self, span: trace.Span) -> None:
        self._span, context = span, span.get_span_context()
        self.traceparent: str | None = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def end(self, at: float | None = None, failed: str = "", **attributes: object) -> None:
        """As `Span` says."""
        self._span.set_attributes(_values(attributes))
        if failed:
            self._span.set_status(Status(StatusCode.ERROR))
            self._span.set_attribute("error.type", failed)
        self._span.end(_nanos(at))


class Seldom(logging.Filter):
    """Lets the same complaint through once in a while."""

    def __init__(self) -> None:
        super().__init__()
        self._until: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, said = time.monotonic(), str(record.msg)
        if self._until.get(said, 0.0) > now:
            return False
        self._until[said] = now + COMPLAIN_S
        return True


def _context(traceparent: str) -> SpanContext | None:
    found = trace.get_current_span(W3C.extract({"traceparent": traceparent}, Context())).get_span_context()
    return SpanContext(found.trace_id, found.span_id, True, TraceFlags(found.trace_flags)) if found.is_valid else None


def _values(attributes: dict[str, object]) -> dict[str, AttributeValue]:
    """Attributes by their names in OpenTelemetry, with dots for double underscores; those that are None are left out."""
    return {
        name.replace("__", "."): value if isinstance(value, bool | int | float) else str(value)
        for name, value in attributes.items()
        if value is not None
    }


def _nanos(at: float | None) -> int | None:
    return None if at is None else int(at * 1e9)
