"""Ports of instances that people may visit."""

from django.db import models
from django.db.models import F, Q

from provisioning.models.instances import Instance


class InstancePort(models.Model):
    """One row is one time a port of an instance was open to its people, until it was closed.

    Where a notebook listens, `is_notebook`, its visitors are signed in with its token.
    """

    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="ports")
    port = models.PositiveIntegerField()
    is_notebook = models.BooleanField(default=False)
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=254)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=254, blank=True)

    class Meta:
        ordering = ["port"]
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "port"],
                condition=Q(closed_at__isnull=True),
                name="port_open_once",
            ),
            models.CheckConstraint(
                condition=Q(port__gte=1, port__lte=65535), name="port_can_exist"
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(closed_at__gte=F("opened_at")),
                name="port_closed_after_it_was_opened",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instance_id}:{self.port}"
