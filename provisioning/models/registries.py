"""What a tenant's own images are pulled with."""

from django.db import models
from django.db.models import Q


class RegistryLogin(models.Model):
    """One row is one login of a tenant's to one registry, from its storing to its removal.

    Never changed: another password is another row.  The password is sealed, and gone once the
    login is removed or replaced; who did that, and when, stays.
    """

    tenant_id = models.BigIntegerField()
    host = models.CharField(max_length=260)
    username = models.CharField(max_length=255)
    password_sealed = models.BinaryField(null=True)
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    removed_by = models.CharField(max_length=254, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["tenant_id", "host"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "host"],
                condition=Q(removed_at__isnull=True),
                name="registry_login_once_per_host",
            ),
            models.CheckConstraint(
                condition=Q(removed_at__isnull=True, password_sealed__isnull=False)
                | Q(removed_at__isnull=False, password_sealed__isnull=True),
                name="registry_login_keeps_its_password_until_removed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.username} at {self.host}"
