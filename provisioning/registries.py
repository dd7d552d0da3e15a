"""Logins of tenants' to registries: a password in once, sealed, never out again but to a pull.

`login_for` finds the one an instance's image is pulled with; `confiding` writes the Secret of
an attempt from it, by `content_of`.  A login never changes: another password is another row,
so that who replaced whose, and when, can be read.
"""

import base64
import json
import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from provisioning.cluster.sealing import seal, unseal
from provisioning.errors import IllegalRegistryLogin
from provisioning.models import Instance, RegistryLogin

SECRET_TYPE: Final = "kubernetes.io/dockerconfigjson"  # noqa: S105 - a type's name
KEY: Final = ".dockerconfigjson"
LONGEST_HOST: Final = 253
LONGEST_USERNAME: Final = 255
MOST_PASSWORD_BYTES: Final = 8 * 1024
MOST_PORT: Final = 65535
# As it stands at the beginning of an image's reference: a name with a dot, perhaps a port.
_NAME: Final = r"(?=.{1,253}(?::|\Z))(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
_HOST: Final = re.compile(
    rf"{_NAME}[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?(?::(?P<port>[0-9]{{1,5}}))?"
)


def store_login(
    *, tenant_id: int, host: str, username: str, password: str, by: str, at: datetime
) -> RegistryLogin:
    """Keep a tenant's login to a registry; the one it had there before is removed."""
    host = host.lower()
    check_login(host=host, username=username, password=password)
    given = {
        "tenant_id": tenant_id,
        "host": host,
        "username": username,
        "password_sealed": seal({"password": password}),
        "created_by": by,
        "created_at": at,
    }
    try:
        return _replace(given, by=by, at=at)
    except IntegrityError:
        # Somebody stored one at the same moment: ours comes after theirs.
        return _replace(given, by=by, at=at)


def remove_login(*, login: RegistryLogin, by: str, at: datetime) -> None:
    """Forget its password; what runs, runs on, and nothing new is pulled with it."""
    _end(RegistryLogin.objects.filter(pk=login.pk), by=by, at=at)


def logins_of(tenant_id: int) -> QuerySet[RegistryLogin]:
    """Return the logins a tenant has."""
    return RegistryLogin.objects.filter(tenant_id=tenant_id, removed_at=None)


def login_for(instance: Instance) -> RegistryLogin | None:
    """Return the login its image is pulled with; None where its tenant has none there."""
    return logins_of(instance.tenant_id).filter(host=host_of(instance.image)).first()


def logins_for(instances: Iterable[Instance]) -> dict[UUID, RegistryLogin]:
    """Return the same for many, by instance."""
    wanted = {one.pk: (one.tenant_id, host_of(one.image)) for one in instances}
    tenants = {tenant_id for tenant_id, _ in wanted.values()}
    rows = RegistryLogin.objects.filter(tenant_id__in=tenants, removed_at=None)
    known = {(row.tenant_id, row.host): row for row in rows}
    return {pk: known[key] for pk, key in wanted.items() if key in known}


def host_of(image: str) -> str:
    """Return the registry an image's reference begins with."""
    return image.partition("/")[0]


def content_of(login: RegistryLogin) -> str:
    """Write the login as a runtime reads it."""
    password = str(unseal(bytes(login.password_sealed or b""))["password"])
    pair = base64.b64encode(f"{login.username}:{password}".encode()).decode()
    entry = {"username": login.username, "password": password, "auth": pair}
    return json.dumps({"auths": {login.host: entry}})


def check_login(*, host: str, username: str, password: str) -> None:
    """Refuse what no registry is called, and what cannot be said to one.

    The words never repeat what stands in the place of a name: it may be the password.
    """
    found = _HOST.fullmatch(host)
    if found is None or not 0 < int(found["port"] or 1) <= MOST_PORT:
        raise IllegalRegistryLogin(
            "Write the registry's host name alone, like registry.example or registry.example:5000."
        )
    if not username.strip():
        raise IllegalRegistryLogin("The user name is empty.")
    if not password:
        raise IllegalRegistryLogin("The password is empty.")
    if ":" in username:
        raise IllegalRegistryLogin("A user name has no colon.")
    if not _is_plain(username) or not _is_plain(password):
        raise IllegalRegistryLogin("There are line breaks or other control characters in it.")
    if len(username) > LONGEST_USERNAME:
        raise IllegalRegistryLogin("The user name is too long.")
    if len(password.encode()) > MOST_PASSWORD_BYTES:
        raise IllegalRegistryLogin("The password is too long.")


def _is_plain(text: str) -> bool:
    # Cc are control characters, Cs halves of characters, which no encoding has.
    return not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text)


@transaction.atomic
def _replace(given: dict[str, Any], *, by: str, at: datetime) -> RegistryLogin:
    before = RegistryLogin.objects.filter(tenant_id=given["tenant_id"], host=given["host"])
    _end(before, by=by, at=at)
    return RegistryLogin.objects.create(**given)


def _end(rows: QuerySet[RegistryLogin], *, by: str, at: datetime) -> None:
    rows.filter(removed_at=None).update(password_sealed=None, removed_by=by, removed_at=at)
