"""Ways that are compared take turns on the same texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.texts import marked, texts_of

Way = Callable[[list[str]], float]  # texts -> how many a second
Rounds = dict[str, list[float]]


def take_turns(ways: Mapping[str, Way], count: int, rounds: int, short: int) -> Rounds:
    """Texts a second of each way, by round, on `count` texts that are new to it; one turn of `short` before is not counted."""
    rates: Rounds = {name: [] for name in ways}
    for turn in range(rounds + 1):
        texts = texts_of(count if turn else min(short, count), seed=turn)
        # There and back: a machine that becomes slower or faster favours none.
        for n, name in list(enumerate(ways))[:: 1 if turn % 2 else -1]:
            value = ways[name](marked(texts, f"{n}-{turn}"))
            if turn:
                rates[name].append(value)
        if turn:
            print({"round": turn, **{name: round(each[-1], 2) for name, each in rates.items()}}, flush=True)
    return rates
