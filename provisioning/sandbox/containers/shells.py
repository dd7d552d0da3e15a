"""The small shell of simulated containers: enough to look around and to show a terminal.

It knows a dozen commands, `;` and `&&`, `>&2`, `$NAME` and `$?`.  What it does not know is
not found, as in any shell; there are no files, pipes or jobs.
"""

import asyncio
import contextlib
import shlex
from collections.abc import Sequence

from provisioning.sandbox.containers import statements
from provisioning.sandbox.containers.lines import LineEditor
from provisioning.sandbox.containers.runtime import Launch
from provisioning.sandbox.containers.sessions import STDERR, STDOUT, CannotExecute, Session

NOT_FOUND = (
    'OCI runtime exec failed: exec failed: unable to start container process: exec: "{program}":'
    " executable file not found in $PATH: unknown"
)
NOTHING = "OCI runtime exec failed: exec failed: args must not be empty: unknown"
_SHELLS = ("sh", "bash", "ash")
_KILLED = 137
PROMPT = "~ $ "


class ShellSession(Session):
    """A command in a container that is only state."""

    def __init__(
        self, launch: Launch, command: Sequence[str], *, programs: Sequence[str], is_terminal: bool
    ) -> None:
        super().__init__()
        self._command = list(command)
        self._is_terminal = is_terminal
        self._input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._surroundings = statements.surroundings_of(launch, programs)
        self._check()
        self._task = asyncio.create_task(self._run())

    def _check(self) -> None:
        if not self._command:
            raise CannotExecute(NOTHING)
        program = self._command[0].rpartition("/")[2]
        if program not in (*_SHELLS, *statements.known(self._surroundings)):
            raise CannotExecute(NOT_FOUND.format(program=self._command[0]))

    def write(self, data: bytes) -> None:
        """Type something."""
        self._input.put_nowait(data)

    def close_input(self) -> None:
        """End of what is typed."""
        self._input.put_nowait(None)

    def resize(self, *, columns: int, rows: int) -> None:
        """The terminal has another size."""
        self._surroundings.columns, self._surroundings.rows = columns, rows

    def kill(self) -> None:
        """End it at once."""
        self._task.cancel()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._task.done()

    async def wait(self) -> int:
        """Its exit code."""
        with contextlib.suppress(asyncio.CancelledError):
            return await asyncio.shield(self._task)
        return _KILLED

    async def _run(self) -> int:
        try:
            code = await self._program()
            await self._finish()
        except asyncio.CancelledError:
            self._cut()
            raise
        return code

    async def _program(self) -> int:
        program, rest = self._command[0].rpartition("/")[2], self._command[1:]
        if program not in _SHELLS:
            return await self._statement(shlex.join(self._command))
        if rest[:1] == ["-c"] and len(rest) > 1:
            return await self._script(rest[1])
        return await self._interact()

    async def _script(self, script: str) -> int:
        for text, only_after_success in statements.split(script):
            if only_after_success and self._surroundings.code:
                continue
            self._surroundings.code = await self._statement(text)
            if self._surroundings.is_leaving:
                break
        return self._surroundings.code

    async def _statement(self, text: str) -> int:
        words = statements.words_of(text, self._surroundings)
        if words[:1] == ["sleep"]:
            await asyncio.sleep(statements.seconds_of(words))
            return 0
        if words == ["cat"]:
            return await self._cat()
        if len(words) == 1 and words[0].rpartition("/")[2] in _SHELLS:
            return await self._interact()
        told = statements.run(words, self._surroundings)
        await self._say(STDOUT, told.out)
        await self._say(STDERR, told.err)
        return told.code

    async def _say(self, channel: int, text: str) -> None:
        if not text:
            return
        if self._is_terminal:
            # A terminal has one stream, and its lines end as a teleprinter's do.
            channel, text = STDOUT, text.replace("\n", "\r\n")
        await self._put(channel, text.encode())

    async def _cat(self) -> int:
        while (data := await self._input.get()) is not None:
            await self._put(STDOUT, data)
            if self._is_terminal and b"\x04" in data:
                break
        return 0

    async def _interact(self) -> int:
        """Read lines until the input ends, or `exit`."""
        editor = LineEditor(is_terminal=self._is_terminal)
        await self._prompt()
        while not self._surroundings.is_leaving:
            data = await self._input.get()
            if data is None:
                break
            for line in editor.feed(data):
                await self._say(STDOUT, editor.take_echo())
                if line is None:
                    return self._surroundings.code
                await self._script(line)
                if self._surroundings.is_leaving:
                    return self._surroundings.code
                await self._prompt()
            await self._say(STDOUT, editor.take_echo())
        return self._surroundings.code

    async def _prompt(self) -> None:
        if self._is_terminal:
            await self._say(STDOUT, PROMPT)
