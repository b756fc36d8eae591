"""The API as it is served, on real servers, with a real worker behind it that computes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gradeline.stack.home import Home
from tests.integration.line import Line

MODEL = "contract"


@dataclass(frozen=True)
class Served:
    """Where the API is, with a key that may everything."""

    url: str
    key: str

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        return httpx.request(method, self.url + path, headers=headers, timeout=60, **options)

    @property
    def document(self) -> dict[str, Any]:
        return self("GET", "/openapi.json").raise_for_status().json()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    line = Line(Home(Path(tmp_path_factory.mktemp("contract")).resolve()))
    try:
        # It takes its time, so that some jobs wait and can be cancelled.
        line.worker(MODEL, fake_faults="false", fake_chunk_ms=200)
        # Nobody counts requests, and nobody waits for long: this is about what each one is answered with.
        with line.api(MODEL, wait_max_s=2, rate_read=0, rate_submit=0) as client:
            yield Served(client.url, line.home.key_file.read_text().strip())
    finally:
        line.close()


def operations(document: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """By operationId: method, path and the operation itself."""
    return {
        each["operationId"]: (method.upper(), path, each)
        for path, item in document["paths"].items()
        for method, each in item.items()
    }
