"""Count what the loops come to, for `/metrics`.

A process counts in memory; a loop adds its counts to the rows at the end of a round.  What a
process had counted when it was killed is missing: these numbers are for watching, and nothing
is concluded from them.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection

from provisioning.models import LoopCount

_ADD = """
INSERT INTO provisioning_loopcount (loop, result, count, last_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (loop, result) DO UPDATE
   SET count = provisioning_loopcount.count + excluded.count,
       last_at = greatest(provisioning_loopcount.last_at, excluded.last_at)
"""
_counted: Counter[tuple[str, str]] = Counter()


def count(loop: str, result: str, times: int = 1) -> None:
    """Count one result, until the next `add_up` of this process."""
    _counted[(loop, result[:100])] += times


def add_up(*, at: datetime) -> None:
    """Add what this process has counted to the rows.

    Called outside a transaction: two that add the same rows must not wait for each other long.
    """
    found = sorted(_counted.items())
    _counted.clear()
    with connection.cursor() as cursor:
        for (loop, result), times in found:
            cursor.execute(_ADD, [loop, result, times, at])


@contextmanager
def adding_up(*, at: datetime) -> Iterator[None]:
    """Add up when a round ends, however it ends."""
    try:
        yield
    finally:
        add_up(at=at)


def counts() -> list[LoopCount]:
    """Return everything counted so far."""
    return list(LoopCount.objects.order_by("loop", "result"))
