"""Draw invoice numbers without gaps.

The row of the series stays locked until the caller's transaction ends: a number is used together
with the invoice that carries it, or not at all.
"""

from datetime import date

from billing.models import NumberSeries, Seller

INVOICE_CODE = "INV"


def draw_number(*, seller: Seller, code: str, on: date) -> tuple[NumberSeries, str]:
    """The next number of the seller's series of that year; call it last, it queues others."""
    NumberSeries.objects.get_or_create(seller=seller, code=code, year=on.year)
    series = NumberSeries.objects.select_for_update().get(seller=seller, code=code, year=on.year)
    series.last_number += 1
    series.save(update_fields=["last_number"])
    return series, f"{series.code}-{series.year}-{series.last_number:06d}"
