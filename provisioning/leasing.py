"""Claim due instances: one pass over each at a time, whoever dies in between.

A claim is a compare-and-set in the database's time.  It holds no lock while the cluster
is asked, and its token fences what is recorded: a pass that outlived its lease records
nothing.
"""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from provisioning.models import Instance

# A create that times out takes this long; what is left of the lease must be longer.
LONGEST_CALL: Final = 15.0

# Materialized, for a plan that ran the inner query again would claim more than were asked for.
_CLAIM: Final = """
WITH due AS MATERIALIZED (
    SELECT id FROM provisioning_instance
     WHERE next_reconcile_at <= %s
       AND (lease_until IS NULL OR lease_until < statement_timestamp())
     ORDER BY next_reconcile_at
     LIMIT %s
       FOR UPDATE SKIP LOCKED)
UPDATE provisioning_instance
   SET lease_token = %s, lease_until = statement_timestamp() + %s
  FROM due
 WHERE provisioning_instance.id = due.id
RETURNING provisioning_instance.*
"""


@dataclass(frozen=True)
class Claim:
    """The right to move one instance, until it runs out.

    Those that were claimed together have one token: each row says who holds it.
    """

    instance: Instance
    token: uuid.UUID
    runs_out_at: float

    @property
    def has_time_for_a_call(self) -> bool:
        """Say whether a call started now would end within the lease."""
        lease: float = settings.RECONCILE_LEASE_SECONDS
        return time.monotonic() + min(LONGEST_CALL, lease / 2) < self.runs_out_at


def claim_due(*, at: datetime, most: int) -> list[Claim]:
    """Claim those that have been due for longest, and no more than so many."""
    token = uuid.uuid4()
    lease = timedelta(seconds=settings.RECONCILE_LEASE_SECONDS)
    # Taken before the database's clock starts, so that ours runs out first.
    runs_out_at = time.monotonic() + lease.total_seconds()
    rows = list(Instance.objects.raw(_CLAIM, [at, most, token, lease]))
    return [Claim(row, token, runs_out_at) for row in sorted(rows, key=_due)]


def renew(claims: Sequence[Claim]) -> list[Claim]:
    """Return the claims that still hold, with their instances as they are now."""
    by_id = {claim.instance.pk: claim for claim in claims}
    tokens = {claim.token for claim in claims}
    fresh = Instance.objects.filter(pk__in=by_id, lease_token__in=tokens)
    rows = {instance.pk: instance for instance in fresh}
    return [replace(by_id[pk], instance=rows[pk]) for pk in by_id if pk in rows]


def _due(instance: Instance) -> tuple[datetime, uuid.UUID]:
    assert instance.next_reconcile_at is not None  # noqa: S101 - no others are claimed
    return instance.next_reconcile_at, instance.pk
