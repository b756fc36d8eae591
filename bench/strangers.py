"""`python -m bench.strangers`: can a tenant tell by its time whether a 404 is of another's job, or of nobody's?

Asks for another tenant's jobs, batches, rubrics and streams, and for ids that nobody has, in a random order over one kept
connection, and compares the two samples: their medians, and a rank test (Mann-Whitney, two-sided). `told_apart` is how often a
slower answer would be the other tenant's: 0.5 is a coin.
"""

from __future__ import annotations

import argparse
import random
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
from scipy.stats import mannwhitneyu
from uuid6 import uuid7

from bench.own_stack import own_stack
from bench.rows import url_of
from bench.tables import RESULTS, median, write
from db.session import Database
from db.settings import DatabaseSettings
from db.tenant import SCOPES, Tenant, create_key
from gradeline.stack.home import Home

ROUTES = {
    "GET job": ("GET", "/v1/jobs/{job}"), "GET job events": ("GET", "/v1/jobs/{job}/events"),
    "POST job cancel": ("POST", "/v1/jobs/{job}/cancel"), "DELETE job": ("DELETE", "/v1/jobs/{job}"),
    "GET batch": ("GET", "/v1/batches/{batch}"), "GET batch results": ("GET", "/v1/batches/{batch}/results?format=csv"),
    "GET rubric": ("GET", "/v1/rubrics/{rubric}"),
}  # fmt: skip
WARM = 50


def other_tenants(home: Home) -> tuple[str, str]:
    """Keys of the tenant that has rows and of the one that asks."""
    database = Database(DatabaseSettings(database_url=url_of(home)))
    keys = []
    with database.session() as session:
        for _ in range(2):
            tenant = Tenant(name=uuid.uuid4().hex)
            session.add(tenant)
            session.flush()
            keys.append(create_key(session, tenant.id, "bench", SCOPES))
    database.close()
    return keys[0], keys[1]


def rows_of(http: httpx.Client, count: int) -> dict[str, list[str]]:
    """Ids and names of what is made now."""

    def made(path: str, body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = http.post(path, json=body).raise_for_status().json()
        return found

    criteria = [{"name": "Structure", "measures": "Structure"}]
    return {
        "job": [made("/v1/jobs", {"text": f"Text {n}."})["id"] for n in range(count)],
        "batch": [made("/v1/batches", {"items": [{"text": f"Text {n}."}]})["id"] for n in range(count)],
        "rubric": [made("/v1/rubrics", {"name": f"r{n}", "criteria": criteria})["name"] for n in range(count)],
    }


def nobodys(kind: str, theirs: str) -> str:
    """An id, or a name as long, that is nobody's."""
    return f"{uuid.uuid4().hex}"[: len(theirs)] if kind == "rubric" else str(uuid7())


def compared(
    http: httpx.Client, method: str, path: str, ids: dict[str, list[str]], count: int, choose: random.Random
) -> dict[str, Any]:
    kind = path.partition("{")[2].partition("}")[0]
    samples: dict[bool, list[float]] = {True: [], False: []}
    # As many of each kind, asked for as often: what was looked up before is found faster, whether it is there or not.
    asked = {True: ids[kind], False: [nobodys(kind, each) for each in ids[kind]]}
    order = [True, False] * (count + WARM)
    choose.shuffle(order)
    for number, is_theirs in enumerate(order):
        seconds = timed(http, method, path.format(**{kind: choose.choice(asked[is_theirs])}))
        if number >= 2 * WARM:
            samples[is_theirs].append(seconds * 1e6)
    theirs_us, nobodys_us = samples[True], samples[False]
    test = mannwhitneyu(theirs_us, nobodys_us)
    return {
        "n": len(theirs_us) + len(nobodys_us), "theirs_median_us": median(theirs_us), "nobodys_median_us": median(nobodys_us),
        "told_apart": round(float(test.statistic) / (len(theirs_us) * len(nobodys_us)), 4), "p": float(test.pvalue),
    }  # fmt: skip


def timed(http: httpx.Client, method: str, path: str) -> float:
    """Seconds of one answer, which must be 404."""
    began = time.perf_counter()
    answer = http.request(method, path)
    seconds = time.perf_counter() - began
    if answer.status_code != 404:
        raise SystemExit(f"answered {answer.status_code}: {answer.text[:200]}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.strangers", description=__doc__)
    parser.add_argument("--count", type=int, help="answers of each kind, a route [2000; quick: 200]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    count, choose = given.count or (200 if given.quick else 2000), random.Random(given.seed)
    with own_stack(0, GRADELINE_RATE_READ="0", GRADELINE_RATE_SUBMIT="0", GRADELINE_LOG_LEVEL="WARNING") as home:
        owner, asker = (
            httpx.Client(base_url=home.read()["url"], headers={"Authorization": f"Bearer {key}"}, timeout=60)
            for key in other_tenants(home)
        )
        with owner, asker:
            ids = rows_of(owner, 50)
            rows = [{"route": name, **compared(asker, *route, ids, count, choose)} for name, route in ROUTES.items()]
    write("strangers", rows, given.out, {"count": count, "seed": given.seed})


if __name__ == "__main__":
    main()
