"""Ask the database from an event loop: in one of a few threads, each with a connection.

However many terminals are open, no more connections than `ACCESS_THREADS` are.
"""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.db import close_old_connections

T = TypeVar("T")

_pool = ThreadPoolExecutor(settings.ACCESS_THREADS, thread_name_prefix="access")


async def in_thread(work: Callable[..., T], **words: object) -> T:
    """Call what blocks, without blocking."""
    context = contextvars.copy_context()
    call = partial(context.run, _with_fresh_connections, partial(work, **words))
    return await asyncio.get_running_loop().run_in_executor(_pool, call)


def _with_fresh_connections(work: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()
