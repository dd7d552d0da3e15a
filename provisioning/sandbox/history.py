"""What happened lately: the window of changes a watch may resume from.

A watch from a version inside the window gets every change since; from an older
one it gets 410 and has to list again.  Snapshots of lists read in pages live here
too, and expire with the window, as etcd's compaction makes them do.
"""

from bisect import bisect_right
from collections import deque
from itertools import islice

from provisioning.sandbox.kinds import KINDS, Kind
from provisioning.sandbox.store import Change, Store, Stored
from provisioning.sandbox.times import Clock

SnapshotKey = tuple[Kind, str, int]


class History:
    """The recent changes of one cluster, per kind."""

    def __init__(self, store: Store, *, clock: Clock, window_seconds: float, limit: int) -> None:
        self._clock = clock
        self._window = window_seconds
        self._limit = limit
        self._store = store
        self._changes: dict[Kind, deque[tuple[int, float, Change]]] = {}
        self._snapshots: dict[SnapshotKey, tuple[float, list[Stored]]] = {}
        # A version older than this cannot be resumed from.
        self.oldest = 0
        for kind in KINDS:
            self._changes[kind] = deque()
            store.listen(kind, self._remember)

    def since(self, kind: Kind, rv: int) -> list[Change] | None:
        """The changes after a version; None when they are no longer known."""
        if rv < self.oldest:
            return None
        changes = self._changes[kind]
        first = bisect_right(changes, rv, key=lambda entry: entry[0])
        return [change for _, _, change in islice(changes, first, None)]

    def forget(self, *, upto: int | None = None) -> None:
        """Let everything before a version (or now) expire at once, snapshots too."""
        self.oldest = self._store.rv if upto is None else upto
        self._snapshots.clear()
        for changes in self._changes.values():
            while changes and changes[0][0] <= self.oldest:
                changes.popleft()

    def trim(self) -> None:
        """Drop what is older than the window."""
        horizon = self._clock.monotonic() - self._window
        for changes in self._changes.values():
            while changes and (changes[0][1] < horizon or len(changes) > self._limit):
                self.oldest = max(self.oldest, changes.popleft()[0])
        for key, (taken, _) in list(self._snapshots.items()):
            if taken < horizon:
                del self._snapshots[key]

    def keep_snapshot(self, kind: Kind, namespace: str, rv: int, objects: list[Stored]) -> None:
        """Keep a list as it is for the pages still to be asked for."""
        self._snapshots.setdefault((kind, namespace, rv), (self._clock.monotonic(), objects))

    def snapshot(self, kind: Kind, namespace: str, rv: int) -> list[Stored] | None:
        """A kept list; None when it has expired."""
        found = self._snapshots.get((kind, namespace, rv))
        return found[1] if found else None

    def _remember(self, change: Change) -> None:
        changes = self._changes[change.now.kind]
        changes.append((change.rv, self._clock.monotonic(), change))
        if len(changes) > self._limit:
            self.oldest = max(self.oldest, changes.popleft()[0])
