"""Delete an object: preconditions, grace, finalizers, and only then absence.

A pod that runs gets a deadline and waits for its kubelet; whatever carries a
finalizer waits for it to be taken off; a namespace waits for its content.
"""

from dataclasses import dataclass, field
from datetime import datetime

from provisioning.sandbox import errors, kinds
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import (
    Json,
    is_deleting,
    metadata,
    spec,
    status,
    uid_of,
    with_metadata,
    with_status,
)
from provisioning.sandbox.store import Store, Stored
from provisioning.sandbox.times import in_seconds, later, parse

_FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class DeleteOptions:
    """What a client may say about a delete."""

    grace_seconds: int | None = None
    preconditions: Json = field(default_factory=dict)
    dry_run: bool = False


@dataclass(frozen=True)
class Deletion:
    """What became of it: the object as it is now, and whether it is gone."""

    stored: Stored
    is_gone: bool


def delete(
    cluster: Cluster, *, kind: Kind, namespace: str, name: str, options: DeleteOptions
) -> Deletion:
    """Delete an object as far as it can be deleted now."""
    stored = cluster.store.get(kind, namespace, name)
    if stored is None:
        raise errors.not_found(kind, name)
    if kind is kinds.NAMESPACES:
        return _delete_namespace(cluster, stored, options)
    _check_preconditions(stored, options.preconditions)
    grace = _grace_for(stored, options.grace_seconds)
    if options.dry_run:
        marked = _marked(stored.object, grace=grace, at=cluster.now())
        return Deletion(Stored(kind, stored.key, stored.rv, marked), is_gone=False)
    return _mark(cluster.store, stored, grace=grace, at=cluster.now())


def _mark(store: Store, stored: Stored, *, grace: int, at: datetime) -> Deletion:
    marked = _marked(stored.object, grace=grace, at=at)
    if not grace and not metadata(stored.object).get("finalizers"):
        # Only pods are told their last moment; other kinds go as they were.
        last = marked if stored.kind is kinds.PODS else None
        return Deletion(store.remove(stored.kind, stored.key, last), is_gone=True)
    if marked is stored.object:
        return Deletion(stored, is_gone=False)
    return Deletion(store.put(stored.kind, marked), is_gone=False)


def _marked(obj: Json, *, grace: int, at: datetime) -> Json:
    """The object with its deadline; a deadline once set can only come nearer."""
    meta = metadata(obj)
    if not is_deleting(obj):
        deadline = in_seconds(later(at, seconds=grace))
        generation = meta["generation"] + 1 if "generation" in meta else None
        return with_metadata(
            obj,
            deletionTimestamp=deadline,
            deletionGracePeriodSeconds=grace,
            **({"generation": generation} if generation else {}),
        )
    before = int(meta.get("deletionGracePeriodSeconds") or 0)
    if grace >= before:
        return obj
    deadline = max(
        in_seconds(later(parse(meta["deletionTimestamp"]), seconds=grace - before)), in_seconds(at)
    )
    return with_metadata(obj, deletionTimestamp=deadline, deletionGracePeriodSeconds=grace)


def _grace_for(stored: Stored, asked: int | None) -> int:
    """Only a pod that a kubelet still has to stop is given time."""
    if stored.kind is not kinds.PODS:
        return 0
    pod_spec = spec(stored.object)
    grace = pod_spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked
    if not pod_spec.get("nodeName") or status(stored.object).get("phase") in _FINISHED:
        return 0
    return max(0, int(grace))


def _check_preconditions(stored: Stored, preconditions: Json) -> None:
    uid = preconditions.get("uid")
    if uid is not None and uid != uid_of(stored.object):
        raise _unmet(stored, "UID", uid, uid_of(stored.object), "deleted and then recreated")
    version = preconditions.get("resourceVersion")
    if version is not None and version != str(stored.rv):
        raise _unmet(stored, "ResourceVersion", version, str(stored.rv), "modified")


def _unmet(stored: Stored, what: str, wanted: object, found: str, guess: str) -> errors.StatusError:
    kind, name = stored.kind, stored.key[1]
    subject = f"{kind.name}.{kind.group}" if kind.group else kind.name
    return errors.StatusError(
        code=409,
        reason="Conflict",
        message=f'Operation cannot be fulfilled on {subject} "{name}": the {what} in the'
        f" precondition ({wanted}) does not match the {what} in record ({found})."
        f" The object might have been {guess}",
        details={**errors.details_of(kind, name), "kind": kind.name},
    )


def _delete_namespace(cluster: Cluster, stored: Stored, options: DeleteOptions) -> Deletion:
    obj = stored.object
    wanted = options.preconditions.get("uid", uid_of(obj))
    if wanted != uid_of(obj):
        why = (
            f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid_of(obj)}"
        )
        raise errors.conflict(stored.kind, stored.key[1], why)
    if is_deleting(obj):
        if spec(obj).get("finalizers") or metadata(obj).get("finalizers"):
            return Deletion(stored, is_gone=False)
        return Deletion(cluster.store.remove(stored.kind, stored.key), is_gone=True)
    if options.dry_run:
        return Deletion(stored, is_gone=False)
    marked = with_metadata(obj, deletionTimestamp=in_seconds(cluster.now()))
    marked = with_status(marked, phase="Terminating")
    return Deletion(cluster.store.put(stored.kind, marked), is_gone=False)


def finish_if_released(store: Store, stored: Stored, now: Json) -> Stored | None:
    """Remove an object whose last finalizer a write takes off; None while something holds it."""
    meta = metadata(now)
    if not is_deleting(now) or meta.get("finalizers"):
        return None
    if stored.kind is kinds.NAMESPACES:
        holds = bool(spec(now).get("finalizers"))
    else:
        holds = bool(meta.get("deletionGracePeriodSeconds"))
    return None if holds else store.remove(stored.kind, stored.key, now)
