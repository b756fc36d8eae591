"""An assignment's essays with people's scores, and a rubric that grades them over HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gradeline.client import Client
from worker.head.agreement import figures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Places = NDArray[np.intp]

SECONDS = 1800.0


@dataclass(frozen=True)
class Class:
    """The essays of an assignment with the scores that people gave them, (n, C), a column a criterion."""

    texts: list[str]
    criteria: list[dict[str, Any]]  # as `POST /v1/rubrics` takes them
    scores: Array

    def examples(self, rows: Places) -> list[dict[str, Any]]:
        """Some of the essays as graded examples."""
        names = [c["name"] for c in self.criteria]
        return [{"text": self.texts[n], "scores": dict(zip(names, self.scores[n].tolist(), strict=True))} for n in rows]

    def kappas(self, rows: Places, machine: Array) -> list[float]:
        """Of each criterion on some essays, whose scores by the machine are (len(rows), C)."""
        return [
            figures(self.scores[rows, k], machine[:, k], c["min"], c["max"], c["step"])["qwk"]
            for k, c in enumerate(self.criteria)
        ]


def asap_class(data: Path, name: str, whole: bool) -> tuple[Class, str]:
    """The essays of one of ASAP's assignments with their overall scores, or else all their traits; and its prompt."""
    about = json.loads((data / "assignments.json").read_text())["asap"][name]
    frame = pd.read_csv(data / "asap.csv", dtype={"assignment": str})
    part = frame[frame.assignment == name]
    columns = ["overall"] if whole else [t for t in frame.columns[4:] if part[t].notna().all()]
    low, high = about["overall" if whole else "traits"]
    criteria = [{"name": c, "min": low, "max": high, "step": 1, **({} if whole else {"measures": c})} for c in columns]
    return Class(list(part.text), criteria, part[columns].to_numpy(float)), str(about["prompt"])


class TaughtRubric:
    """A rubric of a running stack, and the class that it grades. SystemExit where something there fails."""

    def __init__(self, client: Client, name: str, of: Class, prompt: str | None = None) -> None:
        self.client, self.name, self.of = client, name, of
        self.calibration: str | None = None
        client.rubrics.make(name, of.criteria, **({"prompt": prompt} if prompt else {}))

    def teach(self, rows: Places, **fields: Any) -> None:
        """Calibrates by some graded essays, and activates that, whatever it replaces: one draw is not held to another."""
        begun = self.client.rubrics.calibrate(self.name, self.of.examples(rows), **fields)
        done = self.client.rubrics.calibration(self.name, begun["id"], SECONDS)
        if done["state"] != "succeeded":
            raise SystemExit(f"the calibration of {self.name} is {done['state']}: {done['error']}")
        self.client.rubrics.activate(self.name, begun["id"], force=True)
        self.calibration = begun["id"]

    def grade(self, rows: Sequence[int] | Places) -> str:
        """Sends some essays as a batch; returns its id when it has ended."""
        items = [{"text": self.of.texts[n], "external_id": str(n)} for n in rows]
        batch = str(self.client.submit_batch(items, rubric=self.name)["id"])
        self.client.wait_for_batch(batch, SECONDS)
        return batch

    def regrade(self) -> str:
        """Grades again what the rubric has graded, by its active head; returns the batch's id when it has ended."""
        batch = str(self.client.rubrics.regrade(self.name)["id"])
        self.client.wait_for_batch(batch, SECONDS)
        return batch

    def read(self, batch: str, rows: Places) -> tuple[Array, Array]:
        """(n, C) scores and (n, C, 2) intervals of some essays, from a batch that has ended."""
        jobs = {int(job["external_id"]): job for job in self.client.batch_jobs(batch)}
        mine = [jobs[n] for n in rows]
        if wrong := [job["id"] for job in mine if not self._as_taught(job)]:
            raise SystemExit(
                f"{len(wrong)} essays of {self.name} were not graded as it was taught; one is job {wrong[0]}"
            )
        found = np.array([[(s["score"], *s["interval"]) for s in job["scores"]] for job in mine], float)
        return found[:, :, 0], found[:, :, 1:]

    def _as_taught(self, job: dict[str, Any]) -> bool:
        graded = job["state"] == "succeeded" and not job["degraded"]
        return graded and job["scored_by"]["calibration"] == self.calibration
