"""JSON patch (RFC 6902): a list of operations on places named by pointers."""

import copy
from typing import Any

from provisioning.sandbox.objects import Json


class PatchFailed(ValueError):
    """An operation does not fit the object."""


class TestFailed(PatchFailed):
    """A test operation did not find what it expected."""

    # Not a test class, whatever its name looks like to a collector.
    __test__ = False


def apply(target: Json, operations: list[Json]) -> Json:
    """What an object becomes under a list of operations."""
    # Operations move parts about, so they work on a copy of their own.
    root: dict[str, Any] = {"root": copy.deepcopy(target)}
    for operation in operations:
        _perform(root, operation)
    result: Json = root["root"]
    return result


def _perform(root: dict[str, Any], operation: Json) -> None:
    name = operation.get("op")
    path = _tokens(operation.get("path"))
    if name in ("add", "replace", "test"):
        value = copy.deepcopy(operation.get("value"))
        {"add": _add, "replace": _replace, "test": _test}[name](root, path, value)
    elif name == "remove":
        _take(root, path)
    elif name == "move":
        _add(root, path, _take(root, _tokens(operation.get("from"))))
    elif name == "copy":
        _add(root, path, copy.deepcopy(_find(root, _tokens(operation.get("from")))))
    else:
        raise PatchFailed(f"Unexpected kind: {name}")


def _tokens(pointer: Any) -> list[str]:
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise PatchFailed(f"invalid pointer: {pointer}")
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
    return ["root", *tokens]


def _find(holder: Any, path: list[str]) -> Any:
    for token in path:
        holder = _member(holder, token, path)
    return holder


def _member(holder: Any, token: str, path: list[str]) -> Any:
    if isinstance(holder, dict) and token in holder:
        return holder[token]
    if isinstance(holder, list) and token.isdigit() and int(token) < len(holder):
        return holder[int(token)]
    raise PatchFailed(f"path not found: /{'/'.join(path[1:])}")


def _add(root: Any, path: list[str], value: Any) -> None:
    holder, last = _find(root, path[:-1]), path[-1]
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list) and (last == "-" or last.isdigit()):
        position = len(holder) if last == "-" else int(last)
        if position > len(holder):
            raise PatchFailed(f"index out of bounds: {last}")
        holder.insert(position, value)
    else:
        raise PatchFailed(f"path not found: /{'/'.join(path[1:])}")


def _replace(root: Any, path: list[str], value: Any) -> None:
    _find(root, path)
    holder, last = _find(root, path[:-1]), path[-1]
    if isinstance(holder, list):
        holder[int(last)] = value
    else:
        holder[last] = value


def _test(root: Any, path: list[str], value: Any) -> None:
    try:
        found = _find(root, path)
    except PatchFailed:
        found = None
    if found != value:
        raise TestFailed(f"testing path /{'/'.join(path[1:])} value failed")


def _take(root: Any, path: list[str]) -> Any:
    value = _find(root, path)
    holder, last = _find(root, path[:-1]), path[-1]
    if isinstance(holder, list):
        del holder[int(last)]
    else:
        del holder[last]
    return value
