"""The ledger of use: what ran, from when to when, and what vouches for it.

Never money, months or prices.  The triggers of migration 0002 hold what Django cannot say: a start
never moves, an exact end never changes, nothing is deleted, a watermark never falls.
"""

from datetime import datetime
from typing import TYPE_CHECKING, TypedDict, cast

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models.functions import Coalesce, Greatest, Now

from billing.facts import EndQuality
from billing.models.accounts import Account
from billing.models.ranges import half_open

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


class Sku(models.Model):
    """One row is one thing that has a price: it joins catalogue and price book."""

    code = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    meter = models.CharField(max_length=32, default="device_time")

    def __str__(self) -> str:
        return self.code


class Witness(models.Model):
    """One row vouches for all open intervals that name it, up to an instant that never falls.

    A steady farm writes one row per node and none per instance.
    """

    source = models.BigIntegerField()
    ref = models.CharField(max_length=200)
    proved_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("source", "ref", name="billing_witness_one_per_ref"),
        ]

    def __str__(self) -> str:
        return self.ref


class Watermark(TypedDict):
    """What `with_watermark` adds."""

    watermark: datetime


class UsageIntervalQuerySet(models.QuerySet["UsageInterval"]):
    """Questions to the ledger."""

    def with_watermark(self) -> "models.QuerySet[WithAnnotations[UsageInterval, Watermark]]":
        """Adds `watermark`: the end, or up to where an open interval is proved."""
        proved = Greatest("started_at", "witness__proved_until")
        annotated = self.annotate(watermark=Coalesce("ended_at", proved))
        return cast("models.QuerySet[WithAnnotations[UsageInterval, Watermark]]", annotated)

    def touching(self, *, since: datetime, until: datetime) -> "UsageIntervalQuerySet":
        """Intervals with a share in that time, open ones included."""
        still_there = models.Q(ended_at__isnull=True) | models.Q(ended_at__gt=since)
        return self.filter(still_there, started_at__lt=until)


class UsageInterval(models.Model):
    """One row is one container run: half-open, open until its end is known."""

    source = models.BigIntegerField()
    holder_uid = models.UUIDField()
    run_id = models.CharField(max_length=200)
    meter = models.CharField(max_length=32)
    resource_ref = models.CharField(max_length=100)
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="usage_intervals", db_index=False
    )
    project_id = models.BigIntegerField()
    sku = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="+", db_index=False)
    quantity = models.PositiveIntegerField()
    witness = models.ForeignKey(
        Witness, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_quality = models.CharField(  # noqa: DJ001  (an open interval has no quality at all)
        max_length=8, null=True, blank=True, choices=[(q.value, q.value) for q in EndQuality]
    )
    end_reason = models.CharField(max_length=100, blank=True)
    gap_seconds = models.BigIntegerField(null=True, blank=True)
    opened_at = models.DateTimeField()

    objects = UsageIntervalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "source", "holder_uid", "run_id", name="billing_usage_one_per_run"
            ),
            ExclusionConstraint(
                name="billing_usage_no_overlap",
                expressions=[
                    ("source", RangeOperators.EQUAL),
                    ("holder_uid", RangeOperators.EQUAL),
                    (half_open("started_at", "ended_at"), RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                name="billing_usage_ends_after_start",
                condition=models.Q(ended_at__gte=models.F("started_at"))
                | models.Q(ended_at__isnull=True),
            ),
            models.CheckConstraint(
                name="billing_usage_end_has_quality",
                condition=models.Q(ended_at__isnull=True, end_quality__isnull=True)
                | models.Q(ended_at__isnull=False, end_quality__in=["exact", "bounded"]),
            ),
            models.CheckConstraint(
                name="billing_usage_holds_a_device", condition=models.Q(quantity__gte=1)
            ),
        ]
        indexes = [
            # Both the month of one account and its open intervals are found by the end.
            models.Index("account", "ended_at", name="billing_usage_by_account"),
            models.Index("resource_ref", name="billing_usage_by_resource"),
        ]

    def __str__(self) -> str:
        return f"{self.resource_ref} {self.run_id}"


class QuarantinedFact(models.Model):
    """One row is one fact the ledger could not take; it blocks the close until somebody answers."""

    source = models.BigIntegerField()
    account = models.ForeignKey(
        Account, null=True, blank=True, on_delete=models.PROTECT, related_name="quarantined_facts"
    )
    period_from = models.DateTimeField()
    period_until = models.DateTimeField(null=True, blank=True)
    code = models.CharField(max_length=32)
    message = models.CharField(max_length=300)
    fact = models.JSONField()
    digest = models.CharField(max_length=64)
    found_at = models.DateTimeField(db_default=Now())
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=200, blank=True)
    resolution = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            # The same fact arrives with every relist; it is put aside once.
            models.UniqueConstraint(
                "source", "digest", "code", name="billing_quarantined_once_per_fact"
            ),
        ]
        indexes = [
            models.Index(
                "source",
                name="billing_quarantined_open",
                condition=models.Q(resolved_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
