"""What people are told."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.tenants.models import Tenant, User


class Notice(models.Model):
    """One row is one thing told to one person: in the bell, and to some by mail as well.

    `mail_claimed_at` is set by whoever goes to send the mail, before it is sent: a mail may
    be lost with a worker, and is never sent twice.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notices")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="notices")
    key = models.CharField(max_length=200)
    kind = models.CharField(_("kind"), max_length=40)
    instance_id = models.UUIDField(null=True, blank=True)
    detail = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(_("happened"))
    read_at = models.DateTimeField(_("read"), null=True, blank=True)
    is_mailed = models.BooleanField(default=False)
    mail_claimed_at = models.DateTimeField(null=True, blank=True)
    mail_sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-at", "-pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "key"], name="notice_once_per_person"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["user"], condition=models.Q(read_at__isnull=True), name="notice_unread"
            ),
            models.Index(
                fields=["id"],
                condition=models.Q(is_mailed=True, mail_claimed_at__isnull=True),
                name="notice_mail_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.user}"
