"""The rows of a batch, whatever they were read from: the good ones apart from the bad ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from api.batch_bodies import BatchItem
from api.errors import InvalidRequest, TooLarge
from api.problems import field_errors, part_problem
from db.bulk import NewRow

SHOWN = 50


def sift(raw: Iterable[Any], prompt: str | None, most: int) -> tuple[list[NewRow], list[dict[str, Any]]]:
    """The rows that can be graded, and `{"row", "problem"}` of the others; rows are counted from 1.

    `prompt` is that of rows without one. TooLarge after `most` rows, InvalidRequest when no row is good.
    """
    good: list[NewRow] = []
    rejected: list[dict[str, Any]] = []
    for number, each in enumerate(raw, 1):
        if number > most:
            raise TooLarge(f"A batch has at most {most:,} items. Send the rest as another one.")
        try:
            item = BatchItem.model_validate(each)
        except ValidationError as error:
            rejected.append({"row": number, "problem": part_problem("The row can't be graded", field_errors(error))})
        else:
            good.append(
                NewRow(item.text, prompt if item.prompt is None else item.prompt, item.external_id, item.metadata)
            )
    if not good:
        raise InvalidRequest("No row of the batch can be graded.", _reasons(rejected))
    return good, rejected


def _reasons(rejected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"loc": ["items", each["row"] - 1], "msg": each["problem"]["detail"]} for each in rejected[:SHOWN]]
