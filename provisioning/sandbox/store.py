"""The objects of one cluster under a single growing resourceVersion.

A write makes a new `Stored`, tells the journal, then the listeners; what they
conclude they do later, through a timer, so that changes are told in order.
Bytes are made once per version and shared by every reader and watcher.
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from provisioning.sandbox.kinds import KINDS, Kind
from provisioning.sandbox.objects import Json, dump, name_of, namespace_of, with_metadata

Key = tuple[str, str]
PARTIAL: Json = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}


@dataclass(slots=True, eq=False)
class Stored:
    """One version of one object."""

    kind: Kind
    key: Key
    rv: int
    object: Json
    _item: bytes | None = field(default=None, repr=False)
    _partial: bytes | None = field(default=None, repr=False)

    @property
    def item(self) -> bytes:
        """The object as it stands in a list: without kind and version."""
        if self._item is None:
            self._item = dump(self.object)
        return self._item

    def drop_bytes(self) -> None:
        """Forget the serialised forms; they can be made again."""
        self._item = self._partial = None

    @property
    def partial(self) -> bytes:
        """The object for who asked for its metadata only."""
        if self._partial is None:
            self._partial = dump({**PARTIAL, "metadata": self.object["metadata"]})
        return self._partial

    @property
    def document(self) -> bytes:
        """The object as it is answered alone."""
        return typed(self.kind, self.item)


def typed(kind: Kind, item: bytes) -> bytes:
    """A list's item as an object of its own."""
    head = f'{{"kind":"{kind.name}","apiVersion":"{kind.api_version}",'.encode()
    return head + item[1:]


@dataclass(slots=True, eq=False)
class Change:
    """One write: what was there before, what is there now."""

    type: str
    rv: int
    now: Stored
    before: Stored | None
    _lines: dict[str, bytes] = field(default_factory=dict, repr=False)

    def line(self, type_: str, *, partial: bool = False) -> bytes:
        """The change as one line of a watch, in the words a given watcher needs."""
        key = f"{type_}/partial" if partial else type_
        if key not in self._lines:
            told = self._told_as(type_)
            self._lines[key] = watch_line(type_, told.partial if partial else told.document)
        return self._lines[key]

    def drop_lines(self) -> None:
        """Forget the lines: whoever watches has been told by now."""
        self._lines.clear()

    def _told_as(self, type_: str) -> Stored:
        # An object that leaves a selection is told as it was, at the version of the change.
        if type_ != "DELETED" or self.type == "DELETED" or self.before is None:
            return self.now
        was = with_metadata(self.before.object, resourceVersion=str(self.rv))
        return Stored(self.now.kind, self.now.key, self.rv, was)


def watch_line(type_: str, document: bytes) -> bytes:
    """One line of a watch."""
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), document)


class Journal(Protocol):
    """Where a store writes what must outlive the process."""

    def put(self, stored: Stored) -> None:
        """An object has a new version."""

    def remove(self, stored: Stored) -> None:
        """An object is gone."""


class NoJournal:
    """For a cluster that may forget."""

    def put(self, stored: Stored) -> None:
        """Forget it."""

    def remove(self, stored: Stored) -> None:
        """Forget it."""


Listener = Callable[[Change], None]


class Store:
    """All objects of a cluster, by kind, namespace and name."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.rv = 1
        self._journal: Journal = journal or NoJournal()
        self._objects: dict[Kind, dict[str, dict[str, Stored]]] = {kind: {} for kind in KINDS}
        self._in_order: dict[Kind, list[Stored] | None] = {}
        self._listeners: dict[Kind, list[Listener]] = {kind: [] for kind in KINDS}

    def listen(self, kind: Kind, listener: Listener) -> None:
        """Have a function called with every change of a kind, while it is made."""
        self._listeners[kind].append(listener)

    def get(self, kind: Kind, namespace: str, name: str) -> Stored | None:
        """One object as it is now."""
        return self._objects[kind].get(namespace, {}).get(name)

    def all(self, kind: Kind, namespace: str = "") -> list[Stored]:
        """Every object of a kind in key order; of one namespace, when named."""
        if namespace:
            named = self._objects[kind].get(namespace, {})
            return [named[name] for name in sorted(named)]
        cached = self._in_order.get(kind)
        if cached is None:
            cached = self._in_order[kind] = self._ordered(kind)
        return cached

    def _ordered(self, kind: Kind) -> list[Stored]:
        spaces = self._objects[kind]
        return [spaces[space][name] for space in sorted(spaces) for name in sorted(spaces[space])]

    def everything(self) -> list[Stored]:
        """Every object of every kind."""
        return [stored for kind in KINDS for stored in self.all(kind)]

    def put(self, kind: Kind, obj: Json) -> Stored:
        """Store a new version of an object, or a new object."""
        key = (namespace_of(obj), name_of(obj))
        before = self.get(kind, *key)
        stored = self._version(kind, key, obj)
        self._objects[kind].setdefault(key[0], {})[key[1]] = stored
        self._in_order[kind] = None
        self._journal.put(stored)
        self._tell(Change("MODIFIED" if before else "ADDED", stored.rv, stored, before))
        return stored

    def remove(self, kind: Kind, key: Key, last: Json | None = None) -> Stored:
        """Take an object out; `last` is how it looked in its final moment."""
        named = self._objects[kind][key[0]]
        before = named.pop(key[1])
        if not named:
            del self._objects[kind][key[0]]
        self._in_order[kind] = None
        stored = self._version(kind, key, last if last is not None else before.object)
        self._journal.remove(stored)
        self._tell(Change("DELETED", stored.rv, stored, before))
        return stored

    def restore(self, entries: Iterable[Stored], *, rv: int) -> None:
        """Take over what a journal remembers, without telling anybody."""
        for stored in entries:
            self._objects[stored.kind].setdefault(stored.key[0], {})[stored.key[1]] = stored
            self._in_order[stored.kind] = None
        self.rv = max(self.rv, rv)

    def _version(self, kind: Kind, key: Key, obj: Json) -> Stored:
        self.rv += 1
        return Stored(kind, key, self.rv, with_metadata(obj, resourceVersion=str(self.rv)))

    def _tell(self, change: Change) -> None:
        for listener in self._listeners[change.now.kind]:
            listener(change)
        # Old versions live on in the history; their bytes would be most of the memory.
        change.drop_lines()
        if change.before is not None:
            change.before.drop_bytes()


def new_uid() -> str:
    """An identity nobody has had."""
    return str(uuid.uuid4())
