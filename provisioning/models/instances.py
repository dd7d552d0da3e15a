"""Instances and the record of what we tried and concluded about them."""

import uuid

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models

from billing.models import Account, UsageInterval
from provisioning.models.catalog import InstanceType
from provisioning.models.clusters import Cluster
from provisioning.models.inventory import Pool
from provisioning.states import AttemptState, Desired, State


class TsTzRange(models.Func):
    """The half-open range between two instants; open-ended where the second is missing."""

    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class Instance(models.Model):
    """One row is one instance: what is wished of it and what we have concluded it to be.

    Three writers, each with columns of its own: the wish (`desired`, `generation`,
    `launch_no`, `ends_at`) belongs to `launching` and `stopping`, `observation_seq` to
    the watcher, the rest to reconcile, which holds the lease while it works.  All three
    may bring `next_reconcile_at` forward; only reconcile puts it off, and only when
    nobody else has written since it read.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant_id = models.BigIntegerField()
    project_id = models.BigIntegerField()
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=63)
    instance_type = models.ForeignKey(
        InstanceType, on_delete=models.PROTECT, related_name="instances"
    )
    # Copied at launch: what runs does not change when the catalogue does.
    device_count = models.PositiveIntegerField()
    cpu_millicores = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField()
    storage_gib = models.PositiveIntegerField()
    sku_code = models.CharField(max_length=60)
    image = models.CharField(max_length=300)
    command = models.JSONField(default=list, blank=True)
    environment = models.JSONField(default=dict, blank=True)

    desired = models.CharField(max_length=10, choices=[(d.value, d.value) for d in Desired])
    generation = models.PositiveIntegerField(default=1)
    launch_no = models.PositiveIntegerField(default=1)
    launched_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    observation_seq = models.PositiveBigIntegerField(default=0)

    state = models.CharField(
        max_length=12, choices=[(s.value, s.value) for s in State], default=State.QUEUED
    )
    reason = models.CharField(max_length=60, blank=True)
    message = models.TextField(blank=True)
    state_since = models.DateTimeField()
    settled_launch_no = models.PositiveIntegerField(default=0)
    pool = models.ForeignKey(Pool, null=True, blank=True, on_delete=models.PROTECT)
    attempt_no = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    next_reconcile_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=[s.value for s in State]), name="instance_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(desired__in=[d.value for d in Desired]),
                name="instance_desired_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_reconcile_at"],
                condition=models.Q(next_reconcile_at__isnull=False),
                name="instance_due",
            ),
            models.Index(fields=["tenant_id", "-created_at"], name="instance_of_tenant"),
            models.Index(fields=["project_id"], name="instance_of_project"),
            models.Index(
                fields=["ends_at"],
                condition=models.Q(ends_at__isnull=False, desired="running"),
                name="instance_lease_end",
            ),
            models.Index(
                fields=["launched_at"], condition=models.Q(state="queued"), name="instance_queue"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Transition(models.Model):
    """One row is one change of state of an instance, and why; rows are only added."""

    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="transitions")
    from_state = models.CharField(max_length=12, blank=True)
    to_state = models.CharField(max_length=12)
    reason = models.CharField(max_length=60)
    message = models.TextField(blank=True)
    attempt_no = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["instance", "id"]

    def __str__(self) -> str:
        return f"{self.from_state or 'new'} → {self.to_state}: {self.reason}"


class Attempt(models.Model):
    """One row is one pod we meant to create: written before the cluster is asked.

    The name says which attempt it is, so an unknown outcome is settled by looking
    the name up, and a predecessor that will not go cannot block its successor.
    """

    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="attempts")
    no = models.PositiveIntegerField()
    launch_no = models.PositiveIntegerField()
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="attempts")
    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="attempts")
    namespace = models.CharField(max_length=63)
    pod_name = models.CharField(max_length=63)
    spec_hash = models.CharField(max_length=64)
    device_count = models.PositiveIntegerField()
    state = models.CharField(
        max_length=8,
        choices=[(s.value, s.value) for s in AttemptState],
        default=AttemptState.INTENDED,
    )
    uid = models.UUIDField(null=True, blank=True)
    # Nodes that would not start its predecessors; part of what the pod asks for.
    avoided_nodes = models.JSONField(default=list, blank=True)
    # Somebody wishes the pod to give way to a successor elsewhere.
    leave_wished_at = models.DateTimeField(null=True, blank=True)
    intended_at = models.DateTimeField()
    created_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)
    # Given up with its cluster: a pod that comes back after that is nobody's.
    lost_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["instance", "no"]
        constraints = [
            models.UniqueConstraint(fields=["instance", "no"], name="attempt_numbered_once"),
            models.UniqueConstraint(
                fields=["cluster", "namespace", "pod_name"], name="attempt_name_once_per_cluster"
            ),
        ]
        indexes = [
            models.Index(
                fields=["pool"], condition=~models.Q(state="gone"), name="attempt_live_in_pool"
            ),
        ]

    def __str__(self) -> str:
        return self.pod_name


class Allocation(models.Model):
    """One row is one device held by one container run, from when to when."""

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    node_uid = models.UUIDField()
    node_name = models.CharField(max_length=253)
    resource_name = models.CharField(max_length=120)
    device_id = models.CharField(max_length=100)
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="allocations")
    interval = models.ForeignKey(UsageInterval, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["started_at", "device_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["interval", "resource_name", "device_id"], name="allocation_once_per_run"
            ),
            # Plugins repeat their ids on every node, so the node is part of the name.
            ExclusionConstraint(
                name="device_held_once_at_a_time",
                expressions=[
                    ("cluster", RangeOperators.EQUAL),
                    ("node_uid", RangeOperators.EQUAL),
                    ("resource_name", RangeOperators.EQUAL),
                    ("device_id", RangeOperators.EQUAL),
                    (TsTzRange("started_at", "ended_at"), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.node_name}/{self.device_id}"


class DeadLetter(models.Model):
    """One row is one instance we stopped trying to move, until a person closes it.

    `outcome` tells how it was closed: tried again, or let be.
    """

    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="dead_letters")
    code = models.CharField(max_length=60)
    message = models.TextField()
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True)
    outcome = models.CharField(max_length=10, blank=True)
    close_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-last_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "code"],
                condition=models.Q(closed_at__isnull=True),
                name="dead_letter_open_once_per_code",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.instance_id}"
