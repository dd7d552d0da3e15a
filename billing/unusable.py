"""Keep the track of time in which what was rented could not be used: spells in, rows out.

Who says so, and why, is the affair of whoever observes; here a spell only has to lie in
whole seconds and beside every other one of its interval.  What it is worth is `charging`'s.
"""

from datetime import datetime

from billing.intervals import Span, whole_second
from billing.models import UnusableTime, UsageInterval


def begin_spell(
    *,
    interval: UsageInterval,
    cause: str,
    started_at: datetime,
    ended_at: datetime | None = None,
    evidence: str = "",
    at: datetime,
) -> UnusableTime:
    """Add a spell to an interval's track; it may be over already."""
    return UnusableTime.objects.create(
        interval=interval,
        cause=cause,
        started_at=whole_second(started_at),
        ended_at=whole_second(ended_at) if ended_at else None,
        evidence=evidence,
        recorded_at=at,
    )


def end_spell(*, spell: UnusableTime, ended_at: datetime) -> None:
    """Set the end of a spell, once."""
    ended = UnusableTime.objects.filter(pk=spell.pk, ended_at__isnull=True)
    ended.update(ended_at=max(whole_second(ended_at), spell.started_at))


def unusable_spans(*, interval: UsageInterval, until: datetime) -> list[Span]:
    """Return the interval's unusable time up to an instant, as far as it lies within it."""
    run = Span(interval.started_at, max(interval.started_at, interval.ended_at or until))
    spells = [
        Span(spell.started_at, max(spell.started_at, spell.ended_at or run.until))
        for spell in interval.unusable_times.order_by("started_at")
    ]
    return [inside for spell in spells if (inside := spell.overlap(run))]
