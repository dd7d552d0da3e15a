"""Messages as files in a folder, for workers on one machine.

Kombu's own filesystem transport shows a file before it is written, and claims a
message by a copy to another file system: under load a worker reads an empty file
and dies.  Here messages and tables appear whole, by a rename, and a message is
claimed by a rename.

A worker is woken by the kernel when a file appears.  Beside being quicker than asking again
and again, this gives each of its children a pipe of its own: children that share one hold a
lock while they wait, and whoever kills one of them then keeps the others waiting for ever.
"""

import ctypes
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any, Final

from kombu.transport import filesystem
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads

SCHEME: Final = "folder"
LONGEST_WAIT: Final = 0.02
# Should the kernel ever have told nobody.
LOOK_ANYWAY_SECONDS: Final = 1.0
_IN_MOVED_TO: Final = 0x80
Binding = filesystem.exchange_queue_t


class Channel(filesystem.Channel):
    """One connection's view of the folder."""

    def get_table(self, exchange: str) -> list[Any]:
        """The queues bound to an exchange."""
        try:
            content = self._table_file(exchange).read_text()
        except FileNotFoundError:
            return []
        return [Binding(*row) for row in loads(content)]

    def _queue_bind(
        self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None
    ) -> None:
        binding = Binding(routing_key or "", pattern or "", queue or "")
        with self._one_binder():
            table = self.get_table(exchange)
            if binding not in table:
                _write_whole(self._table_file(exchange), dumps([binding, *table]))

    def _put(  # type: ignore[override]  # as the transport below it says
        self, queue: str, payload: dict[str, Any], **kwargs: Any
    ) -> None:
        name = f"{time.time_ns()}_{uuid.uuid4()}.{queue}.msg"
        _write_whole(Path(self.data_folder_out, name), dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        names = os.listdir(self.data_folder_in)  # noqa: PTH208 - a hundred times a second
        for name in sorted(names):
            # A hidden file is one that is being written or was claimed.
            if name.startswith(".") or name.partition(".")[2] != f"{queue}.msg":
                continue
            claimed = Path(self.data_folder_in, f".{uuid.uuid4()}")
            try:
                Path(self.data_folder_in, name).rename(claimed)
            except FileNotFoundError:
                continue  # Another worker was quicker.
            content = claimed.read_bytes()
            claimed.unlink()
            return loads(bytes_to_str(content))
        raise Empty

    def _table_file(self, exchange: str) -> Path:
        file: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]  # stubs lag
        return file

    @contextmanager
    def _one_binder(self) -> Iterator[None]:
        self.control_folder.mkdir(exist_ok=True)
        with Path(self.control_folder, ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Transport(filesystem.Transport):
    """What Celery is given for `folder://`."""

    Channel = Channel
    driver_type = driver_name = SCHEME
    implements = filesystem.Transport.implements.extend(asynchronous=True)

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self._has_news = True
        self._news_fd = -1

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Have a worker's loop woken by messages."""
        folder = connection.client.transport_options["data_folder_in"]
        self._news_fd = _watch_arrivals(Path(folder))
        loop.add_reader(self._news_fd, self._read_news, loop)
        loop.call_repeatedly(LOOK_ANYWAY_SECONDS, self._look_anyway)
        loop.on_tick.add(self._take_what_is_there)

    def close_connection(self, connection: Any) -> None:
        """Stop listening too."""
        if self._news_fd >= 0:
            os.close(self._news_fd)
            self._news_fd = -1
        super().close_connection(connection)

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """Wait for a message, though never for long.

        A worker acknowledges between two waits only: until then what it has done counts as under
        way, and with all its hands counted busy it is given nothing more.
        """
        brief = None if timeout is None else min(timeout, LONGEST_WAIT)
        super().drain_events(connection, timeout=brief, **kwargs)

    def _read_news(self, loop: Any) -> None:
        try:
            os.read(self._news_fd, 65536)
        except OSError:
            loop.remove(self._news_fd)
        self._has_news = True

    def _look_anyway(self) -> None:
        self._has_news = True

    def _take_what_is_there(self) -> None:
        """Take messages for as long as there are any and there is somebody to work on them."""
        while self._has_news and self.cycle is not None:
            try:
                self.cycle.get(self._deliver)
            except Empty:
                # With all hands full nothing was looked at; the loop turns again when one is free.
                self._has_news = any(not each.qos.can_consume() for each in self.channels or ())
                return


def _watch_arrivals(folder: Path) -> int:
    """Return a descriptor that can be read when a file has been moved into the folder."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if fd < 0 or libc.inotify_add_watch(fd, os.fsencode(folder), _IN_MOVED_TO) < 0:
        raise OSError(ctypes.get_errno(), f"cannot watch {folder}")
    return fd


def _write_whole(file: Path, content: str) -> None:
    hidden = file.with_name(f".{uuid.uuid4()}")
    hidden.write_bytes(str_to_bytes(content))
    hidden.rename(file)
