"""Write down who opened a terminal, and how it ended.

`bridging` keeps the connection; here are the rows a tenant is shown.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from portal.access import entering
from portal.access.callers import Caller
from portal.access.entering import Entrance
from portal.access.errors import TooManyTerminals
from portal.access.models import TerminalSession
from portal.tenants.access import Action
from provisioning.models import Instance

# A living bridge is seen every `ACCESS_CHECK_SECONDS`; what is silent for so long died.
LOST_AFTER: Final = timedelta(minutes=2)
SEEN_EVERY: Final = timedelta(seconds=30)


def open_terminal(
    *, caller: Caller, instance_id: UUID, at: datetime
) -> tuple[Entrance, TerminalSession]:
    """Let a caller in and write it down; raises what `entering.enter` raises."""
    entrance = entering.enter(
        caller=caller, instance_id=instance_id, action=Action.OPEN_TERMINAL, at=at
    )
    return entrance, _written(entrance, at=at)


def check_terminal(
    *, caller: Caller, terminal: TerminalSession, attempt_no: int, at: datetime
) -> None:
    """Raise why it must be closed; otherwise note that it lives."""
    entering.remain(
        caller=caller,
        instance_id=terminal.instance_id,
        action=Action.OPEN_TERMINAL,
        attempt_no=attempt_no,
        at=at,
    )
    _open().filter(pk=terminal.pk, seen_at__lt=at - SEEN_EVERY).update(seen_at=at)


def close_terminal(*, terminal: TerminalSession, reason: str, at: datetime) -> None:
    """Write down how it ended; the first to say so is believed."""
    _open().filter(pk=terminal.pk).update(closed_at=at, close_reason=reason)


def close_lost(*, at: datetime) -> int:
    """Close what nobody has seen alive for a while: its web process is gone."""
    lost = _open().filter(seen_at__lt=at - LOST_AFTER)
    return lost.update(closed_at=at, close_reason="lost")


def terminals_of(instance: Instance, *, most: int = 50) -> list[TerminalSession]:
    """Return who was in, the latest first."""
    return list(TerminalSession.objects.filter(instance=instance).select_related("user")[:most])


@transaction.atomic
def _written(entrance: Entrance, *, at: datetime) -> TerminalSession:
    instance = Instance.objects.select_for_update().get(pk=entrance.instance.pk)
    alive = _open().filter(instance=instance, seen_at__gte=at - LOST_AFTER)
    if alive.count() >= settings.TERMINALS_PER_INSTANCE:
        raise TooManyTerminals
    return TerminalSession.objects.create(
        instance=instance,
        user=entrance.user,
        attempt_no=entrance.pod.attempt_no,
        opened_at=at,
        seen_at=at,
    )


def _open() -> QuerySet[TerminalSession]:
    return TerminalSession.objects.filter(closed_at__isnull=True)
