"""Clusters somebody has declared lost."""

from django.db import models

from provisioning.models.clusters import Cluster


class ClusterLoss(models.Model):
    """One row is one person's word that a cluster will not answer any more, and what it ended.

    Rows are only added.  `heard_at` is when the cluster was last heard from.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="losses")
    declared_at = models.DateTimeField()
    declared_by = models.CharField(max_length=254)
    reason = models.CharField(max_length=500)
    heard_at = models.DateTimeField(null=True, blank=True)
    instance_count = models.PositiveIntegerField()
    run_count = models.PositiveIntegerField()
    volume_count = models.PositiveIntegerField()

    class Meta:
        ordering = ["-declared_at"]
        verbose_name_plural = "cluster losses"

    def __str__(self) -> str:
        return f"{self.cluster} at {self.declared_at}"
