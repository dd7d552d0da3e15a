"""What is on offer: vendors, accelerator families, instance types, images."""

from django.db import models


class Confidence(models.TextChoices):
    """How well a fact of the catalogue is known."""

    CONFIRMED = "confirmed"
    PARTIAL = "partial"
    UNCONFIRMED = "unconfirmed"


class Vendor(models.Model):
    """One row is one maker of accelerators."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Family(models.Model):
    """One row is one accelerator family: what quotas are counted in and pools are made of.

    `resource_names` lists every name a cluster may use for it, old and new; which of
    them a node really offers is read from the node.
    """

    slug = models.SlugField(max_length=40, unique=True)
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="families")
    name = models.CharField(max_length=80)
    resource_names = models.JSONField(default=list, blank=True)
    specs = models.JSONField(default=dict, blank=True)
    confidence = models.CharField(max_length=12, choices=Confidence.choices)

    class Meta:
        ordering = ["slug"]
        verbose_name_plural = "families"

    def __str__(self) -> str:
        return self.name


class InstanceType(models.Model):
    """One row is one size an instance can have: devices of one family and what goes with them."""

    slug = models.SlugField(max_length=60, unique=True)
    family = models.ForeignKey(Family, on_delete=models.PROTECT, related_name="instance_types")
    name = models.CharField(max_length=80)
    device_count = models.PositiveIntegerField()
    cpu_millicores = models.PositiveIntegerField()
    memory_mib = models.PositiveIntegerField()
    storage_gib = models.PositiveIntegerField()
    sku_code = models.CharField(max_length=60)
    is_retired = models.BooleanField(default=False)

    class Meta:
        ordering = ["family", "device_count"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(device_count__gt=0), name="instance_type_has_devices"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RuntimeImage(models.Model):
    """One row is one container image a tenant may start."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=80)
    reference = models.CharField(max_length=300)
    is_retired = models.BooleanField(default=False)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name
