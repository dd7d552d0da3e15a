"""What a local process has written: its lines with their times, kept within bounds."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime

from provisioning.sandbox.containers.runtime import LogLine

LINES_KEPT = 10_000
# A line longer than this is written in parts, as container runtimes do.
LINE_LIMIT = 16_384


class LogBook:
    """The log of one container."""

    def __init__(self) -> None:
        self._lines: deque[LogLine] = deque(maxlen=LINES_KEPT)
        self._written = 0
        self._unfinished: dict[int, bytes] = {}
        self._grown: asyncio.Event | None = None
        self._is_closed = False

    def write(self, stream: int, data: bytes, *, at: datetime) -> None:
        """Take what came out of one of the two streams."""
        *whole, rest = (self._unfinished.get(stream, b"") + data).split(b"\n")
        while len(rest) > LINE_LIMIT:
            whole.append(rest[:LINE_LIMIT])
            rest = rest[LINE_LIMIT:]
        self._unfinished[stream] = rest
        self._add(whole, at)

    def close(self, *, at: datetime) -> None:
        """Nothing more comes."""
        self._add([rest for rest in self._unfinished.values() if rest], at)
        self._unfinished.clear()
        self._is_closed = True
        self._wake()

    def lines(self) -> list[LogLine]:
        """Everything kept."""
        return list(self._lines)

    async def follow(self) -> AsyncIterator[list[LogLine]]:
        """Everything kept, then what is new, until the end."""
        seen = self._written
        yield self.lines()
        while True:
            if seen < self._written:
                fresh = self.lines()[-(self._written - seen) :]
                seen = self._written
                yield fresh
            elif self._is_closed:
                return
            else:
                self._grown = self._grown or asyncio.Event()
                await self._grown.wait()

    def _add(self, whole: list[bytes], at: datetime) -> None:
        self._lines.extend(LogLine(at, line.decode(errors="replace")) for line in whole)
        self._written += len(whole)
        if whole:
            self._wake()

    def _wake(self) -> None:
        # Everybody who waits wakes up; who waits next makes a new sign.
        if self._grown:
            self._grown.set()
            self._grown = None
