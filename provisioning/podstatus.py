"""Read what a pod says: raw JSON in, an `Observation` out.

Pure and forgiving about what may be missing, strict about what we depend on: a pod
without a UID raises `MalformedPod`, and the caller goes on with the next.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from provisioning import names
from provisioning.names import Marks
from provisioning.specs import Device, Observation

Raw = Mapping[str, Any]

# A runtime that lost a container reports year 1, one that could not start it 1970.
_BELIEVABLE_YEAR: Final = 2000


class MalformedPod(ValueError):
    """A pod that cannot be read at all."""


def read_pod(raw: Raw, *, marks: Marks) -> Observation:
    """Read one pod at one version."""
    metadata, status = _part(raw, "metadata"), _part(raw, "status")
    labels = _part(metadata, "labels")
    conditions = {str(c.get("type")): c for c in _items(status, "conditions")}
    container = _ours(_items(status, "containerStatuses"))
    return Observation(
        **_identity(metadata),
        instance_id=names.instance_id_of(labels.get(marks.label("instance"))),
        attempt_no=names.attempt_no_of(labels.get(marks.label("attempt"))),
        spec_hash=str(_part(metadata, "annotations").get(marks.label("spec-hash"), "")),
        phase=_text(status, "phase"),
        reason=_text(status, "reason"),
        message=_text(status, "message"),
        node_name=_text(_part(raw, "spec"), "nodeName"),
        is_ready=_part(conditions, "Ready").get("status") == "True",
        unschedulable_message=_unschedulable(_part(conditions, "PodScheduled")),
        disruption_reason=_disruption(_part(conditions, "DisruptionTarget")),
        **_run(container),
        devices=tuple(_devices(container, told_at=_status_told_at(metadata))),
        is_deleting=bool(metadata.get("deletionTimestamp")),
        has_finalizer=marks.finalizer in (metadata.get("finalizers") or ()),
    )


def instant_of(text: object) -> datetime | None:
    """Read an instant as the cluster writes it; None where it cannot be believed."""
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if instant.tzinfo is None or instant.year < _BELIEVABLE_YEAR:
        return None
    return instant.astimezone(UTC)


def _identity(metadata: Raw) -> dict[str, Any]:
    try:
        return {
            "uid": UUID(metadata["uid"]),
            "namespace": str(metadata["namespace"]),
            "name": str(metadata["name"]),
            "resource_version": str(metadata["resourceVersion"]),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedPod(f"pod without identity: {error!r}") from error


def _ours(containers: Iterable[Raw]) -> Raw:
    return next((c for c in containers if c.get("name") == names.CONTAINER), {})


def _run(container: Raw) -> dict[str, Any]:
    """Read the container's one run: `restartPolicy` is Never, so there is no other."""
    states = _part(container, "state")
    state = next((s for s in ("terminated", "running", "waiting") if s in states), "")
    said = _part(states, state) if state else {}
    run = {"container_id": _text(container, "containerID"), "container_state": state}
    if state == "waiting":
        waiting = {
            "waiting_reason": _text(said, "reason"),
            "waiting_message": _text(said, "message"),
        }
        return {**run, **waiting}
    if state == "terminated":
        code = said.get("exitCode")
        run["container_id"] = run["container_id"] or _text(said, "containerID")
        return {
            **run,
            "started_at": instant_of(said.get("startedAt")),
            "finished_at": instant_of(said.get("finishedAt")),
            "exit_code": code if isinstance(code, int) else None,
            "exit_reason": _text(said, "reason"),
        }
    return {**run, "started_at": instant_of(said.get("startedAt"))}


def _status_told_at(metadata: Raw) -> str:
    """When somebody last wrote the pod's status: no device's health has an instant of its own."""
    entries = _items(metadata, "managedFields")
    times = [_text(entry, "time") for entry in entries if entry.get("subresource") == "status"]
    return max(times, default="")


def _devices(container: Raw, *, told_at: str) -> Iterable[Device]:
    for resource in _items(container, "allocatedResourcesStatus"):
        if _text(resource, "name").startswith("claim:"):
            # Which devices a claim was given, the claim itself says in full.
            continue
        for device in _items(resource, "resources"):
            if device_id := _text(device, "resourceID"):
                yield Device(
                    resource_name=_text(resource, "name"),
                    device_id=device_id,
                    health=_text(device, "health") or "Unknown",
                    told_at=told_at,
                )


def _unschedulable(condition: Raw) -> str:
    if condition.get("status") == "False" and condition.get("reason") == "Unschedulable":
        return _text(condition, "message") or "Unschedulable"
    return ""


def _disruption(condition: Raw) -> str:
    return _text(condition, "reason") if condition.get("status") == "True" else ""


def _part(raw: Raw, key: str) -> Raw:
    part = raw.get(key)
    return part if isinstance(part, Mapping) else {}


def _items(raw: Raw, key: str) -> list[Raw]:
    items = raw.get(key)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


def _text(raw: Raw, key: str) -> str:
    value = raw.get(key)
    return value.replace("\x00", "") if isinstance(value, str) else ""
