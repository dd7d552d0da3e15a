"""What the API server changes in an answer it proxies: redirects, links, foreign headers.

Links in HTML that begin with a slash get the path of the proxy in front, so that a page
works below it.  Relative ones and those to other hosts stay as they are.
"""

import gzip
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

Headers = list[tuple[str, str]]
HOP_BY_HOP = frozenset(
    {
        "connection", "proxy-connection", "keep-alive", "proxy-authenticate",
        "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_CORS = frozenset(
    f"access-control-allow-{what}" for what in ("origin", "credentials", "headers", "methods")
)
_ATTRIBUTES = {
    "a": "href", "area": "href", "audio": "src", "base": "href", "blockquote": "cite",
    "body": "background", "button": "formaction", "del": "cite", "embed": "src", "form": "action",
    "frame": "longdesc src", "head": "profile", "html": "manifest", "iframe": "longdesc src",
    "img": "longdesc src usemap", "input": "formaction src usemap", "ins": "cite", "link": "href",
    "object": "classid codebase data usemap", "q": "cite", "script": "src", "source": "src",
    "video": "poster src",
}  # fmt: skip
_TAG = re.compile(rb"<([a-zA-Z]+)(\s[^<>]*)>")
_ATTRIBUTE = re.compile(rb"""([\w-]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)""")


@dataclass(frozen=True)
class Place:
    """Where a pod's pages are seen: below which path, on which hosts."""

    prefix: str
    hosts: tuple[str, ...]

    def rewritten(self, link: str) -> str:
        """A link as it leads to the same page from outside."""
        try:
            parts = urlsplit(link)
        except ValueError:
            return link
        if (parts.netloc and parts.netloc not in self.hosts) or not parts.path.startswith("/"):
            return link
        has_prefix = parts.path == self.prefix or parts.path.startswith(f"{self.prefix}/")
        path = parts.path if has_prefix else f"{self.prefix}{parts.path}"
        return urlunsplit(SplitResult("", "", path, parts.query, parts.fragment))


def end_to_end(headers: Iterable[tuple[str, str]]) -> Headers:
    """The headers that are not about one connection alone."""
    given = list(headers)
    named = {
        word.strip().lower()
        for name, value in given
        if name.lower() == "connection"
        for word in value.split(",")
    }
    dropped = HOP_BY_HOP | named
    return [(name, value) for name, value in given if name.lower() not in dropped]


def answer_headers(headers: Iterable[tuple[str, str]], place: Place) -> Headers:
    """The headers of an answer as they go on to the client."""
    return [
        (name, place.rewritten(value) if name.lower() == "location" else value)
        for name, value in end_to_end(headers)
        if name.lower() not in _CORS
    ]


def value_of(headers: Headers, name: str) -> str:
    """A header's value, empty when it is not there."""
    return next((value for key, value in headers if key.lower() == name), "")


def has_links(headers: Headers) -> bool:
    """Whether a body is HTML in an encoding that can be read."""
    encoding = value_of(headers, "content-encoding")
    is_html = value_of(headers, "content-type").partition(";")[0].strip() == "text/html"
    return is_html and encoding in ("", "gzip", "deflate")


def page(body: bytes, headers: Headers, place: Place) -> bytes:
    """An HTML page with its links rewritten, in the encoding it came in."""
    match value_of(headers, "content-encoding"):
        case "gzip":
            return gzip.compress(_relinked(gzip.decompress(body), place))
        case "deflate":
            return zlib.compress(_relinked(zlib.decompress(body), place))
    return _relinked(body, place)


def _relinked(body: bytes, place: Place) -> bytes:
    def tag(match: re.Match[bytes]) -> bytes:
        names = _ATTRIBUTES.get(match[1].decode().lower(), "").split()
        return b"<%b%b>" % (match[1], _ATTRIBUTE.sub(lambda one: attribute(one, names), match[2]))

    def attribute(match: re.Match[bytes], names: list[str]) -> bytes:
        if match[1].decode().lower() not in names:
            return match[0]
        link = match[3].strip(b"\"'").decode(errors="surrogateescape")
        fresh = place.rewritten(link).encode(errors="surrogateescape")
        return b'%b%b"%b"' % (match[1], match[2], fresh)

    return _TAG.sub(tag, body)
