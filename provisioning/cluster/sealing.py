"""Keep a kubeconfig unreadable at rest.

Sealed with `FARM_ENCRYPTION_KEY`; several keys, separated by commas, are tried for
opening, and the first one seals.
"""

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from provisioning.errors import KubeconfigRefused


def seal(config: dict[str, Any]) -> bytes:
    """Encrypt a kubeconfig."""
    return _keys().encrypt(json.dumps(config).encode())


def unseal(sealed: bytes) -> dict[str, Any]:
    """Decrypt what `seal` made."""
    try:
        config: dict[str, Any] = json.loads(_keys().decrypt(bytes(sealed)))
    except InvalidToken as error:
        raise KubeconfigRefused("It was sealed with another key.") from error
    return config


def _keys() -> MultiFernet:
    keys = [key.strip() for key in settings.FARM_ENCRYPTION_KEY.split(",") if key.strip()]
    if not keys:
        raise ImproperlyConfigured("FARM_ENCRYPTION_KEY is not set.")
    return MultiFernet([Fernet(key) for key in keys])
