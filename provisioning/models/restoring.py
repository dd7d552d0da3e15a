"""What tells a database that it is older than the clusters it speaks to."""

from django.db import models

from provisioning.models.clusters import Cluster


class ClusterMark(models.Model):
    """One row is how far we have counted on one cluster.

    The same number stands on the cluster.  We commit ours before we write it there, so a
    cluster that shows a higher one has been spoken to by a later state of this database.
    """

    cluster = models.OneToOneField(Cluster, on_delete=models.PROTECT, related_name="mark")
    no = models.PositiveBigIntegerField(default=0)
    checked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.cluster}: {self.no}"


class HoldCause(models.TextChoices):
    """How we learned that the database is older than the cluster."""

    RESTORED = "restored"
    MARK_AHEAD = "mark_ahead"


class Hold(models.Model):
    """One row is one time in which nothing is done on a cluster until a person has looked.

    `known_until` is the last instant this database remembers of the cluster: what happened
    between it and `found_at` nobody told it.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="holds")
    cause = models.CharField(max_length=12, choices=HoldCause.choices)
    known_until = models.DateTimeField(null=True, blank=True)
    found_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-found_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster"],
                condition=models.Q(released_at__isnull=True),
                name="cluster_held_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cluster} held since {self.found_at}"
