"""M1, M5, M6: whoever tells whatever in whichever order, the ledger comes out the same."""

import itertools
import random
import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from billing import metering
from billing.metering import EndQuality, RunFact
from billing.models import Account, QuarantinedFact, UsageInterval
from tests.billing.laws import examples, rolled_back
from tests.factories import billing as factory
from tests.factories.billing import LATER, NOON

HOLDERS = [UUID(int=number) for number in (1, 2, 3)]


@dataclass(frozen=True)
class Run:
    """One true run of a holder, in seconds after noon; `end` None while it lasts."""

    holder: UUID
    number: int
    start: int
    end: int | None
    is_seen_open: bool
    end_is_exact: bool


@st.composite
def histories(draw: st.DrawFn) -> list[Run]:
    """Runs of several holders, one after another in each; any but the first may lack an end."""
    runs = []
    for holder in draw(st.lists(st.sampled_from(HOLDERS), min_size=1, unique=True)):
        clock = 0
        for number in range(draw(st.integers(2, 4))):
            start = clock + draw(st.integers(0, 50))
            length = draw(st.integers(1, 300))
            end_is_told = draw(st.booleans())
            runs.append(
                Run(
                    holder=holder,
                    number=number,
                    start=start,
                    end=start + length if end_is_told else None,
                    is_seen_open=not end_is_told or draw(st.booleans()),
                    end_is_exact=draw(st.booleans()),
                )
            )
            clock = start + length
    return runs


def facts_of(runs: list[Run], account: Account) -> list[RunFact]:
    """All that could be told of those runs, oldest first."""
    facts = []
    for run in runs:
        opened = factory.run_fact(
            account=account,
            started_at=NOON + timedelta(seconds=run.start),
            holder_uid=run.holder,
            run_id=f"run-{run.number}",
        )
        if run.is_seen_open:
            facts.append(opened)
        if run.end is not None:
            quality = (
                EndQuality.EXACT if run.end_is_exact or run.is_seen_open else EndQuality.BOUNDED
            )
            ended_at = NOON + timedelta(seconds=run.end)
            facts.append(
                replace(opened, ended_at=ended_at, end_quality=quality, end_reason="Completed")
            )
    return facts


def tell(facts: list[RunFact]) -> None:
    for fact in facts:
        metering.record_run(fact=fact, at=LATER)


def ledger() -> list[tuple[object, ...]]:
    """What must not depend on who told what first."""
    return list(
        UsageInterval.objects.order_by("holder_uid", "run_id").values_list(
            "holder_uid", "run_id", "started_at", "ended_at", "end_quality", "end_reason",
            "quantity", "sku__code", "account_id", "project_id", "witness__ref",
        )
    )  # fmt: skip


def prepare() -> Account:
    account = factory.open_account()
    factory.add_sku()
    metering.vouch(source=1, ref="node-1/boot-1", proved_until=NOON + timedelta(seconds=400))
    return account


@examples(20)
@given(runs=histories(), data=st.data())
def test_any_order_and_repetition_of_facts_gives_the_same_ledger(
    db: None, runs: list[Run], data: st.DataObject
) -> None:
    with rolled_back():
        facts = facts_of(runs, prepare())
        tell(facts)
        in_order = ledger()
        assert not QuarantinedFact.objects.exists()
        told = len(in_order)
    with rolled_back():
        facts = facts_of(runs, account := prepare())
        repeated = [fact for fact in facts for _ in range(data.draw(st.integers(1, 3)))]
        tell(data.draw(st.permutations(repeated)))
        shuffled = ledger()
        assert not QuarantinedFact.objects.exists()

    assert [row[:8] for row in shuffled] == [row[:8] for row in in_order]
    assert {row[8] for row in shuffled} == {account.pk}
    assert told == len({(fact.holder_uid, fact.run_id) for fact in facts})


