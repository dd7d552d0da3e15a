"""What is wrong with a cluster, and what a person has allowed to be cleared away."""

from django.db import models

from provisioning.models.clusters import Cluster


class ClusterAlarm(models.Model):
    """One row is one thing wrong with a cluster, until it is over or a person closes it.

    `subject` names the part it is about, a namespace for one; empty: all of the cluster.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="alarms")
    code = models.CharField(max_length=60)
    subject = models.CharField(max_length=253, blank=True)
    message = models.TextField(blank=True)
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True)
    close_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-last_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "code", "subject"],
                condition=models.Q(closed_at__isnull=True),
                name="cluster_alarm_open_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.cluster}"


class OrphanRelease(models.Model):
    """One row is one person's word that these pods, and no others, may be cleared away.

    Rows are only added.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="orphan_releases")
    uids = models.JSONField()
    released_at = models.DateTimeField()
    released_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=500)

    class Meta:
        ordering = ["-released_at"]

    def __str__(self) -> str:
        return f"{len(self.uids)} pods of {self.cluster}"
