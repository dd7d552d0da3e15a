"""Wishes and their one decision.

A quota request asks for the right to hold more devices; an instance request asks for
instances inside that right.  Both are decided once, by a conditional update: of two
people deciding at once, the second is told `RequestAlreadyDecided`.
"""

import uuid
from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.requests.errors import RequestAlreadyDecided
from portal.tenants.models import Project, User
from provisioning.models import Family, Instance, InstanceType, RuntimeImage


class State(models.TextChoices):
    """How far a wish has come."""

    SUBMITTED = "submitted", _("Submitted")
    HELD = "held", _("Held for a decision")
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Decidable(models.Model):
    """What both kinds of wish share: who asked, who decided, and the one door between."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(_("state"), max_length=12, choices=State)
    submitted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    submitted_at = models.DateTimeField(_("submitted"))
    # Empty on an approved instance request that no policy held: nobody had to decide.
    decided_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decision_reason = models.TextField(_("reason"), blank=True)

    # The state in which it waits for a person.
    OPEN: ClassVar[State]

    class Meta:
        abstract = True

    @property
    def is_open(self) -> bool:
        """Whether a person has yet to decide it."""
        return self.state == self.OPEN

    def decide(
        self, *, state: State, by: User, at: datetime, reason: str = "", **facts: object
    ) -> Self:
        """Settle it, unless somebody already has; the row lock it takes lasts to the commit."""
        decision = {
            "state": state,
            "decided_by": by,
            "decided_at": at,
            "decision_reason": reason,
            **facts,
        }
        rows = type(self)._default_manager.filter(pk=self.pk, state=self.OPEN)
        if not rows.update(**decision):
            raise RequestAlreadyDecided
        for name, value in decision.items():
            setattr(self, name, value)
        return self


class QuotaRequest(Decidable):
    """One row asks for a number of devices of one family for one project."""

    OPEN = State.SUBMITTED

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="quota_requests")
    family = models.ForeignKey(Family, on_delete=models.PROTECT, related_name="+")
    devices = models.PositiveIntegerField(_("devices"))
    justification = models.TextField(_("justification"))
    # Fewer than asked is a counter-offer; empty until approved.
    granted_devices = models.PositiveIntegerField(_("devices granted"), null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["project", "-submitted_at"], name="quota_request_by_project"),
            models.Index(
                fields=["submitted_at"], name="quota_request_open", condition=Q(state="submitted")
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="quota_request_asks_something", condition=Q(devices__gt=0)),
            models.CheckConstraint(
                name="quota_request_state_fits",
                condition=(
                    Q(state="submitted", decided_at=None, decided_by=None, granted_devices=None)
                    | Q(
                        state="approved",
                        decided_at__isnull=False,
                        decided_by__isnull=False,
                        granted_devices__gt=0,
                    )
                    | Q(
                        state__in=["rejected", "withdrawn"],
                        decided_at__isnull=False,
                        decided_by__isnull=False,
                        granted_devices=None,
                    )
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.devices} × {self.family} for {self.project}"


class InstanceRequest(Decidable):
    """One row asks for one or more like instances in one project."""

    OPEN = State.HELD

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="instance_requests")
    instance_type = models.ForeignKey(InstanceType, on_delete=models.PROTECT, related_name="+")
    # Empty where the tenant brings an image of its own.
    image = models.ForeignKey(
        RuntimeImage, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    own_image = models.CharField(_("own image"), max_length=300, blank=True)
    count = models.PositiveIntegerField(_("count"))
    name = models.CharField(_("name"), max_length=63)
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    # Pairs of a volume's id and the path it is to be found under.
    volumes = models.JSONField(_("volumes"), default=list, blank=True)
    # Names only; the values are sealed, and gone once the request is decided.
    secret_names = models.JSONField(_("secrets"), default=list, blank=True)
    secrets_sealed = models.BinaryField(null=True, blank=True)
    wants_token = models.BooleanField(default=False)
    # Codes of the policies that held it, for the approver to see.
    hold_reasons = models.JSONField(_("held because"), default=list, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["project", "-submitted_at"], name="instance_request_by_project"),
            models.Index(
                fields=["submitted_at"], name="instance_request_open", condition=Q(state="held")
            ),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="instance_request_asks_something", condition=Q(count__gt=0)
            ),
            models.CheckConstraint(
                name="instance_request_has_one_image",
                condition=Q(image__isnull=False, own_image="")
                | Q(image__isnull=True) & ~Q(own_image=""),
            ),
            models.CheckConstraint(
                name="instance_request_state_fits",
                condition=(
                    Q(state="submitted", decided_at=None, decided_by=None)
                    | Q(state="held", decided_at=None, decided_by=None)
                    | Q(state="approved", decided_at__isnull=False)
                    | Q(
                        state__in=["rejected", "withdrawn"],
                        decided_at__isnull=False,
                        decided_by__isnull=False,
                    )
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.count} × {self.instance_type} for {self.project}"

    @property
    def devices(self) -> int:
        """How many devices it takes in all."""
        return self.count * self.instance_type.device_count


class LaunchedInstance(models.Model):
    """One row says which wish an instance came from."""

    instance_request = models.ForeignKey(
        InstanceRequest, on_delete=models.PROTECT, related_name="launched_instances"
    )
    instance = models.OneToOneField(Instance, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"{self.instance_request_id} → {self.instance_id}"
