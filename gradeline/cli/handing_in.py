"""What `gradeline grade` is given: texts, files, and classes as folders, tables or .zip files."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from gradeline.cli.bar import GRADING, asking_again, bar
from gradeline.cli.terminal import findings, harmless
from gradeline.client import Client
from gradeline.errors import ClientError
from gradeline.waiting import outlast

Json = dict[str, Any]
DOCUMENTS = (".docx", ".pdf")
FILES = (".txt", ".md", *DOCUMENTS)
READ_S = 60.0  # for so long results are asked for again when the API has gone away meanwhile
CLASSES = (".csv", ".ndjson", ".jsonl", ".zip")
TEXT_INSTEAD = "save it as .docx or .pdf"
TABLE_INSTEAD = "a table is read as .csv: save it as CSV UTF-8, with a column text"
# What is no text to read, and what to do about it.
INSTEAD = {
    **dict.fromkeys((".doc", ".odt", ".rtf", ".pages"), TEXT_INSTEAD),
    **dict.fromkeys((".xls", ".xlsx", ".ods", ".numbers"), TABLE_INSTEAD),
}
# What desktops and word processors leave in folders.
LITTER = ("thumbs.db", "desktop.ini")


def look_for(files: Iterable[str]) -> None:
    """ClientError for the first that can't be read, before any is handed in."""
    for file in files:
        if file != "-" and not os.access(file, os.R_OK):
            raise ClientError(f"{file}: {'can not be read' if Path(file).exists() else 'there is no such file'}")
        if (instead := INSTEAD.get(Path(file).suffix.lower())) and not Path(file).is_dir():
            raise ClientError(f"{file} is not read as it is: {instead}")


def is_class(file: str) -> bool:
    """Whether it is many texts: they go as a batch, behind single ones."""
    return file != "-" and (Path(file).is_dir() or Path(file).suffix.lower() in CLASSES)


def submit_one(client: Client, file: str, fields: Json) -> Json:
    """The job of a text or a document; - is standard input."""
    if Path(file).suffix.lower() in DOCUMENTS:
        return client.submit_file(file, **fields)
    return client.submit(read_text(file), **fields)


def grade_class(client: Client, file: str, fields: Json, console: Console) -> tuple[list[str], list[Json]]:
    """The names and jobs of a class, when all have ended. What is not taken, and the batch's id, are told at once."""
    batch = (
        _submit_folder(client, Path(file), fields) if Path(file).is_dir() else client.submit_batch_file(file, **fields)
    )
    for each in batch["rejected"]:
        problem = each["problem"]
        for line in findings(problem["errors"]) or [harmless(problem["detail"])]:
            click.echo(f"{harmless(file)}, row {each['row']}: {line}", err=True)
    later = f"`gradeline results {batch['id']} -o results.xlsx`"
    count = batch["counts"]["total"]
    texts = f"{count} text{'' if count == 1 else 's'}"
    click.echo(f"batch {batch['id']}, {texts}: {later} saves it, also if this is closed", err=True)
    try:
        _await(client, batch, console)
        jobs = outlast(partial(client.batch_jobs, batch["id"]), time.monotonic() + READ_S)
    except (ClientError, TimeoutError) as error:
        raise ClientError(f"{error}. Batch {batch['id']} is graded all the same: {later} saves it") from error
    return [job["external_id"] or str(number) for number, job in enumerate(jobs, 1)], jobs


def _await(client: Client, batch: Json, console: Console) -> None:
    with bar(console) as progress:
        task = progress.add_task(GRADING, total=batch["counts"]["total"])

        def moved(now: Json) -> None:
            counts = now["counts"]
            ended = counts["total"] - counts["queued"] - counts["running"]
            progress.update(task, completed=ended, description=GRADING)

        client.wait_for_batch(batch["id"], on_move=moved, on_away=asking_again(progress, task))


def _submit_folder(client: Client, folder: Path, fields: Json) -> Json:
    files = []
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if not file.is_file() or _is_hidden(inside):
            continue
        if why := _left_out(inside):
            click.echo(f"{harmless(str(file))} is left out: {why}", err=True)
        else:
            files.append(file)
    if not files:
        raise ClientError(f"{folder} has no {', '.join(FILES)} files")
    with tempfile.TemporaryDirectory() as place:
        packed = Path(place) / "class.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as made:
            for file in files:
                made.write(file, file.relative_to(folder).as_posix())
        return client.submit_batch_file(packed, **fields)


def _is_hidden(file: Path) -> bool:
    return any(part.startswith((".", "~$")) for part in file.parts) or file.name.lower() in LITTER


def _left_out(file: Path) -> str:
    """Why a file of a folder is not handed in, and what to do; nothing when it is."""
    ending = file.suffix.lower()
    if ending in CLASSES:
        return "it may hold many texts: give it to `gradeline grade` by itself"
    if ending not in FILES:
        return INSTEAD.get(ending, f"only {', '.join(FILES)} files are read; {TEXT_INSTEAD}")
    return "" if is_utf8(str(file)) else "its name is not in UTF-8: give it another one"


def is_utf8(words: str) -> bool:
    """Whether they can be sent: names of files can be any bytes."""
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_text(file: str) -> str:
    """A file's text. ClientError says what is wrong with it."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ClientError(f"{file} is not a text file in UTF-8: save it as such, or as .docx or .pdf") from error
    except OSError as error:
        raise ClientError(f"{file}: {error.strerror}") from error
