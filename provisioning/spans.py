"""Keep how long a volume had which size, for whoever charges it: spans begin and end once.

Called inside the transaction that writes what the span follows from, under the volume's lock.
"""

from datetime import datetime

from provisioning.models import Volume, VolumeSpan


def keep_size(*, volume: Volume, size_gib: int, at: datetime) -> VolumeSpan:
    """Have the volume's open span say this size; another size ends it and begins the next."""
    last = volume.spans.order_by("no").last()
    if last is not None and last.ended_at is None:
        if last.size_gib == size_gib:
            return last
        _end(last, reason="resized", at=at)
    return VolumeSpan.objects.create(
        volume=volume,
        no=last.no + 1 if last else 1,
        size_gib=size_gib,
        # A clock that went back must not make two sizes overlap.
        started_at=max(at, last.ended_at) if last and last.ended_at else at,
    )


def end_span(*, volume: Volume, reason: str, at: datetime) -> None:
    """End the volume's open span, if there is one."""
    last = volume.spans.filter(ended_at=None).first()
    if last is not None:
        _end(last, reason=reason, at=at)


def _end(span: VolumeSpan, *, reason: str, at: datetime) -> None:
    span.ended_at = max(at, span.started_at)
    span.end_reason = reason
    span.save(update_fields=["ended_at", "end_reason"])
