"""Single devices, the times they or their nodes could not be used."""

from django.db import models

from provisioning.models.inventory import Node, Pool


class Health(models.TextChoices):
    """What was said of a device last; a device nobody holds may be `unknown` for ever."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class OutageCause(models.TextChoices):
    """Who told that something could not be used."""

    DEVICE_UNHEALTHY = "device_unhealthy"
    DEVICE_METRIC = "device_metric"
    NODE_UNREACHABLE = "node_unreachable"


class Device(models.Model):
    """One row is one device of one life of a node; an id once seen stays.

    `health` is what the pod status or the resource slice says, `metric_health` what the
    vendor's exporter says: either alone takes the device out of sale.
    """

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="devices")
    pool = models.ForeignKey(Pool, on_delete=models.CASCADE, related_name="devices")
    device_id = models.CharField(max_length=120)
    health = models.CharField(max_length=10, choices=Health.choices, default=Health.UNKNOWN)
    health_since = models.DateTimeField(null=True, blank=True)
    metric_health = models.CharField(max_length=10, choices=Health.choices, default=Health.UNKNOWN)
    metric_seen_at = models.DateTimeField(null=True, blank=True)
    # When an exporter last told how much it does, and last told that it did anything.
    load_seen_at = models.DateTimeField(null=True, blank=True)
    busy_at = models.DateTimeField(null=True, blank=True)
    # Taken out of sale by a person.
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_by = models.CharField(max_length=150, blank=True)
    stop_reason = models.CharField(max_length=300, blank=True)
    first_seen_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["node", "pool", "device_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["node", "pool", "device_id"], name="device_once_per_node_and_pool"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.node}/{self.device_id}"


class Outage(models.Model):
    """One row is one time in which a node, or one device of it, could not be used.

    Both ends are the cluster's own instants where it told any; `evidence` keeps which.
    What it means for those who held the device is written by `unusable`.
    """

    node = models.ForeignKey(Node, on_delete=models.CASCADE, related_name="outages")
    device = models.ForeignKey(
        Device, null=True, blank=True, on_delete=models.CASCADE, related_name="outages"
    )
    cause = models.CharField(max_length=20, choices=OutageCause.choices)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    evidence = models.JSONField(default=dict)
    noticed_at = models.DateTimeField()
    end_noticed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["node", "device", "cause"],
                condition=models.Q(ended_at__isnull=True),
                nulls_distinct=False,
                name="outage_open_once",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True)
                | models.Q(ended_at__gte=models.F("started_at")),
                name="outage_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cause}: {self.device or self.node}"
