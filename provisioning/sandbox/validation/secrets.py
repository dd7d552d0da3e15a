"""Check Secrets: what a type promises is in it, and one that stands still does not change."""

import base64
import json
from collections.abc import Iterator

from provisioning.sandbox.objects import Json
from provisioning.sandbox.validation import causes
from provisioning.sandbox.validation.causes import Cause

_LOGINS, _KEY = "kubernetes.io/dockerconfigjson", ".dockerconfigjson"
_HIDDEN = "<secret contents redacted>"
_STILL = "field is immutable when `immutable` is set"


def check(secret: Json) -> Iterator[Cause]:
    """Logins to registries are JSON under one key."""
    if secret.get("type") != _LOGINS:
        return
    field = f"data[{_KEY}]"
    held = (secret.get("data") or {}).get(_KEY)
    if held is None:
        yield causes.required(field)
    elif not _is_json(held):
        yield causes.invalid(field, _HIDDEN, "invalid character looking for beginning of value")


def check_change(before: Json, now: Json) -> Iterator[Cause]:
    """The type stays, and an immutable Secret stays as it is."""
    if before.get("type") != now.get("type"):
        yield causes.invalid("type", str(now.get("type")), "field is immutable")
    if not before.get("immutable"):
        return
    if not now.get("immutable"):
        yield causes.forbidden("immutable", _STILL)
    if (before.get("data") or {}) != (now.get("data") or {}):
        yield causes.forbidden("data", _STILL)


def _is_json(held: str) -> bool:
    try:
        return isinstance(json.loads(base64.b64decode(held)), dict)
    except ValueError:
        return False
