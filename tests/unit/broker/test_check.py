"""What is wrong with a server of one's own is said in a sentence, at once, however it is wrong."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis

from broker import check
from broker.address import client_of, read
from broker.settings import BrokerSettings
from gradeline.stack.home import free_port
from tests.conftest import Servers
from tests.tls import Certificates, fronted, make_certificates

ROOT = Path(__file__).parents[3]
RIGHT_CA, RIGHT_USER, RIGHT_COMMANDS = "not signed by the CA", "user or the password is wrong", "check --acl"


@dataclass(frozen=True)
class Managed:
    """The test's servers as a provider offers them: behind TLS, for a user with few rights."""

    servers: Servers
    certificates: Certificates
    ports: tuple[int, int]
    user: str

    def redis(self, password: str = "secret", ca: Path | None = None, user: str = "") -> str:
        ca = ca or self.certificates.ca
        return f"rediss://{user or self.user}:{password}@localhost:{self.ports[1]}/0?ssl_ca_certs={ca}"

    def postgres(self, password: str = "secret", ca: Path | None = None) -> str:
        tls = f"sslmode=verify-full&sslrootcert={ca or self.certificates.ca}"
        return f"postgresql://{self.user}:{password}@localhost:{self.ports[0]}/gradeline?{tls}"

    def settings(self, **urls: str) -> BrokerSettings:
        return BrokerSettings(**{"database_url": self.postgres(), "redis_url": self.redis(), **urls})


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1].split("/")[0])


@pytest.fixture(scope="module")
def managed(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    certificates = make_certificates(tmp_path_factory.mktemp("tls"), "localhost")
    user = f"u{uuid.uuid4().hex[:8]}"
    with (
        redis.Redis.from_url(servers.redis_url) as admin,
        psycopg.connect(servers.database_url, autocommit=True) as owner,
    ):
        admin.execute_command(*check.acl(user).replace("PASSWORD", "secret").split())
        owner.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'secret'")
        owner.execute(check.grants(user))
        database, broker = port_of(servers.database_url), port_of(servers.redis_url)
        with (
            fronted(database, certificates.server, postgres=True) as first,
            fronted(broker, certificates.server) as second,
        ):
            yield Managed(servers, certificates, (first, second), user)
        owner.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")
        admin.execute_command("ACL", "DELUSER", user)


def test_a_user_with_few_rights_over_tls_is_enough(managed):
    assert check.database(managed.settings()) is None
    assert check.broker(managed.settings()) is None


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda m: m.redis(ca=m.certificates.other_ca), RIGHT_CA),
        (lambda m: m.redis().split("?")[0], RIGHT_CA),  # the CAs of the system don't know it
        (lambda m: m.redis().replace("localhost", "127.0.0.1"), "certificate is for another name"),
        (lambda m: m.redis(password="guess"), RIGHT_USER),
        (lambda m: m.redis().replace("rediss:", "redis:").split("?")[0], "does it want TLS"),
        (lambda m: m.redis().replace(str(m.ports[1]), str(port_of(m.servers.redis_url))), "TLS port"),
        (lambda m: m.redis(ca=Path("/nowhere.pem")), "a file of the address is not there"),
        (lambda m: m.redis().replace(str(m.ports[1]), str(free_port())), "nothing listens there"),
        (lambda m: m.redis().replace("rediss:", "redis:"), "must begin with rediss://"),
        (lambda m: m.redis() + "&ssl_version=3", "there is no option ssl_version"),
    ],
    ids="other_ca no_ca name password plain_to_tls tls_to_plain no_file no_server scheme option".split(),
)  # fmt: skip
def test_what_is_wrong_with_redis_is_said(managed, wrong, sentence):
    began = time.monotonic()
    said = check.broker(managed.settings(redis_url=wrong(managed)))
    assert said.startswith("REDIS_URL: ") and sentence in said
    assert "secret" not in said and time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda m: m.postgres(ca=m.certificates.other_ca), RIGHT_CA),
        (lambda m: m.postgres(ca=Path("/nowhere.pem")), "the CA's file is not there"),
        (lambda m: m.postgres().replace("localhost", "127.0.0.1"), "certificate is for another name"),
        (lambda m: m.postgres(password="guess"), RIGHT_USER),
        (lambda m: m.postgres().split("?")[0] + "?sslmode=disable", "does it want TLS"),
        (lambda m: m.postgres().replace(str(m.ports[0]), str(port_of(m.servers.database_url))), "the server has no TLS"),
        (lambda m: m.postgres().replace("/gradeline?", "/nothing?"), "no such database"),
        (lambda m: m.postgres().replace(str(m.ports[0]), str(free_port())), "nothing listens there"),
    ],
    ids="other_ca no_ca name password plain_to_tls tls_to_plain no_database no_server".split(),
)  # fmt: skip
def test_what_is_wrong_with_postgresql_is_said(managed, wrong, sentence):
    said = check.database(managed.settings(database_url=wrong(managed)))
    assert said.startswith("DATABASE_URL: ") and sentence in said and "secret" not in said


