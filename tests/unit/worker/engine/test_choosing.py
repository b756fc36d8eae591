"""Which engine is taken, and what happens when it can't be."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.worker.engine.tiny import make
from worker.engine import load_engine
from worker.engine.cpu import bf16_is_fast, int8_is_fast
from worker.engine.export import ONNX, OPENVINO, Form, exported, folder_of
from worker.engine.source import embedded, find_source
from worker.errors import ModelUnavailable
from worker.settings import WorkerSettings

LOADED = """
import json, sys
from worker.engine import load_engine
from worker.settings import WorkerSettings
{before}
name = load_engine(WorkerSettings(home={home!r}, threads=1)).name
print(json.dumps([name, [m for m in {heavy!r} if sys.modules.get(m)]]))
"""
HEAVY = ("torch", "nncf", "transformers", "openvino_telemetry")


def cpuinfo(folder: Path, flags: str) -> Path:
    file = folder / "cpuinfo"
    file.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\nbugs\t\t: none\n")
    return file


@pytest.mark.parametrize(
    ("flags", "int8", "bf16"),
    [
        ("avx2 fma", False, False),
        ("avx2 avx_vnni", True, False),
        ("avx512f avx512_vnni", True, False),
        ("avx512f avx512_vnni avx512_bf16", True, True),
        ("amx_tile amx_int8 amx_bf16", True, True),
    ],
)
def test_a_cpu_is_known_by_its_flags(tmp_path, flags, int8, bf16):
    file = cpuinfo(tmp_path, flags)
    assert (int8_is_fast(file), bf16_is_fast(file)) == (int8, bf16)


def test_a_system_that_lists_no_flags_is_assumed_to_have_none(tmp_path):
    assert not int8_is_fast(tmp_path / "none") and not bf16_is_fast(tmp_path / "none")


def loaded(home: Path, before: str = "") -> tuple[str, list[str]]:
    code = LOADED.format(home=str(home), heavy=HEAVY, before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    name, heavy = json.loads(done.stdout)
    return name, heavy


@pytest.fixture
def home(model_home):
    """A home in which both forms of the default model are."""
    exported(embedded(), model_home, ONNX)
    if int8_is_fast():
        exported(embedded(), model_home, OPENVINO)
    return model_home


def test_auto_takes_the_fastest_and_loads_no_torch_and_no_telemetry(home):
    assert loaded(home) == ("openvino-int8" if int8_is_fast() else "onnx-int8", [])


def test_without_openvino_onnx_computes(home):
    assert loaded(home, "sys.modules['openvino'] = None") == ("onnx-int8", [])


def test_without_openvino_and_onnx_torch_computes(home):
    name, _ = loaded(home, "sys.modules['openvino'] = sys.modules['onnxruntime'] = None")
    assert name == "torch-fp32"


@pytest.mark.skipif(not int8_is_fast(), reason="this CPU multiplies no int8")
def test_a_file_that_openvino_cannot_read_leaves_a_warning_and_the_next_engine(tmp_path, caplog):
    settings = WorkerSettings(home=tmp_path, threads=1, model=str(make(tmp_path / "m", "bert")))
    for form in (OPENVINO, ONNX):
        folder = folder_of(find_source(settings), tmp_path, form)
        folder.mkdir(parents=True)
        (folder / "tokenizer.json").write_bytes((tmp_path / "m" / "tokenizer.json").read_bytes())
        (folder / form.files[-1]).write_bytes(b"rubbish")
    with caplog.at_level(logging.WARNING):
        assert load_engine(settings).name == "torch-fp32"
    told = [record for record in caplog.records if record.name.startswith("worker.engine")]
    assert [record.args[0] for record in told] == ["openvino", "onnx"]


def test_an_export_that_fails_says_why(tmp_path):
    with pytest.raises(ModelUnavailable, match="no_such_module"):
        exported(embedded(), tmp_path, Form("nothing", "worker.engine.no_such_module", 1, ("file",)))


def test_auto_precision_is_fp32_on_every_cpu(tmp_path):
    settings = WorkerSettings(home=tmp_path, threads=1, engine="torch", model=str(make(tmp_path / "m", "bert")))
    assert load_engine(settings).name == "torch-fp32"
