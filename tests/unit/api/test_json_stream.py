"""A JSON object that is read piece by piece says what Python's decoder says of the whole."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api import json_stream
from api.batch_readers import read_items, read_settings
from api.errors import Malformed, TooLarge
from api.json_stream import members

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["items", "prompt", "\U0001f600"]) | st.text(max_size=4), VALUES, max_size=4)


def whole(body: bytes, longest: int = 2**20) -> object:
    """What the pieces are together."""
    found: dict = {}
    for name, value, number in members(io.BytesIO(body), ["items"], longest):
        if name is None:
            return value
        if number is None:
            found[name] = value
        else:
            assert number == len(found.setdefault(name, []))
            found[name].append(value)
    return found


@pytest.fixture(params=[1, 2, 7, 64 * 1024])
def piece(request, monkeypatch):
    """Pieces so small that every value is cut everywhere."""
    monkeypatch.setattr(json_stream, "PIECE", request.param)


@pytest.mark.usefixtures("piece")
def test_an_object_is_the_same_however_it_is_cut():
    @settings(max_examples=150, deadline=None)
    @given(body=OBJECTS, ascii_=st.booleans(), indent=st.sampled_from([None, 0, 3]))
    @example(body={"items": [1e300, -1.5e-7, "\ud83d", {"a": float("inf")}]}, ascii_=True, indent=None)
    @example(body={"items": [], "a": [True, None, 12345678901234567890]}, ascii_=True, indent=None)
    def same(body, ascii_, indent):
        text = json.dumps(body, ensure_ascii=ascii_, indent=indent)
        sent = text.encode("utf-8", "replace")
        assert repr(whole(sent)) == repr(json.loads(sent))  # repr: NaN is not NaN

    same()


@pytest.mark.usefixtures("piece")
def test_what_is_no_json_is_refused_however_it_is_cut():
    @settings(max_examples=150, deadline=None)
    @given(
        body=OBJECTS, at=st.integers(0, 200), put=st.sampled_from([b"", b",", b"}", b"]", b'"', b"\xff", b"\\", b"e"])
    )
    def refused(body, at, put):
        sent = json.dumps(body).encode()
        sent = sent[: at % len(sent)] + put + sent[at % len(sent) + 1 :]
        try:
            expected = json.loads(sent)
        except ValueError:
            with pytest.raises(Malformed):
                whole(sent)
        else:
            if b'"items"' not in sent:  # of two arrays of that name Python takes the second
                assert repr(whole(sent)) == repr(expected)

    refused()


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"[" * 100_000, b'{"items": [' + b"[" * 100_000, b"9" * 5000, b'{"a": 1} x']
)
def test_what_python_can_not_read_either_is_refused(body):
    with pytest.raises(Malformed):
        whole(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"items": ["' + b"a" * 300_000 + b'"]}', b'"' + b"a" * 300_000, b'{"' + b"a" * 300_000, b'{"a": ' + b"1" * 300_000,
        b"{" + b",".join(b'"%d": "%s"' % (n, b"a" * 500) for n in range(400)) + b"}",
    ],
)  # fmt: skip
def test_a_value_that_is_too_long_is_not_held(body):
    file = io.BytesIO(body)
    with pytest.raises((TooLarge, Malformed)):
        list(members(file, ["items"], 50_000))
    assert file.tell() <= 400_000


def test_settings_may_come_before_and_after_the_items():
    file = io.BytesIO(b'\xef\xbb\xbf{"a": 1, "items": [1, {"text": "x"}], "b": {"items": [2]}} ')
    assert read_settings(file, 5) == {"a": 1, "items": [None], "b": {"items": [2]}}
    assert list(read_items(file)) == [(1, 1), (2, {"text": "x"})] == list(read_items(file))
