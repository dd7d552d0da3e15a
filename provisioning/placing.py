"""Choose the pool for an instance, or say why none can hold it: offers in, a choice out.

Pure.  Whoever waits longer is served first, project by project in turn; what those ahead
will take is set aside, so that a large wish is not starved by small ones behind it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Waiting:
    """One instance in the queue."""

    id: UUID
    project_id: int
    device_count: int


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One pool: what is free and healthy per node, what is promised to pods on no node yet."""

    pool_id: int
    name: str
    free_by_node: tuple[int, ...]
    largest_node: int
    promised: int = 0

    @property
    def free(self) -> int:
        """Return how many devices nobody holds or has been promised."""
        return max(0, sum(self.free_by_node) - self.promised)

    def can_take(self, count: int) -> bool:
        """Say whether one node has the devices for one pod."""
        return self.free >= count and max(self.free_by_node, default=0) >= count

    def taking(self, count: int) -> "Offer":
        """Return the offer that is left when somebody takes so many."""
        tightest = min(free for free in self.free_by_node if free >= count)
        nodes = list(self.free_by_node)
        nodes[nodes.index(tightest)] -= count
        return Offer(
            pool_id=self.pool_id,
            name=self.name,
            free_by_node=tuple(nodes),
            largest_node=self.largest_node,
            promised=self.promised,
        )


@dataclass(frozen=True)
class Choice:
    """The pool to place in."""

    pool_id: int


@dataclass(frozen=True)
class NoChoice:
    """Why there is none."""

    reason: str
    message: str


def fair_order(waiting: Iterable[Waiting], *, having: Mapping[int, int]) -> list[Waiting]:
    """Put those who wait in turn: whose project has fewer instances comes first.

    `waiting` comes in the order of their wishes, which decides between equals.
    """
    turns = dict(having)
    ranked = []
    for one in waiting:
        turns[one.project_id] = turns.get(one.project_id, 0) + 1
        ranked.append((turns[one.project_id], one))
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]


def choose_pool(
    *, count: int, offers: Sequence[Offer], ahead: Iterable[int] = ()
) -> Choice | NoChoice:
    """Place so many devices, after all those ahead have had theirs."""
    if not offers:
        return NoChoice("no_pool", "No cluster offers this family now.")
    largest = max(offer.largest_node for offer in offers)
    if largest < count:
        return NoChoice("too_large", f"No node has {count} devices; the largest has {largest}.")
    left = {offer.pool_id: offer for offer in offers}
    for wanted in ahead:
        _serve(left, wanted)
    best = _best(left.values(), count)
    return Choice(best.pool_id) if best else _full(count, offers, left.values())


def _serve(left: dict[int, Offer], wanted: int) -> None:
    """Set aside what somebody ahead takes, or waits for."""
    best = _best(left.values(), wanted)
    if best is not None:
        left[best.pool_id] = best.taking(wanted)
        return
    # Not enough together yet: the fullest node that could ever hold it is kept for it.
    able = [offer for offer in left.values() if offer.largest_node >= wanted]
    if able:
        kept = max(able, key=lambda offer: (max(offer.free_by_node, default=0), -offer.pool_id))
        if most := max(kept.free_by_node, default=0):
            left[kept.pool_id] = kept.taking(most)


def _best(offers: Iterable[Offer], count: int) -> Offer | None:
    able = [offer for offer in offers if offer.can_take(count)]
    return max(able, key=lambda offer: (offer.free, -offer.pool_id), default=None)


def _full(count: int, offers: Iterable[Offer], left: Iterable[Offer]) -> NoChoice:
    free = sum(offer.free for offer in offers)
    if free and sum(offer.free for offer in left) < free:
        return NoChoice("behind_others", f"{free} devices are free, and others have waited longer.")
    return NoChoice(
        "no_capacity", f"{free} healthy devices are free, {count} on one node are needed."
    )
