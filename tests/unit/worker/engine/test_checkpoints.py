"""Fine-tuned checkpoints with outputs of their own, from disk to marks; and models that nothing was fitted for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from broker.settings import EMBEDDED_MODEL
from db.base import new_id
from db.work import Claimed, Finished
from tests.unit.worker.engine.tiny import DISTILBERT, KINDS, make
from worker.child import load_marker
from worker.engine import load_engine
from worker.engine.outputs import outputs_of
from worker.errors import ModelUnavailable
from worker.marking import Marker
from worker.settings import WorkerSettings

CRITERIA = ["Structure", "Clarity", "Relevance", "Academic_Writing"]
TRAITS = ["cohesion", "syntax", "vocabulary", "phraseology", "grammar", "conventions"]
RUBRIC = [{"name": name, "min": 0.0, "max": 100.0, "step": None, "weight": 1.0, "levels": []} for name in CRITERIA]


def text(words: int, seed: int = 0) -> str:
    return " ".join(f"w{k}" for k in np.random.default_rng(seed).integers(0, 60, words))


def settings(home: Path, model: Path, **fields: object) -> WorkerSettings:
    return WorkerSettings(home=home, model=str(model), threads=1, **fields)  # type: ignore[arg-type]


def mark(marker: Marker, body: str, criteria: list[dict[str, object]] = RUBRIC, prompt: str | None = None) -> Finished:
    job = Claimed(new_id(), 1, True, False, body, prompt, new_id(), criteria)
    return marker.mark([job])[0]


def logits(folder: Path, ids: list[int]) -> list[float]:
    """What the checkpoint itself says of tokens, by transformers alone."""
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    model.config.pad_token_id = 0
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0].tolist()


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_checkpoint_grades_by_its_own_outputs_scaled_from_its_scale(kind, tmp_path):
    folder = make(tmp_path / "m", kind, CRITERIA)
    marker = load_marker(settings(tmp_path, folder, model_min=-1, model_max=1), "w")
    assert marker.engine.name == "torch-fp32" and marker.head.name == "checkpoint--1-1"
    done = mark(marker, "w1 w2 w3", prompt="w4 w5?")
    own = logits(folder, [5, 6, 7] if kind == "gpt2" else [1, 5, 6, 7, 2])
    assert [s["score"] for s in done.result["scores"]] == pytest.approx([(x + 1) * 50 for x in own], abs=0.1)
    assert done.result["scored_by"]["head"] == "checkpoint--1-1@1" and not done.result["degraded"]


def test_scores_that_nobody_has_measured_have_the_whole_scale_as_interval_and_ask_for_a_person(tmp_path):
    done = mark(load_marker(settings(tmp_path, make(tmp_path / "m", "bert", CRITERIA)), "w"), text(30))
    assert [s["interval"] for s in done.result["scores"]] == [[0, 100]] * 4
    assert {s["confidence"] for s in done.result["scores"]} == {1.0}
    assert "wide_interval" in done.result["review_reasons"]


def test_outputs_named_by_traits_count_for_their_criteria_and_others_are_refused(tmp_path):
    folder = make(tmp_path / "m", "distilbert", TRAITS)
    marker = load_marker(settings(tmp_path, folder, model_min=-1, model_max=1), "w")
    assert marker.head.criteria == ("Structure", "Clarity", "Academic_Writing")
    done = mark(marker, "w1 w2 w3", [RUBRIC[0], RUBRIC[1]])
    own = dict(zip(TRAITS, logits(folder, [1, 5, 6, 7, 2]), strict=True))
    clarity = (own["syntax"] + own["phraseology"]) / 2
    assert done.result["scores"][1]["score"] == pytest.approx((clarity + 1) * 50, abs=0.1)
    refused = mark(marker, "w1 w2 w3")
    assert refused.error["code"] == "unscorable" and "'Relevance'" in refused.error["detail"]


def test_a_long_text_counts_whole_each_window_by_its_tokens(tmp_path):
    folder = make(tmp_path / "m", "bert", ["structure"])
    engine = load_engine(settings(tmp_path, folder, engine="torch"))
    ids = np.random.default_rng(0).integers(4, 60, 80).tolist()
    encoded = engine.encode([" ".join(f"w{k - 4}" for k in ids)])
    # Of 64 positions 62 are left for the text's own tokens: two windows of 56, which meet in the middle of the 32 they share.
    first, second = logits(folder, [1, *ids[:56], 2])[0], logits(folder, [1, *ids[24:], 2])[0]
    assert encoded.windows[0] == 2
    assert encoded.vectors[0, 0] == pytest.approx((first + second) / 2, abs=1e-5)


def test_outputs_of_independent_labels_are_probabilities(tmp_path):
    folder = make(tmp_path / "m", "bert", CRITERIA, problem_type="multi_label_classification")
    done = mark(load_marker(settings(tmp_path, folder), "w"), "w1 w2 w3")
    own = 1 / (1 + np.exp(-np.array(logits(folder, [1, 5, 6, 7, 2]))))
    assert [s["score"] for s in done.result["scores"]] == pytest.approx(own * 100, abs=0.1)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_model_that_no_head_was_fitted_for_says_which_command_fits_one_and_grades_nothing(kind, tmp_path):
    folder = make(tmp_path / "m", kind)
    done = mark(load_marker(settings(tmp_path, folder, engine="torch"), "w"), text(30))
    assert done.result is None and done.error["code"] == "model_unavailable"
    assert f"`gradeline heads fit --model {folder} --data FILE.csv`" in done.error["detail"]


@pytest.mark.parametrize(
    ("labels", "problem", "said"),
    [
        (["LABEL_0", "LABEL_1", "LABEL_2"], None, "LABEL_0, LABEL_1, LABEL_2"),
        (["Structure", "Clarity"], "single_label_classification", "exclude each other"),
    ],
)
def test_outputs_that_are_no_scores_do_not_grade_and_the_error_says_why(labels, problem, said, tmp_path):
    folder = make(tmp_path / "m", "bert", labels, problem_type=problem)
    marker = load_marker(settings(tmp_path, folder, engine="torch"), "w")
    done = mark(marker, text(30))
    assert done.result is None and said in done.error["detail"] and "gradeline heads fit" in done.error["detail"]
    assert marker.engine.encode(["w1"]).vectors.shape == (1, 96)


def test_a_checkpoint_without_the_weights_of_its_outputs_is_refused(tmp_path):
    folder = make(tmp_path / "m", "bert", CRITERIA)
    kept = {k: v for k, v in load_file(folder / "model.safetensors").items() if not k.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelUnavailable, match=r"classifier\.weight"):
        load_engine(settings(tmp_path, folder))


def test_onnx_asked_for_by_name_refuses_a_checkpoint(tmp_path):
    folder = make(tmp_path / "m", "bert", CRITERIA)
    with pytest.raises(ModelUnavailable, match="GRADELINE_ENGINE=torch"):
        load_engine(settings(tmp_path, folder, engine="onnx"))


def test_a_scale_without_length_is_refused(tmp_path):
    folder = make(tmp_path / "m", "bert", CRITERIA)
    marker = load_marker(settings(tmp_path, folder, model_min=5, model_max=1), "w")
    assert marker.head is None and "GRADELINE_MODEL_MIN" in marker.why


def test_calibrations_on_a_checkpoint_say_what_they_need(tmp_path):
    marker = load_marker(settings(tmp_path, make(tmp_path / "m", "bert", CRITERIA)), "w")
    assert marker.standing is None and "gradeline heads fit" in marker.why


def test_labels_are_read_in_the_order_of_the_outputs_in_any_spelling():
    config = {"architectures": ["XForSequenceClassification"], "id2label": {"10": "Clarity", "2": "academic writing"}}
    assert outputs_of(config).labels == ("academic writing", "Clarity")
    assert outputs_of({"architectures": ["BertModel"], "id2label": {"0": "Clarity"}}).labels == ()
    assert not outputs_of(json.loads(json.dumps(DISTILBERT)))


def test_the_embedded_model_has_its_head(model_home):
    marker = load_marker(WorkerSettings(home=model_home), "w")
    assert (marker.model, marker.head.name) == (EMBEDDED_MODEL, "default") and marker.standing is not None
