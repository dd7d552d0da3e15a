"""Instants as Kubernetes writes them, and the clock a simulated cluster lives by."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What time it is: an instant to print, and a count that never goes back."""

    def now(self) -> datetime:
        """The instant, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""


class WallClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The machine's time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """The machine's count of seconds."""
        return time.monotonic()


def in_seconds(at: datetime) -> str:
    """`metav1.Time`: whole seconds, cut off and not rounded."""
    return at.isoformat(timespec="seconds")[:19] + "Z"


def in_micros(at: datetime) -> str:
    """`metav1.MicroTime`, which leases use."""
    return at.isoformat(timespec="microseconds")[:26] + "Z"


def parse(text: str) -> datetime:
    """An instant out of its text."""
    return datetime.fromisoformat(text).astimezone(UTC)


def later(at: datetime, *, seconds: float) -> datetime:
    """The instant so many seconds on."""
    return at + timedelta(seconds=seconds)
