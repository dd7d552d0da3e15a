"""WebSockets to a cluster's API: what was said on each channel, and how it ended."""

import json
import ssl
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

import websocket

from tests.contract.api import Answer, Api, Json

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, ENDED, RESIZE, CLOSE = b"\0", 1, 2, 3, b"\4", b"\xff"
PATIENCE = 15


@dataclass
class Heard:
    """Everything a server said on one WebSocket."""

    protocol: str | None
    channels: dict[int, bytes] = field(default_factory=lambda: defaultdict(bytes))
    code: int = 0

    def out(self) -> str:
        return self.channels[STDOUT].decode()

    def err(self) -> str:
        return self.channels[STDERR].decode()

    def ended(self) -> Json:
        found: Json = json.loads(self.channels[ENDED])
        return found


class Talk:
    """One WebSocket, or the answer that refused it."""

    def __init__(
        self, api: Api, path: str, query: Sequence[tuple[str, str]], *, protocols: Sequence[str]
    ) -> None:
        url = api.host.replace("http", "ws", 1) + path + ("?" + urlencode(query) if query else "")
        self.refusal: Answer | None = None
        self.socket: websocket.WebSocket | None = None
        try:
            self.socket = websocket.create_connection(
                url,
                header=[f"Authorization: {api.token}"],
                subprotocols=list(protocols) or None,
                sslopt={"cert_reqs": ssl.CERT_NONE},
                timeout=PATIENCE,
            )
        except websocket.WebSocketBadStatusException as error:
            text = (error.resp_body or b"").decode()
            self.refusal = Answer(error.status_code, text, dict(error.resp_headers or {}))

    def say(self, *messages: bytes) -> "Talk":
        assert self.socket is not None, self.refusal
        for message in messages:
            self.socket.send_binary(message)
        return self

    def hear(self, until: bytes = b"") -> Heard:
        """All until the server hangs up, or until something was said on the first channels."""
        assert self.socket is not None, self.refusal
        heard = Heard(self.socket.subprotocol)
        while not until or until not in heard.channels[0] + heard.channels[STDOUT]:
            opcode, data = self.socket.recv_data()
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                heard.code = int.from_bytes(data[:2])
                break
            if data:
                heard.channels[data[0]] += data[1:]
        self.socket.close()
        return heard

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()


def execute(
    api: Api,
    pod: str,
    *command: str,
    tty: bool = False,
    stdin: bool = False,
    container: str = "",
    protocols: Sequence[str] = (V5, V4),
) -> Talk:
    """Run a command in a pod, named by its path."""
    query = [("command", word) for word in command] + [("stdout", "true")]
    query += [("tty", "true")] if tty else [("stderr", "true")]
    query += [("stdin", "true")] if stdin else []
    query += [("container", container)] if container else []
    return Talk(api, f"{pod}/exec", query, protocols=protocols)
