"""Which images a tenant may start: the platform's, and its own where an operator allows them.

A pattern is a registry and a repository, whose last part may end in `*`, and may fix a tag or
a digest: `registry.example/bada/*`, `registry.example/bada/vision:2`.  `allows` and
`check_reference` are pure; the rest keeps the rows.
"""

import re
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from provisioning.errors import IllegalImagePattern, ImageNotAllowed
from provisioning.models import Instance, RuntimeImage, TenantImage

LONGEST: Final = 300
_HOST: Final = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z0-9](?::[0-9]{1,5})?"
_PART: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_TAG: Final = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DIGEST: Final = r"sha256:[0-9a-f]{64}"
_LAST: Final = rf"(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?"
REFERENCE: Final = re.compile(rf"(?P<name>{_HOST}(?:/{_PART})+){_LAST}")
PATTERN: Final = re.compile(rf"(?P<name>{_HOST}(?:/{_PART})*(?:/\*|/{_PART})){_LAST}")


def check_reference(reference: str) -> None:
    """Refuse what is no whole reference: registry, repository, and a tag or a digest."""
    found = REFERENCE.fullmatch(reference)
    if len(reference) > LONGEST or not found or not (found["tag"] or found["digest"]):
        raise ImageNotAllowed("Write registry/repository with a tag or, better, a digest.")


def allows(pattern: str, reference: str) -> bool:
    """Say whether a reference fits a pattern; what either does not say, the other may."""
    wanted, given = PATTERN.fullmatch(pattern), REFERENCE.fullmatch(reference)
    if wanted is None or given is None:
        return False
    name: str = wanted["name"]
    if given["digest"] and wanted["tag"] and not wanted["digest"]:
        # Beside a digest a tag says nothing: what runs is the digest's.
        return False
    fits = given["name"] == name
    if name.endswith("/*"):
        fits = given["name"].startswith(name[:-1])
    # A pattern that fixes a digest or a tag lets nothing else through.
    return fits and all(wanted[part] in (None, given[part]) for part in ("tag", "digest"))


def require_allowed(*, tenant_id: int, reference: str) -> None:
    """Refuse an image of their own that nobody has allowed the tenant."""
    check_reference(reference)
    patterns = allowed_to(tenant_id).values_list("pattern", flat=True)
    if not any(allows(pattern, reference) for pattern in patterns):
        raise ImageNotAllowed(reference)


def require_still_allowed(instance: Instance) -> None:
    """Refuse to start again what nobody would be allowed to start now."""
    if not RuntimeImage.objects.filter(reference=instance.image).exists():
        require_allowed(tenant_id=instance.tenant_id, reference=instance.image)


def allowed_to(tenant_id: int) -> QuerySet[TenantImage]:
    """Return the patterns in force for a tenant."""
    return TenantImage.objects.filter(tenant_id=tenant_id, withdrawn_at=None)


def allow_image(
    *, tenant_id: int, pattern: str, by: str, at: datetime, note: str = ""
) -> TenantImage:
    """Let a tenant start images that fit a pattern; the same pattern again is the same row."""
    if len(pattern) > LONGEST or not PATTERN.fullmatch(pattern):
        raise IllegalImagePattern(pattern[:100])
    facts = {"note": note[:200], "allowed_by": by, "allowed_at": at}
    try:
        with transaction.atomic():
            return TenantImage.objects.create(tenant_id=tenant_id, pattern=pattern, **facts)
    except IntegrityError:
        return allowed_to(tenant_id).get(pattern=pattern)


def withdraw_image(*, image: TenantImage, by: str, at: datetime) -> None:
    """Let it be started no more; what runs, runs on."""
    TenantImage.objects.filter(pk=image.pk, withdrawn_at=None).update(
        withdrawn_by=by, withdrawn_at=at
    )
