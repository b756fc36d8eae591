"""The files that images are built from: who runs, what is inside, and that every version was tested."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
FILES = ["Dockerfile.api", "Dockerfile.worker"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Imported only where another encoder is made into files, in the stage `models` and in the gpu image.
MAKING = {"torch", "transformers", "onnx", "nncf"}
# Brought by others of the list, each in the one version that these ask for.
BROUGHT = {"billiard", "pydantic-core", "redis", "werkzeug", "markupsafe", "huggingface-hub"}
each_file = pytest.mark.parametrize("name", FILES)


def text(name: str) -> str:
    return (ROOT / name).read_text()


def stages(name: str) -> dict[str, str]:
    """The text of each stage; of one without a name, under its number."""
    parts = re.split(r"^FROM ", text(name), flags=re.M)[1:]
    return {(re.match(r"\S+ AS (\S+)", part) or [None, str(n)])[1]: part for n, part in enumerate(parts)}


def shipped(name: str) -> list[str]:
    return [
        stage for key, stage in stages(name).items() if "CMD" in stage and key not in ("base", "deps", "models", "code")
    ]


def requirements(name: str) -> dict[str, Requirement]:
    lines = (ROOT / "deploy/requirements" / f"{name}.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(each.name): each for each in found}


def constraints() -> dict[str, Requirement]:
    lines = (ROOT / "deploy/constraints.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(each.name): each for each in found}


@each_file
def test_what_is_shipped_is_not_root_says_how_it_is_and_hears_sigterm(name):
    assert len(shipped(name)) == (1 if name == "Dockerfile.api" else 2)
    for stage in shipped(name):
        assert re.findall(r"^USER (.+)", stage, re.M) == ["10001:10001"]
        assert re.search(r"^HEALTHCHECK .* CMD \[", stage, re.M)
        assert re.search(r'^CMD \["python", "-m"', stage, re.M), "the exec form: a shell would keep the signal"
        assert "STOPSIGNAL SIGTERM" in stage
        assert all(
            f"org.opencontainers.image.{label}" in stage for label in ("title", "version", "revision", "licenses")
        )


@each_file
def test_nothing_is_written_that_only_buildkit_reads(name):
    assert not re.search(r"^RUN --|^# *syntax=|<<", text(name), re.M)


@each_file
def test_nothing_is_installed_where_it_is_shipped(name):
    assert not any(re.search(r"pip install|apt-get", stage) for stage in shipped(name))


def test_only_what_an_image_holds_is_sent_to_the_builder():
    lines = text(".dockerignore").splitlines()
    assert lines[1] == "*"
    sent = {line[1:].split("/")[0] for line in lines if line.startswith("!")}
    assert sent == {"api", "broker", "db", "worker", "deploy"}


def test_every_version_is_exact_and_within_what_the_project_allows():
    pinned = constraints()
    for each in pinned.values():
        (one,) = each.specifier
        assert one.operator == "==" and "+" not in one.version and not each.url, str(each)
    for line in [*PROJECT["dependencies"], *(r for e in PROJECT["optional-dependencies"].values() for r in e)]:
        wanted = Requirement(line)
        if (held := pinned.get(canonicalize_name(wanted.name))) is not None:
            (version,) = (each.version for each in held.specifier)
            assert version in wanted.specifier, f"{wanted} does not allow {held}"
    assert "index" not in re.sub(r"^#.*", "", text("deploy/constraints.txt"), flags=re.M)


@pytest.mark.parametrize("name", ["api", "worker", "models"])
def test_every_library_of_an_image_is_one_of_the_project_and_has_a_version(name):
    groups = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][e] for e in ("worker", "flower", "tracing"))]
    known = {canonicalize_name(Requirement(line).name) for group in groups for line in group}
    assert requirements(name).keys() <= known
    assert requirements(name).keys() <= constraints().keys()
    assert all(not each.specifier for each in requirements(name).values()), "versions stand in constraints.txt"


@pytest.mark.parametrize(
    ("image", "folders"), [("api", ["api", "broker", "db"]), ("worker", ["worker", "broker", "db"])]
)
def test_every_import_of_an_image_is_in_it(image, folders):
    own, found = {"api", "broker", "db", "worker"}, packages_distributions()
    held = {*requirements(image), *BROUGHT}
    for file in (file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        if image == "worker" and ("migrations" in file.parts or file.name == "migrate.py"):
            continue
        for module in imports(file) - own - sys.stdlib_module_names - (MAKING if image == "worker" else set()):
            names = {canonicalize_name(each) for each in found.get(module, [])}
            assert names & held, f"{file.relative_to(ROOT)} imports {module}, which the image of {image} does not hold"


def imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name.split(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_the_stage_that_makes_models_has_all_that_it_reads(tmp_path):
    for line in re.findall(
        r"^COPY ((?:db|broker|worker)\S*(?: \S+)*) \S+$", stages("Dockerfile.worker")["models"], re.M
    ):
        for source in line.split():
            place = tmp_path / source
            place.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, place)
    modules = "worker.engine.prepare, worker.engine.to_onnx, worker.engine.to_openvino"
    # Every one of them: what is not copied would be found in the checkout, where the project is installed from.
    code = (
        f"import sys, {modules}\n"
        "ours = {n: m for n, m in sys.modules.items() if n.split('.')[0] in ('db', 'broker', 'worker')}\n"
        f"assert not (left_out := [n for n, m in ours.items() if not m.__file__.startswith({str(tmp_path)!r})]), left_out"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
