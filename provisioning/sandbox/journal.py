"""An append-only file of one cluster's writes, so that a killed sandbox comes back as it was.

One line is one write.  A line is handed to the system before the client gets its
answer, which outlives a SIGKILL of the process; loading compacts the file.  The
store goes on from the highest resourceVersion the file has seen.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from provisioning.sandbox.kinds import BY_KEY
from provisioning.sandbox.objects import Json
from provisioning.sandbox.store import Key, Store, Stored

# A running cluster rewrites its file when it has grown this far beyond the last rewrite.
REWRITE_AFTER_BYTES = 256 * 1024 * 1024


class FileJournal:
    """Appends each write of one store to a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._grown = 0

    def load(self, store: Store) -> bool:
        """Fill the store from the file and rewrite the file; answers whether there was one."""
        existed = self._path.exists()
        entries, rv = _replay(self._path) if existed else ({}, store.rv)
        store.restore(entries.values(), rv=rv)
        self.rewrite(entries.values(), rv=rv)
        return existed

    def put(self, stored: Stored) -> None:
        """Write an object's new version down."""
        self._append(_put_line(stored))

    def remove(self, stored: Stored) -> None:
        """Write down that an object is gone."""
        namespace, name = stored.key
        record = {"rv": stored.rv, "remove": stored.kind.qualified, "key": [namespace, name]}
        self._append(json.dumps(record).encode() + b"\n")

    @property
    def wants_rewrite(self) -> bool:
        """Whether the file has grown far beyond what is alive."""
        return self._grown > REWRITE_AFTER_BYTES

    def rewrite(self, entries: Iterable[Stored], *, rv: int) -> None:
        """Write what is alive to a new file and put it in the old one's place."""
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as out:
            out.write(b'{"rv":%d}\n' % rv)
            for stored in entries:
                out.write(_put_line(stored))
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(self._path)
        self._reopen()

    def _reopen(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        self._grown = 0

    def _append(self, line: bytes) -> None:
        os.write(self._fd, line)
        self._grown += len(line)


def _put_line(stored: Stored) -> bytes:
    head = f'{{"rv":{stored.rv},"put":"{stored.kind.qualified}","object":'.encode()
    return head + stored.item + b"}\n"


def _replay(path: Path) -> tuple[dict[tuple[str, Key], Stored], int]:
    alive: dict[tuple[str, Key], Stored] = {}
    rv = 1
    with path.open("rb") as lines:
        for line in lines:
            # A kill can cut the last line short; what it held was never answered for.
            if not line.endswith(b"\n"):
                break
            rv = max(rv, _replay_line(line, alive))
    return alive, rv


def _replay_line(line: bytes, alive: dict[tuple[str, Key], Stored]) -> int:
    record = json.loads(line)
    rv = int(record["rv"])
    if "put" in record:
        stored = _stored(record)
        alive[(record["put"], stored.key)] = stored
    elif "remove" in record:
        alive.pop((record["remove"], (record["key"][0], record["key"][1])), None)
    return rv


def _stored(record: Json) -> Stored:
    kind = BY_KEY[str(record["put"])]
    obj = record["object"]
    meta = obj["metadata"]
    key = (meta.get("namespace", ""), meta["name"])
    return Stored(kind, key, int(meta["resourceVersion"]), obj)