@examples(20)
@given(runs=histories(), order=st.randoms(use_true_random=False))
def test_runs_of_one_holder_never_overlap_and_starts_never_move(
    db: None, runs: list[Run], order: random.Random
) -> None:
    with rolled_back():
        facts = facts_of(runs, prepare())
        order.shuffle(facts)
        starts: dict[tuple[UUID, str], object] = {}
        exact: dict[tuple[UUID, str], object] = {}
        for fact in facts:
            metering.record_run(fact=fact, at=LATER)
            for row in UsageInterval.objects.all():
                key = (row.holder_uid, row.run_id)
                assert starts.setdefault(key, row.started_at) == row.started_at
                if key in exact:
                    assert (row.ended_at, row.end_quality) == (exact[key], "exact")
                elif row.end_quality == "exact":
                    exact[key] = row.ended_at
        for holder in HOLDERS:
            rows = list(UsageInterval.objects.filter(holder_uid=holder).order_by("started_at"))
            for earlier, later in itertools.pairwise(rows):
                assert earlier.ended_at is not None
                assert earlier.ended_at <= later.started_at


@pytest.mark.django_db(transaction=True)
def test_observers_at_the_same_time_write_one_ledger() -> None:
    account = prepare()
    runs = [
        Run(holder, number, number * 100, number * 100 + 90, True, True)
        for holder in HOLDERS
        for number in range(4)
    ]
    facts = facts_of(runs, account)
    refused: list[object] = []

    def observe(seed: int) -> None:
        mine = list(facts)
        random.Random(seed).shuffle(mine)
        try:
            tell(mine)
        except Exception as error:  # noqa: BLE001
            refused.append(error)
        finally:
            connection.close()

    observers = [threading.Thread(target=observe, args=(seed,)) for seed in range(4)]
    for observer in observers:
        observer.start()
    for observer in observers:
        observer.join(60)

    assert refused == []
    assert [row[3] for row in ledger()] == [NOON + timedelta(seconds=run.end or 0) for run in runs]
    unanswered = QuarantinedFact.objects.filter(resolved_at__isnull=True)
    assert not unanswered.exists(), list(unanswered.values("code", "fact"))


def test_an_exact_end_beats_a_bounded_one(account: Account) -> None:
    bounded = factory.record_use(
        account=account,
        seconds=600,
        end_quality=EndQuality.BOUNDED,
        run_id="run",
        holder_uid=HOLDERS[0],
    )
    exact = factory.record_use(account=account, seconds=700, run_id="run", holder_uid=HOLDERS[0])

    assert exact.pk == bounded.pk
    assert (exact.end_quality, exact.gap_seconds) == ("exact", None)
    assert exact.ended_at == NOON + timedelta(seconds=700)


def test_a_bounded_end_does_not_touch_an_exact_one(account: Account) -> None:
    factory.record_use(account=account, seconds=600, run_id="run", holder_uid=HOLDERS[0])
    kept = factory.record_use(
        account=account,
        seconds=900,
        end_quality=EndQuality.BOUNDED,
        run_id="run",
        holder_uid=HOLDERS[0],
    )

    assert kept.ended_at == NOON + timedelta(seconds=600)
    assert kept.end_quality == "exact"


def test_a_successor_closes_its_predecessor_where_it_was_proved(account: Account) -> None:
    factory.add_sku()
    metering.vouch(source=1, ref="node-1/boot-1", proved_until=NOON + timedelta(seconds=60))
    factory.record_use(account=account, run_id="first", holder_uid=HOLDERS[0])
    factory.record_use(
        account=account,
        run_id="second",
        holder_uid=HOLDERS[0],
        started_at=NOON + timedelta(seconds=90),
        at=NOON + timedelta(seconds=100),
    )

    first = UsageInterval.objects.get(run_id="first")
    assert first.ended_at == NOON + timedelta(seconds=60)
    assert (first.end_quality, first.gap_seconds) == ("bounded", 40)


def test_a_predecessor_is_never_proved_beyond_its_successors_start(account: Account) -> None:
    metering.vouch(source=1, ref="node-1/boot-1", proved_until=NOON + timedelta(seconds=600))
    factory.record_use(account=account, run_id="first", holder_uid=HOLDERS[0])
    factory.record_use(
        account=account,
        run_id="second",
        holder_uid=HOLDERS[0],
        started_at=NOON + timedelta(seconds=90),
    )

    assert UsageInterval.objects.get(run_id="first").ended_at == NOON + timedelta(seconds=90)


def test_fractions_of_a_second_are_cut_as_the_cluster_cuts_them(account: Account) -> None:
    interval = factory.record_use(
        account=account,
        started_at=NOON + timedelta(milliseconds=900),
        ended_at=NOON + timedelta(seconds=10, milliseconds=100),
    )

    assert interval.started_at == NOON
    assert interval.ended_at == NOON + timedelta(seconds=10)
