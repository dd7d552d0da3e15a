"""Foretell when those who wait will be served, from the lease ends of those who hold devices.

Pure: the queue in its order, what is free on every node, and who gives back what when go in;
an instant per instance comes out, or none where nobody who stands in the way has an end.
What is foretold is what `placing` would do if every lease ran to its end and nobody came.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from provisioning.placing import Waiting

Node = tuple[int, str]
"""A pool and the name of one of its nodes."""


@dataclass(frozen=True, order=True)
class Return:
    """So many devices of a node come back then."""

    at: datetime
    node: Node
    count: int


def expected_starts(
    *,
    waiting: Sequence[Waiting],
    free: Mapping[Node, int],
    sizes: Mapping[Node, int],
    returns: Iterable[Return],
    now: datetime,
) -> dict[UUID, datetime]:
    """Say when each of those who wait is served, first to last; who is missing cannot be told."""
    left, starts = dict(free), dict[UUID, datetime]()
    queue = [one for one in waiting if max(sizes.values(), default=0) >= one.device_count]
    queue = _serve(queue, left, sizes, starts, now)
    for at, together in groupby(sorted(returns), key=lambda each: max(each.at, now)):
        for each in together:
            left[each.node] = left.get(each.node, 0) + each.count
        queue = _serve(queue, left, sizes, starts, at)
    return starts


def _serve(
    queue: list[Waiting],
    left: dict[Node, int],
    sizes: Mapping[Node, int],
    starts: dict[UUID, datetime],
    at: datetime,
) -> list[Waiting]:
    """Place whom there is room for, in turn; returns who still waits."""
    still, kept = [], set[Node]()
    for one in queue:
        able = [node for node, n in left.items() if n >= one.device_count and node not in kept]
        if able:
            tightest = min(able, key=lambda node: (left[node], node))
            left[tightest] -= one.device_count
            starts[one.id] = at
            continue
        still.append(one)
        # As in placing: the fullest node that could ever hold it is kept for it.
        large = [node for node, size in sizes.items() if size >= one.device_count]
        free = [node for node in large if node not in kept]
        if free:
            kept.add(max(free, key=lambda node: (left.get(node, 0), node)))
    return still
