"""One HTTP request to a cluster, taken apart: its path, its verb, its parameters, its body."""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import yaml

from provisioning.sandbox import errors
from provisioning.sandbox.kinds import BY_PLURAL, GROUP_VERSIONS, NAMESPACES, Kind
from provisioning.sandbox.validation import causes

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_TRUE = ("1", "true", "True", "t", "T", "TRUE")
BODY_LIMIT = 3 * 1024 * 1024


@dataclass(frozen=True)
class Target:
    """What a path of the API names."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """What it is as authorisers name it: `pods`, `pods/exec`."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural


class Query:
    """The parameters of a request's URL."""

    def __init__(self, raw: bytes) -> None:
        parsed = parse_qs(raw.decode(), keep_blank_values=True)
        self._values: Mapping[str, list[str]] = parsed

    def text(self, name: str, default: str = "") -> str:
        """A parameter as text."""
        return self._values.get(name, [default])[-1]

    def every(self, name: str) -> list[str]:
        """All values of a parameter, in order."""
        return self._values.get(name, [])

    def flag(self, name: str) -> bool:
        """A parameter as yes or no."""
        return self.text(name) in _TRUE

    def number(self, name: str) -> int | None:
        """A parameter as a whole number; None when it is not given."""
        text = self.text(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise errors.bad_request(
                f'strconv.ParseInt: parsing "{text}": invalid syntax'
            ) from error

    @property
    def is_dry_run(self) -> bool:
        """Whether the request only asks what would be."""
        values = self._values.get("dryRun", [])
        if values and values != ["All"]:
            raise _bad_dry_run(values)
        return bool(values)


def _bad_dry_run(values: list[str]) -> errors.StatusError:
    return causes.options_refusal("CreateOptions", causes.not_supported("dryRun", values, ["All"]))


@dataclass
class Request:
    """A request as the handlers see it."""

    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    body: bytes = b""
    # As they came, for what is passed on.
    raw_path: str = ""
    raw_query: str = ""
    raw_headers: Sequence[tuple[bytes, bytes]] = ()
    is_websocket: bool = False
    subprotocols: Sequence[str] = ()
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        """The form of the body."""
        return self.headers.get("content-type", "application/json").partition(";")[0].strip()

    @property
    def wants_metadata_only(self) -> bool:
        """Whether the first answer the client would take is one of metadata alone."""
        first = self.headers.get("accept", "").partition(",")[0]
        return "as=PartialObjectMetadata" in first and "g=meta.k8s.io" in first

    def json(self) -> Any:
        """The body, which may be YAML where Kubernetes says so."""
        if self.content_type == "application/vnd.kubernetes.protobuf":
            raise errors.unsupported_media_type()
        try:
            return json.loads(self.body)
        except ValueError as error:
            if "yaml" in self.content_type:
                return _yaml(self.body)
            raise errors.bad_request(f"error decoding the body: {error}") from error

    def document(self) -> dict[str, Any]:
        """The body as an object."""
        found = self.json()
        if not isinstance(found, dict):
            raise errors.bad_request("couldn't get version/kind; json parse error: not an object")
        return found


def _yaml(body: bytes) -> Any:
    try:
        return yaml.safe_load(body)
    except yaml.YAMLError as error:
        raise errors.bad_request(f"error decoding YAML: {error}") from error


def request_of(scope: Scope) -> Request:
    """The request an ASGI scope tells of, its body still to be read."""
    return Request(
        method=scope.get("method", "GET"),
        path=scope["path"],
        query=Query(scope["query_string"]),
        headers=read_headers(scope),
        raw_path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
        raw_query=scope["query_string"].decode("latin-1"),
        raw_headers=scope["headers"],
        is_websocket=scope["type"] == "websocket",
        subprotocols=scope.get("subprotocols") or (),
        extensions=scope.get("extensions") or {},
    )


def read_headers(scope: Scope) -> dict[str, str]:
    """The headers by their names in small letters."""
    return {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def read_body(receive: Receive) -> bytes:
    """The whole body; refuses one without end."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_LIMIT:
            raise errors.StatusError(
                code=413,
                reason="RequestEntityTooLarge",
                message="Request entity too large: limit is 3145728",
            )
        if not message.get("more_body"):
            return b"".join(parts)


def target_of(path: str) -> Target:
    """The object or collection a path names; refuses what the API does not have."""
    parts = [part for part in path.split("/") if part]
    group, version, rest = _split_group(parts)
    if (group, version) not in GROUP_VERSIONS:
        raise errors.unknown_path()
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in NAMESPACES.subresources:
        return _target(group, version, rest[2:], namespace=rest[1])
    return _target(group, version, rest, namespace="")


def _split_group(parts: list[str]) -> tuple[str, str, list[str]]:
    if parts[:1] == ["api"] and len(parts) > 1:
        return "", parts[1], parts[2:]
    if parts[:1] == ["apis"] and len(parts) > 2:
        return parts[1], parts[2], parts[3:]
    raise errors.unknown_path()


def _target(group: str, version: str, rest: list[str], *, namespace: str) -> Target:
    kind = BY_PLURAL.get((group, version, rest[0]))
    if rest[2:3] == ["proxy"]:
        # What follows is a path of the pod's own.
        rest = rest[:3]
    if kind is None or len(rest) > 3 or bool(namespace) > kind.namespaced:
        raise errors.unknown_resource()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and subresource not in kind.subresources:
        raise errors.unknown_resource()
    if kind.namespaced and name and not namespace:
        raise errors.unknown_resource()
    return Target(kind, namespace, name, subresource)
