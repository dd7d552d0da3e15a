"""What can be asked for, and at which price.

Joins the catalogue with the price books; both are only read.
"""

from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from billing.models import AccountBook, Rate
from provisioning.models import InstanceType


def offered_types() -> QuerySet[InstanceType]:
    """Instance types one can ask for."""
    return InstanceType.objects.filter(is_retired=False).select_related("family__vendor")


def rates_by_sku(*, at: datetime, account_id: int | None = None) -> dict[str, Decimal]:
    """Won per device-hour by SKU code: the account's prices, or the list's."""
    rates = Rate.objects.filter(valid__contains=at)
    if account_id is None:
        rates = rates.filter(book__is_default=True)
    else:
        held = AccountBook.objects.filter(account=account_id, valid__contains=at)
        rates = rates.filter(book__in=held.values("book"))
    return dict(rates.values_list("sku__code", "hourly_rate"))
