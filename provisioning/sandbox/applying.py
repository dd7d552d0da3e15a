"""Server-side apply: make the object hold what a manager applies, and remember that it said so.

Fields of other managers are not touched without `force`; fields the manager applied
before and leaves out now go, unless somebody else owns them too.
"""

from dataclasses import dataclass

from provisioning.sandbox import creating, errors, updating
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.creating import WriteOptions
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json, metadata, uid_of, without_type
from provisioning.sandbox.patching import combining, fields, ownership
from provisioning.sandbox.patching.fields import Field
from provisioning.sandbox.patching.ownership import Owner
from provisioning.sandbox.store import Stored
from provisioning.sandbox.times import in_seconds


@dataclass(frozen=True)
class Applied:
    """The object as it is now, and whether the apply made it."""

    stored: Stored
    is_new: bool


def apply(
    cluster: Cluster,
    *,
    kind: Kind,
    namespace: str,
    name: str,
    body: Json,
    options: WriteOptions,
    force: bool,
) -> Applied:
    """Create the object, or join what is applied into it."""
    _refuse_malformed(kind, body, name)
    config = without_type(body)
    config["metadata"] = {**metadata(config), "name": name}
    stored = cluster.store.get(kind, namespace, name)
    if stored is None:
        return Applied(_create(cluster, kind, namespace, config, options), is_new=True)
    time = in_seconds(cluster.now())
    joined, owners = _joined(kind, stored, config, options, force=force, time=time)
    saved = updating.save(cluster, stored=stored, now=joined, options=options, owners=owners)
    return Applied(saved, is_new=False)


def _refuse_malformed(kind: Kind, body: Json, name: str) -> None:
    given = (body.get("apiVersion") or "", body.get("kind") or "")
    if given != (kind.api_version, kind.name):
        shown = given[0] if "/" in given[0] else f"/{given[0]}"
        raise errors.bad_request(f"invalid object type: {shown}, Kind={given[1]}")
    if metadata(body).get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    updating.refuse_renaming(body, name)


def _create(
    cluster: Cluster, kind: Kind, namespace: str, config: Json, options: WriteOptions
) -> Stored:
    if uid_of(config):
        why = (
            f"uid mismatch: the provided object specified uid {uid_of(config)}, and no existing"
            " object was found"
        )
        raise errors.conflict(kind, str(metadata(config)["name"]), why)
    me = Owner(
        options.manager, "Apply", "", frozenset(fields.of(kind, config)), in_seconds(cluster.now())
    )
    return creating.create(
        cluster, kind=kind, namespace=namespace, body=config, options=options, owner=me
    )


def _joined(
    kind: Kind, stored: Stored, config: Json, options: WriteOptions, *, force: bool, time: str
) -> tuple[Json, list[Owner]]:
    live = stored.object
    wanted = fields.of(kind, config, with_status=options.subresource == "status")
    me = Owner(options.manager, "Apply", options.subresource, frozenset(wanted), time)
    owners = ownership.owners_of(live)
    mine = next((owner for owner in owners if owner.is_same_hand(me)), None)
    others = [owner for owner in owners if owner is not mine]
    contested = _contested(live, config, others, wanted)
    if contested and not force:
        raise _conflict(kind, contested)
    others = [_yield(owner, contested) for owner in others]
    joined: Json = combining.combine(kind, live, config)
    kept = wanted.union(*(owner.fields for owner in others))
    joined = combining.without(joined, set(mine.fields if mine else ()) - kept, kept)
    if mine and mine.fields == me.fields:
        me = mine
    return joined, _listed(owners, mine, me, others)


def _contested(
    live: Json, config: Json, others: list[Owner], wanted: set[Field]
) -> list[tuple[Owner, Field]]:
    """Fields of others that would get another value."""
    return [
        (owner, field)
        for owner in others
        for field in sorted(owner.fields & wanted)
        if not fields.same(live, config, field)
    ]


def _yield(owner: Owner, contested: list[tuple[Owner, Field]]) -> Owner:
    lost = {field for loser, field in contested if loser is owner}
    left = owner.fields - lost
    return Owner(owner.manager, owner.operation, owner.subresource, left, owner.time)


def _listed(owners: list[Owner], mine: Owner | None, me: Owner, others: list[Owner]) -> list[Owner]:
    """Everybody in the order they were, a newcomer last of those that apply."""
    if mine is None:
        return [*others, me]
    place = owners.index(mine)
    return [*others[:place], me, *others[place:]]


def _conflict(kind: Kind, contested: list[tuple[Owner, Field]]) -> errors.StatusError:
    found = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {_named(kind, owner)}",
            "field": fields.shown(field),
        }
        for owner, field in contested
    ]
    return errors.StatusError(
        code=409,
        reason="Conflict",
        message=_summary(kind, contested),
        details={"causes": found},
    )


def _summary(kind: Kind, contested: list[tuple[Owner, Field]]) -> str:
    if len(contested) == 1:
        owner, field = contested[0]
        what = f"conflict with {_named(kind, owner)}: {fields.shown(field)}"
        return f"Apply failed with 1 conflict: {what}"
    by_owner: dict[str, list[str]] = {}
    for owner, field in contested:
        by_owner.setdefault(_named(kind, owner), []).append(f"- {fields.shown(field)}")
    told = [
        line
        for name, listed in sorted(by_owner.items())
        for line in (f"conflicts with {name}:", *listed)
    ]
    return f"Apply failed with {len(contested)} conflicts: " + "\n".join(told)


def _named(kind: Kind, owner: Owner) -> str:
    named = f'"{owner.manager}"'
    if owner.subresource:
        named += f' with subresource "{owner.subresource}"'
    return named if owner.operation == "Apply" else f"{named} using {kind.api_version}"
