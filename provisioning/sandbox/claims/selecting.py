"""Which published devices does a request want?  The few sentences of CEL that are in use.

Understands `device.driver == "d"`, `"a" in device.attributes["d"]` and, of an attribute,
`==`, `.startsWith(...)`, joined by `&&`.  Anything else is `NotUnderstood`: a sandbox that
guesses would let pass what a real cluster refuses.
"""

import re
from collections.abc import Iterable

from provisioning.sandbox.objects import Json, spec

_TEXT = r"""(?:"([^"]*)"|'([^']*)')"""
_DRIVER = re.compile(rf"device\.driver\s*==\s*{_TEXT}")
_HAS = re.compile(rf"{_TEXT}\s+in\s+device\.attributes\[{_TEXT}\]")
_ATTRIBUTE = rf"device\.attributes\[{_TEXT}\]\.(\w+)"
_EQUALS = re.compile(rf"{_ATTRIBUTE}\s*==\s*{_TEXT}")
_BEGINS = re.compile(rf"{_ATTRIBUTE}\.startsWith\({_TEXT}\)")


class NotUnderstood(Exception):
    """An expression beyond what the sandbox reads."""


def expressions(part: Json) -> list[str]:
    """The expressions of a class's spec or of a request."""
    return [one["cel"]["expression"] for one in part.get("selectors") or () if "cel" in one]


def wants(found: Iterable[str], *, driver: str, device: Json) -> bool:
    """Whether every expression is true of a device."""
    return all(_is_true(part.strip(), driver, device) for one in found for part in one.split("&&"))


def is_open(device: Json) -> bool:
    """Whether a device may be handed out at all."""
    effects = {taint.get("effect") for taint in device.get("taints") or ()}
    return not effects & {"NoSchedule", "NoExecute"}


def slice_devices(slices: Iterable[Json]) -> list[tuple[Json, Json]]:
    """The devices of complete newest pools, each with the spec of its slice."""
    pools: dict[tuple[str, str], list[Json]] = {}
    for one in slices:
        body = spec(one)
        pools.setdefault((body["driver"], body["pool"]["name"]), []).append(body)
    found = []
    for bodies in pools.values():
        newest = max(body["pool"].get("generation", 0) for body in bodies)
        current = [body for body in bodies if body["pool"].get("generation", 0) == newest]
        if len(current) >= current[0]["pool"]["resourceSliceCount"]:
            found += [(body, device) for body in current for device in body.get("devices") or ()]
    return found


def _is_true(part: str, driver: str, device: Json) -> bool:
    if match := _DRIVER.fullmatch(part):
        return driver == _first(match, 1)
    if match := _HAS.fullmatch(part):
        return _first(match, 3) == driver and _first(match, 1) in (device.get("attributes") or {})
    if match := _EQUALS.fullmatch(part):
        return _value(device, match[3]) == _first(match, 4)
    if match := _BEGINS.fullmatch(part):
        return _value(device, match[3]).startswith(_first(match, 4))
    raise NotUnderstood(part)


def _first(match: re.Match[str], group: int) -> str:
    """A text in either kind of quotes."""
    return match[group] if match[group] is not None else match[group + 1]


def _value(device: Json, name: str) -> str:
    attribute = (device.get("attributes") or {}).get(name) or {}
    return str(next(iter(attribute.values()), ""))
