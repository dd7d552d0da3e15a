"""When those who wait are served, told from the leases of those who hold."""

from datetime import datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from provisioning.foretelling import Return, expected_starts
from provisioning.placing import Waiting
from tests.factories.provisioning import NOON

EAST, WEST = (1, "east"), (1, "west")
HOUR = timedelta(hours=1)


def waits(count: int) -> Waiting:
    return Waiting(uuid4(), 1, count)


def told(
    *queue: Waiting, free: dict[tuple[int, str], int], back: list[Return] | None = None
) -> list[datetime | None]:
    sizes = {EAST: 8, WEST: 8}
    starts = expected_starts(waiting=queue, free=free, sizes=sizes, returns=back or [], now=NOON)
    return [starts.get(one.id) for one in queue]


def test_who_finds_room_starts_now() -> None:
    assert told(waits(2), free={EAST: 2}) == [NOON]


def test_a_lease_end_gives_the_instant() -> None:
    back = [Return(NOON + HOUR, EAST, 2)]
    assert told(waits(2), waits(1), free={EAST: 0}, back=back) == [NOON + HOUR, None]


def test_devices_on_two_nodes_are_not_two_devices_for_one_pod() -> None:
    back = [Return(NOON + HOUR, EAST, 1), Return(NOON + 2 * HOUR, WEST, 2)]
    assert told(waits(2), free={EAST: 0, WEST: 0}, back=back) == [NOON + 2 * HOUR]


def test_the_large_one_in_front_keeps_its_node_and_lets_others_have_the_rest() -> None:
    back = [Return(NOON + HOUR, EAST, 5)]
    starts = told(waits(8), waits(2), waits(1), free={EAST: 3, WEST: 2}, back=back)
    assert starts == [NOON + HOUR, NOON, None]


def test_a_lease_that_is_over_already_ends_now() -> None:
    assert told(waits(1), free={EAST: 0}, back=[Return(NOON - HOUR, EAST, 1)]) == [NOON]


def test_nobody_can_tell_where_nobody_has_an_end() -> None:
    assert told(waits(1), free={EAST: 0}) == [None]


NODES = st.sampled_from([(1, "a"), (1, "b"), (2, "a")])


@given(
    counts=st.lists(st.integers(1, 4), max_size=8),
    free=st.dictionaries(NODES, st.integers(0, 4)),
    back=st.lists(st.tuples(st.integers(-2, 9), NODES, st.integers(1, 4)), max_size=8),
)
def test_nothing_is_promised_that_is_not_there(
    counts: list[int],
    free: dict[tuple[int, str], int],
    back: list[tuple[int, tuple[int, str], int]],
) -> None:
    queue = [waits(count) for count in counts]
    returns = [Return(NOON + hours * HOUR, node, count) for hours, node, count in back]
    sizes = dict.fromkeys([(1, "a"), (1, "b"), (2, "a")], 40)
    starts = expected_starts(waiting=queue, free=free, sizes=sizes, returns=returns, now=NOON)
    for at in starts.values():
        assert at >= NOON
        taken = sum(one.device_count for one in queue if starts.get(one.id, at + HOUR) <= at)
        there = sum(free.values()) + sum(each.count for each in returns if each.at <= at)
        assert taken <= there


@given(hours=st.integers(1, 9), earlier=st.integers(0, 8))
def test_an_earlier_end_never_puts_anybody_off(hours: int, earlier: int) -> None:
    late = told(waits(2), free={EAST: 0}, back=[Return(NOON + hours * HOUR, EAST, 2)])
    soon = min(hours, earlier)
    early = told(waits(2), free={EAST: 0}, back=[Return(NOON + soon * HOUR, EAST, 2)])
    assert late[0] is not None
    assert early[0] is not None
    assert early[0] <= late[0]
