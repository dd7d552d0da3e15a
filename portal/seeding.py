"""Fill an empty farm with invented people, tenants and prices, for a first look.

Everything goes through the doors that people use; running it again changes nothing
but what is missing.  The logins are kept in the farm's state folder.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from django.db import transaction

from billing import accounts, pricing
from billing.models import Rate, Sku
from portal.tenants.access import Role, StaffRole
from portal.tenants.joining import add_member
from portal.tenants.models import Membership, Tenant, User
from portal.tenants.onboarding import open_tenant
from provisioning.models import InstanceType, RuntimeImage


@dataclass(frozen=True)
class Character:
    """One invented person: who they are to the platform or to a tenant."""

    login: str
    name: str
    email: str
    staff: tuple[StaffRole, ...] = ()
    tenant: str = ""
    role: Role | None = None


CAST = (
    Character(
        "tenant",
        "Alice Yoon",
        "alice@bada-vision.example",
        tenant="Bada Vision",
        role=Role.OWNER,
    ),
    Character(
        "approver", "Bob Seo", "bob@farm.example", staff=(StaffRole.APPROVER, StaffRole.OPERATOR)
    ),
    Character("second approver", "Erin Jang", "erin@farm.example", staff=(StaffRole.APPROVER,)),
    Character("finance", "Dana Ko", "dana@farm.example", staff=(StaffRole.FINANCE,)),
    Character(
        "neighbour",
        "Charlie Min",
        "charlie@sori-lab.example",
        tenant="Sori Lab",
        role=Role.OWNER,
    ),
)

# Won per device-hour.  Invented: no vendor and no cloud of the programme publishes such a price.
HOURLY_RATES = {
    "furiosa": Decimal("2340"),
    "rebellions": Decimal("1980"),
    "sapeon": Decimal("1560"),
}
OTHER_HOURLY_RATE = Decimal("1800")


def seed(*, home: Path, image: str | None, at: datetime) -> dict[str, dict[str, str]]:
    """Seed what is missing; returns the logins by part played."""
    logins = _logins(home)
    with transaction.atomic():
        accounts.register_seller(
            name="NPU Farm (demonstration)",
            business_number="000-88-00764",
            representative="Dana Ko",
            address="123 Cheomdan-gwagi-ro, Buk-gu, Gwangju",
            bank_account="Demonstration Bank 000-000000-00-000",
        )
        _price_everything(at=at)
        for character in CAST:
            _bring_on(character, password=logins[character.login]["password"], at=at)
        if image:
            given = {"reference": image, "name": image[:80], "is_retired": False}
            RuntimeImage.objects.update_or_create(slug="workspace-given", defaults=given)
    return logins


def _logins(home: Path) -> dict[str, dict[str, str]]:
    file = home / "demo.json"
    logins: dict[str, dict[str, str]] = json.loads(file.read_text()) if file.exists() else {}
    for character in CAST:
        fresh = {"email": character.email, "password": secrets.token_urlsafe(12)}
        logins.setdefault(character.login, fresh)
    file.touch(mode=0o600)
    file.write_text(json.dumps(logins, indent=2))
    return logins


def _price_everything(*, at: datetime) -> None:
    book = pricing.default_book()
    codes = InstanceType.objects.values_list("sku_code", flat=True).distinct()
    for sku in Sku.objects.filter(code__in=codes):
        if not Rate.objects.filter(book=book, sku=sku).exists():
            vendor = sku.code.partition("-")[0]
            rate = HOURLY_RATES.get(vendor, OTHER_HOURLY_RATE)
            pricing.add_rate(book=book, sku=sku, hourly_rate=rate, valid_from=at, at=at)


def _bring_on(character: Character, *, password: str, at: datetime) -> None:
    user = User.objects.filter(email=character.email).first()
    if user is None:
        user = User.objects.create_user(character.email, password, name=character.name)
    for role in character.staff:
        user.platform_roles.get_or_create(role=role)
    if not character.role or Membership.objects.filter(user=user).exists():
        return
    tenant = Tenant.objects.filter(name=character.tenant).first()
    if tenant is None:
        open_tenant(name=character.tenant, owner=user, at=at)
    else:
        add_member(tenant=tenant, email=user.email, role=character.role, by=user, at=at)
