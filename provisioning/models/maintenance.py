"""Times in which nodes, or a whole cluster, belong to those who mend them."""

from django.db import models

from provisioning.models.clusters import Cluster
from provisioning.models.inventory import Node


class MaintenancePolicy(models.TextChoices):
    """What becomes of instances that still run there when the window opens."""

    WAIT = "wait"
    MOVE = "move"
    STOP = "stop"


class MaintenanceWindow(models.Model):
    """One row is one window: from `starts_at` nothing runs there, from `ends_at` it is sold again.

    Without nodes it is the whole cluster's.  `begun_at` says that the policy has been
    carried out for what still ran when the grace was over.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="windows")
    nodes = models.ManyToManyField(Node, blank=True, related_name="windows")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=300)
    policy = models.CharField(
        max_length=4, choices=MaintenancePolicy.choices, default=MaintenancePolicy.WAIT
    )
    grace_minutes = models.PositiveIntegerField(default=0)
    planned_at = models.DateTimeField()
    planned_by = models.CharField(max_length=150)
    begun_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancelled_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")),
                name="maintenance_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cluster}: {self.reason}"
