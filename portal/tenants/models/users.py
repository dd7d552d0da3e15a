"""People, and what they are to the platform."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.tenants.access import StaffRole


class UserManager(BaseUserManager["User"]):
    """Makes people; an e-mail address is one person however it is typed."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a person; without a password they cannot sign in by one."""
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a person who may do anything in the admin."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Give the one form in which an address is stored."""
        return (email or "").strip().lower()

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find a person however their address is typed."""
        return self.get(email=self.normalize_email(username))


class User(AbstractBaseUser, PermissionsMixin):
    """One row is one person who can sign in."""

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    language = models.CharField(
        _("language"), max_length=2, choices=[("ko", "한국어"), ("en", "English")], default="ko"
    )
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("may enter the admin"), default=False)
    joined_at = models.DateTimeField(_("joined"), default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    # Set by an API token that opens one tenant only: its bearer is then nobody elsewhere.
    confined_to: int | None = None

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")), name="user_email_is_lower_case"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        """What mails call the person."""
        return self.name or self.email

    def get_short_name(self) -> str:
        """What pages call the person."""
        return self.name or self.email


class PlatformRole(models.Model):
    """One row lets one person serve the platform in one role."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="platform_roles")
    role = models.CharField(
        max_length=16,
        choices=[
            (StaffRole.APPROVER.value, _("Approver")),
            (StaffRole.OPERATOR.value, _("Operator")),
            (StaffRole.FINANCE.value, _("Finance")),
            (StaffRole.AUDITOR.value, _("Auditor")),
        ],
    )

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "role"], name="platform_role_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=[role.value for role in StaffRole]),
                name="platform_role_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role}"
