"""Spans: what they carry, and that they are in nobody's way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from broker.otel import Exported
from broker.settings import BrokerSettings
from broker.traces import NO_TRACES, make_traces, trace_id

FOREIGN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
# redis-py imports OpenTelemetry's metrics where it finds them; what traces and what sends is ours alone.
UNTRACED = """
import sys
import api.app, api.hooks, worker.child, worker.__main__, broker.dispatch
assert not [name for name in sys.modules if name.startswith(("broker.otel", "opentelemetry.exporter"))]
"""


@pytest.fixture
def kept():
    return InMemorySpanExporter()


def test_without_an_endpoint_nothing_is_traced_and_nothing_imported():
    assert make_traces(BrokerSettings(), "test") is NO_TRACES
    span = NO_TRACES.begin("a", "server", FOREIGN, at=1.0, anything=1)
    span.end(failed="yes")
    assert span.traceparent is None and trace_id(span.traceparent) is None
    done = subprocess.run([sys.executable, "-c", UNTRACED], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_a_span_is_part_of_the_trace_that_it_is_begun_in(kept):
    traces = Exported("gradeline-test", lambda: kept)
    outer = traces.begin("POST /v1/jobs", "server", FOREIGN, http__route="/v1/jobs", nothing=None)
    inner = traces.begin("grade", "consumer", outer.traceparent, [FOREIGN], 10.0, gradeline__jobs=3)
    inner.end(at=12.5, failed="timed_out")
    outer.end()
    traces.stop()
    second, first = kept.get_finished_spans()
    assert trace_id(outer.traceparent) == trace_id(inner.traceparent) == trace_id(FOREIGN)
    assert second.parent.span_id == first.context.span_id and f"{first.parent.span_id:016x}" == FOREIGN.split("-")[2]
    assert (second.start_time, second.end_time, len(second.links)) == (10_000_000_000, 12_500_000_000, 1)
    assert dict(first.attributes) == {"http.route": "/v1/jobs"}
    assert second.attributes["error.type"] == "timed_out" and not second.status.is_ok and not second.events
    assert (
        first.resource.attributes["service.name"] == "gradeline-test" and first.resource.attributes["service.version"]
    )


def test_a_traceparent_that_makes_no_sense_begins_a_trace_of_its_own(kept):
    traces = Exported("test", lambda: kept)
    for wrong in ("", "x", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "é" * 500):
        traces.begin("a", parent=wrong, links=[wrong]).end()
    traces.stop()
    assert [span.parent for span in kept.get_finished_spans()] == [None] * 4


def test_who_was_not_sampled_before_is_not_sampled_after(kept):
    traces = Exported("test", lambda: kept)
    span = traces.begin("a", parent=FOREIGN[:-2] + "00")
    span.end()
    traces.stop()
    assert not kept.get_finished_spans() and str(span.traceparent).endswith("-00")


def test_a_child_exports_by_itself(kept):
    traces = Exported("test", lambda: kept)
    traces.begin("before the fork").end()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # what fails here must not run on as a second pytest
        try:
            kept.clear()
            traces.begin("in the child").end()
            traces.stop()
            os.write(write, ",".join(span.name for span in kept.get_finished_spans()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as said:
        assert said.read() == "in the child"
    os.waitpid(child, 0)
    traces.stop()
    assert [span.name for span in kept.get_finished_spans()] == ["before the fork"]


class Silent(SpanExporter):
    """A collector that takes a request and never answers."""

    def __init__(self) -> None:
        self.asked, self.released = threading.Event(), threading.Event()

    def export(self, spans: object) -> SpanExportResult:
        self.asked.set()
        self.released.wait(120)
        return SpanExportResult.FAILURE


def test_a_collector_that_never_answers_holds_up_neither_spans_nor_the_end():
    silent = Silent()
    traces = Exported("test", lambda: silent)
    for _ in range(5000):  # more than the queue holds
        traces.begin("a").end()
    assert silent.asked.wait(60)
    traces.stop()
    assert not silent.released.is_set()  # it was not waited for
    silent.released.set()
