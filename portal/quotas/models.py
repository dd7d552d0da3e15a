"""How many devices a project may hold at once, as a signed ledger.

The headroom of a quota is the sum of its entries.  Who may write one is decided in
`granting` and `reserving`, under the lock of the Quota row.
"""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.tenants.models import Project
from provisioning.models import Family


class Quota(models.Model):
    """One row is the ceiling of one project for one family, and the row that is locked."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="quotas")
    family = models.ForeignKey(Family, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(_("opened"))

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "family"], name="quota_once_per_family"),
        ]

    def __str__(self) -> str:
        return f"{self.project}: {self.family}"


class QuotaEntry(models.Model):
    """One row is one change of what a project may still reserve; rows are only ever added."""

    class Kind(models.TextChoices):
        GRANT = "grant", _("Granted")
        ADJUST = "adjust", _("Adjusted")
        RESERVE = "reserve", _("Reserved")
        RELEASE = "release", _("Released")

    quota = models.ForeignKey(Quota, on_delete=models.PROTECT, related_name="entries")
    delta = models.IntegerField(_("change"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    instance_id = models.UUIDField(null=True, blank=True)
    quota_request_id = models.UUIDField(null=True, blank=True)
    # A release names the reservation it ends: unique, so that a launch gives back once.
    reservation = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="release"
    )
    by = models.CharField(_("by"), max_length=254, blank=True)
    at = models.DateTimeField(_("at"))
    note = models.TextField(_("note"), blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["instance_id"], name="quota_entry_instance", condition=Q(kind="reserve")
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="quota_entry_says_what_its_kind_says",
                condition=(
                    Q(kind="grant", delta__gt=0, quota_request_id__isnull=False, reservation=None)
                    | Q(kind="adjust", reservation=None) & ~Q(delta=0)
                    | Q(kind="reserve", delta__lt=0, instance_id__isnull=False, reservation=None)
                    | Q(
                        kind="release",
                        delta__gt=0,
                        instance_id__isnull=False,
                        reservation__isnull=False,
                    )
                ),
            ),
            models.UniqueConstraint(
                fields=["quota_request_id"],
                condition=Q(kind="grant"),
                name="quota_request_grants_once",
            ),
            models.CheckConstraint(
                name="quota_entry_not_its_own", condition=~Q(reservation=F("id"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.delta:+d}"
