"""Requests to addresses that tenants name, against real sockets."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading

import pytest

from api import sending
from api.addresses import Allowed
from api.sending import Refused, Sender, Unsent

HERE = Allowed("127.0.0.0/8,::1")
TRICKS = {
    "loopback": "http://127.0.0.1:{port}/",
    "another loopback": "http://127.9.9.9:{port}/",
    "a name of it": "http://localhost:{port}/",
    "a number": "http://2130706433:{port}/",
    "hexadecimal": "http://0x7f000001:{port}/",
    "octal": "http://0177.0.0.1:{port}/",
    "short": "http://127.1:{port}/",
    "any": "http://0.0.0.0:{port}/",
    "IPv6": "http://[::1]:{port}/",
    "IPv4 in IPv6": "http://[::ffff:127.0.0.1]:{port}/",
    "IPv4 in IPv6, in hexadecimal": "http://[::ffff:7f00:1]:{port}/",
    "translated": "http://[64:ff9b::7f00:1]:{port}/",
    "metadata of a cloud": "http://169.254.169.254/latest/meta-data/",
    "a private network": "http://10.0.0.1/",
    "a name and a password": "http://example.org@127.0.0.1:{port}/",
    "a password alone": "http://:secret@127.0.0.1:{port}/",
    "another scheme": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:{port}/",
    "no host": "http:///x",
    "a line break": "http://127.0.0.1:{port}/\r\nHost: inside",
    "full-width digits": "http://１２７.０.０.１:{port}/",
    "a dot at the end": "http://localhost.:{port}/",
}


@pytest.mark.parametrize("url", TRICKS.values(), ids=TRICKS)
def test_no_trick_reaches_this_machine(endpoint, url):
    with pytest.raises((Refused, Unsent)):
        Sender(Allowed(""), 5).post(url.format(port=endpoint.url.rpartition(":")[2]), {}, b"{}")
    assert endpoint.heard == []


def test_a_name_is_looked_up_once_and_what_was_checked_is_gone_to(endpoint, monkeypatch):
    port, asked = int(endpoint.url.rpartition(":")[2]), []

    def rebinding(host, _):
        asked.append(host)
        return ["127.0.0.1" if len(asked) == 1 else "127.0.0.2"]

    monkeypatch.setattr(sending, "look_up", rebinding)
    answer = Sender(Allowed("127.0.0.1"), 30).post(f"http://hooks.example:{port}/a?b=c", {"X-Mine": "1"}, b"{}")
    assert answer.status == 204 and asked == ["hooks.example"]
    [(headers, body)] = endpoint.heard
    assert headers["host"] == f"hooks.example:{port}" and headers["x-mine"] == "1" and body == b"{}"
    assert endpoint.paths == ["/a?b=c"]


def test_a_name_that_has_a_private_address_beside_a_public_one_is_refused(monkeypatch):
    monkeypatch.setattr(sending, "look_up", lambda *_: ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(Refused, match="not one that webhooks may go to"):
        Sender(Allowed(""), 5).post("http://hooks.example/", {}, b"{}")


def test_the_next_address_is_tried_when_nobody_listens_on_the_first(endpoint, monkeypatch):
    monkeypatch.setattr(sending, "look_up", lambda *_: ["127.0.0.9", "127.0.0.1"])
    assert Sender(HERE, 30).post(f"http://x:{endpoint.url.rpartition(':')[2]}/", {}, b"").status == 204


def test_redirects_and_proxies_are_not_followed(endpoint, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    endpoint.says = [(302, {"Location": f"{endpoint.url}/inside"})]
    assert Sender(HERE, 30).post(endpoint.url, {}, b"{}").status == 302
    assert endpoint.paths == ["/"]


def test_an_answer_that_does_not_end_is_not_read_to_its_end(endpoint):
    endpoint.says, endpoint.longest = [(200, {})], b"x" * 65_536
    assert Sender(HERE, 60).post(endpoint.url, {}, b"{}").status == 200


def test_an_endpoint_that_drips_is_left_when_the_time_is_over():
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def drip():
            connection, _ = server.accept()
            with connection:
                try:
                    while not over.wait(0.05):
                        connection.sendall(b"H")
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(Unsent):
            Sender(HERE, 1).post(f"http://127.0.0.1:{server.getsockname()[1]}/", {}, b"{}")
        over.set()
        thread.join()


def test_what_went_wrong_is_said_without_an_address(endpoint):
    sender = Sender(HERE, 30)
    with pytest.raises(Unsent, match=r"^the host's name is not known$"):
        sender.post("http://there-is-no-such-name.invalid/", {}, b"")
    with pytest.raises(Unsent, match=r"^the TLS connection failed$"):
        sender.post(endpoint.url.replace("http:", "https:"), {}, b"")
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    with pytest.raises(Unsent, match=r"^no connection$"):
        sender.post(f"http://127.0.0.1:{free}/", {}, b"")


@pytest.fixture
def certificate(tmp_path):
    made = tmp_path / "made.pem"
    names = ["-subj", "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example"]
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(made), "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", *key, *names, "-out", f"{made}.crt"], check=True, capture_output=True)
    made.write_text(made.read_text() + (tmp_path / "made.pem.crt").read_text())
    return made


def test_tls_asks_for_the_name_although_the_address_is_pinned(certificate, monkeypatch):
    asked = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _, name, __: asked.append(name)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            for _ in range(2):
                connection, _ = server.accept()
                try:
                    with context.wrap_socket(connection, server_side=True) as secure:
                        said = b""
                        while not said.endswith(b"{}"):  # what is left unread would cut the answer off
                            said += secure.recv(65_536)
                        secure.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                except OSError:
                    pass  # a client that does not trust us

        thread = threading.Thread(target=answer)
        thread.start()
        port = server.getsockname()[1]
        monkeypatch.setattr(sending, "look_up", lambda *_: ["127.0.0.1"])
        with pytest.raises(Unsent, match="TLS"):  # nobody vouches for it
            Sender(HERE, 30).post(f"https://hooks.example:{port}/", {}, b"{}")
        trusting = Sender(HERE, 30)
        trusting._tls.load_verify_locations(certificate)
        assert trusting.post(f"https://hooks.example:{port}/", {}, b"{}").status == 204
        thread.join()
    assert asked == ["hooks.example", "hooks.example"]
