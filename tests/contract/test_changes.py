"""Two documents side by side: which differences a client would notice."""

from __future__ import annotations

from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest

from docs.openapi_changes import changes

THING = {
    "type": "object",
    "required": ["id", "state"],
    "properties": {
        "id": {"type": "string"},
        "state": {"type": "string", "enum": ["new", "done"]},
        "note": {"anyOf": [{"type": "string", "maxLength": 10}, {"type": "null"}]},
        "parts": {"type": "array", "items": {"type": "integer"}},
    },
}
SENT = {"application/json": {"schema": {"$ref": "#/components/schemas/Sent"}}}
COME = {"application/json": {"schema": {"$ref": "#/components/schemas/Come"}}}
DOCUMENT: dict[str, Any] = {
    "paths": {
        "/things": {
            "post": {
                "parameters": [{"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 50}}],
                "requestBody": {"content": SENT},
                "responses": {"200": {"content": COME, "headers": {"ETag": {"required": True, "schema": {}}}}},
            },
            "get": {"responses": {"200": {"content": COME}}},
        }
    },
    "components": {"schemas": {"Sent": deepcopy(THING), "Come": deepcopy(THING)}},
}


def changed(change) -> dict[str, Any]:
    document = deepcopy(DOCUMENT)
    sent, come = document["components"]["schemas"].values()
    change(SimpleNamespace(document=document, post=document["paths"]["/things"]["post"], sent=sent, come=come))
    return document


def field(schema: dict[str, Any], name: str, **words: Any) -> None:
    schema["properties"][name] = {**schema["properties"].get(name, {}), **words}


BREAKING = {
    "a route is gone": lambda t: t.document["paths"].pop("/things"),
    "a method is gone": lambda t: t.document["paths"]["/things"].pop("get"),
    "a status is gone": lambda t: t.post["responses"].pop("200"),
    "a kind of answer is gone": lambda t: t.post["responses"]["200"]["content"].clear(),
    "a kind of body is gone": lambda t: t.post["requestBody"]["content"].clear(),
    "a body must be sent": lambda t: t.post["requestBody"].update(required=True),
    "a header is gone": lambda t: t.post["responses"]["200"]["headers"].clear(),
    "a header may be missing": lambda t: t.post["responses"]["200"]["headers"]["ETag"].clear(),
    "a parameter is gone": lambda t: t.post["parameters"].clear(),
    "a parameter must be sent": lambda t: t.post["parameters"][0].update(required=True),
    "a new parameter must be sent": lambda t: t.post["parameters"].append(
        {"in": "header", "name": "X", "required": True, "schema": {}}
    ),
    "a parameter takes less": lambda t: t.post["parameters"][0]["schema"].update(maximum=20),
    "a field that came is gone": lambda t: t.come["properties"].pop("note"),
    "a field that came may be missing": lambda t: t.come["required"].remove("state"),
    "a field that came is of another type": lambda t: field(t.come, "id", type="integer"),
    "a field that came may have a new word": lambda t: field(t.come, "state", enum=["new", "done", "odd"]),
    "a field that came may be null": lambda t: field(t.come, "id", type=["string", "null"]),
    "a field that is sent is gone": lambda t: t.sent["properties"].pop("note"),
    "a field must be sent": lambda t: t.sent["required"].append("note"),
    "a new field must be sent": lambda t: (field(t.sent, "colour"), t.sent["required"].append("colour")),
    "a field takes fewer words": lambda t: field(t.sent, "state", enum=["new"]),
    "a field takes no null": lambda t: t.sent["properties"]["note"]["anyOf"].pop(),
    "a field takes shorter texts": lambda t: t.sent["properties"]["note"]["anyOf"][0].update(maxLength=5),
    "a field takes longer texts only": lambda t: field(t.sent, "id", minLength=3),
    "a field takes another form": lambda t: field(t.sent, "id", pattern="^a"),
    "items are of another type": lambda t: field(t.sent, "parts", items={"type": "string"}),
    "nothing more may be sent": lambda t: t.sent.update(additionalProperties=False),
}
HARMLESS = {
    "a new route": lambda t: t.document["paths"].update({"/more": {"get": {"responses": {}}}}),
    "a new status": lambda t: t.post["responses"].update({"404": {}}),
    "a new parameter": lambda t: t.post["parameters"].append({"in": "query", "name": "q", "schema": {}}),
    "a parameter takes more": lambda t: t.post["parameters"][0]["schema"].update(maximum=100),
    "a new field comes": lambda t: field(t.come, "colour", type="string"),
    "a field always comes": lambda t: t.come["required"].append("note"),
    "a field that came is never null": lambda t: t.come["properties"]["note"]["anyOf"].pop(),
    "a new field may be sent": lambda t: field(t.sent, "colour", type="string"),
    "a field need not be sent": lambda t: t.sent["required"].remove("state"),
    "a field takes more words": lambda t: field(t.sent, "state", enum=["new", "done", "odd"]),
    "a field takes longer texts": lambda t: t.sent["properties"]["note"]["anyOf"][0].update(maxLength=20),
}


@pytest.mark.parametrize("change", BREAKING.values(), ids=BREAKING)
def test_what_breaks_a_client_is_said_to_break(change):
    found = changes(DOCUMENT, changed(change))
    assert found and any(each.breaking for each in found), [*map(str, found)]
    assert any(str(each).startswith("BREAKING ") for each in found)


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_no_client_needs_to_know_is_said_and_does_not_break(change):
    found = changes(DOCUMENT, changed(change))
    assert found and not any(each.breaking for each in found), [*map(str, found)]


def test_words_and_examples_are_no_change():
    def reworded(t):
        t.post["summary"] = "Other words"
        field(t.sent, "id", description="Other words", title="Id", examples=["a"])

    assert changes(DOCUMENT, changed(reworded)) == []


def test_a_change_of_a_schema_with_a_name_is_said_once_however_many_operations_have_it():
    found = changes(DOCUMENT, changed(lambda t: t.come["properties"].pop("note")))
    assert [str(each) for each in found] == ["BREAKING Come (answer) field note: gone"]
