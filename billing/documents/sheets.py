"""An issued invoice as plain values, the same for every format and language.

`pdf` sets them in type, `csv` lays them out in cells; both print these integers and these names.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.models import Invoice, InvoiceLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Seller or buyer, as printed."""

    name: str
    business_number: str
    representative: str
    address: str
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetLine:
    """One line, in the local time of the account."""

    position: int
    project_name: str
    sku_code: str
    sku_name: str
    hourly_rate: Decimal
    device_seconds: int
    net_amount: int
    tax_amount: int
    service_from: datetime
    service_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that is printed of one invoice."""

    number: str
    is_void: bool
    issued_at: datetime
    issued_on: date
    due_on: date
    service_from: datetime
    service_until: datetime
    seller: Party
    bank_account: str
    buyer: Party
    currency: str
    tax_rate: Decimal
    net_amount: int
    tax_amount: int
    total_amount: int
    lines: tuple[SheetLine, ...]

    @property
    def device_seconds(self) -> int:
        """The seconds of all lines: a control total."""
        return sum(line.device_seconds for line in self.lines)


def sheet_of(invoice: Invoice) -> Sheet:
    """The sheet of an issued invoice."""
    if not (invoice.number and invoice.issued_at and invoice.issued_on and invoice.due_on):
        raise ValueError("A draft is not printed.")
    zone = ZoneInfo(invoice.timezone)
    return Sheet(
        number=invoice.number,
        is_void=invoice.state == Invoice.State.VOID,
        issued_at=invoice.issued_at,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        service_from=invoice.service_from.astimezone(zone),
        service_until=invoice.service_until.astimezone(zone),
        seller=Party(
            name=invoice.seller_name,
            business_number=invoice.seller_business_number,
            representative=invoice.seller_representative,
            address=invoice.seller_address,
        ),
        bank_account=invoice.seller_bank_account,
        buyer=Party(
            name=invoice.buyer_name,
            business_number=invoice.buyer_business_number,
            representative=invoice.buyer_representative,
            address=invoice.buyer_address,
            email=invoice.buyer_email,
        ),
        currency=invoice.currency,
        tax_rate=invoice.tax_rate,
        net_amount=invoice.net_amount,
        tax_amount=invoice.tax_amount,
        total_amount=invoice.total_amount,
        lines=tuple(_line_of(line, zone) for line in invoice.lines.order_by("position")),
    )


def span_in_words(since: datetime, until: datetime) -> str:
    """A half-open span for readers: whole days by their first and last, else to the second."""
    if since.time() == until.time() == time():
        last = (until - timedelta(days=1)).date()
        return f"{since:%Y-%m-%d} – {last} ({since:%Z})"
    return f"{since:%Y-%m-%d %H:%M:%S} – {until:%Y-%m-%d %H:%M:%S} ({since:%Z})"


def plain(number: Decimal) -> str:
    """A decimal with thousands separated and no trailing zeros."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _line_of(line: InvoiceLine, zone: ZoneInfo) -> SheetLine:
    return SheetLine(
        position=line.position,
        project_name=line.project_name,
        sku_code=line.sku_code,
        sku_name=line.sku_name,
        hourly_rate=line.hourly_rate,
        device_seconds=line.device_seconds,
        net_amount=line.net_amount,
        tax_amount=line.tax_amount,
        service_from=line.service_from.astimezone(zone),
        service_until=line.service_until.astimezone(zone),
    )
