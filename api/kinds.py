"""What the OpenAPI document says of bodies that are not JSON: the library knows one body of a route."""

from __future__ import annotations

from typing import Any

from api.batch_bodies import BatchSettings
from api.batch_results import XLSX
from api.schemas import JobSettings

REF = "#/components/schemas/{model}"
FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
BATCH_EXAMPLE = 'external_id,text\ns-17,"Phones should stay in the bag, because ..."\n'


def tell(document: dict[str, Any]) -> None:
    """Adds the kinds of bodies that routes take and give beside JSON."""
    schemas = document["components"]["schemas"]
    job, batch = (document["paths"][path]["post"] for path in ("/v1/jobs", "/v1/batches"))
    settings = {model: _schema(model, schemas) for model in (JobSettings, BatchSettings)}
    job["requestBody"]["content"]["multipart/form-data"] = _form(
        settings[JobSettings], "a .txt, .md, .docx or .pdf file"
    )
    batch["requestBody"]["content"] |= {
        "application/x-ndjson": {
            "schema": {"type": "string", "description": "an item a line"},
            "example": '{"text": "..."}\n',
        },
        "text/csv": {"schema": {"type": "string"}, "example": BATCH_EXAMPLE},
        "multipart/form-data": _form(settings[BatchSettings], "a .zip of .txt, .md, .docx and .pdf files"),
    }
    batch.setdefault("parameters", []).extend(
        {
            "name": name, "in": "query", "required": False, "schema": field,
            "description": f"{field.get('description', name)} (for bodies that are not JSON)",
        }
        for name, field in settings[BatchSettings]["properties"].items()
    )  # fmt: skip
    _results(document["paths"]["/v1/batches/{batch_id}/results"]["get"])


def _results(operation: dict[str, Any]) -> None:
    operation["responses"]["200"]["content"] = {
        "application/json": {"schema": {
            "type": "object", "required": ["batch", "items"],
            "properties": {
                "batch": {"$ref": REF.format(model="BatchBody")},
                "items": {"type": "array", "items": {"$ref": REF.format(model="JobBody")}},
            },
        }},
        "application/x-ndjson": {"schema": {"type": "string"}},
        "text/csv": {"schema": {"type": "string"}},
        XLSX: {"schema": FILE},
    }  # fmt: skip


def _schema(model: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """A model's schema; what it refers to is added to the document's."""
    made: dict[str, Any] = model.model_json_schema(ref_template=REF)
    for name, each in made.pop("$defs", {}).items():
        schemas.setdefault(name, each)
    return made


def _form(settings: dict[str, Any], what: str) -> dict[str, Any]:
    file = {"file": {**FILE, "description": what}}
    return {"schema": {**settings, "required": ["file"], "properties": {**file, **settings["properties"]}}}
