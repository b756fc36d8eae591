"""From jobs with files to jobs with texts: a worker reads each file before it grades."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from db import upload
from db.session import Database
from db.work import Claimed, Finished
from worker.errors import Unscorable
from worker.extractor import Extractor
from worker.results import problem_of
from worker.settings import WorkerSettings

# Files that are not begun after so much of a chunk's time wait for the next one. One more may take `file_seconds`.
SHARE = 0.25


@dataclass
class Read:
    """What became of files: jobs with their texts, jobs whose file can't be read, and jobs that were not reached."""

    jobs: list[Claimed] = field(default_factory=list)
    failed: list[Finished] = field(default_factory=list)
    late: list[Claimed] = field(default_factory=list)


class Files:
    """Reads files out of the database, and writes their texts back."""

    def __init__(self, database: Database, settings: WorkerSettings) -> None:
        self.database, self.settings = database, settings
        self.extractor = Extractor(settings)

    def read(self, held: Sequence[Claimed]) -> Read:
        """Each file's text goes into its submission at once: it is read once, whatever becomes of the chunk."""
        out, deadline = Read(), time.monotonic() + SHARE * self.settings.chunk_limit_s
        for job in held:
            if time.monotonic() > deadline:
                out.late.append(job)
                continue
            try:
                out.jobs.append(replace(job, text=self._text(job), upload_id=None))
            except Unscorable as error:
                out.failed.append(Finished(job.id, job.attempt, {}, error=problem_of(error)))
        return out

    def stop(self) -> None:
        self.extractor.stop()

    def _text(self, job: Claimed) -> str:
        assert job.upload_id is not None  # noqa: S101 - that is what makes it a file's job
        with self.database.statement() as session:
            content = upload.content_of(session, job.upload_id)
        if content is None:
            raise Unscorable("The file was erased.")  # and its job cancelled: this is written nowhere
        text = self.extractor.text(job.kind or "", content)
        with self.database.statement() as session:
            upload.read(session, job.upload_id, text)
        return text
