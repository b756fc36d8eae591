"""What the OpenAPI document says of bodies that are not JSON: the library knows one body of a route."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from api.batch_bodies import BatchSettings, QuerySettings
from api.batch_results import XLSX
from api.calibration_bodies import NewCalibrationBody
from api.files import TYPES
from api.legacy import BODIES
from api.schemas import JobSettings

REF = "#/components/schemas/{model}"
FILE = {"type": "string", "minLength": 1, "contentMediaType": "application/octet-stream"}
TEXT = {"type": "string"}
FOLLOWED = {"/v1/jobs/{job_id}/events": "JobBody", "/v1/batches/{batch_id}/events": "BatchBody"}
# A rubric itself is longer than a name.
RUBRIC = {
    "anyOf": [
        {"type": "string", "minLength": 1, "maxLength": 255},
        {"type": "string", "pattern": r"^\s*\{", "contentMediaType": "application/json"},
    ]
}


def tell(document: dict[str, Any]) -> None:
    """Adds the kinds of bodies that routes take and give beside JSON."""
    schemas, paths = document["components"]["schemas"], document["paths"]
    job, batch = (paths[path]["post"] for path in ("/v1/jobs", "/v1/batches"))
    settings = {model: _schema(model, schemas) for model in (JobSettings, BatchSettings, QuerySettings)}
    file = "a .txt, .md, .docx or .pdf file: the ending of its name says which, or its part's type"
    job["requestBody"]["content"]["multipart/form-data"] = _form(settings[JobSettings], file, *TYPES)
    batch["requestBody"]["content"] |= {
        "application/x-ndjson": {"schema": {**TEXT, "description": "an item a line"}},
        "text/csv": {"schema": {**TEXT, "description": "columns text, external_id, prompt; others become metadata"}},
        "multipart/form-data": _form(
            settings[BatchSettings],
            "a .zip of .txt, .md, .docx and .pdf files, or the texts as .csv, .ndjson or .jsonl: the ending of its name says "
            "which, or its part's type",
            *("application/zip", "text/csv", "application/x-ndjson"),
        ),
    }
    batch.setdefault("parameters", []).extend(_in_the_query(settings[QuerySettings]["properties"]))
    calibration, _import = (paths[f"/v1/rubrics/{at}"]["post"] for at in ("{rubric}/calibrations", "import"))
    calibration["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {"schema": _schema(NewCalibrationBody, schemas)},
            "text/csv": {"schema": {**TEXT, "description": "a column text, and one for each criterion"}},
            "multipart/form-data": _form({"properties": {}}, "the same CSV", "text/csv"),
        },
    }
    _import["requestBody"] = {
        "required": True,
        "content": {
            "text/csv": {"schema": {**TEXT, "description": "a Canvas rubric CSV"}},
            "multipart/form-data": _form({"properties": {}}, "the same", "text/csv"),
        },
    }
    for path, model in BODIES.items():
        old = {"application/json": {"schema": _schema(model, schemas)}}
        paths[path]["post"] |= {"requestBody": {"required": True, "content": old}, "security": [{}, {"key": []}]}
    _answers(paths)


def _answers(paths: dict[str, Any]) -> None:
    for path, content in {
        "/v1/batches/{batch_id}/results": {
            "application/json": {"schema": {
                "type": "object", "required": ["batch", "items"],
                "properties": {
                    "batch": {"$ref": REF.format(model="BatchBody")},
                    "items": {"type": "array", "items": {"$ref": REF.format(model="JobBody")}},
                },
            }},
            "application/x-ndjson": {"schema": TEXT}, "text/csv": {"schema": TEXT}, XLSX: {"schema": FILE},
        },
        "/v1/rubrics/{rubric}/export": {"text/csv": {"schema": TEXT}},
        "/metrics": {"text/plain": {"schema": TEXT}},
    }.items():  # fmt: skip
        paths[path]["get"]["responses"]["200"]["content"] = content
    paths["/v1/rubrics/{rubric}/report"]["get"]["responses"]["200"]["content"]["text/html"] = {"schema": TEXT}
    for path, model in FOLLOWED.items():
        data = {**TEXT, "contentMediaType": "application/json", "contentSchema": {"$ref": REF.format(model=model)}}
        event = {"type": "object", "description": "each event", "required": ["id", "data"]}
        paths[path]["get"]["responses"]["200"]["content"]["text/event-stream"]["schema"] = {
            **event, "properties": {"id": TEXT, "data": data},
        }  # fmt: skip


def _in_the_query(properties: dict[str, Any]) -> list[dict[str, Any]]:
    parameters = []
    for name, field in properties.items():
        each = {"name": name, "in": "query", "required": False, "allowEmptyValue": True}
        each["description"] = f"{field.get('description', name)}; what a body says comes first"
        if name == "metadata":
            each.pop("allowEmptyValue")
            parameters.append({**each, "content": {"application/json": {"schema": {"type": "object"}}}})
        else:
            parameters.append({**each, "schema": RUBRIC if name == "rubric" else without_null(field)})
    return parameters


def without_null(field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field where a null can't be written."""
    kinds = [each for each in field.get("anyOf", []) if each != {"type": "null"}]
    rest = {name: value for name, value in field.items() if name != "anyOf" and not (name == "default" and not value)}
    return field if not kinds else {**kinds[0], **rest} if len(kinds) == 1 else {"anyOf": kinds, **rest}


def whole(schemas: dict[str, Any]) -> None:
    """Makes the schemas of our models anew: the library keeps only the keywords that it knows."""
    for model in _models(BaseModel):
        if model.__module__.startswith("api.") and model.__name__ in schemas:
            schemas[model.__name__] = _schema(model, schemas)


def _models(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in kind.__subclasses__():
        yield each
        yield from _models(each)


def _schema(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    """A model's schema; what it refers to is added to the document's."""
    made: dict[str, Any] = model.model_json_schema(ref_template=REF)
    for name, each in made.pop("$defs", {}).items():
        schemas.setdefault(name, each)
    return made


def _form(settings: dict[str, Any], what: str, *types: str) -> dict[str, Any]:
    """A form with a file. An empty field says nothing.

    Each field has an example, which `/docs` begins with: it would make up words for the others, which are then refused.
    """
    fields = {
        name: {
            "anyOf": [RUBRIC if name == "rubric" else without_null(field), {"const": ""}],
            "examples": ["" if field.get("default") is None else field["default"]],
        }
        for name, field in settings["properties"].items()
    }
    file = {"file": {**FILE, "description": what}}
    schema: dict[str, Any] = {"type": "object", "required": ["file"], "properties": {**file, **fields}}
    if fields:
        schema["additionalProperties"] = False
    return {"schema": schema, "encoding": {"file": {"contentType": ", ".join(types)}}}
