"""Real loading code on real files: tiny random models made here, and the model that comes along."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.unit.worker.engine.tiny import KINDS, make
from worker.engine import load_engine, threads_of
from worker.engine.base import begin_by_windows
from worker.engine.cpu import int8_is_fast
from worker.engine.source import EMBEDDED_REVISION, embedded, find_source
from worker.errors import ModelUnavailable
from worker.settings import WorkerSettings

TEXTS = [
    "A short text.",
    "The council should build a library, because everybody can use it. " * 60,
    "!?",
    "Whales sing.",
]


def skip_without(engine: str) -> None:
    if engine == "openvino" and not int8_is_fast():
        pytest.skip("this CPU multiplies no int8")


@pytest.fixture(scope="session", params=list(KINDS))
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp(request.param), request.param)


def text(words: int, seed: int = 0) -> str:
    return " ".join(f"w{k}" for k in np.random.default_rng(seed).integers(0, 60, words))


def settings(home: Path, **fields: object) -> WorkerSettings:
    return WorkerSettings(**{"home": home, "threads": 1, **fields})  # type: ignore[arg-type]


def test_a_tiny_model_of_each_kind_reads_long_and_short_texts(tiny, tmp_path):
    engine = load_engine(settings(tmp_path, model=str(tiny), engine="torch"))
    texts = [text(5), text(500), "", text(60, 1)]
    encoded = engine.encode(texts)
    assert encoded.vectors.shape == (4, 96) and np.isfinite(encoded.vectors).all()
    assert encoded.tokens.tolist() == [5, 500, 0, 60]
    assert encoded.windows[0] == 1 and encoded.windows[1] > 5
    alone = np.concatenate([engine.encode([each]).vectors for each in texts])
    np.testing.assert_allclose(encoded.vectors, alone, atol=1e-5)


def test_the_last_word_of_a_long_text_counts(tiny, tmp_path):
    engine = load_engine(settings(tmp_path, model=str(tiny), engine="torch"))
    a, b = engine.encode([text(2000) + " w1", text(2000) + " w2"]).vectors
    assert not np.allclose(a, b, atol=1e-7)


@pytest.mark.parametrize(("engine", "kind"), [("onnx", "bert"), ("openvino", "gpt2"), ("openvino", "deberta")])
def test_int8_agrees_with_torch_on_a_model_of_ones_own(engine, kind, tmp_path, model_home):
    skip_without(engine)
    make(tmp_path, kind)
    texts = [text(40), text(300), text(3), ""]
    fast, exact = (load_engine(settings(model_home, model=str(tmp_path), engine=e)) for e in (engine, "torch"))
    assert fast.name == f"{engine}-int8" and fast.revision == exact.revision and fast.revision.startswith("sha256:")
    assert cosines(fast.encode(texts).vectors, exact.encode(texts).vectors).min() > 0.97


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_the_default_model_on_int8_agrees_with_torch(engine, model_home):
    skip_without(engine)
    fast, exact = (load_engine(settings(model_home, engine=e)) for e in (engine, "torch"))
    assert (fast.name, fast.model, fast.revision) == (f"{engine}-int8", "all-MiniLM-L6-v2", EMBEDDED_REVISION)
    ours, theirs = fast.encode(TEXTS), exact.encode(TEXTS)
    assert ours.vectors.shape == (len(TEXTS), 1152)
    assert ours.tokens.tolist() == theirs.tokens.tolist()
    assert cosines(ours.vectors, theirs.vectors).min() > (0.99 if engine == "openvino" else 0.97)


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_a_text_is_read_the_same_in_any_company_and_in_every_run(engine, model_home):
    skip_without(engine)
    engines = [load_engine(settings(model_home, engine=engine, threads=threads)) for threads in (2, 1)]
    together = engines[0].encode(TEXTS).vectors
    for n, each in enumerate(TEXTS):
        assert np.array_equal(engines[0].encode([each]).vectors[0], together[n])
    again = engines[1].encode(TEXTS[::-1]).vectors[::-1]
    np.testing.assert_allclose(again, together, atol=1e-5)


def test_padding_changes_no_vector(model_home):
    skip_without("openvino")
    engine = load_engine(settings(model_home, engine="openvino"))
    tokens, forward, width = engine._tokens, engine._forward, engine._width
    bare, exact, padded = (
        begin_by_windows(TEXTS, tokens, forward, width, engine._group, 0, multiple)().vectors
        for multiple in (1, 16, 64)
    )
    assert np.array_equal(padded, exact)
    np.testing.assert_allclose(padded, bare, atol=1e-3 * bare.std())


def test_a_text_of_many_windows_keeps_all_requests_busy_and_in_order(model_home):
    engine = load_engine(settings(model_home))
    texts = [f"Sentence {n} is about number {n}. " * (3 * n) for n in range(1, 40)]
    alone = np.concatenate([engine.encode([each]).vectors for each in texts])
    assert np.array_equal(engine.encode(texts).vectors, alone)


@pytest.mark.parametrize("engine", ["openvino", "onnx", "torch"])
def test_texts_begin_while_others_are_computed_and_both_are_read_as_if_alone(model_home, engine):
    skip_without(engine)
    loaded = load_engine(settings(model_home, engine=engine))
    first, second = [TEXTS[1], *TEXTS] * 3, TEXTS[::-1]
    alone = [loaded.encode(each) for each in (first, second)]
    rests = [loaded.begin(each) for each in (first, second)]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(lambda rest: rest(), rests))
    for ours, theirs in zip(together, alone, strict=True):
        assert np.array_equal(ours.vectors, theirs.vectors) and np.array_equal(ours.tokens, theirs.tokens)


def test_a_text_that_fits_into_the_requests_computes_when_it_has_begun(model_home):
    skip_without("openvino")
    engine = load_engine(settings(model_home, engine="openvino"))
    computed = []

    def counted(batches):
        for each in engine._forward(batches):
            computed.append(len(each))
            yield each

    texts = ["Whales sing."] * 2 * engine._requests
    rest = begin_by_windows(texts, engine._tokens, counted, engine._width, engine._group)
    assert len(computed) == 1, "the others compute on"
    assert np.array_equal(rest().vectors, engine.encode(texts).vectors)
    assert len(computed) > 1 and sum(computed) == len(texts)


def test_twenty_thousand_words_are_read_to_the_last_paragraph(model_home):
    engine = load_engine(settings(model_home))
    body = "The quick brown fox jumps over the lazy dog near a quiet river. " * 1540
    first, second = engine.encode([body + "It was a happy end.", body + "Stocks fell sharply today."]).vectors
    encoded = engine.encode([body])
    assert encoded.tokens[0] > 20_000 and encoded.windows[0] >= encoded.tokens[0] // 254
    assert np.abs(first - second).max() > 0


def test_other_bytes_than_those_of_the_default_model_are_refused(tmp_path):
    for file in ("model.safetensors", "tokenizer.json"):
        (tmp_path / file).write_bytes(b"something else")
    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json of the default model is not"):
        embedded(tmp_path)


@pytest.mark.parametrize("broken", ["nothing", "no weights", "no config"])
def test_a_folder_that_is_no_model_says_so(tmp_path, broken):
    folder = tmp_path / "m"
    if broken != "nothing":
        folder.mkdir()
    if broken == "no config":
        (folder / "model.safetensors").write_bytes(b"x")
    if broken == "no weights":
        (folder / "config.json").write_text(json.dumps({"hidden_size": 2}))
    with pytest.raises(ModelUnavailable):
        load_engine(settings(tmp_path, model=str(folder), engine="torch"))


def test_a_model_that_neither_folder_nor_hub_has_says_what_to_check(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelUnavailable, match="GRADELINE_MODEL"):
        find_source(settings(tmp_path, model="nobody/no-such-model"))


def test_threads_are_set_even_when_nobody_sets_them(tmp_path):
    assert threads_of(WorkerSettings(home=tmp_path)) >= 1
    assert threads_of(WorkerSettings(home=tmp_path, threads=3)) == 3


@pytest.mark.parametrize(
    ("cores", "device", "asked", "children"),
    [
        (16, "cuda", 0, 8),
        (64, "cuda", 0, 8),
        (4, "cuda", 0, 2),
        (1, "cuda", 0, 2),
        (64, "cuda", 3, 3),
        (16, "cpu", 0, 1),
    ],
)
def test_a_gpu_is_fed_by_a_child_for_every_two_cores(monkeypatch, tmp_path, cores, device, asked, children):
    monkeypatch.setattr("worker.engine.cpu.cores", lambda: cores)
    assert WorkerSettings(home=tmp_path, device=device, children=asked).concurrency == children


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
