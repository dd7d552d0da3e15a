"""What a tenant confides to an instance, sealed; and where a copy of it lies in a cluster."""

from django.db import models

from provisioning.models.instances import Attempt, Instance
from provisioning.states import SecretKind


class InstanceSecret(models.Model):
    """One row is one secret an instance is given as a variable or a file.

    The value is sealed, and gone once the instance is terminated.  `digest` is keyed: it says
    whether two values are the same, to us alone.
    """

    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="secrets")
    kind = models.CharField(max_length=5, choices=[(k.value, k.value) for k in SecretKind])
    name = models.CharField(max_length=100)
    value_sealed = models.BinaryField(null=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["instance", "kind", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["instance", "kind", "name"], name="secret_once_per_instance"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class ConfidedSecret(models.Model):
    """One row is one Secret object in a cluster: what one attempt is confided.

    The instance's secrets, or the login its image is pulled with.  Written before the cluster
    is asked; the object is deleted once the attempt is gone.
    """

    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="confided")
    name = models.CharField(max_length=63)
    intended_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["attempt", "name"], name="confided_secret_once_per_attempt"
            ),
        ]
        indexes = [
            models.Index(
                fields=["attempt"],
                condition=models.Q(deleted_at__isnull=True),
                name="confided_secret_present",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TenantImage(models.Model):
    """One row lets one tenant start images of its own whose reference fits a pattern."""

    tenant_id = models.BigIntegerField()
    pattern = models.CharField(max_length=300)
    note = models.CharField(max_length=200, blank=True)
    allowed_by = models.CharField(max_length=150)
    allowed_at = models.DateTimeField()
    withdrawn_by = models.CharField(max_length=150, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["tenant_id", "pattern"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "pattern"],
                condition=models.Q(withdrawn_at__isnull=True),
                name="tenant_image_once_per_pattern",
            ),
        ]

    def __str__(self) -> str:
        return self.pattern
