"""What was measured, and the months it was billed in, stay."""

from datetime import timedelta

import pytest

from billing import metering
from billing.metering import EndQuality
from billing.models import Account, Invoice, UsageInterval
from tests.billing.immutability.attacking import allow, attack
from tests.factories import billing as factory
from tests.factories.billing import LATER, NOON

pytestmark = pytest.mark.usefixtures("seller", "rate")


def test_a_billed_period_keeps_its_span(issued: Invoice) -> None:
    refused_by = attack(
        "UPDATE billing_billingperiod "
        "SET span = tstzrange(lower(span), upper(span) + interval '1 day') WHERE id = %s",
        issued.period_id,
    )

    assert refused_by == "billing_period_is_closed"


def test_a_billed_period_keeps_its_span_even_when_reopened_by_hand(issued: Invoice) -> None:
    allow("UPDATE billing_billingperiod SET closed_at = NULL WHERE id = %s", issued.period_id)

    refused_by = attack(
        "UPDATE billing_billingperiod "
        "SET span = tstzrange(lower(span), upper(span) - interval '1 day') WHERE id = %s",
        issued.period_id,
    )

    assert refused_by == "billing_period_is_closed"


@pytest.mark.parametrize(
    ("change", "refused_by"),
    [
        ("ended_at = ended_at + interval '1 hour'", "billing_usage_exact_end_is_fixed"),
        ("ended_at = ended_at - interval '1 hour'", "billing_usage_exact_end_is_fixed"),
        ("end_quality = 'bounded'", "billing_usage_exact_end_is_fixed"),
        ("ended_at = NULL, end_quality = NULL", "billing_usage_exact_end_is_fixed"),
        ("started_at = started_at + interval '1 second'", "billing_usage_start_is_fixed"),
        ("quantity = 1", "billing_usage_start_is_fixed"),
        ("project_id = 1", "billing_usage_start_is_fixed"),
        ("resource_ref = 'other'", "billing_usage_start_is_fixed"),
        ("opened_at = now()", "billing_usage_start_is_fixed"),
        ("witness_id = NULL", "billing_usage_witness_is_fixed"),
    ],
)
def test_a_closed_interval_does_not_change(account: Account, change: str, refused_by: str) -> None:
    factory.record_use(account=account, seconds=3600)

    assert attack(f"UPDATE billing_usageinterval SET {change}") == refused_by


def test_an_interval_is_neither_reopened_nor_deleted(account: Account) -> None:
    factory.record_use(account=account, seconds=3600, end_quality=EndQuality.BOUNDED)

    reopen = "UPDATE billing_usageinterval SET ended_at = NULL, end_quality = NULL"
    assert attack(reopen) == "billing_usage_stays_closed"
    assert attack("DELETE FROM billing_usageinterval") == "billing_usage_kept"
    assert UsageInterval.objects.count() == 1


@pytest.mark.parametrize(
    "moment",
    [NOON + timedelta(microseconds=1), NOON + timedelta(milliseconds=500)],
)
def test_the_ledger_holds_whole_seconds(account: Account, moment: object) -> None:
    factory.record_use(account=account)

    refused_by = attack(
        "UPDATE billing_usageinterval SET ended_at = %s, end_quality = 'exact'", moment
    )

    assert refused_by == "billing_usage_whole_seconds"


def test_a_proof_is_never_taken_back(account: Account) -> None:
    metering.vouch(source=1, ref="node-1/boot-1", proved_until=NOON)

    earlier = "UPDATE billing_witness SET proved_until = proved_until - interval '1 second'"
    assert attack(earlier) == "billing_witness_never_falls"
    assert attack("UPDATE billing_witness SET proved_until = NULL") == "billing_witness_never_falls"
    assert attack("DELETE FROM billing_witness") == "billing_witness_kept"


def test_a_quarantined_fact_is_evidence(account: Account) -> None:
    strange = factory.run_fact(account=account, seconds=60, sku_code="no-such-sku")
    metering.record_run(fact=strange, at=LATER)

    doctor = "UPDATE billing_quarantinedfact SET fact = '{}'"
    assert attack(doctor) == "billing_quarantined_is_kept"
    assert attack("DELETE FROM billing_quarantinedfact") == "billing_quarantined_kept"
