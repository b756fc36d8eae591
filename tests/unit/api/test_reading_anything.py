"""Whatever bytes come, a reader gives rows or one of two refusals, and nothing else."""

from __future__ import annotations

import io
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from api.batch_readers import read_csv, read_ndjson
from api.batch_rows import ReadRows
from api.errors import InvalidRequest, TooLarge
from api.zipped import Zipped
from tests.documents import zipped

ANYTHING = st.binary(max_size=400)
LINES = st.lists(
    st.sampled_from([b"text", b",", b";", b"\t", b'"', b"\n", b"\r", b"\0", b"a", b"\xff", b"{", b"}", b":"]),
    max_size=60,
)
WHOLE = zipped({"a.txt": b"One text.", "b/c.docx": b"PK", "../d.pdf": b"%PDF"})
OFTEN = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def rows_of(read):
    with suppress(InvalidRequest, TooLarge):
        rows = ReadRows(read, None, 50)
        assert len(list(rows)) == len(rows)  # what was counted is what is written
        assert all(each["problem"]["detail"] for each in rows.rejected)


@pytest.mark.parametrize("reader", [read_ndjson, read_csv])
@OFTEN
@given(body=ANYTHING | LINES.map(b"".join) | LINES.map(lambda parts: b"text,external_id\n" + b"".join(parts)))
@example(body=b'text\rtext\n"')
@example(body=b"[" * 5000)
@example(body=b"1" * 5000)
def test_lines_and_tables(reader, body):
    file = io.BytesIO(body)
    rows_of(lambda: reader(file))


@OFTEN
@given(at=st.integers(0, len(WHOLE) - 1), put=st.binary(max_size=8), cut=st.integers(0, 8))
def test_a_zip_with_some_bytes_changed(at, put, cut):
    file = io.BytesIO(WHOLE[:at] + put + WHOLE[at + cut :])
    with suppress(InvalidRequest, TooLarge):
        rows_of(Zipped(file, 10, 1000, 10_000).rows)


@OFTEN
@given(body=ANYTHING)
def test_a_zip_of_anything(body):
    with suppress(InvalidRequest, TooLarge):
        rows_of(Zipped(io.BytesIO(body + WHOLE[-22:]), 10, 1000, 10_000).rows)
