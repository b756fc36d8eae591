"""Everything that schemathesis knows to send to an API and to ask of its answers, over a whole document."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import schemathesis
from hypothesis import strategies as st
from schemathesis import APIOperation, BaseSchema, Case, HookContext, Response
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.engine import events, from_schema

from tests.documents import pdf, word, zipped

# Why a request may be refused that is as the document says: what no schema can say. The API's own sentences.
BEYOND_A_SCHEMA = re.compile(
    "|".join(
        (
            # it names what is not there, or another's
            "this cursor was not made by this API",
            "there is no rubric '",
            "there is no batch with this id",
            "this server does not offer the model",
            "The name '.*' is taken by Gradeline",
            "A rubric that is called '.*' could not be reached",
            # numbers and names that must fit each other
            r"max \(.*\) must be greater than min",
            "Levels must begin on the scale",
            "step must part the scale into",
            "Two (levels|criteria) have the same name",
            "One criterion at least needs a weight above 0",
            r"is not on the scale \S+ to \S+",
            "the rubric has .*",
            "[Aa] second rater has scored",
            "at least 10( scores)?$",
            "nothing scores .*: calibrate the rubric",
            "it can't have a baseline",
            # length in bytes, also of an object
            "Metadata is longer than 16 KiB",
            "Metadata is nested more than",
            "The address is longer than 2,000 bytes",
            "A NUL character is not allowed",  # inside metadata
            # what a file or a line holds
            "is not valid JSON",
            "the line is not",
            "no column",
            "is not CSV|not CSV:",
            "not a \\.zip",
            "No row of the batch can be graded",
            "one key belongs to",
        )
    )
)
CODES = {
    "idempotency_mismatch": "a key belongs to the first request that it came with",
    "precondition_failed": "an `If-Match` that is nobody's state",
}
SHOWN, FOLLOWED = 3, 50
NOT_GONE = re.compile(r"/v1/jobs/")


def keep(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    """False for what is no failure, each with its reason."""
    kind, path = type(failure).__name__, case.operation.path
    if response.status_code == 414:  # a schema can't say how long an address is: nothing else is looked at then
        return len(str(response.request.url)) < 8000
    if kind == "ServerError" and response.status_code == 503 and "retry-after" in response.headers:
        return path != "/llm/rubric-score"  # it waits for a worker, and says when it is not done in time
    if kind == "AcceptedNegativeData" and path == "/v1/batches":
        return not json.loads(response.content).get("rejected")  # bad rows don't sink the rest: they are named
    if kind == "RejectedPositiveData":
        return not _beyond_a_schema(response)
    if kind == "UseAfterFree" and NOT_GONE.match(path):
        return False  # an erased job leaves a tombstone: its id and times can still be read
    # /v1/jobs/{job_id} and /v1/rubrics/{rubric} are these addresses too, with methods of their own.
    return not (kind == "AllowHeaderMismatch" and path in ("/v1/jobs/retry", "/v1/rubrics/import"))


def _beyond_a_schema(response: Response) -> bool:
    if "problem+json" not in str(response.headers.get("content-type")):
        return False
    problem = json.loads(response.content)
    if problem["code"] in CODES:
        return True
    said = [each["msg"] for each in problem["errors"]] or [problem["detail"]]
    return problem["status"] == 422 and all(BEYOND_A_SCHEMA.search(each) for each in said)


def settings(key: str, examples: int) -> dict[str, Any]:
    """The run's settings: the same requests each time, but for ids and keys."""
    return {
        "seed": 1,
        "headers": {"Authorization": f"Bearer {key}"},
        "continue-on-failure": True,
        "request-timeout": 20,
        "max-stream-events": 1,  # of a job that nobody takes there is no second one
        "cache": {"enabled": False},
        "analysis": {"constants": {"enabled": False}},
        "generation": {"max-examples": examples, "deterministic": True, "database": "none"},
        # There are some sixty links to follow.
        "phases": {"stateful": {"generation": {"max-examples": max(examples, FOLLOWED)}}},
    }  # fmt: skip


@dataclass
class Found:
    """What was sent, and what was wrong with the answers."""

    sent: Counter[str] = field(default_factory=Counter)
    answered: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    failures: dict[tuple[str, str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Each operation with what it was answered, and each failure with some of its requests."""
        told = [f"{sum(self.sent.values()):,} requests to {len(self.sent)} operations"]
        told += [
            f"  {label}: {self.sent[label]} {dict(sorted(by.items()))}" for label, by in sorted(self.answered.items())
        ]
        for which, requests in sorted(self.failures.items()):
            told += [f"{' | '.join(which)}: {len(requests)} times", *(each for each in requests[:SHOWN])]
        return "\n".join([*told, *self.errors])

    def note(self, event: events.ScenarioFinished) -> None:
        for case in event.recorder.cases.values():
            label = case.value.operation.label
            self.sent[label] += 1
            made = event.recorder.interactions.get(case.value.id)
            # Other methods are tried at the same address.
            if made and made.response is not None and case.value.method == case.value.operation.method.upper():
                self.answered[label][made.response.status_code] += 1
        for case_id, checks in event.recorder.checks.items():
            for check in checks:
                if check.failure_info:
                    self._fail(event, case_id, check.name, check.failure_info)

    def _fail(self, event: events.ScenarioFinished, case_id: str, name: str, info: Any) -> None:
        made = event.recorder.interactions.get(case_id)
        said = made.response.content[:600].decode(errors="replace") if made and made.response is not None else ""
        told = f"{event.phase.value}: {info.failure.message}\n{info.code_sample[:1500]}\n-> {said}"
        self.failures[str(info.failure.operation), name, info.failure.title].append(told)


def load(url: str, key: str, examples: int = 1) -> BaseSchema:
    """The document of an API, and how it is asked."""
    config = SchemathesisConfig.from_dict(settings(key, examples))
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
    schema.hook("filter_failure")(keep)
    return schema


def exercise(url: str, key: str, examples: int) -> Found:
    """Sends examples, edge cases, made-up requests and sequences of them; `examples` made-up ones an operation."""
    schema, found = load(url, key, examples), Found()
    for event in from_schema(schema).execute():
        match event:
            case events.ScenarioFinished():
                found.note(event)
            case events.NonFatalError():
                found.errors.append(f"{event.label}: {event.value!r}")
            case events.FatalError():
                found.errors.append(repr(event.exception))
    for result in schema.get_all_operations():
        _again(result.ok(), found, examples)
    return found


def _again(operation: APIOperation, found: Found, times: int) -> None:
    """More of an operation that takes little: there is no other request, but what it is answered with changes."""
    label, headers = operation.label, operation.schema.config.headers_for()

    def send(case: Case) -> None:
        found.sent[label] += 1
        try:
            found.answered[label][case.call_and_validate(headers=headers).status_code] += 1
        except FailureGroup as group:
            found.failures[label, "again", "a later answer"] += map(str, group.exceptions)

    while (more := times - found.sent[label]) > 0:
        tries = hypothesis.settings(max_examples=more, derandomize=True, database=None, deadline=None)
        tries(hypothesis.given(case=operation.as_strategy())(send))()


# Files that can be read, and one that can't.
for kind, files in {
    "application/pdf": [pdf("One page."), b"%PDF-1.7"],
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": [word("A text."), b"PK"],
    "application/zip": [zipped({"a.txt": b"One text.", "b.docx": word("Another.")}), b"PK"],
}.items():
    schemathesis.openapi.media_type(kind, st.sampled_from(files))


@schemathesis.serializer("application/x-ndjson", "text/csv")
def as_it_is(context: object, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
