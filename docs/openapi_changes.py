"""What has changed between two OpenAPI documents, and whether a client of the first would notice.

A request may take more than before and an answer may hold more fields; a request that asks for more, or an answer that gives
less or other kinds of values, breaks. A pattern that has changed counts as narrower: nobody can tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Direction = Literal["request", "answer"]
# Bounds that take less when they are greater, or when they are less.
LEAST = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
MOST = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
OTHER = ("pattern", "format", "const")
KINDS = ("anyOf", "oneOf", "allOf")


@dataclass(frozen=True)
class Change:
    """One difference, and where it is."""

    where: str
    what: str
    breaking: bool

    def __str__(self) -> str:
        return f"{'BREAKING ' if self.breaking else ''}{self.where}: {self.what}"


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """All differences that a client could notice, each once; words of descriptions and examples are none."""
    return list(dict.fromkeys(Comparison(old, new).operations()))


class Comparison:
    """Two documents side by side."""

    def __init__(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        self.old, self.new = old, new
        self._met: set[tuple[str, str, str]] = set()

    def operations(self) -> Iterator[Change]:
        """Paths and their methods, and all that is in them."""
        before, after = (
            {
                f"{method.upper()} {path}": each
                for path, item in document["paths"].items()
                for method, each in item.items()
            }
            for document in (self.old, self.new)
        )
        yield from _gone_and_new("", before, after)
        for name in before.keys() & after.keys():
            yield from self._parameters(name, before[name], after[name])
            yield from self._body(name, before[name].get("requestBody", {}), after[name].get("requestBody", {}))
            yield from self._answers(name, before[name]["responses"], after[name]["responses"])

    def _parameters(self, at: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
        before, after = (
            {f"{each['in']} {each['name']}": each for each in operation.get("parameters", [])}
            for operation in (old, new)
        )
        needed = [name for name, each in after.items() if each.get("required")]
        yield from _gone_and_new(f"{at} parameter ", before, after, needed)
        for name in before.keys() & after.keys():
            where = f"{at} parameter {name}"
            if name in needed and not before[name].get("required"):
                yield Change(where, "must be sent now", True)
            yield from self.schemas(where, before[name].get("schema", {}), after[name].get("schema", {}), "request")

    def _body(self, at: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
        before, after = old.get("content", {}), new.get("content", {})
        if new.get("required") and not old.get("required"):
            yield Change(f"{at} body", "must be sent now", True)
        yield from _gone_and_new(f"{at} body ", before, after)
        for kind in before.keys() & after.keys():
            yield from self.schemas(f"{at} body {kind}", before[kind]["schema"], after[kind]["schema"], "request")

    def _answers(self, at: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
        yield from _gone_and_new(f"{at} ", old, new)
        for status in old.keys() & new.keys():
            before, after = self._at(self.old, old[status]), self._at(self.new, new[status])
            for part in ("content", "headers"):
                names = before.get(part, {}), after.get(part, {})
                yield from _gone_and_new(f"{at} {status} {part} ", *names)
                for name in names[0].keys() & names[1].keys():
                    where, one, other = f"{at} {status} {name}", *(self._at(*each) for each in zip(
                        (self.old, self.new), (names[0][name], names[1][name]), strict=True
                    ))  # fmt: skip
                    if one.get("required") and not other.get("required"):
                        yield Change(where, "may be missing now", True)
                    yield from self.schemas(where, one.get("schema", {}), other.get("schema", {}), "answer")

    def schemas(self, at: str, old: Any, new: Any, way: Direction) -> Iterator[Change]:
        """Two schemas of what is sent (request) or of what comes (answer). One with a name is compared once, by its name."""
        if isinstance(old, dict) and old.get("$ref") and old == new:
            met = (old["$ref"], new["$ref"], way)
            if met in self._met:
                return
            self._met.add(met)
            at = f"{old['$ref'].rpartition('/')[2]} ({way})"
        before, after = self._at(self.old, old), self._at(self.new, new)
        yield from _types(at, before, after, way)
        yield from _bounds(at, before, after, way)
        yield from self._kinds(at, before, after, way)
        yield from self._fields(at, before, after, way)
        for name in ("items", "additionalProperties", "propertyNames", "contentSchema"):
            one, other = before.get(name, True), after.get(name, True)
            if one is not other and (other is False or one is False):
                closed = other is False
                yield Change(f"{at} {name}", "none now" if closed else "some now", closed and way == "request")
            elif name in before or name in after:
                yield from self.schemas(f"{at} {name}", one, other, way)

    def _fields(self, at: str, old: dict[str, Any], new: dict[str, Any], way: Direction) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        must, must_now = set(old.get("required", ())), set(new.get("required", ()))
        yield from _gone_and_new(f"{at} field ", before, after, must_now if way == "request" else ())
        for name in before.keys() & after.keys():
            if name in must ^ must_now:
                needed = name in must_now
                yield Change(
                    f"{at} field {name}",
                    "is needed now" if needed else "may be missing now",
                    needed == (way == "request"),
                )
            yield from self.schemas(f"{at} field {name}", before[name], after[name], way)

    def _kinds(self, at: str, old: dict[str, Any], new: dict[str, Any], way: Direction) -> Iterator[Change]:
        before, after = ({_kind(e): e for k in KINDS for e in each.get(k, [])} for each in (old, new))
        yield from (Change(f"{at} or {name}", "gone", way == "request") for name in before.keys() - after.keys())
        yield from (Change(f"{at} or {name}", "new", way == "answer") for name in after.keys() - before.keys())
        for name in before.keys() & after.keys():
            yield from self.schemas(f"{at} {name}", before[name], after[name], way)

    @staticmethod
    def _at(document: dict[str, Any], each: Any) -> dict[str, Any]:
        """What a reference is to; a schema that is true or false says nothing by itself."""
        if not isinstance(each, dict):
            return {}
        found = each
        if "$ref" in each:
            found = document
            for part in each["$ref"].removeprefix("#/").split("/"):
                found = found[part]
        return found


def _gone_and_new(at: str, old: Any, new: Any, needed: Any = ()) -> Iterator[Change]:
    yield from (Change(f"{at}{name}", "gone", True) for name in sorted(old.keys() - new.keys()))
    yield from (
        Change(f"{at}{name}", "new, and must be sent" if name in needed else "new", name in needed)
        for name in sorted(new.keys() - old.keys())
    )


def _types(at: str, old: dict[str, Any], new: dict[str, Any], way: Direction) -> Iterator[Change]:
    for word in ("type", "enum"):
        before, after = (_values(each.get(word)) for each in (old, new))
        if before == after:
            continue
        # No word at all takes anything.
        narrower, wider = (after and not before) or before - after, (before and not after) or after - before
        said = f"{word} {_listed(before)} is now {_listed(after)}"
        yield Change(at, said, bool(narrower if way == "request" else wider))


def _bounds(at: str, old: dict[str, Any], new: dict[str, Any], way: Direction) -> Iterator[Change]:
    for word in (*LEAST, *MOST, *OTHER):
        before, after = old.get(word), new.get(word)
        if before == after:
            continue
        if before is None or after is None:
            narrower = before is None
        else:
            narrower = True if word in OTHER else (after > before) == (word in LEAST)
        yield Change(at, f"{word} {before} is now {after}", narrower and way == "request")


def _values(said: Any) -> frozenset[str]:
    return frozenset(map(str, said)) if isinstance(said, list) else frozenset({str(said)} if said is not None else ())


def _listed(values: frozenset[str]) -> str:
    return ", ".join(sorted(values)) or "anything"


def _kind(each: dict[str, Any]) -> str:
    """What tells one alternative from another."""
    if "$ref" in each:
        return str(each["$ref"]).rpartition("/")[2]
    words = [str(each.get("type", "value"))]
    words += [f"of {each['contentMediaType']}"] if "contentMediaType" in each else []
    words += [repr(each["const"])] if "const" in each else []
    return " ".join(words)
