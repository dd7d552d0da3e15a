"""This installation's mark on every object it makes in a cluster."""

from django.db import models


class Installation(models.Model):
    """One row is this installation; there is exactly one."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    key = models.CharField(max_length=20, unique=True)
    domain = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="installation_is_single"),
        ]

    def __str__(self) -> str:
        return f"{self.key} ({self.domain})"
