"""What the clusters have: nodes, and pools of devices as the nodes offer them."""

from django.db import models

from provisioning.models.catalog import Family
from provisioning.models.clusters import Cluster


class AllocationMode(models.TextChoices):
    """Who hands devices to pods in a pool; never both on one node."""

    DEVICE_PLUGIN = "device_plugin"
    DRA = "dra"


class DeviceIdSource(models.TextChoices):
    """Where a pool's clusters tell which device a pod got."""

    STATUS = "status"
    POD_RESOURCES = "pod_resources"
    NONE = "none"


class Pool(models.Model):
    """One row is one family's devices under one resource name on one cluster."""

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="pools")
    family = models.ForeignKey(Family, on_delete=models.PROTECT, related_name="pools")
    resource_name = models.CharField(max_length=120)
    allocation = models.CharField(
        max_length=14, choices=AllocationMode.choices, default=AllocationMode.DEVICE_PLUGIN
    )
    device_ids = models.CharField(
        max_length=14, choices=DeviceIdSource.choices, default=DeviceIdSource.STATUS
    )
    # Where the vendor's exporter is asked: namespace, pod selector, port; empty where nowhere.
    exporter = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["cluster", "resource_name"]
        constraints = [
            # Two families of one vendor may share a generic name on a mixed cluster.
            models.UniqueConstraint(
                fields=["cluster", "family", "resource_name"], name="pool_once_per_cluster"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cluster}: {self.resource_name}"


class Node(models.Model):
    """One row is one life of a node: a node deleted and registered again is another row.

    `ready_changed_at` is the cluster's own instant of the last change of readiness.  What a
    person stopped the sale of takes nothing new; what runs there runs on.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="nodes")
    name = models.CharField(max_length=253)
    uid = models.UUIDField()
    boot_id = models.CharField(max_length=64, blank=True)
    is_ready = models.BooleanField(default=False)
    ready_changed_at = models.DateTimeField(null=True, blank=True)
    is_schedulable = models.BooleanField(default=True)
    lease_renewed_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.CharField(max_length=150, blank=True)
    stop_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["cluster", "name"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "uid"], name="node_once_per_uid"),
            models.UniqueConstraint(
                fields=["cluster", "name"],
                condition=models.Q(gone_at__isnull=True),
                name="node_name_once_among_the_present",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class NodeCapacity(models.Model):
    """One row is how many devices of a pool one node has, and how many of them are healthy."""

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="capacities")
    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="capacities")
    capacity = models.PositiveIntegerField()
    allocatable = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["node", "pool"], name="capacity_once_per_node_and_pool"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.node}: {self.allocatable}/{self.capacity}"
