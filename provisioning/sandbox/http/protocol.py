"""uvicorn's protocol with one more door: a handler may tear its connection down.

A dropped answer has no bytes at all, which an ASGI application alone cannot do.
"""

from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from provisioning.sandbox.http.requests import Scope

EXTENSION = "sandbox.abort"


class AbortableProtocol(HttpToolsProtocol):
    """Puts a way to abort the connection into every request's scope."""

    def on_message_begin(self) -> None:
        """A request begins: uvicorn makes its scope here."""
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"abort": self.transport.abort}}


def abort(scope: Scope) -> None:
    """End a request's connection without a word."""
    found = (scope.get("extensions") or {}).get(EXTENSION)
    if found:
        tear: Callable[[], None] = found["abort"]
        tear()
