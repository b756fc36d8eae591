"""`python -m heads.advisories --data DIR`: how often advisories speak where they should, and where they should not."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heads.corpora import Corpus, asap, ellipse
from heads.made_texts import Made, negatives, positives
from heads.outlook import strangers
from worker.advisories import MESSAGES, advise
from worker.engine import Engine, load_engine
from worker.features.surface import surface
from worker.features.words import words_of
from worker.head import Head, load_default
from worker.reading import Reader
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Essays that are read at once.
CHUNK = 256


def codes_of(
    texts: Sequence[str], prompts: Sequence[str | None], on_topic: NDArray[np.float64] | None = None
) -> list[set[str]]:
    """The advisories of texts; without `on_topic`, nothing is said of the topic."""
    topic = np.full(len(texts), np.nan) if on_topic is None else on_topic
    each = zip(texts, prompts, topic, surface(texts), strict=True)
    return [{a["code"] for a in advise(text, len(words_of(text)), p, float(t), row)} for text, p, t, row in each]


def topics(texts: Sequence[str], prompts: Sequence[str | None], reader: Reader, head: Head) -> NDArray[np.float64]:
    """(n,) the probability that each text answers its prompt."""
    parts = [slice(n, n + CHUNK) for n in range(0, len(texts), CHUNK)]
    return np.concatenate([head.on_topic(reader.look(texts[part], prompts[part])) for part in parts])


def made_table(reader: Reader, head: Head) -> dict[str, tuple[int, float, float, float]]:
    """By code: texts that should be remarked on, precision, recall, and share of the clean texts that are."""

    def codes(made: Sequence[Made]) -> list[set[str]]:
        texts, prompts = [m.text for m in made], [m.prompt for m in made]
        return codes_of(texts, prompts, topics(texts, prompts, reader, head))

    clean = codes(negatives())
    table = {}
    for code, made in positives().items():
        hits, false = sum(code in found for found in codes(made)), sum(code in found for found in clean)
        table[code] = (len(made), hits / max(1, hits + false), hits / len(made), false / len(clean))
    return table


def false_alarms(corpus: Corpus, reader: Reader, head: Head) -> dict[str, float]:
    """Share of a corpus' essays that each advisory is given to; of off_topic, of those with a prompt."""
    prompted = np.flatnonzero([p is not None for p in corpus.prompts])
    topic = np.full(len(corpus.texts), np.nan)
    topic[prompted] = topics([corpus.texts[n] for n in prompted], [corpus.prompts[n] for n in prompted], reader, head)
    counts = Counter(code for found in codes_of(corpus.texts, corpus.prompts, topic) for code in found)
    of = dict.fromkeys(MESSAGES, len(corpus.texts)) | {"off_topic": len(prompted)}
    return {code: counts[code] / of[code] for code in MESSAGES}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m heads.advisories", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with asap.csv, assignments.json, ellipse*.csv")
    parser.add_argument("--home", type=Path, default=Path(".gradeline"), help="where the exported model is kept")
    arguments = parser.parse_args()
    engine = load_engine(WorkerSettings(home=arguments.home))
    report(arguments.data, engine)


def report(data: Path, engine: Engine) -> None:
    head = load_default(engine.model, engine.revision)
    reader = Reader(engine, head.centre)
    essays = asap(data)
    corpus = essays + ellipse(data, "ellipse_train.csv") + ellipse(data, "ellipse.csv")
    alarms, made = false_alarms(corpus, reader, head), made_table(reader, head)
    print(
        f"| advisory | made texts | precision | recall | clean texts | {len(corpus.texts)} essays |\n|---|---|---|---|---|---|"
    )
    for code in MESSAGES:
        n, precision, recall, clean = made.get(code, (0, np.nan, np.nan, np.nan))
        print(f"| {code} | {n} | {precision:.2f} | {recall:.2f} | {clean:.1%} | {alarms[code]:.2%} |")
    own, others, noise = strangers(essays, reader)
    print(f"unusual_for_calibration: own {own:.2%}, essays of others {others:.1%}, gibberish {noise:.1%}")


if __name__ == "__main__":
    main()
