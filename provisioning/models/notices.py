"""What provisioning has to tell tenants, until somebody above has taken it."""

from django.db import models


class TenantNotice(models.Model):
    """One row is one thing to tell one tenant, written with the change it tells of.

    `key` names the thing: told again, it is the same row.  `taken_at` is set by whoever
    carries it to people.
    """

    key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=40)
    tenant_id = models.BigIntegerField()
    instance_id = models.UUIDField(null=True, blank=True)
    detail = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(taken_at__isnull=True),
                name="tenant_notice_untaken",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.tenant_id}"
