"""The OpenAPI document by itself: it is valid, it holds examples and links that are right, and it is the one that is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate

from docs.openapi_changes import changes
from docs.write_openapi import FILE, served, written
from tests.contract.conftest import operations
from tests.contract.schemas import wrong_with

BODIES = ("post", "put", "patch")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return served()


def test_it_is_what_openapi_3_1_says(document):
    validate(document)


def test_the_kept_copy_is_the_one_that_is_served(document):
    found = changes(json.loads(FILE.read_text()), document)
    assert not found, "\n".join(["`make openapi` keeps these; think twice of those that break:", *map(str, found)])
    assert FILE.read_text() == written(document), "words have changed: `make openapi` keeps them"


def test_every_operation_that_takes_a_body_shows_one(document):
    for name, (_, _, operation) in operations(document).items():
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            # A .zip can't be written down.
            assert content.get("examples") or (name, kind) == ("submit_batch", "multipart/form-data"), (name, kind)


def examples_in(part: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every example below a part of the document, with its place and its schema."""
    if isinstance(part, list):
        for number, each in enumerate(part):
            yield from examples_in(each, f"{at}/{number}")
    if not isinstance(part, dict):
        return
    named = part.get("examples")
    if isinstance(named, dict) and "schema" in part:
        yield from ((f"{at}/{name}", part["schema"], each["value"]) for name, each in named.items())
    elif isinstance(named, list):
        yield from ((at, part, each) for each in named)
    if "example" in part and "schema" in part:
        yield at, part["schema"], part["example"]
    for name, each in part.items():
        if name not in ("examples", "example"):
            yield from examples_in(each, f"{at}/{name}")


def test_every_example_is_as_its_schema_says(document):
    found = list(examples_in(document))
    assert len(found) > 40
    wrong = {at: why for at, schema, value in found if (why := wrong_with(document, schema, value))}
    assert wrong == {}


def test_every_link_leads_to_an_operation_and_names_its_parameters(document):
    every, followed = operations(document), set()
    for _, _, operation in every.values():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                _, _, target = every[link["operationId"]]
                names = {each["name"] for each in target.get("parameters", [])}
                assert link["parameters"].keys() <= names, link
                followed.add(link["operationId"])
    # What is read, changed or ended by an id can be reached by one.
    assert {name for name, (_, path, _) in every.items() if "{" in path} == {n for n in followed if "{" in every[n][1]}


def test_operations_are_named_once_and_old_ones_say_that_they_are(document):
    names = [each["operationId"] for item in document["paths"].values() for each in item.values()]
    assert len(names) == len(set(names))
    old = {path for path, item in document["paths"].items() for each in item.values() if each.get("deprecated")}
    assert old == {"/llm/rubric-score", "/health", "/rubric-info"}
