"""Legal billing objects for tests: made through the product's own doors."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from uuid import UUID, uuid4

from billing import accounts, metering, pricing
from billing.intervals import BEGINNING
from billing.metering import EndQuality, RunFact
from billing.models import Account, Payer, PriceBook, Rate, Seller, Sku, UsageInterval

# A Sunday noon in Seoul, well inside the past of whoever runs the tests.
NOON = datetime(2026, 3, 15, 3, 0, tzinfo=UTC)
MARCH = datetime(2026, 2, 28, 15, 0, tzinfo=UTC)
APRIL = datetime(2026, 3, 31, 15, 0, tzinfo=UTC)
LATER = datetime(2026, 4, 3, 1, 0, tzinfo=UTC)

_numbers = count(1)


def open_account(*, name: str = "Bada Vision", at: datetime = MARCH) -> Account:
    """An account of a tenant of its own, which pays for itself."""
    number = next(_numbers)
    return accounts.open_account(
        tenant_id=10_000 + number, name=name, email=f"bills{number}@bada-vision.example", at=at
    )


def register_seller(**words: object) -> Seller:
    """The one who issues invoices."""
    usual: dict[str, object] = {
        "name": "NPU Farm",
        "business_number": "124-81-00998",
        "representative": "Dana Ko",
        "address": "123 Cheomdan-gwagi-ro, Buk-gu, Gwangju",
        "bank_account": "Farm Bank 100-200-300400",
    }
    return accounts.register_seller(**{**usual, **words})  # type: ignore[arg-type]


def price(
    *,
    sku_code: str = "furiosa-rngd",
    hourly_rate: Decimal | str | int = "1200",
    valid_from: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    valid_until: datetime | None = None,
    book: PriceBook | None = None,
) -> Rate:
    """A price in the default book, in force since before the tests' time."""
    return pricing.add_rate(
        book=book or pricing.default_book(),
        sku=add_sku(sku_code),
        hourly_rate=Decimal(hourly_rate),
        valid_from=valid_from,
        valid_until=valid_until,
        at=BEGINNING,
    )


def add_sku(code: str = "furiosa-rngd") -> Sku:
    """A SKU, named after its code."""
    return pricing.add_sku(code=code, name=code.replace("-", " ").upper())


def run_fact(
    *,
    account: Account,
    started_at: datetime = NOON,
    ended_at: datetime | None = None,
    seconds: int | None = None,
    source: int = 1,
    holder_uid: UUID | None = None,
    run_id: str = "",
    project_id: int = 7,
    sku_code: str = "furiosa-rngd",
    quantity: int = 2,
    witness_ref: str | None = "node-1/boot-1",
    end_quality: EndQuality = EndQuality.EXACT,
    resource_ref: str = "instance-1",
) -> RunFact:
    """A believable fact; open unless `ended_at` or `seconds` is given."""
    if seconds is not None:
        ended_at = started_at + timedelta(seconds=seconds)
    return RunFact(
        source=source,
        holder_uid=holder_uid or uuid4(),
        run_id=run_id or f"containerd://{uuid4()}",
        meter="device_time",
        resource_ref=resource_ref,
        account_id=account.pk,
        project_id=project_id,
        sku_code=sku_code,
        quantity=quantity,
        witness_ref=witness_ref,
        started_at=started_at,
        ended_at=ended_at,
        end_quality=end_quality if ended_at else None,
        end_reason="Completed" if ended_at else "",
    )


def record_use(*, account: Account, at: datetime = LATER, **words: object) -> UsageInterval:
    """One run in the ledger; the SKU is added if it is missing."""
    fact = run_fact(account=account, **words)  # type: ignore[arg-type]
    add_sku(fact.sku_code)
    interval = metering.record_run(fact=fact, at=at)
    assert isinstance(interval, UsageInterval), interval
    return interval


def own_payer(account: Account) -> Payer:
    """The account as the one who pays."""
    return accounts.own_payer(account)
