"""JSON merge patch (RFC 7386): null takes away, mappings merge, the rest replaces."""

from typing import Any


def merge(target: Any, patch: Any) -> Any:
    """What a target becomes under a merge patch."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged
