"""What the tables reckon."""

from __future__ import annotations

import pytest

from bench.backlog import compared
from bench.filling import Texts, sizes
from bench.models import SIZES, flop_of
from bench.peers import BATCH, SINGLE, rows_of
from bench.plans import Scan, scans_of, whole_tables
from bench.scale import batches_of, efficiency, ideal
from bench.tables import times
from bench.texts import marked, mixed_texts, texts_of


def test_efficiency_is_the_share_of_what_workers_that_only_compute_would_do():
    assert ideal(32, 4, 100) == 1280
    assert efficiency(1216, 32, 4, 100) == pytest.approx(0.95)


def test_more_jobs_than_a_batch_may_have_become_several_batches():
    assert batches_of(25_000) == [10_000, 10_000, 5_000]
    assert list(sizes(5, 2)) == [2, 2, 1]


def test_a_text_of_350_tokens_costs_a_distilbert_what_was_measured_before_the_project():
    # shared/design/engines.md: about 32 GFLOP.
    assert SIZES["distilbert"].flop(350) / 1e9 == pytest.approx(32, rel=0.05)
    assert flop_of("distilbert", [254, 254]) == 2 * SIZES["distilbert"].flop(256)
    # Two windows of 212 and two special tokens each; 32 tokens are read twice.
    assert flop_of("distilbert", [392]) == 2 * SIZES["distilbert"].flop(214)


def test_a_ratio_is_the_middle_of_those_of_each_round_so_that_a_slow_hour_cancels_out():
    assert times([9, 4.5, 9], [10, 5, 20]) == pytest.approx(0.9)


def test_ratios_are_those_of_the_same_run():
    rows = rows_of({BATCH: [20, 16, 24], SINGLE: [10, 8, 12], "LitServe": [5, 4, 6]}, {"BentoML": "left out"})
    assert rows[2]["Gradeline (batch) is x"] == 4
    assert rows[2]["Gradeline (single) is x"] == 2
    assert rows[3]["server"] == "BentoML: left out"


def test_the_last_level_is_compared_with_the_first_round_by_round():
    first, last = (
        {"submit": [1.0, 10.0, 1.0], "claim": [2.0, 2.0, 2.0]},
        {"submit": [2.0, 10.0, 9.0], "claim": [1.0, 1.0, 1.0]},
    )
    row = compared({"waiting": 7, "submit (ms)": 1.0, "claim (ms)": 2.0, "job MB": 1.0}, first, last)
    assert row == {"waiting": "last / first", "submit (ms)": 2.0, "claim (ms)": 0.5, "job MB": ""}


def test_a_reading_of_a_whole_table_is_found_below_other_nodes():
    plan = {"Node Type": "Nested Loop", "Plans": [
        {"Node Type": "Seq Scan", "Relation Name": "job"},
        {"Node Type": "Bitmap Heap Scan", "Relation Name": "job", "Plans": [
            {"Node Type": "BitmapOr", "Plans": [
                {"Node Type": "Bitmap Index Scan", "Index Name": "a"}, {"Node Type": "Bitmap Index Scan", "Index Name": "b"},
            ]}]},
    ]}  # fmt: skip
    scans = list(scans_of(plan))
    assert scans == [Scan("job", "Seq Scan", ""), Scan("job", "Bitmap Heap Scan", "a + b")]
    assert whole_tables(scans, "job") == scans[:1]


def test_texts_have_their_length_and_another_seed_gives_others():
    first, second = texts_of(3, seed=1, words=40), texts_of(3, seed=2, words=40)
    assert {len(text.split()) for text in first + second} == {40}
    assert not set(first) & set(second)
    assert marked(first, "A1")[0] == f"A1 {first[0]}"
    assert all(60 <= len(text.split()) <= 400 for text in mixed_texts(50))


def test_every_text_of_a_backlog_differs():
    texts = Texts()
    assert len({*texts.some(700), *texts.some(700)}) == 1400
