"""What `gradeline grade` is given: texts, files, and classes as folders, tables or .zip files."""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gradeline.cli.table import bar
from gradeline.client import Client
from gradeline.errors import ClientError

Json = dict[str, Any]
DOCUMENTS = (".docx", ".pdf")
FILES = (".txt", ".md", *DOCUMENTS)
CLASSES = (".csv", ".ndjson", ".jsonl", ".zip")


def look_for(files: Iterable[str]) -> None:
    """ClientError for the first that can't be read, before any is handed in."""
    for file in files:
        if file != "-" and not os.access(file, os.R_OK):
            raise ClientError(f"{file}: {'can not be read' if Path(file).exists() else 'there is no such file'}")


def is_class(file: str) -> bool:
    """Whether it is many texts: they go as a batch, behind single ones."""
    return file != "-" and (Path(file).is_dir() or Path(file).suffix.lower() in CLASSES)


def submit_one(client: Client, file: str, fields: Json) -> Json:
    """The job of a text or a document; - is standard input."""
    if Path(file).suffix.lower() in DOCUMENTS:
        return client.submit_file(file, **fields)
    return client.submit(read_text(file), **fields)


def grade_class(client: Client, file: str, fields: Json, console: Console) -> tuple[list[str], list[Json]]:
    """The names and jobs of a class, when all have ended. Rows that are not taken are told at once."""
    batch = (
        _submit_folder(client, Path(file), fields) if Path(file).is_dir() else client.submit_batch_file(file, **fields)
    )
    for each in batch["rejected"]:
        click.echo(f"{file}, row {each['row']}: {each['problem']['detail']}", err=True)
    with bar(console) as progress:
        task = progress.add_task("grading", total=batch["counts"]["total"])

        def moved(now: Json) -> None:
            counts = now["counts"]
            progress.update(task, completed=counts["total"] - counts["queued"] - counts["running"])

        client.wait_for_batch(batch["id"], on_move=moved)
    click.echo(f"batch {batch['id']}: `gradeline results {batch['id']} -o results.xlsx` saves it", err=True)
    jobs = client.batch_jobs(batch["id"])
    return [job["external_id"] or str(number) for number, job in enumerate(jobs, 1)], jobs


def _submit_folder(client: Client, folder: Path, fields: Json) -> Json:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and _is_text(file.relative_to(folder))]
    if not files:
        raise ClientError(f"{folder} has no {', '.join(FILES)} files")
    with tempfile.TemporaryDirectory() as place:
        packed = Path(place) / "class.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as made:
            for file in files:
                made.write(file, file.relative_to(folder).as_posix())
        return client.submit_batch_file(packed, **fields)


def _is_text(file: Path) -> bool:
    return file.suffix.lower() in FILES and not any(part.startswith(".") for part in file.parts)


def read_text(file: str) -> str:
    """A file's text. ClientError says what is wrong with it."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ClientError(f"{file} is not a text file in UTF-8") from error
    except OSError as error:
        raise ClientError(f"{file}: {error.strerror}") from error
