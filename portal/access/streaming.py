"""Follow an instance's log as server-sent events, for pages and programs alike.

Each line is one event without a name; the last event is named `end` and says why there
is nothing more.  A stream is asked every few seconds whether its reader still may.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.http import StreamingHttpResponse

from portal.access import callers, entering, streams
from portal.access.callers import Caller
from portal.access.entering import Refusal
from portal.access.models import LogStream
from portal.access.threads import in_thread
from portal.tenants.access import Action
from portal.tenants.errors import PortalError
from portal.tenants.scoping import instance_for
from provisioning import reading
from provisioning.cluster import following
from provisioning.errors import ProvisioningError
from provisioning.models import Instance

# Something in between may cut what is silent.
SILENT_SECONDS: Final = 15.0
InWords = Callable[[Refusal], str]


def log_answer(
    *,
    caller: Caller,
    instance: Instance,
    attempt_no: int,
    tail: int,
    in_words: InWords,
    at: datetime,
) -> StreamingHttpResponse:
    """Return an answer that goes on as long as the log does; the caller has been let in.

    Raises `TooManyStreams`.
    """
    user = callers.person_of(caller, at=at)
    stream = streams.open_stream(user=user, instance=instance, at=at)
    events = _events(caller, stream, attempt_no, tail, in_words)
    answer = StreamingHttpResponse(events, content_type="text/event-stream")
    answer["Cache-Control"], answer["X-Accel-Buffering"] = "no-store", "no"
    return answer


def may_read(*, caller: Caller, stream: LogStream, at: datetime) -> None:
    """Raise why the reader may no longer; otherwise note that the stream lives."""
    instance_for(callers.person_of(caller, at=at), stream.instance_id, Action.READ_LOGS)
    streams.keep_stream(stream=stream, at=at)


async def _events(
    caller: Caller, stream: LogStream, attempt_no: int, tail: int, in_words: InWords
) -> AsyncIterator[bytes]:
    check = partial(may_read, caller=caller, stream=stream)
    watching = asyncio.ensure_future(
        entering.until_refused(check, seconds=settings.ACCESS_CHECK_SECONDS)
    )
    try:
        async with asyncio.timeout(settings.STREAM_LONGEST_SECONDS):
            pod = await in_thread(reading.log_pod, instance=stream.instance, attempt_no=attempt_no)
            async for line in _until(watching, following.follow_log(pod, tail=tail)):
                yield _event(line)
            if watching.done():
                raise watching.result()
            yield _end("ended", "")
    except TimeoutError:
        yield _end("too_long", "")
    except (PortalError, ProvisioningError) as refusal:
        yield _end(refusal.code, in_words(refusal))
    finally:
        watching.cancel()
        await asyncio.shield(in_thread(streams.close_stream, stream=stream))


async def _until(
    watching: "asyncio.Future[Refusal]", lines: AsyncIterator[bytes]
) -> AsyncIterator[bytes | None]:
    """Yield lines, and None now and then while there are none, until the watch ends."""
    coming = asyncio.ensure_future(_next_of(lines))
    try:
        while True:
            both: set[asyncio.Future[Any]] = {coming, watching}
            await asyncio.wait(both, timeout=SILENT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                return
            if not coming.done():
                yield None
                continue
            line = coming.result()
            if line is None:
                return
            yield line
            coming = asyncio.ensure_future(_next_of(lines))
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


async def _next_of(lines: AsyncIterator[bytes]) -> bytes | None:
    return await anext(lines, None)


def _event(line: bytes | None) -> bytes:
    if line is None:
        return b": still here\n\n"
    # A carriage return would end the line for a reader of events.
    return b"data: " + line.replace(b"\r", b"") + b"\n\n"


def _end(code: str, words: str) -> bytes:
    return f"event: end\ndata: {json.dumps({'code': code, 'words': words})}\n\n".encode()
