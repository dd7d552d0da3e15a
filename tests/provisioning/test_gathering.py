"""Who is quick gets every item at once; who falls behind gets what waits together."""

import threading
from collections.abc import Iterator

import pytest

from provisioning.gathering import gather


def test_what_waits_comes_together_and_in_order() -> None:
    may_end = threading.Event()

    def source() -> Iterator[int]:
        yield from range(25)
        may_end.set()

    batches = gather(source(), at_most=10)
    first = next(batches)
    assert may_end.wait(10)
    rest = list(batches)
    assert [item for batch in (first, *rest) for item in batch] == list(range(25))
    assert max(map(len, rest)) == 10


def test_an_item_does_not_wait_for_others() -> None:
    taken = threading.Event()

    def source() -> Iterator[str]:
        yield "one"
        assert taken.wait(10)
        yield "two"

    batches = gather(source(), at_most=10)
    assert next(batches) == ["one"]
    taken.set()
    assert list(batches) == [["two"]]


def test_what_the_source_raises_comes_after_what_came_before() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ConnectionError("cut")

    seen: list[int] = []
    batches = gather(source(), at_most=10)

    def take_all() -> None:
        for batch in batches:
            seen.extend(batch)

    with pytest.raises(ConnectionError, match="cut"):
        take_all()
    assert seen == [1]


def test_a_source_nobody_reads_any_more_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioning.gathering.MOST_WAITING", 2)
    monkeypatch.setattr("provisioning.gathering.LOOK_UP_SECONDS", 0.05)
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    batches = gather(source(), at_most=1)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert closed.wait(10)
