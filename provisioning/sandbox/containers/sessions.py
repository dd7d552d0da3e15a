"""One command executed in a running container: what goes in, what comes out, how it ended."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator

STDOUT = 1
STDERR = 2
# Pieces a slow client may leave unread before the command has to wait for it.
_PIECES = 64


class CannotExecute(Exception):
    """The runtime could not start the command."""


class Session(ABC):
    """A command that runs beside a container's own program."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(_PIECES)

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """What it writes, piece by piece, until it is over."""
        while (piece := await self._pieces.get()) is not None:
            yield piece

    async def _put(self, channel: int, data: bytes) -> None:
        await self._pieces.put((channel, data))

    async def _finish(self) -> None:
        await self._pieces.put(None)

    def _cut(self) -> None:
        """End the output now; a reader who is gone must not hold it open."""
        while self._pieces.full():
            self._pieces.get_nowait()
        self._pieces.put_nowait(None)

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Put something on its standard input."""

    @abstractmethod
    def close_input(self) -> None:
        """There is nothing more to read."""

    @abstractmethod
    def resize(self, *, columns: int, rows: int) -> None:
        """Its terminal has another size now."""

    @abstractmethod
    def kill(self) -> None:
        """End it at once."""

    @abstractmethod
    async def wait(self) -> int:
        """Its exit code, once its output is read to the end."""
