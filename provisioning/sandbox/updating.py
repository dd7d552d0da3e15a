"""Change an object that is there: replace it, or patch it.

Both end in `save`, which keeps what the door does not open (status through the main
door, the rest through the status door), checks versions, and stores nothing when
nothing changed.
"""

from typing import Any

from provisioning.sandbox import deleting, errors, kinds
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.creating import WriteOptions
from provisioning.sandbox.defaulting import filling
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import (
    Json,
    metadata,
    name_of,
    namespace_of,
    spec,
    uid_of,
    without_type,
)
from provisioning.sandbox.patching import ownership, reading
from provisioning.sandbox.storage import checking as storage
from provisioning.sandbox.store import Stored
from provisioning.sandbox.validation import checking

_SERVER_WRITTEN = ("creationTimestamp", "generation", "deletionGracePeriodSeconds", "managedFields")
_IDENTITY = ("name", "namespace", "uid", "generateName", "deletionTimestamp")


def replace(
    cluster: Cluster, *, kind: Kind, namespace: str, name: str, body: Json, options: WriteOptions
) -> Stored:
    """PUT: the whole object is what the client says."""
    stored = _found(cluster, kind, namespace, name)
    refuse_renaming(body, name)
    wanted = uid_of(body)
    if wanted and wanted != uid_of(stored.object):
        found = uid_of(stored.object)
        why = (
            f"StorageError: invalid object, Code: 4, Key: /registry/{kind.plural}/"
            f"{'/'.join(part for part in stored.key if part)}, ResourceVersion: 0,"
            " AdditionalErrorMsg: Precondition failed: UID in precondition:"
            f" {wanted}, UID in object meta: {found}"
        )
        raise errors.conflict(kind, name, why)
    return save(cluster, stored=stored, now=without_type(body), options=options)


def patch(
    cluster: Cluster,
    *,
    kind: Kind,
    namespace: str,
    name: str,
    content_type: str,
    body: Any,
    options: WriteOptions,
) -> Stored:
    """PATCH: the object becomes what a merge, strategic or JSON patch makes of it."""
    stored = _found(cluster, kind, namespace, name)
    now = reading.patched(kind, stored.object, content_type=content_type, patch=body)
    refuse_renaming(now, name)
    if namespace_of(now) not in ("", namespace):
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return save(cluster, stored=stored, now=without_type(now), options=options)


def save(
    cluster: Cluster,
    *,
    stored: Stored,
    now: Json,
    options: WriteOptions,
    owners: list[ownership.Owner] | None = None,
) -> Stored:
    """Check and store what an object has become; `owners` is given by apply."""
    kind, before = stored.kind, stored.object
    _refuse_stale(stored, now)
    now = _kept(stored, now, options.subresource)
    if options.subresource != "status":
        now = _renumbered(before, filling.refill(kind, now))
    if options.subresource != "status":
        storage.refuse_growth(cluster, kind=kind, before=before, now=now)
    checking.refuse_bad_change(kind, before, now)
    now = _owned(cluster, stored, now, options, owners)
    if now == before:
        return stored
    if options.dry_run:
        return Stored(kind, stored.key, stored.rv, now)
    return deleting.finish_if_released(cluster.store, stored, now) or cluster.store.put(kind, now)


def _owned(
    cluster: Cluster,
    stored: Stored,
    now: Json,
    options: WriteOptions,
    owners: list[ownership.Owner] | None,
) -> Json:
    if owners is not None:
        return ownership.with_owners(stored.kind, now, owners)
    return ownership.note_update(
        stored.kind,
        stored.object,
        now,
        manager=options.manager,
        subresource=options.subresource,
        at=cluster.now(),
    )


def _found(cluster: Cluster, kind: Kind, namespace: str, name: str) -> Stored:
    stored = cluster.store.get(kind, namespace, name)
    if stored is None:
        raise errors.not_found(kind, name)
    return stored


def _refuse_stale(stored: Stored, now: Json) -> None:
    version = metadata(now).get("resourceVersion")
    if version and version != str(stored.rv):
        raise errors.stale_version(stored.kind, stored.key[1])


def refuse_renaming(body: Json, name: str) -> None:
    """The object of a request has to be the one its URL names."""
    given = name_of(body)
    if given and given != name:
        raise errors.bad_request(
            f"the name of the object ({given}) does not match the name on the URL ({name})"
        )


def _kept(stored: Stored, now: Json, subresource: str) -> Json:
    before = stored.object
    meta = _kept_metadata(metadata(before), metadata(now))
    if subresource == "status":
        # The status door leaves the owners alone, as old kubelets corrupted them.
        meta.pop("ownerReferences", None)
        if "ownerReferences" in metadata(before):
            meta["ownerReferences"] = metadata(before)["ownerReferences"]
        return {**before, "metadata": meta, "status": now.get("status") or {}}
    kept = {**now, "metadata": meta}
    if "status" in stored.kind.subresources and "status" in before:
        kept["status"] = before["status"]
    if stored.kind is kinds.NAMESPACES and subresource != "finalize":
        kept["spec"] = before.get("spec") or {}
    return kept


def _kept_metadata(old: Json, new: Json) -> Json:
    """What a client leaves out of the metadata, or may not write, stays as it was."""
    meta = dict(new)
    for field in _IDENTITY:
        if not meta.get(field) and field in old:
            meta[field] = old[field]
    for field in _SERVER_WRITTEN:
        meta.pop(field, None)
        if field in old:
            meta[field] = old[field]
    meta["resourceVersion"] = old["resourceVersion"]
    return {key: value for key, value in meta.items() if value not in (None, [], {})}


def _renumbered(before: Json, now: Json) -> Json:
    generation = metadata(before).get("generation")
    if generation is None or spec(before) == spec(now):
        return now
    return {**now, "metadata": {**metadata(now), "generation": generation + 1}}
