"""M2, M4, M5: billed is what was proved, never more than what ran, and it never falls."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from billing import metering, queries
from billing.models import Account, UsageInterval, Witness
from tests.billing.laws import examples, rolled_back
from tests.factories import billing as factory
from tests.factories.billing import NOON

NODE = "node-1/boot-1"


@dataclass(frozen=True)
class Run:
    """One true run on the node; without a finalizer nobody may see how it ended."""

    start: int
    end: int
    has_finalizer: bool


RUNS = st.builds(
    lambda start, length, has_finalizer: Run(start, start + length, has_finalizer),
    st.integers(0, 200),
    st.integers(20, 400),
    st.booleans(),
)


@examples(30)
@given(
    runs=st.lists(RUNS, min_size=2, max_size=4),
    looks=st.lists(st.tuples(st.integers(1, 600), st.integers(0, 40)), min_size=5, max_size=10),
)
def test_billed_is_proved_and_never_more_than_what_ran(
    db: None, runs: list[Run], looks: list[tuple[int, int]]
) -> None:
    """The watcher looks at a few instants only, each with a lease somewhat older than the look."""
    with rolled_back():
        account = factory.open_account()
        factory.add_sku()
        told = {number: uuid4() for number in range(len(runs))}
        watermarks: dict[int, object] = {}
        last_proof: dict[int, int] = {}
        for now, lag in sorted(looks):
            at = NOON + timedelta(seconds=now)
            for number, run in enumerate(runs):
                _look_at(account, run, number, told, now)
            lease = max(0, now - lag)
            metering.vouch(source=1, ref=NODE, proved_until=NOON + timedelta(seconds=lease))
            for row in UsageInterval.objects.select_related("witness"):
                number = int(row.run_id)
                mark = metering.watermark_of(row)
                assert watermarks.get(number, mark) <= mark  # type: ignore[operator]
                watermarks[number] = mark
                if row.ended_at is None:
                    last_proof[number] = max(runs[number].start, lease, last_proof.get(number, 0))
            assert at >= NOON
        for row in UsageInterval.objects.select_related("witness"):
            number = int(row.run_id)
            run, billed = runs[number], _billed(row)
            assert 0 <= billed <= run.end - run.start
            if row.end_quality == "exact":
                assert billed == run.end - run.start
            elif row.end_quality == "bounded":
                assert billed == last_proof[number] - run.start
                assert row.gap_seconds is not None
                assert run.end - run.start - billed <= row.gap_seconds


def _look_at(account: Account, run: Run, number: int, told: dict, now: int) -> None:  # type: ignore[type-arg]
    words = {
        "account": account,
        "holder_uid": told[number],
        "run_id": str(number),
        "started_at": NOON + timedelta(seconds=run.start),
        "at": NOON + timedelta(seconds=now),
    }
    if run.start <= now < run.end:
        factory.record_use(**words)  # type: ignore[arg-type]
    elif run.end <= now and run.has_finalizer:
        factory.record_use(**words, seconds=run.end - run.start)  # type: ignore[arg-type]
    elif run.end <= now:
        metering.close_unproved(
            source=1,
            holder_uid=told[number],
            run_id=str(number),
            reason="gone",
            at=NOON + timedelta(seconds=now),
        )


def _billed(row: UsageInterval) -> int:
    return int((metering.watermark_of(row) - row.started_at).total_seconds())


@examples(30)
@given(proofs=st.lists(st.integers(0, 1000), min_size=1, max_size=6))
def test_a_witness_never_falls(db: None, proofs: list[int]) -> None:
    with rolled_back():
        for proof in proofs:
            metering.vouch(source=1, ref=NODE, proved_until=NOON + timedelta(seconds=proof))

        assert Witness.objects.get().proved_until == NOON + timedelta(seconds=max(proofs))


def test_one_proof_extends_every_open_run_of_the_node(account: Account) -> None:
    runs = [factory.record_use(account=account) for _ in range(3)]
    elsewhere = factory.record_use(account=account, witness_ref="node-2/boot-9")
    proved = NOON + timedelta(minutes=5)

    metering.vouch(source=1, ref=NODE, proved_until=proved)

    marks = dict(UsageInterval.objects.with_watermark().values_list("pk", "watermark"))
    assert {marks[run.pk] for run in runs} == {proved}
    assert marks[elsewhere.pk] == NOON


def test_the_same_node_name_in_another_cluster_proves_nothing(account: Account) -> None:
    run = factory.record_use(account=account)

    metering.vouch(source=2, ref=NODE, proved_until=NOON + timedelta(minutes=5))

    assert metering.watermark_of(UsageInterval.objects.get(pk=run.pk)) == NOON


def test_a_run_without_witness_is_worth_nothing_until_it_ends(account: Account) -> None:
    run = factory.record_use(account=account, witness_ref=None)

    row = queries.usage_rows(
        account_id=account.pk,
        since=NOON,
        until=NOON + timedelta(hours=1),
        at=NOON + timedelta(minutes=30),
    )[0]
    assert metering.watermark_of(run) == NOON
    assert (row.device_seconds, row.is_open) == (0, True)


def test_closing_unproved_shows_the_gap_and_bills_the_proof(account: Account) -> None:
    run = factory.record_use(account=account)
    metering.vouch(source=1, ref=NODE, proved_until=NOON + timedelta(seconds=50))

    closed = metering.close_unproved(
        source=1,
        holder_uid=run.holder_uid,
        run_id=run.run_id,
        reason="node lost",
        at=NOON + timedelta(seconds=80, milliseconds=700),
    )

    assert closed is not None
    assert closed.ended_at == NOON + timedelta(seconds=50)
    assert (closed.end_quality, closed.gap_seconds, closed.end_reason) == (
        "bounded",
        30,
        "node lost",
    )


def test_closing_unproved_never_reaches_beyond_the_moment_it_was_noticed(account: Account) -> None:
    run = factory.record_use(account=account)
    metering.vouch(source=1, ref=NODE, proved_until=NOON + timedelta(seconds=50))

    closed = metering.close_unproved(
        source=1,
        holder_uid=run.holder_uid,
        run_id=run.run_id,
        reason="gone",
        at=NOON + timedelta(seconds=20),
    )

    assert closed is not None
    assert (closed.ended_at, closed.gap_seconds) == (NOON + timedelta(seconds=20), 0)


def test_closing_what_is_closed_or_unknown_changes_nothing(account: Account) -> None:
    run = factory.record_use(account=account, seconds=60)
    words = {"source": 1, "reason": "gone", "at": NOON + timedelta(hours=1)}

    again = metering.close_unproved(holder_uid=run.holder_uid, run_id=run.run_id, **words)  # type: ignore[arg-type]
    unknown = metering.close_unproved(holder_uid=uuid4(), run_id="never", **words)  # type: ignore[arg-type]

    assert again is not None
    assert (again.ended_at, again.end_quality) == (run.ended_at, "exact")
    assert unknown is None


def test_open_intervals_without_proof_are_found_longest_first(account: Account) -> None:
    fresh = factory.record_use(account=account)
    stale = factory.record_use(account=account, witness_ref="node-2/boot-1")
    metering.vouch(source=1, ref=NODE, proved_until=NOON + timedelta(minutes=9))
    metering.vouch(source=1, ref="node-2/boot-1", proved_until=NOON + timedelta(minutes=1))

    since_long = queries.open_intervals_without_proof(proved_before=NOON + timedelta(minutes=5))
    since_any = queries.open_intervals_without_proof(proved_before=NOON + timedelta(hours=5))

    assert [each.pk for each in since_long] == [stale.pk]
    assert [each.pk for each in since_any] == [stale.pk, fresh.pk]
