"""Prices that have been in force stay as they were."""

import pytest

from billing.models import Account
from tests.billing.immutability.attacking import allow, attack
from tests.factories import billing as factory
from tests.factories.billing import NOON

pytestmark = pytest.mark.usefixtures("seller", "rate")


def test_a_sku_is_kept() -> None:
    factory.add_sku("never-used")

    assert attack("DELETE FROM billing_sku WHERE code = 'never-used'") == "billing_sku_kept"


@pytest.mark.parametrize(
    "change",
    [
        "hourly_rate = 1",
        "valid = tstzrange(lower(valid) + interval '1 day', upper(valid))",
        "valid = tstzrange(lower(valid) - interval '1 day', upper(valid))",
        "valid = tstzrange(lower(valid), date_trunc('second', now()) - interval '1 minute')",
    ],
)
def test_a_rate_in_force_does_not_change(change: str) -> None:
    assert attack(f"UPDATE billing_rate SET {change}") == "billing_rate_in_force"


def test_a_rate_in_force_is_not_deleted() -> None:
    assert attack("DELETE FROM billing_rate") == "billing_rate_in_force"


def test_the_end_of_a_rate_in_force_moves_in_the_future_only() -> None:
    soon = "date_trunc('second', now()) + interval '1 day'"
    allow(f"UPDATE billing_rate SET valid = tstzrange(lower(valid), {soon})")
    allow("UPDATE billing_rate SET valid = tstzrange(lower(valid), NULL)")


def test_a_rate_that_is_over_is_not_brought_back() -> None:
    factory.price(sku_code="old", valid_until=NOON)

    refused_by = attack(
        "UPDATE billing_rate SET valid = tstzrange(lower(valid), NULL) WHERE NOT upper_inf(valid)"
    )

    assert refused_by == "billing_rate_in_force"


def test_a_planned_rate_may_change_but_not_slip_into_the_past() -> None:
    planned = "tstzrange(date_trunc('second', now()) + interval '1 day', NULL)"
    other = factory.add_sku("planned").pk
    allow(
        "INSERT INTO billing_rate (book_id, sku_id, valid, hourly_rate) "
        f"SELECT book_id, %s, {planned}, 5 FROM billing_rate",
        other,
    )
    allow("UPDATE billing_rate SET hourly_rate = 6 WHERE sku_id = %s", other)

    refused_by = attack(
        "UPDATE billing_rate SET valid = tstzrange(date_trunc('second', now()) - '1 day'::interval,"
        " NULL) WHERE sku_id = %s",
        other,
    )

    assert refused_by == "billing_rate_in_force"
    allow("DELETE FROM billing_rate WHERE sku_id = %s", other)


def test_an_accounts_past_book_does_not_change(account: Account) -> None:
    change = "UPDATE billing_accountbook SET valid = tstzrange(NULL, '2026-01-01 00:00+00')"

    assert attack(change) == "billing_accountbook_in_force"
    assert attack("DELETE FROM billing_accountbook") == "billing_accountbook_in_force"
