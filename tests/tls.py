"""A TLS front for servers that have none: the PostgreSQL and the Valkey of the wheels are built without OpenSSL.

`python -m tests.tls --listen 10.0.0.1:6380 --to 127.0.0.1:6379 --certificate server.pem` ends TLS as a managed service's
own front does, and passes what is inside on. With `--postgres` it answers PostgreSQL's SSLRequest first.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from gradeline.stack.home import free_port

SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


@dataclass(frozen=True)
class Certificates:
    """A CA, a server's certificate by it with its key, and another CA that signed nothing."""

    ca: Path
    server: Path
    other_ca: Path


def make_certificates(folder: Path, *names: str) -> Certificates:
    """For a server of these host names or addresses."""
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "other-ca.pem")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(made.ca))
    trustme.CA().cert_pem.write_to_path(str(made.other_ca))
    ca.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(made.server))
    return made


class Front:
    """Takes TLS connections and passes them on to a server on loopback."""

    def __init__(self, port: int, certificate: Path, postgres: bool) -> None:
        self.port, self.postgres = port, postgres
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificate)

    async def serve(self, host: str, port: int) -> asyncio.Server:
        return await asyncio.start_server(self.take, host, port, ssl=None if self.postgres else self.context)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A peer may go at any moment, and a handshake may fail.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            if self.postgres:
                if await reader.readexactly(8) != SSL_REQUEST:
                    writer.close()
                    return
                writer.write(b"S")
                await writer.drain()
                await writer.start_tls(self.context)
            inside = await asyncio.open_connection("127.0.0.1", self.port)
            await asyncio.gather(self._pass(reader, inside[1]), self._pass(inside[0], writer))
        writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


@contextmanager
def fronted(port: int, certificate: Path, postgres: bool = False) -> Iterator[int]:
    """A front on a port of its own, in a thread, for a server's port."""
    own, loop = free_port(), asyncio.new_event_loop()
    # A peer that broke off is what some tests want to see.
    loop.set_exception_handler(lambda *_: None)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(Front(port, certificate, postgres).serve("127.0.0.1", own), loop).result(
        10
    )
    try:
        yield own
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0.1)  # what was closed is closed in the loop's next rounds


async def _serve(front: Front, host: str, port: int) -> None:
    server = await front.serve(host, port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.tls", description=__doc__)
    for name in ("--listen", "--to", "--certificate"):
        parser.add_argument(name, required=True)
    parser.add_argument("--postgres", action="store_true")
    told = parser.parse_args()
    host, port = told.listen.split(":")
    front = Front(int(told.to.split(":")[1]), Path(told.certificate), told.postgres)
    asyncio.run(_serve(front, host, int(port)))


if __name__ == "__main__":
    main()
