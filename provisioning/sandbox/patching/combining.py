"""Join what a manager applies into what is there, and take out what it lets go of."""

from typing import Any

from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json
from provisioning.sandbox.patching import fields, shapes
from provisioning.sandbox.patching.fields import ITSELF, Field
from provisioning.sandbox.patching.shapes import Path


def combine(kind: Kind, live: Any, applied: Any, path: Path = ()) -> Any:
    """The live value with everything the applied one says."""
    if isinstance(live, dict) and isinstance(applied, dict):
        return applied if shapes.is_atomic_map(kind, path) else _maps(kind, live, applied, path)
    if isinstance(live, list) and isinstance(applied, list):
        return _lists(kind, live, applied, path)
    return applied


def _maps(kind: Kind, live: Json, applied: Json, path: Path) -> Json:
    joined = dict(live)
    for key, value in applied.items():
        if value is not None:
            joined[key] = combine(kind, live.get(key), value, (*path, key))
    return joined


def _lists(kind: Kind, live: list[Any], applied: list[Any], path: Path) -> list[Any]:
    if shapes.is_set(kind, path):
        return live + [item for item in applied if item not in live]
    keys = shapes.keys_of(kind, path)
    if not keys:
        return applied
    joined = list(live)
    for item in applied:
        place = fields.find(joined, fields.key_element(keys, item))
        if place is None:
            joined.append(item)
        else:
            joined[place] = combine(kind, joined[place], item, path)
    return joined


def without(obj: Json, released: set[Field], kept: set[Field]) -> Json:
    """The object without the released fields; what holds a field somebody wants stays."""
    for field in sorted(released, reverse=True):
        place = field[:-1] if field[-1] == ITSELF else field
        if not any(other[: len(place)] == place for other in kept):
            obj = _removed(obj, place)
    return obj


def _removed(holder: Any, field: Field) -> Any:
    """A copy of the holder without one field; what becomes empty goes too."""
    element, rest = field[0], field[1:]
    position: Any = element[2:] if element.startswith("f:") else fields.find(holder, element)
    if position is None or holder is None or (isinstance(holder, dict) and position not in holder):
        return holder
    copied = holder.copy()
    inner = _removed(holder[position], rest) if rest else None
    if rest and inner not in ({}, []):
        copied[position] = inner
    else:
        del copied[position]
    return copied
