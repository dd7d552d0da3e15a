"""Kubernetes objects as plain dictionaries that are never changed in place.

The store shares its objects with watchers, snapshots and caches, so a change is
always a new dictionary along the changed path; these functions make them.
"""

import json
from typing import Any

Json = dict[str, Any]


# One encoder for all: `json.dumps` would build a new one for each of a million objects.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def dump(value: object) -> bytes:
    """Compact JSON."""
    return _encode(value).encode()


def metadata(obj: Json) -> Json:
    """The metadata, empty when there is none."""
    found: Json = obj.get("metadata") or {}
    return found


def spec(obj: Json) -> Json:
    """The spec, empty when there is none."""
    found: Json = obj.get("spec") or {}
    return found


def status(obj: Json) -> Json:
    """The status, empty when there is none."""
    found: Json = obj.get("status") or {}
    return found


def name_of(obj: Json) -> str:
    """The name."""
    return str(metadata(obj).get("name") or "")


def namespace_of(obj: Json) -> str:
    """The namespace, empty for what belongs to the cluster."""
    return str(metadata(obj).get("namespace") or "")


def uid_of(obj: Json) -> str:
    """The uid."""
    return str(metadata(obj).get("uid") or "")


def labels_of(obj: Json) -> dict[str, str]:
    """The labels, empty when there are none."""
    return metadata(obj).get("labels") or {}


def is_deleting(obj: Json) -> bool:
    """Whether its end has been asked for."""
    return bool(metadata(obj).get("deletionTimestamp"))


def with_metadata(obj: Json, **changes: Any) -> Json:
    """The object with metadata fields set; a value of None takes the field out."""
    return {**obj, "metadata": _merged(metadata(obj), changes)}


def with_spec(obj: Json, **changes: Any) -> Json:
    """The object with spec fields set; a value of None takes the field out."""
    return {**obj, "spec": _merged(spec(obj), changes)}


def with_status(obj: Json, **changes: Any) -> Json:
    """The object with status fields set; a value of None takes the field out."""
    return {**obj, "status": _merged(status(obj), changes)}


def _merged(part: Json, changes: Json) -> Json:
    merged = {**part, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def without_type(obj: Json) -> Json:
    """The object as the store keeps it: kind and version are the collection's."""
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


def without_empty(obj: Json) -> Json:
    """The object without the fields that hold nothing, as the server prints it."""
    return {key: value for key, value in obj.items() if value not in (None, [], {})}
