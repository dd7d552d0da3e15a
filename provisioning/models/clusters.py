"""Clusters we may place pods on."""

from django.db import models


class ClusterState(models.TextChoices):
    """Whether a cluster takes new pods, and whether it is ours to ask at all.

    A draining one waits for its instances to leave; a lost one is given up by a person's word,
    and only its watcher still knocks; a removed one is history.
    """

    ACTIVE = "active"
    PAUSED = "paused"
    DRAINING = "draining"
    LOST = "lost"
    REMOVED = "removed"


class Cluster(models.Model):
    """One row is one Kubernetes cluster and how to reach it.

    `uid` is the UID of its kube-system namespace: new credentials have to lead to the
    same one.  `last_list_at` is when the last complete list *began*: what was created
    before and is not in it does not exist.
    """

    name = models.SlugField(max_length=40, unique=True)
    uid = models.UUIDField(null=True, blank=True)
    kubeconfig_encrypted = models.BinaryField()
    # Grows with every change of credentials, so that connections made before are let go.
    credentials_revision = models.PositiveIntegerField(default=0)
    state = models.CharField(
        max_length=10, choices=ClusterState.choices, default=ClusterState.ACTIVE
    )
    server_version = models.CharField(max_length=40, blank=True)
    probe = models.JSONField(default=dict, blank=True)
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)
    # Claims an examination, so that a second one does not begin beside it.
    examination_started_at = models.DateTimeField(null=True, blank=True)
    # Written by the watcher.
    last_list_at = models.DateTimeField(null=True, blank=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    # Written by reconcile.
    breaker_until = models.DateTimeField(null=True, blank=True)
    breaker_failures = models.PositiveIntegerField(default=0)
    breaker_since = models.DateTimeField(null=True, blank=True)
    throttled_until = models.DateTimeField(null=True, blank=True)
    paced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            # Added twice, its devices would be sold twice.
            models.UniqueConstraint(
                fields=["uid"],
                condition=~models.Q(state="removed"),
                name="cluster_once_among_the_kept",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TenantNamespace(models.Model):
    """One row is one tenant's namespace on one cluster, as we last applied it."""

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="namespaces")
    tenant_id = models.BigIntegerField()
    name = models.CharField(max_length=63)
    applied_hash = models.CharField(max_length=64)
    applied_at = models.DateTimeField()
    terminating_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "tenant_id"], name="namespace_once_per_cluster_and_tenant"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cluster}/{self.name}"
