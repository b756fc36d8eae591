"""Examples of the OpenAPI document: what to send, and what comes. Tests send the first and check both."""

from __future__ import annotations

from typing import Any

ESSAY = "Phones should stay in the bag during lessons. They distract us, and in the breaks they do no harm."
TASK = "Should phones be allowed at school?"
JOB_ID, BATCH_ID, RUBRIC_ID = (f"0198f0c2-7a1b-7c3d-8e4f-00000000000{n}" for n in (1, 2, 3))
CALIBRATION_ID, LEASE_ID, DELIVERY_ID, KEY_ID = (f"0198f0c2-7a1b-7c3d-8e4f-00000000000{n}" for n in (4, 5, 6, 7))
BEGAN, ENDED = "2026-01-31T08:00:00.120Z", "2026-01-31T08:00:00.200Z"
NAME = "essay-1"  # of a rubric
HOOK = "https://lms.example/hook"
DEFAULT = {"id": RUBRIC_ID, "name": "default", "version": 1}
CRITERIA = [
    {"name": "Structure", "measures": "Structure", "min": 0, "max": 6, "step": 1,
     "levels": [{"name": "Weak", "from": 0}, {"name": "Sound", "from": 3}, {"name": "Strong", "from": 5}]},
    {"name": "Clarity", "measures": "Clarity", "weight": 2},
]  # fmt: skip
CANVAS = """Rubric Name,Criteria Name,Criteria Description,Criteria Enable Range,Rating Name,Rating Description,Rating Points
Essay,Structure,How it is built,false,Strong,Clear parts,4,Weak,No parts,0
"""
GRADED = [{"text": f"{ESSAY} ({n})", "scores": {"Structure": n % 7, "Clarity": 10 * n}} for n in range(10)]
GRADED_CSV = "text,Structure,Clarity\n" + "".join(f'"{ESSAY} ({n})",{n % 7},{10 * n}\n' for n in range(10))
ITEMS = [
    {"text": ESSAY, "external_id": "s-1"},
    {"text": "They should be allowed, for emergencies.", "external_id": "s-2"},
]

# What to send: by operation and type, each with its name.
REQUESTS: dict[str, dict[str, dict[str, Any]]] = {
    "submit_job": {
        "application/json": {
            "Only a text": {"text": ESSAY},
            "Everything": {
                "text": ESSAY, "rubric": NAME, "prompt": TASK, "model": None, "device": "any",
                "priority": "interactive", "callback_url": HOOK, "allow_degraded": True, "explain": True,
                "external_id": "s-17", "metadata": {"course": "7b"},
            },
            "A rubric of its own": {"text": ESSAY, "rubric": {"criteria": CRITERIA}},
        },
        "multipart/form-data": {"A file": {"file": ESSAY, "prompt": TASK, "external_id": "s-17"}},
    },
    "retry_failed_jobs": {"application/json": {"Whose worker was lost": {"code": "worker_lost", "limit": 100}}},
    "review_job": {
        "application/json": {"A teacher's points": {"scores": {"Structure": 80}, "comment": "Well ordered.", "reviewer": "t-7"}}
    },
    "appeal_job": {"application/json": {"A student's words": {"reason": "My second page was not read."}}},
    "lease_next": {"application/json": {"Any": {}, "Of one rubric": {"rubric": "default"}}},
    "renew_lease": {"application/json": {"The lease": {"lease": LEASE_ID}}},
    "release_lease": {"application/json": {"The lease": {"lease": LEASE_ID}}},
    "submit_batch": {
        "application/json": {"A class": {"prompt": TASK, "items": ITEMS, "callback_url": HOOK}},
        "application/x-ndjson": {"An item a line": '{"text": "One essay.", "external_id": "s-1"}\n{"text": "Another."}\n'},
        "text/csv": {"A row a text": 'external_id,text\ns-17,"Phones should stay in the bag, because ..."\n'},
    },
    "make_rubric": {
        "application/json": {"Two criteria": {"name": NAME, "prompt": TASK, "criteria": CRITERIA}},
    },
    "import_rubrics": {"text/csv": {"From Canvas": CANVAS}, "multipart/form-data": {"From Canvas": {"file": CANVAS}}},
    "calibrate": {
        "application/json": {
            "Graded examples": {"examples": GRADED},
            "The class alone": {"cohort": [{"text": f"{ESSAY} ({n})"} for n in range(20)]},
            "With an earlier batch": {"examples": GRADED, "cohort": {"batch": BATCH_ID}},
        },
        "text/csv": {"Graded examples": GRADED_CSV},
        "multipart/form-data": {"Graded examples": {"file": GRADED_CSV}},
    },
    "set_webhook_endpoint": {"application/json": {"Whole objects": {"url": HOOK, "payload": "full", "enabled": True}}},
    "rubric_score": {"application/json": {"A text": {"student_submission": ESSAY}}},
}  # fmt: skip

