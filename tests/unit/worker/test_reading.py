"""What an encoder reads of a text: all of it, and nothing of it twice."""

from __future__ import annotations

import uuid
from dataclasses import replace

import numpy as np
import pytest

from db.work import Claimed
from worker.engine.fake import FakeEngine
from worker.features.prompt import NO_CENTRE
from worker.reading import Reader, as_kept

OWN = "Phones help pupils to look things up. They do distract, though. A class can agree on when to use them, and when not."
PADDED = f"{OWN} They do distract, though. A class can agree on when to use them, and when not."
PROMPT = "Should pupils use phones in class?"


@pytest.fixture
def reader():
    return Reader(FakeEngine(), NO_CENTRE)


def job(text: str, prompt: str | None = PROMPT) -> Claimed:
    return Claimed(uuid.uuid4(), 1, True, False, text, prompt, uuid.uuid4(), [])


def test_a_text_padded_with_its_own_sentences_is_read_as_the_text(reader):
    encoded, evidence = reader.begin([job(OWN), job(PADDED), job(f"{OWN} They are here to stay.")])()
    own, padded, longer = encoded.vectors
    assert np.array_equal(own, padded) and not np.array_equal(own, longer)
    assert encoded.tokens[0] == encoded.tokens[1] < encoded.tokens[2]
    assert evidence.noticed is not None and "repetitive" in evidence.noticed[1] and not evidence.noticed[0]


def test_jobs_examples_and_texts_that_are_looked_at_are_read_alike(reader):
    texts = [OWN, PADDED]
    graded = reader.begin([job(text) for text in texts])()[0].vectors
    assert np.array_equal(reader.encode(texts).vectors, graded)
    looked = reader.look(texts, [PROMPT, None]).vectors
    assert looked is not None and np.array_equal(looked, graded)


def test_kept_features_of_a_prompt_are_used_again_unless_another_centre_or_an_older_version_made_them(reader):
    encoded, first = reader.begin([job(OWN)])()
    vector, surface = as_kept(encoded.vectors, first.surface, 0)
    kept = [0.5, 0.5, 0.5, 0.5, 0.5]
    topics = [[*kept, reader.mark], [*kept, reader.mark + 1], kept[:3], None]
    jobs = [replace(job(OWN), vector=vector, surface=surface, topic=topic) for topic in topics]
    again = [reader.begin([each])()[1].prompt[0].tolist() for each in jobs]
    assert again == [kept, *[first.prompt[0].tolist()] * 3]
