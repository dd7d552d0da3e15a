"""`pods/[scheme:]NAME[:port]/proxy/PATH`: an HTTP request carried to a pod, and its answer back.

Bodies stream both ways.  A request to upgrade (a WebSocket) is carried as bytes once the
pod has been reached, by `tunnelling.py`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from provisioning.sandbox import errors, reading
from provisioning.sandbox.containers.runtime import Connection
from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.http import connecting, rewriting
from provisioning.sandbox.http.relaying import Relaying
from provisioning.sandbox.http.requests import Request, Target
from provisioning.sandbox.http.responses import Response
from provisioning.sandbox.http.rewriting import Headers, Place
from provisioning.sandbox.http.tunnelling import Tunnelling
from provisioning.sandbox.kinds import PODS
from provisioning.sandbox.kubelets.kubelet import Kubelet
from provisioning.sandbox.objects import Json, namespace_of, spec, status
from provisioning.sandbox.raising import Raised

_PATH = re.compile(r"(.*?/pods/[^/]+/proxy)(/.*)?")
_UNTOLD = frozenset({"authorization", "content-length", "host"})
_HTTP_PORT = 80


@dataclass(frozen=True)
class Wanted:
    """Which port of which pod a request names."""

    scheme: str
    name: str
    port: str


def is_proxied(path: str) -> bool:
    """Whether a path leads into a pod."""
    return "/proxy" in path and _PATH.fullmatch(path) is not None


def wanted_of(name: str) -> Wanted:
    """`[scheme:]name[:port]` taken apart."""
    parts = name.split(":")
    if len(parts) == 3 and parts[0] in ("http", "https", ""):
        return Wanted(parts[0], parts[1], parts[2])
    if len(parts) == 2:
        return Wanted("", parts[0], parts[1])
    if len(parts) == 1:
        return Wanted("", name, "")
    raise errors.bad_request(f'invalid pod request "{name}"')


async def answer(
    raised: Raised, request: Request, target: Target
) -> Response | Relaying | Tunnelling:
    """Reach the pod; what it says is sent on afterwards."""
    wanted = wanted_of(target.name)
    pod = reading.get(
        raised.cluster.store, kind=PODS, namespace=target.namespace, name=wanted.name
    ).object
    match = _PATH.fullmatch(request.raw_path)
    prefix, path = (match[1], match[2]) if match else (request.raw_path, None)
    is_read = request.method in ("GET", "HEAD")
    if path is None and is_read:
        query = f"?{request.raw_query}" if request.raw_query else ""
        return Response(b"", 301, content_type=b"", headers={"Location": f"{prefix}/{query}"})
    return await _reach(raised, request, pod, wanted, prefix=prefix, path=path or "/")


async def _reach(
    raised: Raised, request: Request, pod: Json, wanted: Wanted, *, prefix: str, path: str
) -> Relaying | Tunnelling:
    address = status(pod).get("podIP")
    if not address:
        raise errors.bad_request("address not allowed")
    port = _port(pod, wanted)
    host = f"{address}:{port}"
    is_upgrade = rewriting.value_of(_texts(request), "upgrade") != ""
    connection = await _connect(raised, pod, wanted, port, host=host, is_upgrade=is_upgrade)
    url = path + (f"?{request.raw_query}" if request.raw_query else "")
    place = Place(prefix, (host, request.headers.get("host", "")))
    if is_upgrade:
        return Tunnelling(request, url, _texts(request), connection)
    headers = _onward(request, f"{prefix}{path}")
    return Relaying(request, url, headers, connection, place)


async def _connect(
    raised: Raised, pod: Json, wanted: Wanted, port: int, *, host: str, is_upgrade: bool
) -> Connection:
    kubelet = raised.kubelets.get(spec(pod).get("nodeName") or "")
    listening = _listening(kubelet, pod)
    if kubelet is None or not listening:
        raise _refused(f"dial tcp {host}: connect: no route to host", is_upgrade)
    if wanted.scheme == "https":
        raise _refused("http: server gave HTTP response to HTTPS client", is_upgrade)
    try:
        return await connecting.connect(kubelet, listening, port)
    except OSError as error:
        raise _refused(f"dial tcp {host}: connect: connection refused", is_upgrade) from error


def _listening(kubelet: Kubelet | None, pod: Json) -> Sequence[str]:
    if kubelet is None or not kubelet.is_online:
        return ()
    told = status(pod)
    statuses = (told.get("initContainerStatuses") or []) + (told.get("containerStatuses") or [])
    return [one["containerID"] for one in statuses if "running" in (one.get("state") or {})]


def _refused(why: str, is_upgrade: bool) -> StatusError:
    if is_upgrade:
        return StatusError(code=500, reason="", message=f"error dialing backend: {why}")
    message = f"error trying to reach service: {why}"
    return StatusError(code=503, reason="ServiceUnavailable", message=message)


def _port(pod: Json, wanted: Wanted) -> int:
    if wanted.port:
        if not wanted.port.isdigit() or int(wanted.port) > 65535:
            raise errors.bad_request(f'invalid port "{wanted.port}" for pod {namespace_of(pod)}')
        return int(wanted.port)
    for container in spec(pod).get("containers") or []:
        for declared in container.get("ports") or []:
            return int(declared["containerPort"])
    return _HTTP_PORT


def _texts(request: Request) -> Headers:
    """The request's headers but for what only the API server is to see."""
    given = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers
    ]
    return [(name, value) for name, value in given if name.lower() != "authorization"]


def _onward(request: Request, uri: str) -> Headers:
    """The request's headers as the pod sees them."""
    kept = [
        (name, value)
        for name, value in rewriting.end_to_end(_texts(request))
        if name.lower() not in (*_UNTOLD, "x-forwarded-for", "x-forwarded-uri")
    ]
    before = request.headers.get("x-forwarded-for")
    through = f"{before}, 127.0.0.1" if before else "127.0.0.1"
    return [*kept, ("X-Forwarded-For", through), ("X-Forwarded-Uri", uri)]
