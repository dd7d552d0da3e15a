"""Watches: every change of a kind as one line, from a version the client names.

A `Watch` is fed by the store and drained by the HTTP layer.  It tells a change in
the words of its selection (an object that leaves is DELETED), sends bookmarks, and
ends at its timeout, when it lags too far behind, or when a fault cuts it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from provisioning.sandbox import errors
from provisioning.sandbox.history import History
from provisioning.sandbox.kinds import PODS, Kind
from provisioning.sandbox.objects import Json, dump
from provisioning.sandbox.reading import BadVersion, parse_version
from provisioning.sandbox.selectors import Selection
from provisioning.sandbox.store import PARTIAL, Change, Store, watch_line
from provisioning.sandbox.times import Clock

# A client this far behind is cut off, as the real server does; it may list again.
BACKLOG_LIMIT = 200_000
# The last bookmark comes this long before the server ends the watch.
LAST_BOOKMARK_SECONDS = 2.0


@dataclass(frozen=True)
class WatchOptions:
    """What a client asks of its watch."""

    resource_version: str = ""
    timeout_seconds: float = 1800.0
    bookmarks: bool = False
    send_initial_events: bool = False
    partial: bool = False


class Watch:
    """One client's view of the changes of one kind."""

    def __init__(self, *, kind: Kind, selection: Selection, options: WatchOptions) -> None:
        self.kind = kind
        self.selection = selection
        self.options = options
        self.is_cut = False
        self.is_silent = False
        self._lines: list[bytes] = []
        self._ready = asyncio.Event()

    def offer(self, change: Change) -> None:
        """Tell a change, if the selection is concerned."""
        told = self._told(change)
        if told:
            self.push(change.line(told, partial=self.options.partial))

    def push(self, line: bytes) -> None:
        """Queue a line."""
        self._lines.append(line)
        self._ready.set()
        if len(self._lines) > BACKLOG_LIMIT:
            self.cut()

    def cut(self) -> None:
        """End it now."""
        self.is_cut = True
        self._ready.set()

    def silence(self) -> None:
        """The connection stays open and nothing comes any more, as behind a dead proxy."""
        self.is_silent = True

    def take(self) -> bytes:
        """The lines that wait to be sent."""
        lines, self._lines = self._lines, []
        self._ready.clear()
        return b"" if self.is_silent else b"".join(lines)

    async def wait(self, seconds: float) -> None:
        """Until there is a line, or for so many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), max(0.0, seconds))

    def _told(self, change: Change) -> str:
        is_in = change.type != "DELETED" and self.selection.holds(change.now.object)
        was_in = change.before is not None and self.selection.holds(change.before.object)
        if is_in:
            return "MODIFIED" if was_in else "ADDED"
        return "DELETED" if was_in else ""


class Watches:
    """The open watches of one cluster."""

    def __init__(
        self, store: Store, history: History, *, clock: Clock, bookmark_seconds: float
    ) -> None:
        self._store = store
        self._history = history
        self._clock = clock
        self._bookmark_seconds = bookmark_seconds
        self._open: dict[Kind, list[Watch]] = {}

    def open(self, *, kind: Kind, selection: Selection, options: WatchOptions) -> Watch:
        """A new watch, fed from now on."""
        watch = Watch(kind=kind, selection=selection, options=options)
        self._start(watch)
        if kind not in self._open:
            self._open[kind] = []
            self._store.listen(kind, self._spread)
        self._open[kind].append(watch)
        return watch

    def close(self, watch: Watch) -> None:
        """The client is gone."""
        if watch in self._open.get(watch.kind, ()):
            self._open[watch.kind].remove(watch)

    def each(self, plural: str = "") -> list[Watch]:
        """The open watches, of one resource when named."""
        return [
            watch
            for kind, watches in self._open.items()
            for watch in watches
            if plural in ("", kind.plural)
        ]

    async def stream(self, watch: Watch) -> AsyncIterator[bytes]:
        """The lines of a watch as they come, until its end."""
        end = self._clock.monotonic() + watch.options.timeout_seconds
        bookmark = self._next_bookmark(end)
        while True:
            if watch.options.bookmarks and self._clock.monotonic() >= bookmark:
                # Queued behind what is not sent yet: a bookmark must not promise unseen changes.
                watch.push(self.bookmark(watch))
                bookmark = self._next_bookmark(end)
            if chunk := watch.take():
                yield chunk
            if watch.is_cut or self._clock.monotonic() >= end:
                return
            await watch.wait(min(end, bookmark) - self._clock.monotonic())

    def bookmark(self, watch: Watch, *, annotations: Json | None = None) -> bytes:
        """A line that says how far the watch has come, and nothing else."""
        meta: Json = {"resourceVersion": str(self._store.rv)}
        if annotations:
            meta["annotations"] = annotations
        kind = watch.kind
        if watch.options.partial:
            return watch_line("BOOKMARK", dump({**PARTIAL, "metadata": meta}))
        body: Json = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": meta}
        if kind is PODS:
            body |= {"spec": {"containers": None}, "status": {}}
        return watch_line("BOOKMARK", dump(body))

    def _next_bookmark(self, end: float) -> float:
        now = self._clock.monotonic()
        last = end - LAST_BOOKMARK_SECONDS
        upcoming = now + self._bookmark_seconds
        return min(upcoming, last) if now < last else upcoming

    def _start(self, watch: Watch) -> None:
        try:
            rv = parse_version(watch.options.resource_version)
        except BadVersion as error:
            # The real server blames itself for this one.
            raise errors.StatusError(code=500, reason="", message=str(error)) from error
        if watch.options.send_initial_events or rv == 0:
            self._push_present(watch)
            return
        missed = self._history.since(watch.kind, rv)
        if missed is None:
            self.expire(watch)
            return
        for change in missed:
            watch.offer(change)

    def _push_present(self, watch: Watch) -> None:
        for stored in self._store.all(watch.kind, watch.selection.namespace):
            if watch.selection.holds(stored.object):
                document = stored.partial if watch.options.partial else stored.document
                watch.push(watch_line("ADDED", document))
        if watch.options.send_initial_events and watch.options.bookmarks:
            mark = {"k8s.io/initial-events-end": "true"}
            watch.push(self.bookmark(watch, annotations=mark))

    def expire(self, watch: Watch) -> None:
        """Tell a client that its version is too old, and end its watch."""
        asked = watch.options.resource_version
        error = errors.expired(
            f"too old resource version: {asked} ({self._history.oldest(watch.kind)})"
        )
        watch.take()
        watch.push(watch_line("ERROR", dump(error.body())))
        watch.cut()

    def _spread(self, change: Change) -> None:
        for watch in self._open[change.now.kind]:
            watch.offer(change)
