"""Which language a text is in: English by its function words; else naive Bayes on its bytes (py3langid), loaded at need."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from worker.features.characters import ALPHA, count
from worker.features.kinds import FUNCTION

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

    from worker.features.text import Text

# Of 1,577 essays all but one have more English function words than this, and no text in another language has nearly as many:
# they need not be looked at byte by byte, which takes a millisecond.
FUNCTION_SHARE = 0.35
ENGLISH = "en"
NONE = "zxx"  # ISO 639: no linguistic content
# Scrambled and weak English is taken for Nigerian Pidgin or Scots.
NEAR_ENGLISH = frozenset(("en", "pcm", "sco"))
SURE = 0.8
# Enough to be sure, and it bounds the time that a long text takes (half a millisecond for so many).
JUDGED_CHARS = 2_000
# Fewer letters say little of their language; a Chinese text has few words, but as many letters.
FEWEST_LETTERS = 40


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def language_of(text: Text) -> str | None:
    """ISO 639 code of a text's language; `zxx` for letters that are no language, None when it can't be told."""
    if count(text.kinds[:JUDGED_CHARS], ALPHA) < FEWEST_LETTERS:
        return None
    words = int(np.searchsorted(text.edges[:, 0], JUDGED_CHARS))
    if np.count_nonzero(text.known.kinds[:words, FUNCTION]) > FUNCTION_SHARE * words:
        return ENGLISH
    code, probability = _identifier().classify(text.text[:JUDGED_CHARS])
    if code in NEAR_ENGLISH:
        return ENGLISH
    return str(code) if code == NONE or probability >= SURE else None
