"""Prices: dated, without overlap, and unchangeable once they hold."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from billing import pricing
from billing.errors import InvalidRate, RateInForce, RateOverlap, UnknownSku
from billing.models import Account, AccountBook, PriceBook, Rate, Seller
from tests.factories import billing as factory
from tests.factories.billing import APRIL, MARCH, NOON


@pytest.fixture
def now() -> datetime:
    """The database compares with its own clock, so these tests ask the real one."""
    return timezone.now()


def add(book: PriceBook, hourly_rate: str, since: datetime, until: datetime | None = None) -> Rate:
    return pricing.add_rate(
        book=book,
        sku=factory.add_sku(),
        hourly_rate=Decimal(hourly_rate),
        valid_from=since,
        valid_until=until,
        at=MARCH,
    )


@pytest.fixture
def book(db: None) -> PriceBook:
    return pricing.default_book()


def test_overlapping_rates_are_refused_and_nothing_is_changed(book: PriceBook) -> None:
    kept = add(book, "1200", MARCH, APRIL)

    for since, until in [
        (MARCH, APRIL),
        (APRIL - timedelta(seconds=1), None),
        (MARCH - timedelta(days=0), MARCH + timedelta(seconds=1)),
    ]:
        with pytest.raises(RateOverlap):
            add(book, "1300", since, until)

    assert list(Rate.objects.values_list("pk", "hourly_rate")) == [(kept.pk, Decimal(1200))]


def test_neighbouring_rates_touch(book: PriceBook, account: Account) -> None:
    add(book, "1200", MARCH, APRIL)
    add(book, "1300", APRIL)

    for at, price in [(APRIL - timedelta(seconds=1), 1200), (APRIL, 1300)]:
        assert pricing.rate_for(account_id=account.pk, sku_code="furiosa-rngd", at=at) == price


@pytest.mark.parametrize("amount", ["-0.0001", "-1", "0.00001", "1e10", "NaN", "Infinity"])
def test_an_impossible_price_is_refused(book: PriceBook, amount: str) -> None:
    with pytest.raises(InvalidRate):
        add(book, amount, MARCH)

    assert not Rate.objects.exists()


def test_a_price_that_ends_before_it_begins_is_refused(book: PriceBook) -> None:
    with pytest.raises(InvalidRate):
        add(book, "1200", APRIL, MARCH)


def test_a_price_in_the_past_needs_to_be_said_aloud(book: PriceBook) -> None:
    words = {
        "book": book,
        "sku": factory.add_sku(),
        "hourly_rate": Decimal(1200),
        "valid_from": MARCH,
        "valid_until": APRIL,
        "at": NOON,
    }
    with pytest.raises(RateInForce):
        pricing.add_rate(**words)  # type: ignore[arg-type]

    pricing.add_rate(**words, backdated=True)  # type: ignore[arg-type]
    with pytest.raises(RateOverlap):
        pricing.add_rate(**words, backdated=True)  # type: ignore[arg-type]


def test_a_price_in_force_can_end_in_the_future_only(book: PriceBook, now: datetime) -> None:
    rate = add(book, "1200", MARCH)

    with pytest.raises(RateInForce):
        pricing.end_rate(rate=rate, valid_until=now - timedelta(minutes=1))
    ended = pricing.end_rate(rate=rate, valid_until=now + timedelta(days=1))

    assert Rate.objects.get().valid.upper == ended.valid.upper


def test_a_new_price_follows_the_old_one(book: PriceBook, account: Account, now: datetime) -> None:
    add(book, "1200", MARCH)
    change = now + timedelta(days=3)

    pricing.change_rate(
        book=book, sku=factory.add_sku(), hourly_rate=Decimal(1500), valid_from=change, at=now
    )

    prices = [
        pricing.rate_for(account_id=account.pk, sku_code="furiosa-rngd", at=at)
        for at in (change - timedelta(seconds=2), change + timedelta(seconds=1))
    ]
    assert prices == [1200, 1500]


def test_an_account_buys_by_the_book_of_the_time(account: Account, now: datetime) -> None:
    cheap = PriceBook.objects.create(name="Research")
    add(pricing.default_book(), "1200", MARCH)
    add(cheap, "700", MARCH)
    change = now + timedelta(days=1)

    pricing.assign_book(account=account, book=cheap, valid_from=change)

    prices = [
        pricing.rate_for(account_id=account.pk, sku_code="furiosa-rngd", at=at)
        for at in (now, change + timedelta(seconds=1))
    ]
    assert prices == [1200, 700]
    with pytest.raises(RateInForce):
        pricing.assign_book(account=account, book=cheap, valid_from=now - timedelta(days=1))
    assert AccountBook.objects.filter(account=account).count() == 2


def test_an_unpriced_sku_has_no_price(account: Account) -> None:
    factory.add_sku()

    assert pricing.rate_for(account_id=account.pk, sku_code="furiosa-rngd", at=NOON) is None
    with pytest.raises(UnknownSku):
        pricing.estimate_cost(
            account_id=account.pk, sku_code="furiosa-rngd", quantity=1, hours=1, at=NOON
        )


def test_an_estimate_is_what_the_invoice_would_say(
    account: Account, rate: Rate, seller: Seller
) -> None:
    estimate = pricing.estimate_cost(
        account_id=account.pk,
        sku_code="furiosa-rngd",
        quantity=4,
        hours=Decimal("2.5"),
        at=NOON,
    )

    assert estimate == pricing.Estimate(hourly_rate=Decimal(1200), net=12000, tax=1200, total=13200)
