"""Hear that an instance has ended, and have its reservation released.

The receiver only defers; the sweep of `portal.quotas.tasks` reaches the same end
without it, from the rows alone.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from portal.quotas import deferring
from provisioning.events import instance_state_changed
from provisioning.states import ENDED


def connect() -> None:
    """Start listening."""
    instance_state_changed.connect(
        release_when_ended, dispatch_uid="portal.quotas.release_when_ended"
    )


def release_when_ended(
    sender: object, *, instance_id: UUID, to_state: str, at: datetime, **kwargs: Any
) -> None:
    """Ask for the release of what an ended instance holds."""
    if to_state in ENDED:
        deferring.defer_release(instance_id=instance_id)
