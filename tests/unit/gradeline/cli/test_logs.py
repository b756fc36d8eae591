"""`gradeline logs` says what there is when it is not what was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from gradeline.cli import commands
from gradeline.errors import ClientError


@pytest.fixture
def logs(tmp_path):
    def logs(*arguments: str) -> str:
        command = ["logs", *arguments, "--home", str(tmp_path)]
        return CliRunner().invoke(commands, command, catch_exceptions=False).output

    return logs


def written(home: Path) -> None:
    (home / "logs").mkdir()
    for name in ("api", "worker-cpu"):
        (home / "logs" / f"{name}.log").write_text(f"first of {name}\nlast of {name}\n")


def test_without_a_stack_there_are_no_logs_and_the_command_says_how_to_start_one(logs):
    with pytest.raises(ClientError, match="`gradeline up` starts one"):
        logs()


def test_a_log_that_is_not_there_is_named_with_those_that_are(logs, tmp_path):
    written(tmp_path)
    with pytest.raises(ClientError, match=r"no log of apo in .*; there are api, worker-cpu"):
        logs("api", "apo")


def test_as_many_last_lines_are_shown_as_were_asked_for(logs, tmp_path):
    written(tmp_path)
    assert logs("api", "-n", "1") == "       api | last of api\n"
    assert logs("-n", "0") == "" and "not in the range" in logs("-n", "-1")
    assert logs().count("\n") == 4
