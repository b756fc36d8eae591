"""A home folder: the data, secrets, logs and addresses of one embedded stack."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import socket
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gradeline.errors import StackError


@dataclass(frozen=True)
class Ports:
    """Where the parts of a stack listen, on loopback."""

    api: int = 5001
    flower: int = 5555
    postgres: int = 0
    valkey: int = 0


@dataclass(frozen=True)
class Home:
    """Paths of one stack. Two homes are two stacks that can run side by side."""

    path: Path

    @property
    def stack_file(self) -> Path:
        return self.path / "stack.json"

    @property
    def key_file(self) -> Path:
        return self.path / "api-key"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        return self.path / "valkey"

    @property
    def lock_file(self) -> Path:
        return self.path / "supervisor.lock"

    @property
    def runtime(self) -> Path:
        """Where the control socket is, whose path must stay below 107 characters, which a home's need not, and what the
        processes keep for a moment: of one that is killed it would stay."""
        name = hashlib.sha256(str(self.path).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"gradeline-{os.getuid()}-{name}"

    @property
    def endpoint(self) -> str:
        return f"ipc://{self.runtime}/control.sock"

    def prepare(self) -> None:
        """Makes the folders. StackError says in one line what is in the way."""
        try:
            for folder in (self.path, self.logs, self.valkey):
                folder.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o711)
            (self.path / ".writable").write_text("")
            (self.path / ".writable").unlink()
        except OSError as error:
            raise StackError(
                f"can't write to {self.path}: {error.strerror}. Choose another place with --home."
            ) from error

    def enter(self) -> None:
        """Makes what a stack needs outside its folder while it runs. StackError when it is in somebody else's hands."""
        self.runtime.mkdir(mode=0o700, exist_ok=True)
        if self.runtime.stat().st_uid != os.getuid():
            raise StackError(f"{self.runtime} belongs to somebody else; remove it or set TMPDIR")

    def leave(self) -> None:
        """Takes that away again."""
        shutil.rmtree(self.runtime, ignore_errors=True)

    def secret(self, name: str) -> str:
        """A password that is made at its first use and kept in a file that only its owner reads."""
        file = self.path / f"{name}-password"
        if not file.exists():
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as opened:
                opened.write(secrets.token_hex(24))
        return file.read_text().strip()

    def read(self) -> dict[str, Any]:
        """What was written of the stack that ran last; empty for a new home."""
        try:
            return dict(json.loads(self.stack_file.read_text()))
        except (OSError, ValueError):
            return {}

    def write(self, ports: Ports, workers: int, flower: bool) -> None:
        """Keeps what the next command must know."""
        body = {"ports": asdict(ports), "workers": workers, "flower": flower, "url": f"http://127.0.0.1:{ports.api}"}
        aside = self.stack_file.with_suffix(".new")
        aside.write_text(json.dumps(body, indent=1) + "\n")
        aside.replace(self.stack_file)


def open_home(path: Path | None) -> Home:
    """The home that was asked for, or $GRADELINE_HOME, or ./.gradeline."""
    return Home((path or Path(os.environ.get("GRADELINE_HOME") or ".gradeline")).expanduser().resolve())


def choose_ports(home: Home, api: int, flower: int | None) -> Ports:
    """The ports asked for, which must be free, and free ones for the servers behind: the last ones if they still are."""
    for port, option in ((api, "--port"), (flower, "--flower-port")):
        if port is not None and not is_free(port):
            raise StackError(f"port {port} is in use by another program; choose another with {option}")
    last = home.read().get("ports", {})
    ports = Ports(api, flower or 0)
    for name in ("postgres", "valkey"):
        kept = int(last.get(name) or 0)
        ports = replace(ports, **{name: kept if kept and is_free(kept) else free_port()})
    return ports


def is_free(port: int) -> bool:
    """Whether a server could listen on a loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
