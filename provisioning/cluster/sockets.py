"""Sockets to a cluster for those who stay: terminals, streams and proxied ports.

`asking` takes a pooled connection for one question; what is here runs in an event loop,
stays open for hours and passes bytes on as they come.  The credentials are those of a
`Connection`, which a thread has fetched: nothing here touches the database.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

import aiohttp
from yarl import URL

from provisioning.cluster.connections import Connection
from provisioning.cluster.errors import (
    ClusterRefused,
    ClusterUnreachable,
    StatusBody,
    refusal_of,
)

CONNECT_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 10.0
# A pong has half of this to come back.
HEARTBEAT_SECONDS: Final = 60.0
LONGEST_MESSAGE: Final = 16 * 1024 * 1024
MOST_SESSIONS: Final = 64

Sessions = dict[int, tuple[Connection, aiohttp.ClientSession]]
_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, Sessions] = WeakKeyDictionary()


def session_of(connection: Connection) -> aiohttp.ClientSession:
    """Return this loop's session with a cluster, made at first use."""
    sessions = _sessions.setdefault(asyncio.get_running_loop(), {})
    # The connection is kept beside its session, so no other can take over its id.
    if id(connection) not in sessions:
        sessions[id(connection)] = (connection, _open_session(connection))
        _let_oldest_go(sessions)
    return sessions[id(connection)][1]


async def close_all() -> None:
    """Close this loop's sessions and whatever runs over them."""
    for _, session in _sessions.pop(asyncio.get_running_loop(), {}).values():
        await session.close()


@asynccontextmanager
async def web_socket(
    connection: Connection,
    path_and_query: str,
    *,
    protocols: tuple[str, ...] = (),
    headers: Mapping[str, str] | None = None,
    answer_seconds: float = ANSWER_SECONDS,
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Open a WebSocket; raises what the cluster refused it with."""
    with transport_errors():
        async with asyncio.timeout(answer_seconds):
            opened = await session_of(connection).ws_connect(
                url_of(connection, path_and_query),
                protocols=protocols,
                headers={**(headers or {}), **connection.headers},
                heartbeat=HEARTBEAT_SECONDS,
                max_msg_size=LONGEST_MESSAGE,
                **tls_of(connection),
            )
    try:
        yield opened
    finally:
        # Whoever does not answer a goodbye is not waited for.
        await asyncio.shield(_say_goodbye(opened))


def url_of(connection: Connection, path_and_query: str) -> URL:
    """Return the address as it is written: nothing is decoded, joined or made shorter."""
    return URL(connection.host + path_and_query, encoded=True)


def tls_of(connection: Connection) -> dict[str, Any]:
    """Return how to recognise the server, as every aiohttp request takes it."""
    if connection.tls is None:
        return {}
    return {"ssl": connection.tls, "server_hostname": connection.server_name}


class transport_errors:  # noqa: N801 - reads as the context it is
    """No answer is no answer, whatever layer it did not come from."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, aiohttp.WSServerHandshakeError):
            raise _refused_handshake(error) from error
        if isinstance(error, aiohttp.ClientError | OSError | TimeoutError):
            raise ClusterUnreachable(type(error).__name__) from error


def _refused_handshake(
    error: aiohttp.WSServerHandshakeError,
) -> ClusterRefused | ClusterUnreachable:
    # An answer other than 101 says its status and no more.
    return refusal_of(StatusBody(error.status, "", error.message, {}))


async def _say_goodbye(opened: aiohttp.ClientWebSocketResponse) -> None:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await opened.close()
    except (aiohttp.ClientError, OSError, TimeoutError):
        pass


def _open_session(connection: Connection) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, socket_factory=_socket),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
    )


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    # A stream may be silent for hours; a peer that is gone is noticed within a minute.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    return made


def _let_oldest_go(sessions: Sessions) -> None:
    # Credentials that were replaced leave their session behind.
    while len(sessions) > MOST_SESSIONS:
        _, oldest = sessions.pop(next(iter(sessions)))
        closing = asyncio.get_running_loop().create_task(oldest.close())
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Task[None]] = set()
