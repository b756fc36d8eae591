"""Rubrics from Python, and what they are taught."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx

from gradeline.waiting import outlast

Json = dict[str, Any]
POLL_S = 0.5


class Rubrics:
    """The rubrics of a client's tenant: `client.rubrics`."""

    def __init__(self, call: Callable[..., Json], answer: Callable[..., httpx.Response]) -> None:
        self._call, self._answer = call, answer

    def make(self, name: str, criteria: Iterable[Json], **fields: Any) -> Json:
        """The next version of a rubric; the fields are those of `POST /v1/rubrics`."""
        return self._call("POST", "/v1/rubrics", json={"name": name, "criteria": list(criteria), **fields})

    def get(self, name: str) -> Json:
        return self._call("GET", at(name))

    def calibrate(self, name: str, examples: Iterable[Json] = (), **fields: Any) -> Json:
        """Begins a calibration by graded examples, `{"text", "scores"}` each; the fields are `cohort` and `from`."""
        given = list(examples)
        return self._call("POST", f"{at(name)}/calibrations", json={**({"examples": given} if given else {}), **fields})

    def calibration(self, name: str, calibration_id: str, wait: float = 0.0) -> Json:
        """A calibration, after as many seconds as it takes, or at most so many; for so long it outlasts a restart, too."""
        deadline = time.monotonic() + wait
        ask = partial(self._call, "GET", f"{at(name)}/calibrations/{calibration_id}")
        while True:
            found = outlast(ask, deadline)
            if found["state"] not in ("queued", "running") or time.monotonic() > deadline:
                return found
            time.sleep(POLL_S)

    def activate(self, name: str, calibration_id: str, force: bool = False) -> Json:
        """From now on the rubric grades by it; with `force`, also if it agrees worse than the head before it."""
        query = {"force": "true"} if force else {}
        return self._call("POST", f"{at(name)}/calibrations/{calibration_id}/activate", params=query)

    def deactivate(self, name: str, calibration_id: str) -> Json:
        """The rubric grades by the head before it, or by the one that comes along."""
        return self._call("POST", f"{at(name)}/calibrations/{calibration_id}/deactivate")

    def regrade(self, name: str) -> Json:
        """Grades again, by the active head, what the rubric has graded; returns the batch."""
        return self._call("POST", f"{at(name)}/regrade")

    def report(self, name: str, **query: Any) -> Json:
        """How well the head that grades a rubric agrees with people; the query is `calibration` (an id) and `version`."""
        return self._call("GET", f"{at(name)}/report", params={**query, "format": "json"})

    def report_page(self, name: str, **query: Any) -> bytes:
        """The report as one page of HTML that needs nothing else, to be saved and opened in a browser."""
        page: bytes = self._answer("GET", f"{at(name)}/report", params={**query, "format": "html"}).content
        return page


def at(name: str) -> str:
    """The path of a rubric: its name may hold any character."""
    return f"/v1/rubrics/{quote(name, safe='@')}"
