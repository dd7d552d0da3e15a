"""Set prices and tell them: what an hour of a SKU costs whom, at which time.

A price in force never changes: it is ended in the future and followed by another.  `charging` reads
the same rows when it rates use.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from billing import money, taxing
from billing.constraints import refused_as
from billing.errors import InvalidRate, RateInForce, RateOverlap, UnknownSku
from billing.intervals import whole_second
from billing.models import Account, AccountBook, PriceBook, Rate, Seller, Sku

STANDARD_TAX_RATE = Decimal("0.10")
RATE_STEP = Decimal("0.0001")
HIGHEST_RATE = Decimal(10) ** 10
Dated = TypeVar("Dated", Rate, AccountBook)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a number of device-hours would cost now."""

    hourly_rate: Decimal
    net: int
    tax: int
    total: int


def validity(since: datetime | None, until: datetime | None) -> DateTimeTZRange:
    """A half-open range in whole seconds, as the database keeps it."""
    return DateTimeTZRange(since and whole_second(since), until and whole_second(until))


def add_sku(*, code: str, name: str, meter: str = "device_time") -> Sku:
    """Add a SKU, or give a known one its present name."""
    sku, _ = Sku.objects.update_or_create(code=code, defaults={"name": name, "meter": meter})
    return sku


def default_book() -> PriceBook:
    """The price book new accounts buy by."""
    book = PriceBook.objects.filter(is_default=True).first()
    if book is None:
        book, _ = PriceBook.objects.get_or_create(name="Standard", defaults={"is_default": True})
    return book


def add_rate(
    *,
    book: PriceBook,
    sku: Sku,
    hourly_rate: Decimal,
    valid_from: datetime,
    valid_until: datetime | None = None,
    at: datetime,
    backdated: bool = False,
) -> Rate:
    """Add a price for a time that has none.

    Only a `backdated` one may begin in the past.  It cannot change any bill: time that has a price
    overlaps, and time without one cannot have been invoiced.
    """
    _check_amount(hourly_rate)
    valid = validity(valid_from, valid_until)
    if valid.upper is not None and valid.upper <= valid.lower:
        raise InvalidRate
    if valid.lower < whole_second(at) and not backdated:
        raise RateInForce("A price cannot begin in the past.")
    with refused_as({"billing_rate_no_overlap": RateOverlap()}):
        return Rate.objects.create(book=book, sku=sku, valid=valid, hourly_rate=hourly_rate)


def end_rate(*, rate: Rate, valid_until: datetime) -> Rate:
    """Let a price end at a future instant."""
    return _end(rate, valid_until)


@transaction.atomic
def change_rate(
    *, book: PriceBook, sku: Sku, hourly_rate: Decimal, valid_from: datetime, at: datetime
) -> Rate:
    """Follow the price of that time by another from then on."""
    present = Rate.objects.select_for_update().get(book=book, sku=sku, valid__contains=valid_from)
    until = present.valid.upper
    end_rate(rate=present, valid_until=valid_from)
    return add_rate(
        book=book,
        sku=sku,
        hourly_rate=hourly_rate,
        valid_from=valid_from,
        valid_until=until,
        at=at,
    )


@transaction.atomic
def assign_book(*, account: Account, book: PriceBook, valid_from: datetime) -> AccountBook:
    """Let an account buy by another book from a future instant on."""
    since = whole_second(valid_from)
    held = AccountBook.objects.select_for_update().filter(account=account)
    present = held.filter(valid__contains=since).first()
    until = present.valid.upper if present else None
    if present:
        _end(present, since)
    return AccountBook.objects.create(account=account, book=book, valid=validity(since, until))


def rate_in_force(*, account_id: int, sku_code: str, at: datetime) -> Rate | None:
    """The price an account pays for a SKU at that instant."""
    books = AccountBook.objects.filter(account_id=account_id, valid__contains=at)
    return Rate.objects.filter(
        book__in=books.values("book"), sku__code=sku_code, valid__contains=at
    ).first()


def rate_for(*, account_id: int, sku_code: str, at: datetime) -> Decimal | None:
    """Won per device-hour, or None where there is no price."""
    rate = rate_in_force(account_id=account_id, sku_code=sku_code, at=at)
    return rate.hourly_rate if rate else None


def estimate_cost(
    *, account_id: int, sku_code: str, quantity: int, hours: Decimal | int, at: datetime
) -> Estimate:
    """What `quantity` devices would cost for some hours at the price of that instant."""
    hourly_rate = rate_for(account_id=account_id, sku_code=sku_code, at=at)
    if hourly_rate is None:
        raise UnknownSku(f"There is no price for {sku_code}.")
    seconds = int(hours * money.SECONDS_PER_HOUR) * quantity
    net = money.charge_for(device_seconds=seconds, hourly_rate=hourly_rate)
    tax = taxing.tax_on(net_amount=net, tax_rate=tax_rate_now())
    return Estimate(hourly_rate=hourly_rate, net=net, tax=tax, total=net + tax)


def tax_rate_now() -> Decimal:
    """The active seller's tax rate, or the standard one before there is a seller."""
    seller = Seller.objects.filter(is_active=True).first()
    return seller.tax_rate if seller else STANDARD_TAX_RATE


def _check_amount(hourly_rate: Decimal) -> None:
    if not hourly_rate.is_finite() or not 0 <= hourly_rate < HIGHEST_RATE:
        raise InvalidRate
    if hourly_rate != hourly_rate.quantize(RATE_STEP):
        raise InvalidRate


def _end(row: Dated, until: datetime) -> Dated:
    kept = "A price that is or was in force ends in the future only."
    constraint = f"{row._meta.db_table}_in_force"
    row.valid = validity(row.valid.lower, until)
    if row.valid.lower is not None and row.valid.lower >= row.valid.upper:
        raise InvalidRate
    with refused_as({constraint: RateInForce(kept)}):
        row.save(update_fields=["valid"])
    return row
