"""Which installation this is: its key and domain, made once and kept."""

import secrets

from django.conf import settings

from provisioning.models import Installation
from provisioning.names import Marks


def current() -> Marks:
    """Return this installation's marks; the first one to ask chooses the key."""
    row, _ = Installation.objects.get_or_create(
        id=1, defaults={"key": secrets.token_hex(4), "domain": settings.FARM_DOMAIN}
    )
    return Marks(key=row.key, domain=row.domain)
