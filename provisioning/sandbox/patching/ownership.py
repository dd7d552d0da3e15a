"""`metadata.managedFields`: who wrote which field last, and by which kind of write."""

from dataclasses import dataclass
from datetime import datetime

from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json, metadata, spec, with_metadata
from provisioning.sandbox.patching import fields
from provisioning.sandbox.patching.fields import Field
from provisioning.sandbox.times import in_seconds


@dataclass(frozen=True)
class Owner:
    """One entry of the list: who, how, and what."""

    manager: str
    operation: str
    subresource: str
    fields: frozenset[Field]
    time: str

    def is_same_hand(self, other: "Owner") -> bool:
        """Whether two entries are of the same manager, writing the same way."""
        mine = (self.manager, self.operation, self.subresource)
        return mine == (other.manager, other.operation, other.subresource)


def owners_of(obj: Json) -> list[Owner]:
    """The owners an object lists."""
    return [
        Owner(
            manager=entry.get("manager", ""),
            operation=entry.get("operation", "Update"),
            subresource=entry.get("subresource", ""),
            fields=frozenset(fields.flatten(entry.get("fieldsV1") or {})),
            time=entry.get("time", ""),
        )
        for entry in metadata(obj).get("managedFields") or []
    ]


def with_owners(kind: Kind, obj: Json, owners: list[Owner]) -> Json:
    """The object with its owners listed, those of nothing left out."""
    listed = [_entry(kind, owner) for owner in owners if owner.fields]
    return with_metadata(obj, managedFields=listed or None)


def _entry(kind: Kind, owner: Owner) -> Json:
    entry: Json = {"manager": owner.manager, "operation": owner.operation}
    entry |= {"apiVersion": kind.api_version, "time": owner.time}
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": fields.nest(set(owner.fields))}
    return {**entry, "subresource": owner.subresource} if owner.subresource else entry


def creator(kind: Kind, filled: Json, *, given: Json, manager: str, at: datetime) -> Owner:
    """Who made an object owns what it said and the defaults, not what admission added."""
    mine = fields.of(kind, filled)
    if not spec(given).get("tolerations"):
        mine.discard(("f:spec", "f:tolerations"))
    return Owner(manager, "Update", "", frozenset(fields.without_server_spec(mine)), in_seconds(at))


def note_update(
    kind: Kind, before: Json, now: Json, *, manager: str, subresource: str, at: datetime
) -> Json:
    """What a write changed belongs to the writer, what it removed to nobody."""
    moved, lost = fields.changed(kind, before, now, with_status=subresource == "status")
    if not moved and not lost:
        return now
    writer = Owner(manager, "Update", subresource, frozenset(moved), in_seconds(at))
    owners = _yielded(owners_of(before), writer, moved | lost)
    return with_owners(kind, now, owners)


def _yielded(owners: list[Owner], writer: Owner, taken: set[Field]) -> list[Owner]:
    kept: list[Owner] = []
    has_written_before = False
    for owner in owners:
        left = owner.fields - taken
        if owner.is_same_hand(writer):
            has_written_before = True
            kept.append(_of(writer, left | writer.fields, writer.time))
        else:
            kept.append(_of(owner, left, owner.time))
    return kept if has_written_before else [*kept, writer]


def _of(owner: Owner, owned: frozenset[Field], time: str) -> Owner:
    return Owner(owner.manager, owner.operation, owner.subresource, owned, time)
