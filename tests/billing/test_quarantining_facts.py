"""What the ledger cannot take is put aside: never raised, never lost, never twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import transaction

from billing import metering, quarantining
from billing.errors import IllegalState
from billing.metering import RunFact
from billing.models import Account, QuarantinedFact, UsageInterval
from tests.factories import billing as factory
from tests.factories.billing import LATER, NOON

HOLDER = UUID(int=1)


@pytest.fixture
def fact(account: Account) -> RunFact:
    """A closed run of ten minutes."""
    factory.add_sku()
    return factory.run_fact(account=account, seconds=600, holder_uid=HOLDER, run_id="run")


def put_aside(fact: RunFact, at: datetime = LATER) -> QuarantinedFact:
    kept = metering.record_run(fact=fact, at=at)
    assert isinstance(kept, QuarantinedFact), kept
    return kept


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sku_code": "no-such-sku"}, "unknown_sku"),
        ({"account_id": 987654321}, "unknown_account"),
        ({"quantity": 0}, "invalid_quantity"),
        ({"quantity": 10**12}, "refused"),
        ({"run_id": "x" * 300}, "refused"),
        ({"ended_at": NOON - timedelta(seconds=1)}, "end_before_start"),
        ({"ended_at": LATER + timedelta(hours=1)}, "implausible_time"),
        ({"started_at": datetime(1, 1, 1, tzinfo=UTC)}, "implausible_time"),
        ({"end_quality": None}, "incomplete_end"),
    ],
)
def test_an_impossible_fact_is_put_aside_with_its_reason(
    fact: RunFact, change: dict[str, object], code: str
) -> None:
    kept = put_aside(replace(fact, **change))  # type: ignore[arg-type]

    assert kept.code == code
    assert kept.message
    assert not UsageInterval.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"started_at": NOON + timedelta(seconds=1)},
        {"quantity": 3},
        {"sku_code": "rebellions-atom"},
        {"project_id": 8},
        {"resource_ref": "instance-2"},
    ],
)
def test_a_run_that_began_otherwise_is_put_aside(fact: RunFact, change: dict[str, object]) -> None:
    factory.add_sku("rebellions-atom")
    metering.record_run(fact=fact, at=LATER)

    assert put_aside(replace(fact, **change)).code == "changed_run"  # type: ignore[arg-type]
    assert UsageInterval.objects.get().started_at == NOON


def test_another_accounts_claim_to_a_run_is_put_aside(fact: RunFact, neighbour: Account) -> None:
    metering.record_run(fact=fact, at=LATER)

    kept = put_aside(replace(fact, account_id=neighbour.pk))

    assert (kept.code, kept.account) == ("changed_run", neighbour)
    assert UsageInterval.objects.get().account_id == fact.account_id


def test_another_exact_end_is_put_aside(fact: RunFact) -> None:
    metering.record_run(fact=fact, at=LATER)

    kept = put_aside(replace(fact, ended_at=NOON + timedelta(seconds=601)))

    assert kept.code == "exact_end_conflict"
    assert UsageInterval.objects.get().ended_at == NOON + timedelta(seconds=600)


def test_an_overlapping_run_of_the_same_holder_is_put_aside(fact: RunFact) -> None:
    metering.record_run(fact=fact, at=LATER)
    inside = replace(fact, run_id="other", started_at=NOON + timedelta(seconds=599))

    kept = put_aside(replace(inside, ended_at=NOON + timedelta(seconds=700)))

    assert kept.code == "overlap"
    assert UsageInterval.objects.count() == 1


def test_a_neighbouring_run_of_the_same_holder_touches_and_is_taken(fact: RunFact) -> None:
    metering.record_run(fact=fact, at=LATER)
    following = replace(
        fact,
        run_id="other",
        started_at=NOON + timedelta(seconds=600),
        ended_at=NOON + timedelta(seconds=700),
    )

    assert isinstance(metering.record_run(fact=following, at=LATER), UsageInterval)


def test_a_run_seen_again_after_it_was_given_up_is_put_aside_and_not_reopened(
    account: Account,
) -> None:
    open_run = factory.record_use(account=account, holder_uid=HOLDER, run_id="run")
    metering.close_unproved(source=1, holder_uid=HOLDER, run_id="run", reason="gone", at=NOON)

    kept = put_aside(factory.run_fact(account=account, holder_uid=HOLDER, run_id="run"))

    assert kept.code == "seen_after_close"
    assert UsageInterval.objects.get(pk=open_run.pk).end_quality == "bounded"


def test_the_exact_end_of_a_run_given_up_settles_that_it_was_seen_again(account: Account) -> None:
    factory.record_use(account=account, holder_uid=HOLDER, run_id="run")
    metering.close_unproved(source=1, holder_uid=HOLDER, run_id="run", reason="gone", at=NOON)
    kept = put_aside(factory.run_fact(account=account, holder_uid=HOLDER, run_id="run"))

    factory.record_use(account=account, holder_uid=HOLDER, run_id="run", seconds=600)

    kept.refresh_from_db()
    assert (kept.resolved_at, kept.resolution) == (LATER, "merged")


@pytest.mark.parametrize(("later", "is_answered"), [(0, True), (1, False)])
def test_a_run_somebody_pays_for_from_the_same_start_is_no_question_any_more(
    account: Account, later: int, is_answered: bool
) -> None:
    stray = factory.run_fact(account=account, holder_uid=HOLDER, run_id="run", sku_code="")
    kept = put_aside(stray)

    begun = stray.started_at + timedelta(seconds=later)
    factory.record_use(account=account, holder_uid=HOLDER, run_id="run", started_at=begun)

    kept.refresh_from_db()
    assert (kept.resolved_at is not None) == is_answered


def test_the_exact_end_of_a_run_answers_that_its_sku_was_unknown(account: Account) -> None:
    begun = factory.run_fact(account=account, holder_uid=HOLDER, run_id="run", sku_code="brand-new")
    kept = put_aside(begun)
    factory.add_sku("brand-new")

    factory.record_use(
        account=account, holder_uid=HOLDER, run_id="run", sku_code="brand-new", seconds=600
    )

    kept.refresh_from_db()
    assert (kept.resolved_at, kept.resolution) == (LATER, "merged")


def test_the_same_fact_is_put_aside_once(fact: RunFact) -> None:
    strange = replace(fact, sku_code="no-such-sku")

    first = put_aside(strange)
    again = put_aside(strange, at=LATER + timedelta(hours=1))

    assert again.pk == first.pk
    assert again.found_at == LATER


def test_a_fact_that_is_taken_after_all_needs_no_answer(fact: RunFact) -> None:
    kept = put_aside(replace(fact, sku_code="brand-new"))
    factory.add_sku("brand-new")

    metering.record_run(fact=replace(fact, sku_code="brand-new"), at=LATER)

    kept.refresh_from_db()
    assert kept.resolved_at == LATER


def test_a_violated_constraint_does_not_poison_the_callers_transaction(fact: RunFact) -> None:
    with transaction.atomic():
        metering.record_run(fact=fact, at=LATER)
        put_aside(replace(fact, run_id="other"))
        after = replace(fact, holder_uid=UUID(int=2))
        metering.record_run(fact=after, at=LATER)

    assert UsageInterval.objects.count() == 2
    assert QuarantinedFact.objects.get().code == "overlap"


def test_a_person_answers_for_a_fact_once(fact: RunFact) -> None:
    kept = put_aside(replace(fact, sku_code="no-such-sku"))

    answered = quarantining.resolve_fact(
        quarantined=kept, by="dana", resolution="a test pod, not billed", at=LATER
    )

    assert (answered.resolved_by, answered.resolution) == ("dana", "a test pod, not billed")
    with pytest.raises(IllegalState):
        quarantining.resolve_fact(quarantined=kept, by="erin", resolution="again", at=LATER)
