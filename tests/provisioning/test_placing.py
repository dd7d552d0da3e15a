"""A pool is chosen fairly, and never beyond what it has."""

from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from provisioning.placing import Choice, NoChoice, Offer, Waiting, choose_pools


def waiting(*counts: int) -> list[Waiting]:
    return [Waiting(UUID(int=number), 1, count) for number, count in enumerate(counts)]


def choose_pool(
    *, count: int, offers: Sequence[Offer], ahead: Sequence[int] = ()
) -> Choice | NoChoice:
    """Place one, behind all those ahead."""
    *_, last = order = waiting(*ahead, count)
    return choose_pools(wanted=[last], offers=offers, order=order)[last.id]


def offer(*free: int, pool_id: int = 1, largest: int = 8, promised: int = 0) -> Offer:
    return Offer(
        pool_id=pool_id,
        name=f"pool {pool_id}",
        free_by_node=free,
        largest_node=largest,
        promised=promised,
    )


def test_the_emptiest_pool_is_chosen() -> None:
    offers = [offer(2, pool_id=1), offer(4, 4, pool_id=2)]
    assert choose_pool(count=2, offers=offers) == Choice(2)


def test_devices_of_two_nodes_do_not_make_one_pod() -> None:
    chosen = choose_pool(count=4, offers=[offer(2, 2)])
    assert isinstance(chosen, NoChoice)
    assert chosen.reason == "no_capacity"


def test_what_is_promised_to_a_pod_on_no_node_yet_is_not_free() -> None:
    assert isinstance(choose_pool(count=2, offers=[offer(4, promised=3)]), NoChoice)
    assert choose_pool(count=1, offers=[offer(4, promised=3)]) == Choice(1)


def test_no_pool_is_another_reason_than_no_room() -> None:
    none = choose_pool(count=1, offers=[])
    large = choose_pool(count=16, offers=[offer(8, 8)])
    assert isinstance(none, NoChoice)
    assert isinstance(large, NoChoice)
    assert (none.reason, large.reason) == ("no_pool", "too_large")


def test_who_has_waited_longer_is_served_first() -> None:
    chosen = choose_pool(count=4, offers=[offer(8)], ahead=[6])
    assert isinstance(chosen, NoChoice)
    assert chosen.reason == "behind_others"


def test_a_large_wish_is_not_starved_by_small_ones() -> None:
    # Eight in a row are wanted, five are free: the next small wish must not take one of them.
    assert isinstance(choose_pool(count=1, offers=[offer(5)], ahead=[8]), NoChoice)
    # Another node is not held back for it.
    assert choose_pool(count=1, offers=[offer(5, 2)], ahead=[8]) == Choice(1)


def test_a_wish_no_node_can_ever_hold_blocks_nobody() -> None:
    assert choose_pool(count=1, offers=[offer(8)], ahead=[16]) == Choice(1)


COUNTS = st.integers(min_value=1, max_value=8)
OFFERS = st.lists(
    st.tuples(st.lists(st.integers(0, 8), max_size=4), st.integers(0, 4)), max_size=4
).map(
    lambda pools: [
        offer(*free, pool_id=number, promised=promised)
        for number, (free, promised) in enumerate(pools, 1)
    ]
)


@given(count=COUNTS, offers=OFFERS, ahead=st.lists(COUNTS, max_size=6))
def test_whoever_is_placed_fits(count: int, offers: list[Offer], ahead: list[int]) -> None:
    chosen = choose_pool(count=count, offers=offers, ahead=ahead)
    if isinstance(chosen, Choice):
        pool = next(o for o in offers if o.pool_id == chosen.pool_id)
        assert max(pool.free_by_node) >= count
        assert sum(pool.free_by_node) - pool.promised >= count


@given(offers=OFFERS, counts=st.lists(COUNTS, min_size=1, max_size=8))
def test_somebody_is_served_while_anybody_fits(offers: list[Offer], counts: list[int]) -> None:
    """However the queue looks, its first member that fits anywhere is not held up by nothing."""
    first = counts[0]
    fits = any(o.can_take(first) for o in offers)
    assert isinstance(choose_pool(count=first, offers=offers), Choice) is fits


def test_one_that_has_had_its_turn_leaves_room_for_nobody() -> None:
    [lost] = waiting(4)
    queued = Waiting(UUID(int=9), 1, 6)
    assert choose_pools(wanted=[lost], offers=[offer(8)], order=[queued]) == {lost.id: Choice(1)}


@given(offers=OFFERS, queue=st.lists(COUNTS, min_size=1, max_size=8))
def test_a_whole_queue_gets_what_it_would_get_one_after_another(
    offers: list[Offer], queue: list[int]
) -> None:
    order = waiting(*queue)
    together = choose_pools(wanted=order, offers=offers, order=order)
    left, still = {one.pool_id: one for one in offers}, order
    for one in order:
        alone = choose_pools(wanted=[one], offers=left.values(), order=still)[one.id]
        assert alone == together[one.id]
        if isinstance(alone, Choice):
            left[alone.pool_id] = left[alone.pool_id].promising(one.device_count)
            still = [other for other in still if other is not one]


@given(
    offers=OFFERS,
    queue=st.lists(st.tuples(COUNTS, st.booleans()), min_size=1, max_size=8),
)
def test_several_never_get_more_than_there_is(
    offers: list[Offer], queue: list[tuple[int, bool]]
) -> None:
    order = waiting(*(count for count, _ in queue))
    wanted = [one for one, (_, is_wanted) in zip(order, queue, strict=True) if is_wanted]
    chosen = choose_pools(wanted=wanted, offers=offers, order=order)
    assert set(chosen) == {one.id for one in wanted}
    for pool in offers:
        mine = [c for c, choice in ((one.device_count, chosen[one.id]) for one in wanted)
                if choice == Choice(pool.pool_id)]  # fmt: skip
        assert sum(mine) <= pool.free
        assert max(mine, default=0) <= max(pool.free_by_node, default=0)
