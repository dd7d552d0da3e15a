"""Conditions of a status: set one, and remember when it last turned."""

from datetime import datetime

from provisioning.sandbox.objects import Json, status, with_status
from provisioning.sandbox.times import in_seconds


def with_condition(obj: Json, condition: Json, *, at: datetime) -> Json:
    """The object with a condition set; the very same object when it already said so."""
    present = status(obj).get("conditions") or []
    merged = merged_conditions(present, [condition], at=at)
    return obj if merged == present else with_status(obj, conditions=merged)


def merged_conditions(present: list[Json], changed: list[Json], *, at: datetime) -> list[Json]:
    """Conditions with some of them set anew; a time moves only when the status turns."""
    by_type = {condition["type"]: condition for condition in present}
    for condition in changed:
        by_type[condition["type"]] = _turned(by_type.get(condition["type"]), condition, at)
    return list(by_type.values())


def _turned(before: Json | None, condition: Json, at: datetime) -> Json:
    turned_at = in_seconds(at)
    if before is not None and before.get("status") == condition["status"]:
        turned_at = before.get("lastTransitionTime") or turned_at
    return {**condition, "lastTransitionTime": turned_at}


def condition_of(obj: Json, type_: str) -> Json:
    """One condition of an object; empty when it has none of the type."""
    for condition in status(obj).get("conditions") or []:
        if condition["type"] == type_:
            found: Json = condition
            return found
    return {}
