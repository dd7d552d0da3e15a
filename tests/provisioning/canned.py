"""A server that answers what it is told to, to see what the gateway makes of it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any, dict[str, str]]


@dataclass
class Canned:
    """What was asked, and what is answered: one answer for all, or a function of the request."""

    url: str = ""
    answer: Callable[["Asked"], Answer | None] = lambda asked: (200, {}, {})
    asked: list["Asked"] = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    handler: BaseHTTPRequestHandler


@contextmanager
def serve() -> Iterator[Canned]:
    canned = Canned()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are two writes; the second would wait for the first to be acknowledged.
        disable_nagle_algorithm = True

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            asked = Asked(
                self.command,
                self.path,
                dict(self.headers),
                json.loads(text) if text else None,
                self,
            )
            canned.asked.append(asked)
            answer = canned.answer(asked)
            if answer is None:
                self.close_connection = True
                return
            status, body, headers = answer
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # The interpreter waits for its other threads before it calls what is to be called at exit.
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    canned.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield canned
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
