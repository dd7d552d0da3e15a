"""What the API remembers of calls made with an `Idempotency-Key`."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from portal.tenants.models import User


class IdempotencyKey(models.Model):
    """One row is one call a person may repeat without it happening twice.

    While `status` is empty the call is running, under `ticket`; then the row holds its answer.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    ticket = models.UUIDField(default=uuid.uuid4)
    started_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    body = models.JSONField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once"),
            models.CheckConstraint(
                condition=Q(status=None, body=None) | Q(status__isnull=False),
                name="idempotency_key_answer_has_a_status",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["started_at"], name="idempotency_key_age"),
        ]

    def __str__(self) -> str:
        return self.key
