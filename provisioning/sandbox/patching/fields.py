"""Which fields an object has, as `managedFields` names them.

A field is a path: `f:spec`, `f:containers`, `k:{"name":"c"}`, `f:image`.  Lists that
are maps name their items by key, sets by value; everything else ends the path.
"""

import json
from collections.abc import Iterator
from typing import Any

from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json
from provisioning.sandbox.patching import shapes
from provisioning.sandbox.patching.shapes import Path

Field = tuple[str, ...]
ITSELF = "."

# Who owns these is no question: the server does.
_SERVER_METADATA = frozenset(
    {
        "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
        "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields",
        "generateName",
    }
)  # fmt: skip
# Written by the server or by admission, whoever sent the object.
_SERVER_SPEC = frozenset({"serviceAccount", "serviceAccountName", "priority", "preemptionPolicy"})


def of(kind: Kind, obj: Json, *, with_status: bool = False) -> set[Field]:
    """Every field of an object that somebody can own."""
    return set(_walk(kind, (), (), owned(obj, with_status=with_status)))


def owned(obj: Json, *, with_status: bool = False) -> Json:
    """The part of an object that has owners."""
    kept = {
        key: value
        for key, value in obj.items()
        if key not in ("kind", "apiVersion") and (key != "status" or with_status)
    }
    meta = obj.get("metadata") or {}
    kept["metadata"] = {key: meta[key] for key in meta if key not in _SERVER_METADATA}
    return {
        key: value for key, value in kept.items() if value not in (None, {}) or key != "metadata"
    }


def _walk(kind: Kind, path: Path, field: Field, value: Any) -> Iterator[Field]:
    if isinstance(value, dict) and value and not shapes.is_atomic_map(kind, path):
        for key, inner in value.items():
            if inner is not None:
                yield from _walk(kind, (*path, key), (*field, f"f:{key}"), inner)
        return
    if isinstance(value, list) and value:
        items = list(_items(kind, path, field, value))
        if items:
            yield from items
            return
    if field:
        yield field


def _items(kind: Kind, path: Path, field: Field, values: list[Any]) -> Iterator[Field]:
    keys = shapes.keys_of(kind, path)
    for item in values:
        if keys and isinstance(item, dict):
            place = (*field, key_element(keys, item))
            yield (*place, ITSELF)
            yield from _walk(kind, path, place, item)
        elif shapes.is_set(kind, path):
            yield (*field, f"v:{json.dumps(item)}")


def key_element(keys: tuple[str, ...], item: Json) -> str:
    """The path element of one item of a keyed list."""
    named = {key: item[key] for key in keys if key in item}
    return "k:" + json.dumps(named, separators=(",", ":"), sort_keys=True)


def changed(
    kind: Kind, before: Json, now: Json, *, with_status: bool = False
) -> tuple[set[Field], set[Field]]:
    """The fields set to something new, and the fields that are no more."""
    old = owned(before, with_status=with_status)
    new = owned(now, with_status=with_status)
    parts = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    was = set(_walk(kind, (), (), {key: old[key] for key in parts if key in old}))
    has = set(_walk(kind, (), (), {key: new[key] for key in parts if key in new}))
    moved = {field for field in has if field not in was or not same(old, new, field)}
    return moved, was - has


def same(old: Json, new: Json, field: Field) -> bool:
    """Whether a field holds the same in both."""
    return field[-1] == ITSELF or read(old, field) == read(new, field)


def read(holder: Any, field: Field) -> Any:
    """What an object holds at a field; None when it has no such field."""
    for element in field:
        if holder is None or element == ITSELF:
            break
        holder = _step(holder, element)
    return holder


def _step(holder: Any, element: str) -> Any:
    kind, _, text = element.partition(":")
    if kind == "f":
        return holder.get(text) if isinstance(holder, dict) else None
    position = find(holder, element)
    return holder[position] if position is not None else None


def find(items: Any, element: str) -> int | None:
    """Where in a list the item of a path element stands."""
    kind, _, text = element.partition(":")
    wanted = json.loads(text)
    for position, item in enumerate(items if isinstance(items, list) else ()):
        if kind == "v" and item == wanted:
            return position
        if kind == "k" and isinstance(item, dict) and wanted.items() <= item.items():
            return position
    return None


def nest(fields: set[Field]) -> Json:
    """Fields as `fieldsV1` prints them."""
    root: Json = {}
    for field in sorted(fields):
        place = root
        for element in field:
            place = place.setdefault(element, {})
    return root


def flatten(nested: Json, prefix: Field = ()) -> set[Field]:
    """The fields of a `fieldsV1`."""
    found: set[Field] = set()
    for element, inner in nested.items():
        found |= flatten(inner, (*prefix, element)) if inner else {(*prefix, element)}
    return found


def shown(field: Field) -> str:
    """A field as a conflict names it: `.spec.containers[name="c"].image`."""
    text = ""
    for element in field:
        kind, _, rest = element.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            pairs = json.loads(rest).items()
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in pairs) + "]"
        elif kind == "v":
            text += f"[={rest}]"
    return text


def without_server_spec(fields: set[Field]) -> set[Field]:
    """The fields of a new pod that its creator is told to own."""
    return {
        field
        for field in fields
        if not (len(field) > 1 and field[0] == "f:spec" and field[1][2:] in _SERVER_SPEC)
    }
