"""Send one request to a cluster and read its answer as JSON, or raise what it refused with.

Explicit timeouts always, no retries ever: the caller knows what an unknown outcome means.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import urllib3

from provisioning.cluster.connections import Connection
from provisioning.cluster.errors import ClusterUnreachable, StatusBody, refusal_of

Answer = dict[str, Any]

CONNECT_SECONDS: Final = 3.0
READ_SECONDS: Final = 10.0
JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, before it knows where it goes."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = None
    content_type: str = JSON
    accept: str = JSON
    read_seconds: float = READ_SECONDS


def ask(connection: Connection, request: Request) -> Answer:
    """Return the answer's JSON."""
    text = ask_text(connection, request)
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise ClusterUnreachable("The answer is no JSON.") from error
    if not isinstance(answer, dict):
        raise ClusterUnreachable("The answer is no object.")
    return answer


def ask_text(connection: Connection, request: Request) -> bytes:
    """Return the answer as it came."""
    response = _send(connection, request)
    try:
        with _transport_errors():
            data = response.read()
    finally:
        response.release_conn()
    if response.status >= 400:
        raise refusal_of(_status_of(response, data))
    return data


def ask_lines(connection: Connection, request: Request) -> Iterator[bytes]:
    """Yield the answer line by line, as the lines come."""
    response = _send(connection, request)
    try:
        with _transport_errors():
            if response.status >= 400:
                raise refusal_of(_status_of(response, response.read()))
            rest = b""
            for chunk in response.stream(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line for line in lines if line)
    finally:
        # An unfinished stream cannot go back to the pool.
        response.close()


def _send(connection: Connection, request: Request) -> urllib3.BaseHTTPResponse:
    query = f"?{urlencode(request.query)}" if request.query else ""
    headers = {**connection.headers, "Accept": request.accept}
    body = None
    if request.body is not None:
        body = json.dumps(request.body).encode()
        headers["Content-Type"] = request.content_type
    with _transport_errors():
        return connection.pool.request(
            request.method,
            connection.host + request.path + query,
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=request.read_seconds),
            preload_content=False,
            retries=False,
        )


class _transport_errors:  # noqa: N801 - reads as the context it is
    """Everything below HTTP means the same to us: no answer."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, urllib3.exceptions.HTTPError | OSError):
            raise ClusterUnreachable(type(error).__name__) from error


def _status_of(response: urllib3.BaseHTTPResponse, data: bytes) -> StatusBody:
    try:
        said = json.loads(data)
    except ValueError:
        said = None
    said = said if isinstance(said, dict) else {}
    details = said.get("details")
    return StatusBody(
        http_status=response.status,
        reason=_text(said.get("reason") or ""),
        message=_text(said.get("message") or data[:200].decode(errors="replace")),
        details=details if isinstance(details, dict) else {},
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def _text(said: object) -> str:
    # No database keeps a NUL.
    return str(said).replace("\x00", "")


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdigit() else None
