"""Which headers pass between a browser and an instance, and which stop here.

Pure.  Toward the instance go no credentials of ours, nothing the API server would take
for an order, and nothing about the connection itself.  Toward the browser go no cookies
for other hosts than the instance's own, and nothing that reaches beyond its origin.
"""

from collections.abc import Collection, Iterable
from typing import Final
from urllib.parse import urlsplit

Headers = list[tuple[str, str]]

_CONNECTION: Final = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
        "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host", "expect",
        "content-length",
    }
)  # fmt: skip
# The API server reads some of these as orders from us: to act as somebody else, above all.
_ORDERS: Final = frozenset(
    {"authorization", "audit-id", "forwarded", "accept-encoding", "x-real-ip"}
)
_ORDER_PREFIXES: Final = ("impersonate-", "x-remote-", "x-forwarded-", "sec-websocket-")
# A page could otherwise sign its visitor out of every host of the domain, or bind them to it.
_BEYOND: Final = frozenset(
    {
        "clear-site-data", "strict-transport-security", "public-key-pins", "audit-id", "alt-svc",
        "nel", "report-to", "reporting-endpoints",
    }
)  # fmt: skip
_RESERVED: Final = ("__host-npu-farm", "__secure-npu-farm", "npu-farm-")
# The API server would take it for a token of the caller's.
_TOKEN_PROTOCOL: Final = "base64url.bearer.authorization.k8s.io."  # noqa: S105
ADDED: Final[Headers] = [
    ("Content-Security-Policy", "frame-ancestors 'self'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "same-origin"),
]


def toward_instance(
    headers: Iterable[tuple[str, str]],
    *,
    host: str,
    seen_as: str,
    scheme: str,
    ours: Collection[str],
) -> Headers:
    """Return what an instance is told.

    `ours` are names of cookies it must not see; `seen_as` is where it believes to be
    asked, so that its own checks of Origin and Referer find what they compare with.
    """
    given = list(headers)
    named = _named_by_connection(given)
    passed: Headers = []
    for name, value in given:
        low = name.lower()
        if low in _CONNECTION or low in _ORDERS or low in named or low.startswith(_ORDER_PREFIXES):
            continue
        if low == "cookie":
            value = _other_cookies(value, ours)
        elif low in ("origin", "referer"):
            value = _moved(value, host=host, to=seen_as)
        if value:
            passed.append((name, value))
    return [*passed, ("X-Forwarded-Host", host), ("X-Forwarded-Proto", scheme)]


def protocols_of(asked: Iterable[str]) -> tuple[str, ...]:
    """Return which protocols of a WebSocket an instance is offered."""
    return tuple(one for one in asked if not one.lower().startswith(_TOKEN_PROTOCOL))


def toward_browser(headers: Iterable[tuple[str, str]], *, ours: Collection[str]) -> Headers:
    """Return what a browser is told by an instance."""
    given = list(headers)
    named = _named_by_connection(given)
    passed: Headers = []
    for name, value in given:
        low = name.lower()
        # Lengths of bodies pass this way: what is promised is what is sent.
        stopped = (low in _CONNECTION and low != "content-length") or low in _BEYOND or low in named
        if low == "set-cookie":
            value = own_cookie(value, ours=ours)
        if value and not stopped:
            passed.append((name, value))
    return [*passed, *ADDED]


def own_cookie(value: str, *, ours: Collection[str]) -> str:
    """Return a cookie bound to the host that sets it; empty when its name is not free."""
    pair, *attributes = value.split(";")
    name = pair.partition("=")[0].strip().lower()
    if name in {one.lower() for one in ours} or name.startswith(_RESERVED):
        return ""
    kept = [one for one in attributes if one.partition("=")[0].strip().lower() != "domain"]
    return ";".join([pair, *kept])


def _named_by_connection(headers: Headers) -> frozenset[str]:
    values = [value for name, value in headers if name.lower() == "connection"]
    return frozenset(word.strip().lower() for value in values for word in value.split(","))


def _other_cookies(value: str, ours: Collection[str]) -> str:
    pairs = [pair.strip() for pair in value.split(";")]
    return "; ".join(pair for pair in pairs if pair and pair.partition("=")[0].strip() not in ours)


def _moved(value: str, *, host: str, to: str) -> str:
    try:
        parts = urlsplit(value)
    except ValueError:
        return ""
    return (
        value.replace(f"{parts.scheme}://{parts.netloc}", to, 1) if parts.netloc == host else value
    )
