"""Whoever runs the server makes tenants and keys with the command; what it prints works, and what it revokes does not."""

from __future__ import annotations

import json
import time
import uuid

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from gradeline.cli import commands
from tests.unit.api.conftest import app, make_key  # noqa: F401


@pytest.fixture
def command(servers, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", servers.database_url)

    def command(*arguments, fails=False):
        done = CliRunner().invoke(commands, [*arguments, "--home", str(tmp_path)])
        assert (done.exception is not None) == fails, done.output
        return str(done.exception) if fails else done.output

    return command


@pytest.fixture
def school(command) -> str:
    name = f"school-{uuid.uuid4().hex[:8]}"
    command("tenants", "create", name)
    return name


def ask(app, key, at="/v1/jobs"):  # noqa: F811
    return app.test_client().get(at, headers={"Authorization": f"Bearer {key}"})


def test_a_key_works_for_what_it_was_made_for_until_it_is_revoked(command, school, app):  # noqa: F811
    key = command("keys", "create", "lms", "--tenant", school, "--scope", "read").strip()
    assert ask(app, key).status_code == 200 and ask(app, key, "/v1/audit").status_code == 403
    listed = json.loads(command("keys", "list", "--tenant", school, "--json"))
    assert [(k["name"], k["scopes"], k["tenant"], k["revoked_at"]) for k in listed] == [("lms", ["read"], school, None)]
    assert listed[0]["last_used_at"] and key.split("_", 2)[2] not in json.dumps(listed)
    assert "revoked 'lms'" in command("keys", "revoke", listed[0]["prefix"])
    deadline = time.monotonic() + 60
    while ask(app, key).status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert json.loads(command("tenants", "list", "--json"))[-1]["id"]
    counted = {t["name"]: t["keys"] for t in json.loads(command("tenants", "list", "--json"))}
    assert counted[school] == 0


def test_a_key_that_expires_stops(command, school, app, database):  # noqa: F811
    made = json.loads(command("keys", "create", "short", "--tenant", school, "--days", "1", "--json"))
    assert made["expires_at"] and made["scopes"] == ["submit", "read"]
    with database.session() as session:
        session.execute(
            text("UPDATE api_key SET expires_at = now() - interval '1 s' WHERE id = :id"), {"id": made["id"]}
        )
    assert ask(app, made["key"]).status_code == 401


def test_the_last_use_is_written_at_most_once_a_minute(command, school, app, database):  # noqa: F811
    made = json.loads(command("keys", "create", "lms", "--tenant", school, "--json"))

    def used():
        with database.session() as session:
            return session.scalar(text("SELECT last_used_at FROM api_key WHERE id = :id"), {"id": made["id"]})

    ask(app, made["key"])
    first = used()
    app.extensions["gradeline"].keys._known.clear()
    ask(app, made["key"])
    assert first is not None and used() == first


def test_what_is_wrong_is_one_line(command, school):
    assert "there is no tenant 'nobody'" in command("keys", "create", "x", "--tenant", "nobody", fails=True)
    assert "is there already" in command("tenants", "create", school, fails=True)
    assert "there is no key" in command("keys", "revoke", "nothing", fails=True)
    assert school in command("tenants", "list") and command("keys", "list", "--tenant", school)


def test_without_a_stack_and_without_a_database_it_says_so(command, monkeypatch):
    monkeypatch.delenv("DATABASE_URL")
    assert "gradeline up" in command("keys", "list", fails=True)
