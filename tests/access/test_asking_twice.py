"""A first word that nothing listens is not believed where asking again does no harm."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any, cast

import pytest

from provisioning.cluster import proxying, sockets
from provisioning.errors import NothingListens
from provisioning.pods import LivePod

EOF = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "message": "error trying to reach service: EOF",
    "code": 503,
}


class Server(ThreadingHTTPServer):
    """An API server that does not reach the pod the first few times."""

    misses = 0
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        server = cast(Server, self.server)
        server.asked.append(self.command)
        is_missed = len(server.asked) <= server.misses
        body = json.dumps(EOF).encode() if is_missed else b"here"
        self.send_response(503 if is_missed else 200)
        self.send_header("Content-Type", "application/json" if is_missed else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - so the library calls them

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def ask(server: Server, method: str = "GET", body: AsyncIterator[bytes] | None = None) -> bytes:
    connection = SimpleNamespace(
        host=f"http://127.0.0.1:{server.server_port}", headers={}, tls=None, server_name=None
    )
    pod = cast(LivePod, SimpleNamespace(connection=connection, path="/api/v1/namespaces/n/pods/p"))

    async def exchange() -> bytes:
        words: dict[str, Any] = {"headers": [], "body": body, "target": "/"}
        try:
            async with proxying.asked(pod, port=80, method=method, **words) as answer:
                return b"".join([chunk async for chunk in answer.chunks])
        finally:
            await sockets.close_all()

    return asyncio.run(exchange())


def test_a_page_is_asked_for_again(server: Server) -> None:
    server.misses = 1
    assert ask(server) == b"here"
    assert server.asked == ["GET", "GET"]


def test_but_not_for_ever(server: Server) -> None:
    server.misses = 9
    with pytest.raises(NothingListens):
        ask(server)
    assert len(server.asked) == 2


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_what_may_have_been_done_is_not_done_twice(server: Server, method: str) -> None:
    server.misses = 1
    with pytest.raises(NothingListens):
        ask(server, method)
    assert server.asked == [method]