NO_TIMINGS = dict.fromkeys(("queue_ms", "tokenize_ms", "inference_ms", "persist_ms", "total_ms"))
QUEUED: dict[str, Any] = {
    "id": JOB_ID, "state": "queued", "rubric": DEFAULT, "external_id": "s-17", "batch_id": None, "priority": "interactive",
    "device": "any", "created_at": BEGAN, "started_at": None, "finished_at": None, "erased_at": None, "attempts": 0,
    "cached": False, "degraded": False, "scores": None, "overall": None, "advisories": [], "needs_review": False,
    "review_reasons": [], "scored_by": None, "timings": NO_TIMINGS, "review": None, "appeal": None, "error": None, "metadata": {},
}  # fmt: skip
DONE: dict[str, Any] = {
    **QUEUED, "state": "succeeded", "started_at": BEGAN, "finished_at": ENDED, "attempts": 1,
    "scores": [{
        "criterion": "Structure", "score": 71.5, "min": 0, "max": 100, "interval": [58.0, 84.0], "confidence": 0.9,
        "level": "Good", "feedback": ["The parts follow each other well."],
    }],
    "overall": {"score": 71.5, "min": 0, "max": 100, "interval": [58.0, 84.0]},
    "advisories": [{"code": "too_short", "message": "The text has 19 words."}],
    "scored_by": {
        "model": "all-MiniLM-L6-v2", "revision": "1110a243", "head": "default@2", "engine": "openvino-int8", "device": "cpu",
        "worker": "cpu@host", "calibration": None, "text_coverage": 1.0,
    },
    "timings": {"queue_ms": 3.1, "tokenize_ms": 1.2, "inference_ms": 71.0, "persist_ms": 2.2, "total_ms": 80.1},
}  # fmt: skip
COUNTS = {"queued": 1, "running": 0, "succeeded": 1, "failed": 0, "cancelled": 0, "total": 2}
BATCH: dict[str, Any] = {
    "id": BATCH_ID, "state": "running", "rubric": DEFAULT, "counts": COUNTS, "eta_seconds": 1.5, "created_at": BEGAN,
    "finished_at": None, "cancelled_at": None, "metadata": {},
    "baseline": {"mode": "none", "state": "none", "calibration": None, "reason": None},
}  # fmt: skip
REFUSED = {
    "type": "urn:gradeline:problem:invalid_request", "title": "The row can't be graded", "status": 422,
    "code": "invalid_request", "detail": "text: The text is empty.", "errors": [{"loc": ["text"], "msg": "The text is empty."}],
}  # fmt: skip
RUBRIC = {
    "id": RUBRIC_ID, "name": NAME, "version": 1, "versions": [1], "prompt": TASK, "criteria": CRITERIA,
    "calibration": None, "needs_calibration": [], "created_at": BEGAN,
}  # fmt: skip
CALIBRATION = {
    "id": CALIBRATION_ID, "state": "succeeded", "rubric": {"id": RUBRIC_ID, "name": NAME}, "examples": 25, "cohort": 0,
    "embedded": 25, "progress": 1.0,
    "agreement": {"Structure": {"qwk": 0.71, "pearson": 0.74, "smd": 0.02, "exact": 0.56, "adjacent": 0.96}},
    "agreement_before": None, "baseline": None, "coverage": 0.9, "better": True, "active": False,
    "head": "4f1d2c0b9a887766", "created_at": BEGAN, "finished_at": ENDED, "error": None,
}  # fmt: skip
LEASE = {"id": LEASE_ID, "job_id": JOB_ID, "until": "2026-01-31T08:30:00Z"}
DELIVERY = {
    "id": DELIVERY_ID, "type": "job.succeeded", "state": "delivered", "url": HOOK, "job_id": JOB_ID, "batch_id": None,
    "attempts": 1, "created_at": ENDED, "due_at": None, "last_at": ENDED, "last_status": 204, "last_error": None,
    "ended_at": ENDED,
}  # fmt: skip
# What comes: by schema.
ANSWERS: dict[str, Any] = {
    "JobBody": DONE,
    "JobPage": {"items": [DONE], "next": None},
    "BatchBody": BATCH,
    "SubmittedBatch": {**BATCH, "rejected": [{"row": 2, "problem": REFUSED}]},
    "BatchPage": {"items": [BATCH], "next": None},
    "RubricBody": RUBRIC,
    "ImportedRubrics": {"rubrics": [RUBRIC], "rejected": []},
    "CalibrationBody": CALIBRATION,
    "CalibrationList": {"items": [CALIBRATION]},
    "RetriedBody": {"retried": 3},
    "LeaseBody": LEASE,
    "LeasedJob": {"lease": LEASE, "job": DONE},
    "ChangeList": {"items": [{
        "id": LEASE_ID, "what": "review", "at": ENDED, "who": KEY_ID, "reviewer": "t-7", "scores": {"Structure": 80},
        "comment": "Well ordered.",
    }]},
    "NewSecret": {"secret": "whsec_bm90IGEgc2VjcmV0IGF0IGFsbA==", "created_at": BEGAN, "previous_until": None},
    "EndpointBody": {"url": HOOK, "payload": "full", "disabled_at": None},
    "DeliveryBody": DELIVERY,
    "DeliveryPage": {"items": [DELIVERY], "next": None},
    "QueueList": {"items": [{
        "queue": "all-minilm-l6-v2.any.interactive", "waiting": 3, "held": 0, "running": 1, "oldest_seconds": 0.4,
        "rate_per_second": 12.5, "eta_seconds": 0.3, "workers": 1,
    }]},
    "Ready": {"ready": True, "database": True, "broker": True, "workers": 1},
    "Problem": {
        "type": "urn:gradeline:problem:invalid_request", "title": "The request can't be carried out as it stands",
        "status": 422, "detail": "text: The text is empty.", "code": "invalid_request",
        "errors": [{"loc": ["text"], "msg": "The text is empty."}], "request_id": "0198f0c27a1b7c3d8e4f000000000008",
    },
    "OldScores": {"Structure": "Good", "Clarity": "Good", "Relevance": "Fair", "Academic_Writing": "Fair"},
    "OldError": {"error": "Student submission text is required", "status": "error"},
}  # fmt: skip


def tell(document: dict[str, Any]) -> None:
    """Adds the examples."""
    for name, value in ANSWERS.items():
        document["components"]["schemas"][name]["examples"] = [value]
    submitted = document["paths"]["/v1/jobs"]["post"]["responses"]["202"]["content"]["application/json"]
    submitted["examples"] = {"It waits": {"value": QUEUED}}
    for item in document["paths"].values():
        for operation in item.values():
            for kind, examples in REQUESTS.get(operation["operationId"], {}).items():
                content = operation["requestBody"]["content"][kind]
                content["examples"] = {name: {"value": value} for name, value in examples.items()}
