"""Time inside a usage interval in which what was rented could not be used."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models

from billing.models.ranges import half_open
from billing.models.usage import UsageInterval


class UnusableTime(models.Model):
    """One row is one spell of an interval that is not owed for; open until its end is known.

    Rows are only added and an end is set once.  `cause` and `evidence` are opaque here.
    A spell counts as far as it lies within its interval, which may yet turn out shorter.
    """

    interval = models.ForeignKey(
        UsageInterval, on_delete=models.PROTECT, related_name="unusable_times"
    )
    cause = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    evidence = models.TextField(blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["interval", "started_at"]
        constraints = [
            ExclusionConstraint(
                name="billing_unusable_no_overlap",
                expressions=[
                    ("interval", RangeOperators.EQUAL),
                    (half_open("started_at", "ended_at"), RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                name="billing_unusable_ends_after_start",
                condition=models.Q(ended_at__gte=models.F("started_at"))
                | models.Q(ended_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(
                "interval",
                name="billing_unusable_open",
                condition=models.Q(ended_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cause} {self.interval_id}"
