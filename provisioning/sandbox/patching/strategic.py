"""Strategic merge patch: a merge that knows which lists are maps and which are sets.

`$patch: delete` and `$patch: replace`, `$deleteFromPrimitiveList/<field>`,
`$setElementOrder/<field>` and `$retainKeys` are the directives kubectl sends.
"""

from typing import Any

from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json
from provisioning.sandbox.patching import shapes
from provisioning.sandbox.patching.shapes import Path

_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


class BadPatch(ValueError):
    """A patch that does not say which item it means."""


def merge(kind: Kind, target: Json, patch: Json) -> Json:
    """What a target becomes under a strategic merge patch."""
    merged = _merge_maps(kind, (), target, patch)
    return merged if merged is not None else {}


def _merge_maps(kind: Kind, path: Path, target: Json, patch: Json) -> Json | None:
    directive = patch.get("$patch")
    if directive == "delete":
        return None
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    merged = _retained(target, patch)
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(kind, (*path, key), merged, key, value)
    _take_from_sets(merged, patch)
    _reorder(kind, path, merged, patch)
    return merged


def _retained(target: Json, patch: Json) -> Json:
    kept = patch.get("$retainKeys")
    return {key: value for key, value in target.items() if kept is None or key in kept}


def _merge_field(kind: Kind, path: Path, merged: Json, key: str, value: Any) -> None:
    before = merged.get(key)
    if value is None:
        merged.pop(key, None)
    elif isinstance(value, dict):
        base = before if isinstance(before, dict) else {}
        inner = _merge_maps(kind, path, base, value)
        merged.pop(key, None) if inner is None else merged.__setitem__(key, inner)
    elif isinstance(value, list):
        merged[key] = _merge_lists(kind, path, before if isinstance(before, list) else [], value)
    else:
        merged[key] = value


def _merge_lists(kind: Kind, path: Path, before: list[Any], patch: list[Any]) -> list[Any]:
    if shapes.is_set(kind, path):
        return before + [item for item in patch if item not in before]
    keys = shapes.keys_of(kind, path)
    if not keys:
        return patch
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    return _merge_items(kind, path, keys[0], before, patch)


def _merge_items(
    kind: Kind, path: Path, key: str, before: list[Json], patch: list[Json]
) -> list[Json]:
    merged = list(before)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise BadPatch(f"map: {item} does not contain declared merge key: {key}")
        place = next((i for i, had in enumerate(merged) if had.get(key) == item[key]), None)
        result = _merge_maps(kind, path, merged[place] if place is not None else {}, item)
        if place is None:
            merged += [result] if result is not None else []
        else:
            merged[place : place + 1] = [result] if result is not None else []
    return merged


def _take_from_sets(merged: Json, patch: Json) -> None:
    for key, values in patch.items():
        if key.startswith(_DELETE_FROM):
            field = key.removeprefix(_DELETE_FROM)
            kept = [item for item in merged.get(field) or [] if item not in values]
            merged[field] = kept
            if not kept:
                del merged[field]


def _reorder(kind: Kind, path: Path, merged: Json, patch: Json) -> None:
    for key, order in patch.items():
        field = key.removeprefix(_ORDER)
        if not key.startswith(_ORDER) or not isinstance(merged.get(field), list):
            continue
        keys = shapes.keys_of(kind, (*path, field))
        ranks = {_rank_key(item, keys): rank for rank, item in enumerate(order)}
        merged[field] = sorted(
            merged[field], key=lambda item: ranks.get(_rank_key(item, keys), len(ranks))
        )


def _rank_key(item: Any, keys: tuple[str, ...]) -> str:
    return str(item.get(keys[0])) if isinstance(item, dict) and keys else str(item)
