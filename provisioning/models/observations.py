"""What the clusters said.  Written by the watcher alone."""

from django.db import models

from provisioning.models.clusters import Cluster
from provisioning.states import Settlement


class ObservedPod(models.Model):
    """One row is one pod as last seen; `gone_at` says since when it is absent.

    `settlement` tells what became of its use: only a pod that never ran, or whose
    interval is closed in the ledger, may lose its finalizer.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="observed_pods")
    uid = models.UUIDField()
    namespace = models.CharField(max_length=63)
    name = models.CharField(max_length=253)
    resource_version = models.CharField(max_length=60)
    instance_id = models.UUIDField(null=True)
    attempt_no = models.PositiveIntegerField(null=True)
    spec_hash = models.CharField(max_length=64, blank=True)
    phase = models.CharField(max_length=20)
    reason = models.CharField(max_length=120, blank=True)
    message = models.TextField(blank=True)
    node_name = models.CharField(max_length=253, blank=True)
    is_ready = models.BooleanField(default=False)
    unschedulable_message = models.TextField(blank=True)
    disruption_reason = models.CharField(max_length=60, blank=True)
    container_id = models.CharField(max_length=200, blank=True)
    container_state = models.CharField(max_length=12, blank=True)
    waiting_reason = models.CharField(max_length=120, blank=True)
    waiting_message = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    exit_code = models.IntegerField(null=True)
    exit_reason = models.CharField(max_length=120, blank=True)
    devices = models.JSONField(default=list)
    is_deleting = models.BooleanField(default=False)
    has_finalizer = models.BooleanField(default=False)
    settlement = models.CharField(
        max_length=10,
        choices=[(s.value, s.value) for s in Settlement],
        default=Settlement.NEVER_RAN,
    )
    # Set once a list has shown the run together with the life of the node it runs on.
    witness_ref = models.CharField(max_length=200, blank=True)
    first_seen_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "uid"], name="observed_pod_once"),
        ]
        indexes = [
            models.Index(fields=["instance_id"], name="observed_pod_of_instance"),
            models.Index(
                fields=["cluster"],
                condition=models.Q(gone_at__isnull=True),
                name="observed_pod_present",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class UsageEvidence(models.Model):
    """One row is one thing a cluster said about a container run, and when; rows are only added.

    `audit_usage` recomputes the ledger's intervals from these rows.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="+")
    pod_uid = models.UUIDField()
    container_id = models.CharField(max_length=200)
    instance_id = models.UUIDField(null=True)
    kind = models.CharField(max_length=20)
    said = models.JSONField()
    observed_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "usage evidence"
        indexes = [
            models.Index(fields=["cluster", "pod_uid", "container_id"], name="evidence_of_run"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pod_uid}"
