"""Issue, check and revoke the keys to the API.

A secret is 256 random bits behind a prefix that finds its row and that scanners for
leaked secrets can recognise.  Only its SHA-256 is kept, so it is shown once.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils.crypto import constant_time_compare

from portal.tenants.errors import ExpiryOutOfRange, NameMissing
from portal.tenants.models import ApiToken, Tenant, User

SCHEME = "npu"
LONGEST_LIFE = timedelta(days=366)
# Last use is shown to people; writing it on every call would make reads into writes.
USE_NOTED_EVERY = timedelta(minutes=1)


def issue_token(
    *, user: User, name: str, expires_at: datetime, at: datetime, tenant: Tenant | None = None
) -> tuple[ApiToken, str]:
    """Issue a token; answers its row and the secret nobody can show again."""
    if not name.strip():
        raise NameMissing
    if not at < expires_at <= at + LONGEST_LIFE:
        raise ExpiryOutOfRange
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        tenant=tenant,
        name=name.strip(),
        prefix=prefix,
        digest=_digest(secret),
        created_at=at,
        expires_at=expires_at,
    )
    return token, f"{SCHEME}_{prefix}_{secret}"


def bearer_of(*, secret: str, at: datetime) -> User | None:
    """Who calls with this secret, if it opens anything at this instant."""
    scheme, _, rest = secret.partition("_")
    prefix, _, tail = rest.partition("_")
    token = ApiToken.objects.select_related("user").filter(prefix=prefix).first()
    # Compared even when nothing was found: the answer takes as long either way.
    is_right = constant_time_compare(token.digest if token else _digest(""), _digest(tail))
    if token is None or scheme != SCHEME or not is_right or not token.is_valid(at=at):
        return None
    if not token.user.is_active:
        return None
    _note_use(token, at=at)
    token.user.confined_to = token.tenant_id
    return token.user


def revoke_token(*, token: ApiToken, at: datetime) -> None:
    """Let it open nothing from now on; the first revocation stands."""
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=at)


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """The tokens a person holds, revoked ones included."""
    return ApiToken.objects.filter(user=user).select_related("tenant")


def _note_use(token: ApiToken, *, at: datetime) -> None:
    if token.last_used_at is None or token.last_used_at < at - USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=at)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
