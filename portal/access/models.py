"""Who was inside an instance, when, and how it ended."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from portal.tenants.models import User
from provisioning.models import Instance


class TerminalSession(models.Model):
    """One row is one terminal somebody opened into an instance.

    `seen_at` moves while the bridge lives; a row that is open and no longer seen was
    lost with its web process, and is closed by the next one who looks.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="terminals")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    attempt_no = models.PositiveIntegerField()
    opened_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.CharField(max_length=30, blank=True)

    class Meta:
        ordering = ["-opened_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, close_reason="")
                | (Q(closed_at__gte=F("opened_at")) & ~Q(close_reason="")),
                name="terminal_closed_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["instance", "-opened_at"], name="terminal_of_instance"),
            models.Index(
                fields=["seen_at"], condition=Q(closed_at__isnull=True), name="terminal_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.instance_id}"


class PortSession(models.Model):
    """One row lets one browser visit one port of an instance, as one signed-in person.

    It stands on the portal session it came from and falls with it.  `ticket_id` is the
    one-time ticket it was bought with; the secret in the browser's cookie is not kept.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ticket_id = models.UUIDField(unique=True)
    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    portal_session_key = models.CharField(max_length=40)
    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="port_sessions")
    port = models.PositiveIntegerField()
    opened_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["-opened_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("opened_at")), name="port_session_has_a_life"
            ),
        ]
        indexes = [models.Index(fields=["instance", "-opened_at"], name="port_session_of")]

    def __str__(self) -> str:
        return f"{self.user} at {self.instance_id}:{self.port}"


class LogStream(models.Model):
    """One row is one log that somebody follows now; it goes when they leave."""

    instance = models.ForeignKey(Instance, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.user} follows {self.instance_id}"
