"""`gradeline status`."""

from __future__ import annotations

import io

from rich.console import Console

from gradeline.cli.running import show


def test_the_status_leaves_out_what_was_not_started():
    file = io.StringIO()
    found = {"processes": [], "workers": [], "queues": [], "problem": None}
    show({**found, "addresses": {"api": "http://127.0.0.1:5001", "flower": None}}, Console(file=file, width=80))
    assert "api: http://127.0.0.1:5001\n" in file.getvalue() and "flower" not in file.getvalue()
