"""Stand at the doors of a really listening web process, as a browser or as an attacker.

Requests are written by hand, so that nothing makes an address or a header nicer than it is.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

PATIENCE = 15.0
# What a browser says of somebody who follows a link.
NAVIGATES = {
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
    "Accept": "text/html",
}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Web:
    """The web process, in a thread of this one."""

    def __init__(self) -> None:
        from portal.asgi import application

        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                application, lifespan="on", log_level="warning", timeout_graceful_shutdown=2
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def start(self) -> None:
        self._thread.start()
        until(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(PATIENCE)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Browser:
    """Cookies by host, and nothing else that would protect anybody."""

    web: Web
    jars: dict[str, dict[str, str]] = field(default_factory=dict)

    def get(self, host: str, target: str = "/", **words: Any) -> Answer:
        return self.send("GET", host, target, **words)

    def send(
        self,
        method: str,
        host: str,
        target: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
        hosts: tuple[str, ...] = (),
        chunked: bool = False,
    ) -> Answer:
        """Send one request to wherever the web process listens, whatever the host is called."""
        connection = HTTPConnection("127.0.0.1", self.web.port, timeout=PATIENCE)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name in hosts or (host,):
            connection.putheader("Host", name)
        for name, value in {**self._cookie(host), **(headers or {})}.items():
            connection.putheader(name, value)
        if isinstance(body, bytes):
            connection.putheader("Content-Length", str(len(body)))
        elif body is not None:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders(body, encode_chunked=body is not None and not isinstance(body, bytes))
        response = connection.getresponse()
        answer = Answer(response.status, response.getheaders(), response.read())
        connection.close()
        self._keep(host, answer)
        return answer

    def follow(self, host: str, target: str = "/", *, most: int = 8) -> tuple[str, str, Answer]:
        """Navigate somewhere, following redirects as a browser does."""
        for _ in range(most):
            answer = self.get(host, target, headers=NAVIGATES)
            if answer.status not in (301, 302, 303):
                return host, target, answer
            parts = urlsplit(answer["Location"])
            host = parts.netloc or host
            target = parts.path + (f"?{parts.query}" if parts.query else "")
        raise AssertionError("too many redirects")

    def socket(
        self, host: str, target: str, *, origin: str | None, headers: dict[str, str] | None = None,
        **words: Any,
    ) -> ClientConnection:  # fmt: skip
        plain = socket.create_connection(("127.0.0.1", self.web.port), timeout=PATIENCE)
        return connect(
            f"ws://{host}{target}",
            sock=plain,
            origin=origin,  # type: ignore[arg-type]
            additional_headers={**self._cookie(host), **(headers or {})},
            proxy=None,
            open_timeout=PATIENCE,
            close_timeout=2,
            **words,
        )

    def _cookie(self, host: str) -> dict[str, str]:
        jar = self.jars.get(host, {})
        return (
            {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}
        )

    def _keep(self, host: str, answer: Answer) -> None:
        for line in answer.all("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.jars.setdefault(host, {})[name] = morsel.value


def until(is_so: Any, *, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def closed(connection: ClientConnection) -> tuple[int | None, str | None]:
    """Read until the other side closes; return its code and reason."""
    with suppress(ConnectionClosed):
        while True:
            connection.recv(timeout=PATIENCE)
    return connection.close_code, connection.close_reason


def read_until(connection: ClientConnection, wanted: bytes) -> bytes:
    """Read what a terminal prints until something is in it."""
    seen = b""
    while wanted not in seen:
        message = connection.recv(timeout=PATIENCE)
        assert isinstance(message, bytes)
        seen += message
    return seen


@contextmanager
def refused(status: int = 403) -> Iterator[None]:
    """The socket is not opened at all."""
    with pytest.raises(InvalidStatus) as told:
        yield
    assert told.value.response.status_code == status
