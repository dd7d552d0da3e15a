"""What an hour of a device costs, from when to when, and for whom.

What is or was in force does not change (migration 0002): a new price is a new row.
"""

from decimal import Decimal

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models

from billing.models.accounts import Account
from billing.models.usage import Sku


class PriceBook(models.Model):
    """One row is one list of prices; the default one is given to new accounts."""

    name = models.CharField(max_length=100, unique=True)
    currency = models.CharField(max_length=3, default="KRW")
    is_default = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "is_default",
                name="billing_pricebook_one_default",
                condition=models.Q(is_default=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Rate(models.Model):
    """One row is one price of one SKU: won per device-hour, from … until."""

    book = models.ForeignKey(PriceBook, on_delete=models.PROTECT, related_name="rates")
    sku = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="rates")
    valid = DateTimeRangeField()
    hourly_rate = models.DecimalField(max_digits=14, decimal_places=4)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="billing_rate_no_overlap",
                expressions=[
                    ("book", RangeOperators.EQUAL),
                    ("sku", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                name="billing_rate_not_negative",
                condition=models.Q(hourly_rate__gte=Decimal(0)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku_id} {self.hourly_rate}"


class AccountBook(models.Model):
    """One row is the price book one account buys by, from … until."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="books")
    book = models.ForeignKey(PriceBook, on_delete=models.PROTECT, related_name="+")
    valid = DateTimeRangeField()

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="billing_accountbook_no_overlap",
                expressions=[
                    ("account", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.book_id}"
