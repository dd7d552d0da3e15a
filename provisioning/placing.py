"""Choose the pools for instances, or say why none can hold one: offers in, choices out.

Pure.  Whoever waits longer is served first, project by project in turn; what those ahead
will take is set aside, so that a large wish is not starved by small ones behind it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

# Beyond so many ahead nobody more is made room for.
MOST_AHEAD: Final = 200


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
        return replace(self, free_by_node=tuple(nodes))

    def promising(self, count: int) -> "Offer":
        """Return the offer that is left when a pod that is on no node yet gets so many."""
        return replace(self, promised=self.promised + count)


@dataclass(frozen=True)
class Choice:
    """The pool to place in."""

    pool_id: int


@dataclass(frozen=True)
class NoChoice:
    """Why there is none, and how many are to be served before."""

    reason: str
    message: str
    ahead: int = 0


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


def choose_pools(
    *, wanted: Sequence[Waiting], offers: Iterable[Offer], order: Sequence[Waiting]
) -> dict[UUID, Choice | NoChoice]:
    """Place all that are wanted, each after those ahead of it in the order have had theirs.

    Whoever is not in the order has had its turn before, and leaves no room for anybody.
    """
    there = {offer.pool_id: offer for offer in offers}
    left, ahead = dict(there), 0
    queued, mine = {one.id for one in order}, {one.id for one in wanted}
    chosen: dict[UUID, Choice | NoChoice] = {}
    for one in [*(each for each in wanted if each.id not in queued), *order]:
        if one.id in mine:
            choice = chosen[one.id] = _choose(one.device_count, there, left, ahead)
            if isinstance(choice, Choice):
                for offers_ in (there, left):
                    offers_[choice.pool_id] = offers_[choice.pool_id].promising(one.device_count)
                continue
        if len(chosen) == len(mine):
            break
        if one.id in queued and ahead < MOST_AHEAD:
            _serve(left, one.device_count)
            ahead += 1
    return chosen


def _choose(
    count: int, there: Mapping[int, Offer], left: Mapping[int, Offer], ahead: int
) -> Choice | NoChoice:
    if not there:
        return NoChoice("no_pool", "No cluster offers this family now.", ahead)
    largest = max(offer.largest_node for offer in there.values())
    if largest < count:
        message = f"No node has {count} devices; the largest has {largest}."
        return NoChoice("too_large", message, ahead)
    best = _best(left.values(), count)
    return Choice(best.pool_id) if best else _full(count, there.values(), left.values(), ahead)


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


def _full(count: int, offers: Iterable[Offer], left: Iterable[Offer], ahead: int) -> NoChoice:
    free = sum(offer.free for offer in offers)
    if free and sum(offer.free for offer in left) < free:
        message = f"{free} devices are free, and others have waited longer."
        return NoChoice("behind_others", message, ahead)
    message = f"{free} healthy devices are free, {count} on one node are needed."
    return NoChoice("no_capacity", message, ahead)
