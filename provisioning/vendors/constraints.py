"""What a vendor allows one pod to ask for: the `constraints` of a catalogue entry.

Pure: rules and a size in, a sentence out where they do not go together.  All devices of
an instance are in its one container by the way `manifests` writes pods, so
`one_container` is kept by construction and only recorded here.
"""

from collections.abc import Mapping
from typing import Any, Final

from provisioning.errors import IllegalSpec

KNOWN: Final = frozenset({"counts", "most_per_container", "multiple_of", "one_container"})

Rules = Mapping[str, Any]


def broken(*, rules: Rules, devices: int) -> str:
    """Say in plain words which rule so many devices break; empty when none."""
    counts = rules.get("counts")
    if counts and devices not in counts:
        allowed = ", ".join(str(count) for count in counts)
        return f"The vendor allows {allowed} devices in one container, not {devices}."
    most = rules.get("most_per_container")
    if most and devices > most:
        return f"The vendor allows {most} devices in one container at most, not {devices}."
    step = rules.get("multiple_of")
    if step and devices % step:
        return f"{devices} devices would share a card: a card has {step}."
    return ""


def refuse_broken(*, rules: Rules, size: Mapping[str, Any], family: str) -> None:
    """Raise `IllegalSpec` for a size that breaks a rule, and for a rule nobody keeps."""
    if unknown := sorted(set(rules) - KNOWN):
        raise IllegalSpec(f"{family}: nobody keeps the rule {unknown[0]}.")
    if why := broken(rules=rules, devices=size["devices"]):
        raise IllegalSpec(f"{size['name']}: {why}")
