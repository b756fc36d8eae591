"""What the processes of a stack write, and where."""

from __future__ import annotations

import shlex
import subprocess
import sys

from gradeline.stack import supervisor
from gradeline.stack.home import Home
from gradeline.stack.plan import watcher


def test_a_process_writes_its_log_itself_so_that_nobody_must_read_what_it_says(tmp_path):
    home = Home(tmp_path / "a home")
    home.logs.mkdir(parents=True)
    code = "import sys; print('one thing'); print('and \"$another\"', file=sys.stderr)"
    made = watcher(home, "api", [sys.executable, "-c", code], {})
    for _ in range(2):
        done = subprocess.run(shlex.split(made["cmd"]), capture_output=True, timeout=60, check=True)
        assert (done.stdout, done.stderr) == (b"", b"")
    lines = (home.logs / "api.log").read_text().splitlines()
    assert sorted(lines) == sorted(["one thing", 'and "$another"'] * 2)
    assert not any("stream" in name for name in made)


def test_a_long_log_begins_anew_and_its_writer_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "LOG_BYTES", 10)
    log = tmp_path / "api.log"
    with log.open("a") as writer:
        for number in range(6):
            writer.write(f"part {number} of the log\n")
            writer.flush()
            supervisor.shorten(log)
        writer.write("short")
        writer.flush()
        supervisor.shorten(log)
    assert log.read_text() == "short"
    kept = [tmp_path / f"api.log.{n}" for n in (1, 2, 3, 4)]
    assert [f.read_text() if f.exists() else None for f in kept] == [
        *(f"part {n} of the log\n" for n in (5, 4, 3)),
        None,
    ]
