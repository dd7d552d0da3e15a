"""What can be asked for, and at which price.

Joins the catalogue with the price books; both are only read.
"""

from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from billing.models import AccountBook, PriceBook, Rate
from provisioning.models import InstanceType


def offered_types() -> QuerySet[InstanceType]:
    """Instance types one can ask for."""
    return InstanceType.objects.filter(is_retired=False).select_related("family__vendor")


def rates_by_sku(*, at: datetime, account_id: int | None = None) -> dict[str, Decimal]:
    """Won per device-hour by SKU code: the account's prices, or the list's."""
    if account_id is None:
        books = PriceBook.objects.filter(is_default=True).values("pk")
    else:
        books = AccountBook.objects.filter(account=account_id, valid__contains=at).values("book")
    rows = Rate.objects.filter(book__in=books, valid__contains=at)
    return dict(rows.values_list("sku__code", "hourly_rate"))
