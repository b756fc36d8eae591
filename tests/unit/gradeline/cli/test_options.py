"""Where the API is, as the environment says it."""

from __future__ import annotations

import pytest

from gradeline.cli.options import client_of, open_home
from gradeline.errors import ClientError


@pytest.mark.parametrize(
    ("url", "key", "said"),
    [("localhost:5001", "gl_a_b", "begins with http://"), ("http://localhost:5001", "schlüssel", "GRADELINE_API_KEY"),
     ("http://localhost:5001", "gl_a\nb", "GRADELINE_API_KEY")],
)  # fmt: skip
def test_an_address_or_a_key_that_can_be_none_is_said_to_be(monkeypatch, tmp_path, url, key, said):
    monkeypatch.setenv("GRADELINE_URL", url)
    monkeypatch.setenv("GRADELINE_API_KEY", key)
    with pytest.raises(ClientError, match=said):
        client_of(open_home(tmp_path))


def test_a_key_may_have_come_from_a_file_with_its_line_end(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADELINE_URL", "http://localhost:5001/")
    monkeypatch.setenv("GRADELINE_API_KEY", "gl_a_b\n")
    with client_of(open_home(tmp_path)) as client:
        assert client._http.headers["Authorization"] == "Bearer gl_a_b"
