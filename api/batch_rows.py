"""The rows of a batch, whatever they were read from: the good ones apart from the bad ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from api.batch_bodies import BatchItem
from api.errors import InvalidRequest, TooLarge
from api.problems import MOST_ERRORS, field_errors, part_problem
from db.bulk import NewRow

MOST_FIELDS = 100
TITLE = "The row can't be graded"
Numbered = tuple[int, Any]  # a row, and its number as whoever wrote the file would count


@dataclass(frozen=True)
class BadRow:
    """A row that its reader could not read; `where` is a column or a file's name."""

    message: str
    where: str = ""

    @property
    def problem(self) -> dict[str, Any]:
        return part_problem(TITLE, [{"loc": [self.where] if self.where else [], "msg": self.message}])


class ReadRows:
    """The rows that can be graded, read from a file each time they are asked for: counted first, written then, never all held.

    `read` begins at the file's start and gives items, BadRows, or rows that are whole already, each with its number. `prompt`
    is that of rows without one; `rejected` is `{"row", "problem"}` of the others. TooLarge after `most` rows, InvalidRequest
    when no row is good: it names them by their place in `items` when `in_items`.
    """

    def __init__(
        self, read: Callable[[], Iterable[Numbered]], prompt: str | None, most: int, in_items: bool = False
    ) -> None:
        self._read, self._prompt, self._most = read, prompt, most
        self.rejected: list[dict[str, Any]] = []
        self._count = sum(1 for _ in _good(read(), prompt, most, self.rejected))
        if not self._count:
            raise _none_good(self.rejected, in_items)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[NewRow]:
        return _good(self._read(), self._prompt, self._most, [])


def _none_good(rejected: list[dict[str, Any]], in_items: bool) -> InvalidRequest:
    """The problem of a batch without a good row: why of each, up to a number."""
    reasons = []
    for each in rejected[:MOST_ERRORS]:
        loc = ["items", each["row"] - 1] if in_items else ["row", each["row"]]
        reasons.append({"loc": loc, "msg": each["problem"]["detail"]})
    return InvalidRequest("No row of the batch can be graded.", reasons)


def _good(
    raw: Iterable[Numbered], prompt: str | None, most: int, rejected: list[dict[str, Any]]
) -> Iterator[NewRow]:  # fmt: skip
    for count, (number, each) in enumerate(raw, 1):
        if count > most:
            raise TooLarge(f"A batch has at most {most:,} items. Send the rest as another one.")
        row = _row(each, prompt)
        if isinstance(row, NewRow):
            yield row
        else:
            rejected.append({"row": number, "problem": row})


def _row(each: Any, prompt: str | None) -> NewRow | dict[str, Any]:
    if isinstance(each, BadRow):
        return each.problem
    if isinstance(each, NewRow):
        return replace(each, prompt=prompt)
    if isinstance(each, dict) and len(each) > MOST_FIELDS:  # naming each of them would cost more than the row
        return BadRow(f"the row has more than {MOST_FIELDS} fields").problem
    try:
        item = BatchItem.model_validate(each)
    except ValidationError as error:
        return part_problem(TITLE, field_errors(error))
    return NewRow(item.text, prompt if item.prompt is None else item.prompt, item.external_id, item.metadata)
