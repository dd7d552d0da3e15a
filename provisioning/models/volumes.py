"""Storage that outlives instances: volumes, what mounts them, how long they had which size."""

import uuid

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models

from billing.models import Account
from provisioning.models.clusters import Cluster
from provisioning.models.instances import Attempt, Instance, TsTzRange
from provisioning.states import VolumeState


class Volume(models.Model):
    """One row is one volume: what is wished of it, and what its claim on one cluster has become.

    `size_gib` and `is_wanted` are the wish, written by `volumes`; `claiming` writes the rest
    and holds the lease while it works.  Both may bring `next_reconcile_at` forward.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant_id = models.BigIntegerField()
    project_id = models.BigIntegerField()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=63)
    size_gib = models.PositiveIntegerField()
    is_wanted = models.BooleanField(default=True)
    generation = models.PositiveIntegerField(default=1)
    expires_at = models.DateTimeField(null=True, blank=True)
    warned_at = models.DateTimeField(null=True, blank=True)

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="volumes")
    namespace = models.CharField(max_length=63)
    claim_name = models.CharField(max_length=63)
    # As wished at first (empty is the cluster's own choice), then as the cluster says.
    storage_class = models.CharField(max_length=253, blank=True)
    claim_uid = models.UUIDField(null=True, blank=True)
    # What the claim has: less than `size_gib` while it grows, empty before it is bound.
    capacity_gib = models.PositiveIntegerField(null=True, blank=True)

    state = models.CharField(
        max_length=8, choices=[(s.value, s.value) for s in VolumeState], default=VolumeState.PENDING
    )
    reason = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)
    state_since = models.DateTimeField()
    failures = models.PositiveIntegerField(default=0)
    next_reconcile_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    bound_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "name"],
                condition=models.Q(is_wanted=True),
                name="volume_name_once_per_tenant",
            ),
            models.UniqueConstraint(
                fields=["cluster", "namespace", "claim_name"], name="volume_claim_once_per_cluster"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=[s.value for s in VolumeState]),
                name="volume_state_known",
            ),
            models.CheckConstraint(condition=models.Q(size_gib__gt=0), name="volume_has_size"),
        ]
        indexes = [
            models.Index(
                fields=["next_reconcile_at"],
                condition=models.Q(next_reconcile_at__isnull=False),
                name="volume_due",
            ),
            models.Index(fields=["project_id"], name="volume_of_project"),
        ]

    def __str__(self) -> str:
        return self.name


class InstanceVolume(models.Model):
    """One row is one volume an instance is to find under a path, whenever it runs."""

    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="volumes")
    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="mounts")
    path = models.CharField(max_length=200)

    class Meta:
        ordering = ["path"]
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "volume"], name="instance_volume_once_per_instance"
            ),
            models.UniqueConstraint(fields=["instance", "path"], name="instance_volume_path_once"),
        ]

    def __str__(self) -> str:
        return f"{self.volume_id} at {self.path}"


class VolumeAttachment(models.Model):
    """One row is one volume held by one attempt at a pod, from when to when.

    Open from before the pod is created until its absence is certain, so of two pods that
    could write to one volume the second is never begun.
    """

    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="attachments")
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="+")
    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="attachments")
    path = models.CharField(max_length=200)
    attached_at = models.DateTimeField()
    detached_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["attached_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["volume"],
                condition=models.Q(detached_at__isnull=True),
                name="volume_attached_once_at_a_time",
            ),
            models.UniqueConstraint(
                fields=["attempt", "volume"], name="attachment_once_per_attempt"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.volume_id} in {self.attempt_id}"


class VolumeSpan(models.Model):
    """One row is one time in which a volume had one size; half-open, and rows are only added.

    An open span gets its end once.  A volume that grows ends one span and begins the next,
    so that size and lifetime can be charged.
    """

    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="spans")
    no = models.PositiveIntegerField()
    size_gib = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ["volume", "no"]
        constraints = [
            models.UniqueConstraint(fields=["volume", "no"], name="volume_span_numbered_once"),
            ExclusionConstraint(
                name="volume_has_one_size_at_a_time",
                expressions=[
                    ("volume", RangeOperators.EQUAL),
                    (TsTzRange("started_at", "ended_at"), RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True)
                | models.Q(ended_at__gte=models.F("started_at")),
                name="volume_span_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.volume_id}: {self.size_gib} GiB since {self.started_at}"
