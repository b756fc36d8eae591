"""A real server of the API for the client and the command."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from werkzeug.serving import make_server

from gradeline.cli import commands, main
from gradeline.client import Client
from tests.unit.api.conftest import app, end_jobs, make_key  # noqa: F401
from tests.unit.api.test_failed import problem


class Forgetful:
    """Carries out hand-ins, and loses the first answers; is away for so many questions; or is another program."""

    def __init__(self, app) -> None:  # noqa: F811
        self.app, self.lose, self.asked, self.away = app, 0, 0, 0
        self.stranger = self.stranger_reads = False

    def __call__(self, environ, start):
        self.asked += 1
        if self.stranger or (self.stranger_reads and environ["REQUEST_METHOD"] == "GET"):
            start("200 OK", [("Content-Type", "text/html")])
            return [b"<h1>It works!</h1>"]
        if self.away and environ["REQUEST_METHOD"] == "GET":
            self.away -= 1
            return self._unavailable(start)
        if self.lose == 0:
            return self.app(environ, start)
        self.lose -= 1
        for _ in self.app(environ, lambda *_: None):
            pass
        return self._unavailable(start)

    def _unavailable(self, start):
        start("503 Service Unavailable", [("Content-Type", "application/problem+json")])
        return [b'{"code": "unavailable", "detail": "The answer was lost."}']


@pytest.fixture
def forgetful(app) -> Forgetful:  # noqa: F811
    return Forgetful(app)


class Served:
    """The app on a port of its own, which can die and come back."""

    def __init__(self, app) -> None:  # noqa: F811
        self.app, self.port, self.server = app, 0, None
        self.start()

    def start(self) -> None:
        self.server = make_server("127.0.0.1", self.port, self.app, threaded=True)
        self.port = self.server.port
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join(timeout=60)
        self.server.server_close()


@pytest.fixture
def served(forgetful) -> Iterator[Served]:
    served = Served(forgetful)
    yield served
    served.stop()


@pytest.fixture
def address(served) -> str:
    return f"http://127.0.0.1:{served.port}"


@pytest.fixture
def client(address, make_key) -> Iterator[Client]:  # noqa: F811
    with Client(address, make_key()) as made:
        yield made


@pytest.fixture
def environment(client, address) -> dict[str, str]:
    """Where the command finds the API."""
    key = client._http.headers["Authorization"].removeprefix("Bearer ")
    return {"GRADELINE_URL": address, "GRADELINE_API_KEY": key, "COLUMNS": "200"}


@pytest.fixture
def command(environment):
    """The command `gradeline`, told where the API is."""

    def command(*arguments: str, fails: bool = False) -> str:
        done = CliRunner().invoke(commands, list(arguments), env=environment, catch_exceptions=False)
        assert done.exit_code == int(fails), done.output
        return done.output

    return command


@pytest.fixture
def told(environment, monkeypatch, capsys):
    """What the command says on standard error when it ends with 1."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def told(*arguments: str) -> str:
        monkeypatch.setattr("sys.argv", ["gradeline", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        return capsys.readouterr().err

    return told


@pytest.fixture
def graded(client, app, database) -> Iterator[None]:  # noqa: F811
    """Ends what is handed in, as a worker does, while it is needed: nothing can be scored."""
    stop, key = threading.Event(), {"Authorization": client._http.headers["Authorization"]}

    def end_all() -> None:
        while not stop.wait(0.2):
            found = app.test_client().get("/v1/jobs?state=queued", headers=key).json["items"]
            if found:
                end_jobs(database, [job["id"] for job in found], error=problem("unscorable"))

    worker = threading.Thread(target=end_all)
    worker.start()
    yield
    stop.set()
    worker.join(timeout=60)
