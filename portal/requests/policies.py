"""Which instance requests need a person, although the quota has room.

Pure: what is wished for and the limits in force go in, the reasons to hold it come out.
No reason means it launches at once.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class HoldReason(StrEnum):
    """Why a person has to look first."""

    MANY_DEVICES = "many_devices"
    LONG_LEASE = "long_lease"
    NO_END = "no_end"


@dataclass(frozen=True)
class Limits:
    """What launches without a person; `None` and `False` ask nobody."""

    devices_over: int | None = None
    lease_over: timedelta | None = None
    hold_without_end: bool = False


def hold_reasons(*, devices: int, lease: timedelta | None, limits: Limits) -> list[HoldReason]:
    """Say why a request must wait for a decision; a lease of `None` has no end."""
    checks = {
        HoldReason.MANY_DEVICES: limits.devices_over is not None and devices > limits.devices_over,
        HoldReason.LONG_LEASE: (
            limits.lease_over is not None and lease is not None and lease > limits.lease_over
        ),
        HoldReason.NO_END: limits.hold_without_end and lease is None,
    }
    return [reason for reason, holds in checks.items() if holds]
