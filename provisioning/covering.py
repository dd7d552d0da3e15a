"""Work out which time of a run could not be used: faults in, what to write of it out.

Pure.  Faults may be told in any order and any number of times, and they may overlap: what
is covered in the end is their union within the run, each second once.  What is written
stays; an open spell learns its end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

FOREVER: Final = datetime.max.replace(tzinfo=UTC, microsecond=0)


@dataclass(frozen=True, kw_only=True)
class Spell:
    """Half-open time that could not be used, open without an end, and what was told of it."""

    since: datetime
    until: datetime | None = None
    cause: str = ""
    evidence: str = ""

    @property
    def last(self) -> datetime:
        """Return the end, or that of time."""
        return self.until or FOREVER


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is to be written: the end of the open spell first, then what is new."""

    end_open_at: datetime | None
    begin: tuple[Spell, ...]


def changes_for(*, run: Spell, faults: Iterable[Spell], known: Sequence[Spell]) -> Changes:
    """Compare what should be covered with what is written."""
    wanted = _union(_inside(run, faults))
    still_open = next((spell for spell in known if spell.until is None), None)
    end = _end_of(still_open, wanted) if still_open else None
    written = [replace(spell, until=end) if spell is still_open else spell for spell in known]
    return Changes(end_open_at=end, begin=tuple(_without(wanted, written)))


def _inside(run: Spell, faults: Iterable[Spell]) -> Iterable[Spell]:
    for fault in faults:
        since, last = max(fault.since, run.since), min(fault.last, run.last)
        if since < last:
            yield replace(fault, since=since, until=None if last == FOREVER else last)


def _union(spells: Iterable[Spell]) -> list[Spell]:
    """Join what touches or overlaps; the first says what it was."""
    joined: list[Spell] = []
    for spell in sorted(spells, key=lambda one: (one.since, one.last, one.cause, one.evidence)):
        if joined and spell.since <= joined[-1].last:
            last = max(joined[-1].last, spell.last)
            joined[-1] = replace(joined[-1], until=None if last == FOREVER else last)
        else:
            joined.append(spell)
    return joined


def _end_of(still_open: Spell, wanted: Iterable[Spell]) -> datetime | None:
    for spell in wanted:
        if spell.since <= still_open.since < spell.last:
            return spell.until
    # Nothing covers it any longer: what it belonged to ended before it began.
    return still_open.since


def _without(wanted: Iterable[Spell], written: Sequence[Spell]) -> Iterable[Spell]:
    """Return the parts of what is wanted that nothing written covers."""
    for spell in wanted:
        since = spell.since
        for other in sorted(written, key=lambda one: one.since):
            if other.last <= since or other.since >= spell.last:
                continue
            if other.since > since:
                yield replace(spell, since=since, until=other.since)
            since = max(since, other.last)
        if since < spell.last:
            yield replace(spell, since=since)