@pytest.mark.parametrize(
    "right", ["+brpop", "+evalsha", "+publish", "+incrby", "~gradeline:*", "&gradeline:/0.celery.pidbox"]
)
def test_a_right_that_is_missing_is_named(managed, right):
    user = f"less{uuid.uuid4().hex[:8]}"
    line = [part for part in check.acl(user).replace("PASSWORD", "secret").split() if part != right]
    with redis.Redis.from_url(managed.servers.redis_url) as admin:
        admin.execute_command(*line)
        said = check.broker(managed.settings(redis_url=managed.redis(user=user)))
        admin.execute_command("ACL", "DELUSER", user)
    assert RIGHT_COMMANDS in said
    assert ("access a key" if right[0] == "~" else right[1:]) in said


def test_a_table_that_may_not_be_written_is_named(managed):
    with psycopg.connect(managed.servers.database_url, autocommit=True) as owner:
        owner.execute(f"REVOKE UPDATE ON job FROM {managed.user}")
        said = check.database(managed.settings())
        owner.execute(f"GRANT UPDATE ON job TO {managed.user}")
    assert said.startswith("DATABASE_URL: no right to job") and "check --grants" in said


def test_a_database_without_a_schema_says_who_makes_it(servers):
    other = servers.database_url.removesuffix("/gradeline") + "/postgres"
    assert "python -m db.migrate" in check.database(BrokerSettings(database_url=other))


def test_the_command_prints_each_sentence_and_fails(managed):
    told = {"DATABASE_URL": managed.postgres(), "REDIS_URL": managed.redis(), "PYTHONPATH": str(ROOT)}

    def run(**wrong: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "broker.check"]
        return subprocess.run(command, env=told | wrong, capture_output=True, text=True, timeout=120, check=False)

    good = run()
    assert (good.returncode, good.stdout + good.stderr) == (0, "")
    bad = run(DATABASE_URL=managed.postgres("guess"), REDIS_URL=managed.redis("guess"))
    assert bad.returncode == 1
    assert [line.split(":")[0] for line in bad.stderr.splitlines()] == ["DATABASE_URL", "REDIS_URL"]


def test_a_certificate_is_checked_unless_that_is_turned_off():
    assert read("rediss://h/0").tls == {"ssl_cert_reqs": "required"}
    assert read("rediss://h/0?ssl_cert_reqs=none").tls == {"ssl_cert_reqs": "none"}
    assert read("redis://h/0").tls is None
    assert read("sentinel://a:1;sentinel://b:2/0?ssl_ca_certs=f").urls == ("sentinel://a:1", "sentinel://b:2/0")


def test_without_tls_nothing_is_trusted_although_a_name_fits(managed):
    with client_of(managed.settings(redis_url=managed.redis() + "&ssl_check_hostname=false"), 5) as client:
        assert client.ping()
