"""Which time an account is billed for at once."""

from datetime import datetime

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models

from billing.intervals import Span
from billing.models.accounts import Account


class BillingPeriod(models.Model):
    """One row is the time an account is billed for at once: a month, or a part of one."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="periods")
    span = DateTimeRangeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="billing_period_no_overlap",
                expressions=[
                    ("account", RangeOperators.EQUAL),
                    ("span", RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.since:%Y-%m-%d}"

    @property
    def since(self) -> datetime:
        """The first instant."""
        return self.bounds.since

    @property
    def until(self) -> datetime:
        """The first instant that does not belong any more."""
        return self.bounds.until

    @property
    def bounds(self) -> Span:
        """The span as a plain value."""
        return Span.of(lower=self.span.lower, upper=self.span.upper)
