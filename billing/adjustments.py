"""What facts that came after an invoice would have changed on it.

An issued invoice stays as it is; the difference, per project, SKU and rate, is what a later
document has to add or give back for that period.  Being derived, it can be asked for twice.
"""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from billing import charging, closing
from billing.models import BillingPeriod, Invoice, InvoiceLine


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingAdjustment:
    """Seconds and money one key of a period lacks, or has too much of."""

    project_id: int
    sku_code: str
    rate_id: int
    hourly_rate: Decimal
    device_seconds: int
    net_amount: int


Key = tuple[int, str, int, Decimal]


def pending_adjustments(*, period: BillingPeriod) -> list[PendingAdjustment]:
    """The ledger as it is now less what was invoiced; empty before there is an invoice."""
    standing = Invoice.objects.filter(period=period).exclude(
        state__in=[Invoice.State.DRAFT, Invoice.State.VOID]
    )
    if not standing.exists():
        return []
    seconds: dict[Key, int] = defaultdict(int)
    amounts: dict[Key, int] = defaultdict(int)
    for rated in charging.rate_scope(closing.scope_of(period)).lines:
        key = (rated.project_id, rated.sku_code, rated.rate_id, rated.hourly_rate)
        seconds[key] += rated.device_seconds
        amounts[key] += rated.net_amount
    for line in InvoiceLine.objects.filter(invoice__in=standing):
        key = (line.project_id, line.sku_code, line.rate_id, line.hourly_rate)
        seconds[key] -= line.device_seconds
        amounts[key] -= line.net_amount
    return [
        PendingAdjustment(
            project_id=key[0],
            sku_code=key[1],
            rate_id=key[2],
            hourly_rate=key[3],
            device_seconds=seconds[key],
            net_amount=amounts[key],
        )
        for key in sorted(seconds)
        if seconds[key] or amounts[key]
    ]
