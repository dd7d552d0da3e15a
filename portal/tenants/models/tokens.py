"""Keys to the API."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.tenants.models.tenants import Tenant
from portal.tenants.models.users import User


class ApiToken(models.Model):
    """One row lets a program call the API as its user; the secret itself is not kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    # With a tenant, the token opens that tenant only and carries no platform role.
    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, null=True, blank=True, related_name="api_tokens"
    )
    name = models.CharField(_("name"), max_length=120)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(expires_at__gt=models.F("created_at")),
                name="api_token_has_a_life",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def is_valid(self, *, at: datetime) -> bool:
        """Whether it opens the door at this instant."""
        return self.revoked_at is None and at < self.expires_at
