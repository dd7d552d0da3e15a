"""A command executed beside a local container: over pipes, or at a terminal of its own."""

import asyncio
import contextlib
import errno
import fcntl
import os
import pty
import struct
import termios
from typing import Self

from provisioning.sandbox.containers.launching import Order, Program
from provisioning.sandbox.containers.sessions import STDERR, STDOUT, Session

_CHUNK = 32768


class ProcessSession(Session):
    """One process, and the descriptors it reads and writes."""

    def __init__(self, order: Order) -> None:
        super().__init__()
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        # Our end of the terminal, and what was typed and not taken yet.
        self._terminal = -1
        self._typed = bytearray()
        self._typing = False
        self._input: asyncio.WriteTransport | None = None
        self._order = order

    @classmethod
    async def begin(cls, order: Order) -> Self:
        """Start it."""
        session = cls(order)
        await (session._at_terminal() if order.is_terminal else session._over_pipes())
        return session

    async def _at_terminal(self) -> None:
        self._terminal, theirs = pty.openpty()
        if self._order.user:
            os.fchown(theirs, self._order.user, self._order.user)
        self._launch((theirs, theirs, theirs))
        os.set_blocking(self._terminal, False)
        self._pumping = asyncio.create_task(self._pump_terminal())

    async def _over_pipes(self) -> None:
        inward, out, err = (os.pipe2(os.O_CLOEXEC) for _ in range(3))
        self._launch((inward[0], out[1], err[1]))
        await self._writer(inward[1])
        readers = {STDOUT: await self._reader(out[0]), STDERR: await self._reader(err[0])}
        self._pumping = asyncio.create_task(self._pump_pipes(readers))

    def _launch(self, theirs: tuple[int, int, int]) -> None:
        self._program = Program(
            self._order, streams=theirs, on_start=lambda _: None, on_exit=self._ended
        )
        for descriptor in set(theirs):
            os.close(descriptor)

    async def _reader(self, descriptor: int) -> asyncio.StreamReader:
        # A stream stops reading when nobody takes what it holds, and so the command waits.
        reader = asyncio.StreamReader(limit=_CHUNK)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
        )
        return reader

    async def _writer(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        self._input, _ = await loop.connect_write_pipe(
            asyncio.BaseProtocol, os.fdopen(descriptor, "wb", 0)
        )

    async def _pump_terminal(self) -> None:
        """Read the terminal piece by piece; what nobody takes makes the command wait."""
        loop = asyncio.get_running_loop()
        while True:
            readable = loop.create_future()
            loop.add_reader(self._terminal, _resolve, readable)
            await readable
            loop.remove_reader(self._terminal)
            try:
                data = os.read(self._terminal, _CHUNK)
            except OSError as error:
                # A terminal whose last user has left answers with an error and not with an end.
                if error.errno != errno.EIO:
                    raise
                break
            if not data:
                break
            await self._put(STDOUT, data)
        await self._close_terminal()

    async def _close_terminal(self) -> None:
        await self._code
        terminal, self._terminal = self._terminal, -1
        if self._typing:
            asyncio.get_running_loop().remove_writer(terminal)
        os.close(terminal)
        await self._finish()

    async def _pump_pipes(self, readers: dict[int, asyncio.StreamReader]) -> None:
        await asyncio.gather(*(self._pump_one(channel, one) for channel, one in readers.items()))
        await self._code
        await self._finish()

    async def _pump_one(self, channel: int, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            await self._put(channel, data)

    def write(self, data: bytes) -> None:
        """Put something on its standard input."""
        if self._terminal >= 0:
            self._typed += data
            self._type()
        elif self._input and not self._input.is_closing():
            self._input.write(data)

    def _type(self) -> None:
        """Give the terminal what it takes now, and the rest when it takes more."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError):
            while self._typed:
                del self._typed[: os.write(self._terminal, self._typed)]
        if self._typed and not self._typing:
            loop.add_writer(self._terminal, self._type)
        elif self._typing and not self._typed:
            loop.remove_writer(self._terminal)
        self._typing = bool(self._typed)

    def close_input(self) -> None:
        """There is nothing more to read."""
        if self._order.is_terminal:
            self.write(b"\x04")
        elif self._input:
            self._input.close()

    def resize(self, *, columns: int, rows: int) -> None:
        """Its terminal has another size now; the kernel tells the program."""
        if self._terminal >= 0:
            size = struct.pack("HHHH", rows, columns, 0, 0)
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)

    def kill(self) -> None:
        """End it at once."""
        if not self.is_over:
            self._program.kill()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._code.done()

    async def wait(self) -> int:
        """Its exit code."""
        return await self._code

    def _ended(self, code: int) -> None:
        if self._input:
            self._input.close()
        self._code.set_result(code)


def _resolve(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)
