"""Change an object that is there: replace it, or patch it.

Both end in `save`, which keeps what the door does not open (status through the main
door, the rest through the status door), checks versions, and stores nothing when
nothing changed.
"""

from typing import Any

from provisioning.sandbox import defaulting, errors, kinds
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.creating import WriteOptions
from provisioning.sandbox.deleting import finish_if_released
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json, metadata, name_of, spec, uid_of, without_type
from provisioning.sandbox.patching import reading
from provisioning.sandbox.store import Stored
from provisioning.sandbox.validation import checking


def replace(
    cluster: Cluster, *, kind: Kind, namespace: str, name: str, body: Json, options: WriteOptions
) -> Stored:
    stored = cluster.store.get(kind, namespace, name)
    if stored is None:
        raise errors.not_found(kind, name)
    refuse_renaming(body, name)
    wanted = uid_of(body)
    if wanted and wanted != uid_of(stored.object):
        found = uid_of(stored.object)
        why = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
        raise errors.conflict(kind, name, why)
    return save(cluster, stored=stored, now=without_type(body), options=options)


def save(cluster: Cluster, *, stored: Stored, now: Json, options: WriteOptions) -> Stored:
    kind, before = stored.kind, stored.object
    _refuse_stale(stored, now)
    now = _kept(stored, now, options.subresource)
    if options.subresource != "status":
        now = _renumbered(kind, before, defaulting.refill(kind, now))
    checking.refuse_bad_change(kind, before, now)
    if now == before:
        return stored
    if options.dry_run:
        return Stored(kind, stored.key, stored.rv, now)
    return finish_if_released(cluster.store, stored, now) or cluster.store.put(kind, now)


def _refuse_stale(stored: Stored, now: Json) -> None:
    version = metadata(now).get("resourceVersion")
    if version and version != str(stored.rv):
        raise errors.stale_version(stored.kind, stored.key[1])


def refuse_renaming(body: Json, name: str) -> None:
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
        meta["ownerReferences"] = metadata(before).get("ownerReferences")
        meta = {key: value for key, value in meta.items() if value is not None}
        return {**before, "metadata": meta, "status": now.get("status") or {}}
    kept = {**now, "metadata": meta}
    if "status" in stored.kind.subresources:
        kept["status"] = before.get("status") or {}
    if stored.kind is kinds.NAMESPACES:
        kept["spec"] = before.get("spec") or {}
    return kept


def _kept_metadata(old: Json, new: Json) -> Json:
    """What a client leaves out of the metadata it may not write stays as it was."""
    meta = dict(new)
    for field in ("name", "namespace", "uid", "creationTimestamp", "generateName"):
        if not meta.get(field) and field in old:
            meta[field] = old[field]
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        meta.pop(field, None)
        if field in old:
            meta[field] = old[field]
    meta["resourceVersion"] = old["resourceVersion"]
    return {key: value for key, value in meta.items() if value not in (None, [], {})}


def _renumbered(kind: Kind, before: Json, now: Json) -> Json:
    generation = metadata(before).get("generation")
    if generation is None or spec(before) == spec(now):
        return now
    return {**now, "metadata": {**metadata(now), "generation": generation + 1}}


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
    stored = cluster.store.get(kind, namespace, name)
    if stored is None:
        raise errors.not_found(kind, name)
    now = reading.patched(kind, stored.object, content_type=content_type, patch=body)
    refuse_renaming(now, name)
    return save(cluster, stored=stored, now=without_type(now), options=options)
