"""What is on offer: vendors, accelerator families, instance types, images."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Confidence(models.TextChoices):
    """How well a fact of the catalogue is known."""

    CONFIRMED = "confirmed"
    PARTIAL = "partial"
    UNCONFIRMED = "unconfirmed"


class Unit(models.TextChoices):
    """What one device of a family is: the thing a quota counts and a price is for."""

    CARD = "card", _("card")
    CHIP = "chip", _("chip")
    CORE = "core", _("core")
    DEVICE = "device", _("device")


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
    them a node really offers is read from the node.  `names` has these and the ones that
    are known and not sold, each with what one unit of it is and how well that is known.
    `cards` says how many devices one card of each product shows, `constraints` what the
    vendor asks of a pod, `dra` by which classes and drivers a cluster may offer it.
    """

    slug = models.SlugField(max_length=40, unique=True)
    vendor = models.ForeignKey(Vendor, on_delete=models.PROTECT, related_name="families")
    name = models.CharField(max_length=80)
    resource_names = models.JSONField(default=list, blank=True)
    names = models.JSONField(default=list, blank=True)
    unit = models.CharField(max_length=8, choices=Unit.choices, default=Unit.DEVICE)
    cards = models.JSONField(default=list, blank=True)
    constraints = models.JSONField(default=dict, blank=True)
    dra = models.JSONField(default=dict, blank=True)
    lifecycle = models.TextField(blank=True)
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
