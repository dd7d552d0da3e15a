"""Keep one person from taking up the whole web process with what they leave open.

Counted in this process, for it is this process's sockets and memory that run out.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from portal.access.errors import TooManyOpen

_open: Counter[int] = Counter()


@contextmanager
def place_for(user_id: int) -> Iterator[None]:
    """Hold one of a person's places while something is open; raises `TooManyOpen`."""
    if _open[user_id] >= settings.OPEN_PER_PERSON:
        raise TooManyOpen
    _open[user_id] += 1
    try:
        yield
    finally:
        _open[user_id] -= 1
        if not _open[user_id]:
            del _open[user_id]
