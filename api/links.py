"""What can be done with what an answer holds: the links of the OpenAPI document."""

from __future__ import annotations

from typing import Any

JOB = ("get_job", "follow_job", "cancel_job", "retry_job", "review_job", "appeal_job", "job_reviews", "erase_job")
BATCH = ("get_batch", "get_results", "follow_batch", "cancel_batch")
RUBRIC = (
    *("read_rubric", "export_rubric", "read_report", "read_agreement"),
    *("calibrate", "all_calibrations", "regrade"),
)
CALIBRATION = ("read_calibration", "activate", "deactivate")
ID = "$response.body#/id"
# By the operation that answers and its status: the operations that its answer leads to, and their parameters.
LINKS: dict[tuple[str, str], list[tuple[tuple[str, ...], dict[str, str]]]] = {
    ("submit_job", "200"): [(JOB, {"job_id": ID})],
    ("submit_job", "202"): [(JOB, {"job_id": ID})],
    ("list_of_jobs", "200"): [
        (("list_of_jobs",), {"cursor": "$response.body#/next"}),
        (("get_job",), {"job_id": "$response.body#/items/0/id"}),
    ],
    ("cancel_job", "200"): [(("retry_job", "erase_job"), {"job_id": ID})],
    ("retry_job", "202"): [(("get_job", "cancel_job"), {"job_id": ID})],
    ("review_queue", "200"): [
        (("review_queue",), {"cursor": "$response.body#/next"}),
        (("review_job",), {"job_id": "$response.body#/items/0/id"}),
    ],
    ("review_job", "200"): [(("job_reviews", "appeal_job", "get_job"), {"job_id": ID})],
    ("submit_batch", "202"): [(BATCH, {"batch_id": ID}), (("list_of_jobs",), {"batch": ID})],
    ("regrade", "202"): [(BATCH, {"batch_id": ID})],
    ("list_of_batches", "200"): [
        (("list_of_batches",), {"cursor": "$response.body#/next"}),
        (("get_batch",), {"batch_id": "$response.body#/items/0/id"}),
    ],
    ("make_rubric", "201"): [(RUBRIC, {"rubric": "$response.body#/name"})],
    ("import_rubrics", "201"): [(("read_rubric", "calibrate"), {"rubric": "$response.body#/rubrics/0/name"})],
    ("calibrate", "202"): [
        (CALIBRATION, {"rubric": "$response.body#/rubric/name", "calibration_id": ID}),
        (("read_report",), {"rubric": "$response.body#/rubric/name", "calibration": ID}),
    ],
    ("list_webhook_deliveries", "200"): [
        (("list_webhook_deliveries",), {"cursor": "$response.body#/next"}),
        (("redeliver_webhook",), {"delivery_id": "$response.body#/items/0/id"}),
    ],
    ("read_audit", "200"): [(("read_audit",), {"cursor": "$response.body#/next"})],
}
LEASED = {"lease": "{$response.body#/lease/id}"}


def tell(document: dict[str, Any]) -> None:
    """Adds the links to the answers."""
    operations = {o["operationId"]: o for item in document["paths"].values() for o in item.values()}
    for (source, status), leads in LINKS.items():
        links = operations[source]["responses"][status].setdefault("links", {})
        for targets, parameters in leads:
            for target in targets:
                links[target] = {"operationId": target, "parameters": parameters}
    links = operations["lease_next"]["responses"]["200"].setdefault("links", {})
    job = {"job_id": "$response.body#/job/id"}
    for target in ("renew_lease", "release_lease"):
        links[target] = {"operationId": target, "parameters": job, "requestBody": LEASED}
    links["review_job"] = {"operationId": "review_job", "parameters": job}
