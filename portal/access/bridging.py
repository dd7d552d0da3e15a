"""Bridge a browser's WebSocket to a shell in an instance.

Binary messages are what is typed and what is printed; text messages are JSON: the browser
says `{"resize": [columns, rows]}`.  When the portal closes, the close reason is the code
of why, which the page puts into words.  Each side is read only as fast as the other takes
it, so nothing piles up here.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Final
from urllib.parse import parse_qs
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from portal.access import callers, entering, terminals
from portal.access.callers import Caller
from portal.access.entering import Entrance, Refusal
from portal.access.models import TerminalSession
from portal.access.protocol import Receive, Scope, Send
from portal.access.threads import in_thread
from portal.tenants.errors import PortalError
from provisioning import terminals as shells
from provisioning.cluster import execing
from provisioning.cluster.execing import Shell
from provisioning.errors import ProvisioningError

# Close codes: 1000 is the shell's own end, 4000 and above are free to use.
ENDED, REFUSED, BROKEN = 1000, 4403, 4502
MOST_COLUMNS: Final = 1000
# A pasted file goes to the shell in pieces it can take.
PIECE: Final = 16 * 1024


async def serve_terminal(scope: Scope, receive: Receive, send: Send, *, instance_id: UUID) -> None:
    """Answer one WebSocket from its first message to its last."""
    await receive()
    request = callers.request_of(scope)
    caller = callers.caller_of(request)
    # A foreign page's socket would come with the person's cookies: nothing is said to it.
    if not caller.is_program and not callers.comes_from_portal(request):
        await send({"type": "websocket.close", "code": REFUSED})
        return
    try:
        opened = await in_thread(
            terminals.open_terminal, caller=caller, instance_id=instance_id, at=timezone.now()
        )
    except (PortalError, ProvisioningError) as refusal:
        await _turn_away(send, refusal)
        return
    await send({"type": "websocket.accept"})
    code, reason = BROKEN, "broken"
    try:
        code, reason = await _bridge(scope, receive, send, caller, *opened)
    finally:
        await asyncio.shield(_close(send, opened[1], code, reason))


async def _turn_away(send: Send, refusal: Refusal) -> None:
    # A socket refused before it is open tells a browser nothing of why.
    if refusal.code != "not_found":
        await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": REFUSED, "reason": refusal.code})


async def _close(send: Send, terminal: TerminalSession, code: int, reason: str) -> None:
    await in_thread(terminals.close_terminal, terminal=terminal, reason=reason, at=timezone.now())
    # Whoever left first does not hear it.
    with contextlib.suppress(Exception):
        await send({"type": "websocket.close", "code": code, "reason": reason})


async def _bridge(
    scope: Scope,
    receive: Receive,
    send: Send,
    caller: Caller,
    entrance: Entrance,
    terminal: TerminalSession,
) -> tuple[int, str]:
    command = shells.login_command(
        terminal_id=terminal.pk, idle_seconds=settings.TERMINAL_IDLE_SECONDS
    )
    check = partial(
        terminals.check_terminal,
        caller=caller,
        terminal=terminal,
        attempt_no=entrance.pod.attempt_no,
    )
    shell: Shell | None = None
    try:
        async with execing.running_command(entrance.pod, command=command) as shell:
            await _resize(shell, _size_in(scope))
            return await _first_of(_Sides(receive, send, shell), check)
    except ProvisioningError as error:
        return BROKEN, error.code
    except OSError:
        # The browser went while something was on its way to it.
        return ENDED, "left"
    finally:
        if shell is not None and shell.ending is None:
            await asyncio.shield(shells.hang_up(entrance.pod, terminal_id=terminal.pk))


class _Sides:
    """The two directions of one terminal."""

    def __init__(self, receive: Receive, send: Send, shell: Shell) -> None:
        self._receive, self._send, self._shell = receive, send, shell
        self._typed_at = time.monotonic()

    async def typed(self) -> tuple[int, str]:
        """Pass on what is typed, until the browser leaves."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return ENDED, "left"
            if data := message.get("bytes"):
                self._typed_at = time.monotonic()
                for start in range(0, len(data), PIECE):
                    await self._shell.write(data[start : start + PIECE])
            elif text := message.get("text"):
                await _resize(self._shell, _size_of(text))

    async def printed(self) -> tuple[int, str]:
        """Pass on what is printed, until the shell ends."""
        async for data in self._shell:
            await self._send({"type": "websocket.send", "bytes": data})
        return ENDED, "ended"

    async def left_alone(self) -> tuple[int, str]:
        """Wait until nothing has been typed for too long."""
        while (rest := self._typed_at + settings.TERMINAL_IDLE_SECONDS - time.monotonic()) > 0:
            await asyncio.sleep(rest)
        return REFUSED, "idle"

    async def too_long(self) -> tuple[int, str]:
        """Wait until it has been open for as long as any may."""
        await asyncio.sleep(settings.TERMINAL_LONGEST_SECONDS)
        return REFUSED, "too_long"


async def _first_of(sides: _Sides, check: Callable[..., None]) -> tuple[int, str]:
    async def refused() -> tuple[int, str]:
        refusal = await entering.until_refused(check, seconds=settings.ACCESS_CHECK_SECONDS)
        return REFUSED, refusal.code

    parts = (sides.printed(), sides.typed(), sides.left_alone(), sides.too_long(), refused())
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        # When the shell has ended, that is what is told, whatever else came with it.
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _resize(shell: Shell, size: tuple[int, int] | None) -> None:
    if size is not None:
        await shell.resize(columns=size[0], rows=size[1])


def _size_in(scope: Scope) -> tuple[int, int] | None:
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return _sane(query.get("columns", [""])[0], query.get("rows", [""])[0])


def _size_of(text: str) -> tuple[int, int] | None:
    try:
        columns, rows = json.loads(text)["resize"]
    except (ValueError, KeyError, TypeError):
        return None
    return _sane(str(columns), str(rows))


def _sane(columns: str, rows: str) -> tuple[int, int] | None:
    sizes = [int(text) if text.isdecimal() and len(text) < 5 else 0 for text in (columns, rows)]
    return (sizes[0], sizes[1]) if all(0 < size <= MOST_COLUMNS for size in sizes) else None
