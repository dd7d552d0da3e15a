"""Claim a due instance: one pass at a time, whoever dies in between.

A claim is a compare-and-set in the database's time.  It holds no lock while the cluster
is asked, and its token fences what is recorded: a pass that outlived its lease records
nothing.
"""

import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from provisioning.models import Instance

# A create that times out takes this long; what is left of the lease must be longer.
LONGEST_CALL: Final = 15.0

_CLAIM: Final = """
UPDATE provisioning_instance
   SET lease_token = %s, lease_until = statement_timestamp() + %s
 WHERE id = (
    SELECT id FROM provisioning_instance
     WHERE next_reconcile_at <= %s
       AND (lease_until IS NULL OR lease_until < statement_timestamp())
     ORDER BY next_reconcile_at
     LIMIT 1
       FOR UPDATE SKIP LOCKED)
RETURNING *
"""


@dataclass(frozen=True)
class Claim:
    """The right to move one instance, until it runs out."""

    instance: Instance
    token: uuid.UUID
    runs_out_at: float

    @property
    def has_time_for_a_call(self) -> bool:
        """Say whether a call started now would end within the lease."""
        lease: float = settings.RECONCILE_LEASE_SECONDS
        return time.monotonic() + min(LONGEST_CALL, lease / 2) < self.runs_out_at


def claim_due(*, at: datetime) -> Claim | None:
    """Claim the instance that has been due for longest; None when none is."""
    token = uuid.uuid4()
    lease = timedelta(seconds=settings.RECONCILE_LEASE_SECONDS)
    # Taken before the database's clock starts, so that ours runs out first.
    runs_out_at = time.monotonic() + lease.total_seconds()
    rows = list(Instance.objects.raw(_CLAIM, [token, lease, at]))
    return Claim(rows[0], token, runs_out_at) if rows else None
