"""What we stopped trying to move, until an operator looks: list it, try again, or let it be.

`recording` writes a letter when an instance is given up or will not go.  Trying again is for
what still stands in our hands; an instance that has failed gave its quota back, so starting
it anew is its tenant's affair, and closes its letters too (`stopping.start_instance`).
"""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet

from provisioning import deferring
from provisioning.errors import AlreadyClosed, LaunchHasEnded
from provisioning.models import DeadLetter, Instance
from provisioning.states import ENDED

RETRIED: Final = "retried"
CLOSED: Final = "closed"


def open_letters() -> QuerySet[DeadLetter]:
    """Return what waits for a person, latest first."""
    return DeadLetter.objects.filter(closed_at=None).select_related("instance")


@transaction.atomic
def retry_letter(*, letter: DeadLetter, by: str, reason: str, at: datetime) -> DeadLetter:
    """Look at the instance again at once, with a fresh budget; raises `LaunchHasEnded`."""
    # The instance's row first, as everybody locks it.
    instance = Instance.objects.select_for_update().get(pk=letter.instance_id)
    if instance.state in ENDED:
        raise LaunchHasEnded(f"It is {instance.state}.")
    row = _closed(letter, outcome=RETRIED, by=by, reason=reason, at=at)
    Instance.objects.filter(pk=instance.pk).update(
        failures=0, next_reconcile_at=at, observation_seq=F("observation_seq") + 1
    )
    deferring.defer_drain()
    return row


@transaction.atomic
def close_letter(*, letter: DeadLetter, by: str, reason: str, at: datetime) -> DeadLetter:
    """Let it be: nothing is done, and nobody is asked about it again."""
    return _closed(letter, outcome=CLOSED, by=by, reason=reason, at=at)


def _closed(letter: DeadLetter, *, outcome: str, by: str, reason: str, at: datetime) -> DeadLetter:
    row = DeadLetter.objects.select_for_update().get(pk=letter.pk)
    if row.closed_at is not None:
        raise AlreadyClosed
    row.closed_at, row.closed_by, row.outcome, row.close_reason = at, by, outcome, reason
    row.save(update_fields=["closed_at", "closed_by", "outcome", "close_reason"])
    return row
