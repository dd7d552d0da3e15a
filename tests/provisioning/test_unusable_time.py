"""The laws of unusable time: in whatever order faults are told, each second counts once."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.covering import Spell, changes_for
from tests.factories.provisioning import NOON

RUN = Spell(since=NOON, until=NOON + timedelta(seconds=60))
SECONDS = st.integers(min_value=-20, max_value=80)


def second(no: int) -> datetime:
    return NOON + timedelta(seconds=no)


@st.composite
def faults(draw: st.DrawFn) -> Spell:
    since = draw(SECONDS)
    length = draw(st.one_of(st.none(), st.integers(min_value=0, max_value=50)))
    until = None if length is None else second(since + length)
    return Spell(since=second(since), until=until, cause="ill")


def told(history: list[list[Spell]], run: Spell = RUN) -> list[Spell]:
    """Write what every look finds, as the ledger would: ends once, rows only added."""
    known: list[Spell] = []
    for seen in history:
        changes = changes_for(run=run, faults=seen, known=known)
        still_open = [one for one in known if one.until is None]
        if changes.end_open_at is not None:
            ended = still_open[0]
            known[known.index(ended)] = Spell(
                since=ended.since, until=max(ended.since, changes.end_open_at)
            )
        known += changes.begin
        assert sum(one.until is None for one in known) <= 1
    return known


def covered(spells: list[Spell], run: Spell = RUN) -> list[int]:
    """Every second of a run, as often as the spells have it."""
    last = int((run.last - NOON).total_seconds())
    return [
        sum(one.since <= second(no) < one.last for one in spells)
        for no in range(-30, min(last, 200))
    ]


@settings(max_examples=300, deadline=None)
@given(seen=st.lists(faults(), max_size=5))
def test_every_second_of_a_fault_inside_the_run_counts_once(seen: list[Spell]) -> None:
    spells = told([seen])
    wanted = [
        int(no >= 0 and any(one.since <= second(no) < one.last for one in seen))
        for no in range(-30, 60)
    ]
    assert covered(spells) == wanted


@settings(max_examples=300, deadline=None)
@given(seen=st.lists(faults(), max_size=5), data=st.data())
def test_the_order_and_the_number_of_tellings_do_not_matter(
    seen: list[Spell], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(seen))
    one_by_one = [order[: no + 1] for no in range(len(order))]
    twice = [each for each in one_by_one for _ in range(2)]
    assert covered(told([*twice, seen])) == covered(told([seen]))


@settings(max_examples=300, deadline=None)
@given(since=st.integers(0, 50), length=st.integers(0, 50), others=st.lists(faults(), max_size=3))
def test_a_fault_first_told_open_ends_where_it_is_said_to_end(
    since: int, length: int, others: list[Spell]
) -> None:
    is_open = Spell(since=second(since), cause="ill")
    ended = Spell(since=second(since), until=second(since + length), cause="ill")
    run = Spell(since=NOON)
    before, after = [is_open, *others], [ended, *others]
    # As long as it was open nobody knew better; what is known in the end is the same.
    assert covered(told([before, after], run), run) == covered(told([after], run), run)


@given(since=st.integers(0, 50))
def test_a_run_that_ends_takes_its_open_spell_with_it(since: int) -> None:
    fault = [Spell(since=second(since), cause="ill")]
    running = told([fault], Spell(since=NOON))
    assert [one.until for one in running] == [None]
    changes = changes_for(run=RUN, faults=fault, known=running)
    assert (changes.end_open_at, changes.begin) == (RUN.until, ())
