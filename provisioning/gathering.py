"""Hand over what comes one by one in batches of what is waiting.

A thread reads on while a batch is being taken in: who is quick gets every item at once, who
has fallen behind gets many together, and can catch up.
"""

import threading
from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

# So far one may fall behind; then whoever sends has to wait, or gives us up.
MOST_WAITING: Final = 1000
LOOK_UP_SECONDS: Final = 1.0


class _End:
    """Nothing comes any more, for this reason if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error


def gather(items: Iterable[Item], *, at_most: int) -> Iterator[list[Item]]:
    """Yield the items in order; what their source raises is raised after what came before."""
    reader = _Reader(items)
    reader.start()
    try:
        yield from reader.batches(at_most)
    finally:
        reader.is_wanted = False


class _Reader(threading.Thread, Generic[Item]):
    def __init__(self, items: Iterable[Item]) -> None:
        super().__init__(daemon=True, name="gathering")
        self.is_wanted = True
        self._items = items
        self._waiting: Queue[Item | _End] = Queue(MOST_WAITING)

    def run(self) -> None:
        end = _End()
        try:
            for item in self._items:
                self._hand_over(item)
                if not self.is_wanted:
                    return
        except Exception as error:  # noqa: BLE001 - whoever takes the items has to hear of it
            end = _End(error)
        self._hand_over(end)

    def batches(self, at_most: int) -> Iterator[list[Item]]:
        while True:
            batch, end = self._next(at_most)
            if batch:
                yield batch
            if end is not None:
                break
        if end.error is not None:
            raise end.error

    def _next(self, at_most: int) -> tuple[list[Item], _End | None]:
        batch: list[Item] = []
        item = self._waiting.get()
        while not isinstance(item, _End):
            batch.append(item)
            if len(batch) == at_most:
                return batch, None
            try:
                item = self._waiting.get_nowait()
            except Empty:
                return batch, None
        return batch, item

    def _hand_over(self, item: Item | _End) -> None:
        while self.is_wanted:
            try:
                self._waiting.put(item, timeout=LOOK_UP_SECONDS)
            except Full:
                continue
            break
