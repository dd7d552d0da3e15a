"""What happened lately: the window of changes a watch may resume from.

A watch from a version inside the window gets every change since; from an older
one it gets 410 and has to list again.  Snapshots of lists read in pages live here
too, and expire with the window, as etcd's compaction makes them do.
"""

from bisect import bisect_right
from collections import deque
from itertools import islice

from provisioning.sandbox.farm import Server
from provisioning.sandbox.kinds import KINDS, Kind
from provisioning.sandbox.store import Change, Store, Stored
from provisioning.sandbox.times import Clock

SnapshotKey = tuple[Kind, str, int]


class History:
    """The recent changes of one cluster, per kind."""

    def __init__(self, store: Store, *, clock: Clock, server: Server) -> None:
        self._clock = clock
        self._server = server
        self._store = store
        self._changes: dict[Kind, deque[tuple[int, float, Change]]] = {}
        self._snapshots: dict[SnapshotKey, tuple[float, list[Stored]]] = {}
        # Per kind the version before which nothing can be resumed from.
        self._oldest: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        for kind in KINDS:
            self._changes[kind] = deque()
            store.listen(kind, self._remember)

    def oldest(self, kind: Kind) -> int:
        """The oldest version a watch of a kind can begin at."""
        return self._oldest[kind]

    def since(self, kind: Kind, rv: int) -> list[Change] | None:
        """The changes after a version; None when they are no longer known."""
        if rv < self._oldest[kind]:
            return None
        changes = self._changes[kind]
        first = bisect_right(changes, rv, key=lambda entry: entry[0])
        return [change for _, _, change in islice(changes, first, None)]

    def forget(self) -> None:
        """Let everything before now expire at once, snapshots too."""
        self._snapshots.clear()
        for kind, changes in self._changes.items():
            changes.clear()
            self._oldest[kind] = self._store.rv

    def trim(self) -> None:
        """Drop what is older than the window, and the pages nobody came back for."""
        now = self._clock.monotonic()
        for kind, changes in self._changes.items():
            while changes and changes[0][1] < now - self._server.event_window_seconds:
                self._drop_first(kind)
        for key, (taken, _) in list(self._snapshots.items()):
            if taken < now - self._server.page_seconds:
                del self._snapshots[key]

    def _drop_first(self, kind: Kind) -> None:
        self._oldest[kind] = self._changes[kind].popleft()[0]

    def keep_snapshot(self, kind: Kind, namespace: str, rv: int, objects: list[Stored]) -> None:
        """Keep a list as it is for the pages still to be asked for."""
        self._snapshots.setdefault((kind, namespace, rv), (self._clock.monotonic(), objects))

    def snapshot(self, kind: Kind, namespace: str, rv: int) -> list[Stored] | None:
        """A kept list; None when it has expired."""
        found = self._snapshots.get((kind, namespace, rv))
        return found[1] if found else None

    def _remember(self, change: Change) -> None:
        kind = change.now.kind
        self._changes[kind].append((change.rv, self._clock.monotonic(), change))
        if len(self._changes[kind]) > self._server.event_window_size:
            self._drop_first(kind)
