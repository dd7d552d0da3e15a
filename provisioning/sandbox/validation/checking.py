"""The one door to validation: every kind's checks, for a new object or a changed one."""

from collections.abc import Callable, Iterator

from provisioning.sandbox import kinds
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json, name_of
from provisioning.sandbox.storage import checking as storage
from provisioning.sandbox.validation import causes, devices, metadata, others, pods, secrets
from provisioning.sandbox.validation.causes import Cause

_CHECKS: dict[Kind, Callable[[Json], Iterator[Cause]]] = {
    kinds.PODS: pods.check,
    kinds.RESOURCE_CLAIMS: devices.check_claim,
    kinds.RESOURCE_CLAIM_TEMPLATES: devices.check_template,
    kinds.NAMESPACES: others.check_namespace,
    kinds.RESOURCE_QUOTAS: others.check_quota,
    kinds.LIMIT_RANGES: others.check_limit_range,
    kinds.SECRETS: secrets.check,
    kinds.SERVICES: others.check_service,
    kinds.LEASES: others.check_lease,
    kinds.EVENTS: others.check_event,
    kinds.PERSISTENT_VOLUME_CLAIMS: storage.check_claim,
    kinds.PERSISTENT_VOLUMES: storage.check_volume,
    kinds.STORAGE_CLASSES: storage.check_class,
}
_CHANGE_CHECKS: dict[Kind, Callable[[Json, Json], Iterator[Cause]]] = {
    kinds.RESOURCE_CLAIMS: devices.check_change,
    kinds.RESOURCE_CLAIM_TEMPLATES: devices.check_change,
    kinds.PODS: pods.check_change,
    kinds.SECRETS: secrets.check_change,
    kinds.PERSISTENT_VOLUME_CLAIMS: storage.check_claim_change,
}


def refuse_bad(kind: Kind, obj: Json) -> None:
    """Refuse a new object that is wrong."""
    found = list(metadata.check(kind, obj))
    if kind in _CHECKS:
        found += _CHECKS[kind](obj)
    _refuse(kind, obj, found)


def refuse_bad_change(kind: Kind, before: Json, now: Json) -> None:
    """Refuse a change to something wrong, or of something that stands still."""
    found = [*metadata.check_change(before, now), *metadata.check(kind, now)]
    if kind in _CHECKS and kind is not kinds.PODS:
        # Most of a pod cannot change, and what can is looked at below.
        found += _CHECKS[kind](now)
    if kind in _CHANGE_CHECKS:
        found += _CHANGE_CHECKS[kind](before, now)
    _refuse(kind, now, found)


def _refuse(kind: Kind, obj: Json, found: list[Cause]) -> None:
    if found:
        raise causes.refusal(kind, name_of(obj), found)
