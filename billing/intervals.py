"""Half-open intervals of UTC time, counted in whole seconds.

`since` belongs, `until` does not, so neighbours touch and never overlap.  Clocks that say more
than seconds are cut down here once; from then on nothing is rounded, and seconds can be added up
in any order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Self

BEGINNING = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC, microsecond=0)


def whole_second(instant: datetime) -> datetime:
    """The second an instant lies in."""
    return instant.replace(microsecond=0)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open time: from `since` up to, and without, `until`."""

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.until < self.since:
            raise ValueError(f"{self.until} comes before {self.since}")

    @classmethod
    def of(cls, *, lower: datetime | None, upper: datetime | None) -> Self:
        """Missing bounds reach as far as time does."""
        return cls(lower or BEGINNING, upper or FOREVER)

    @property
    def seconds(self) -> int:
        """How long it is."""
        return int((self.until - self.since).total_seconds())

    def covers(self, instant: datetime) -> bool:
        """Whether an instant belongs to it."""
        return self.since <= instant < self.until

    def overlap(self, other: "Span") -> "Span | None":
        """The time both have, None if they merely touch."""
        since, until = max(self.since, other.since), min(self.until, other.until)
        return Span(since, until) if since < until else None

    def split_at(self, instants: Iterable[datetime]) -> list["Span"]:
        """The same time in pieces; instants outside the span cut nothing."""
        cuts = sorted({instant for instant in instants if self.since < instant < self.until})
        borders = [self.since, *cuts, self.until]
        return [Span(since, until) for since, until in pairwise(borders)]
