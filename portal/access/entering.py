"""Let somebody into an instance, or say why not.

The same questions at the door and, while they are inside, every few seconds: is it still
that person, may they still do this, does the instance still run as the same attempt.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.utils import timezone

from portal.access import callers
from portal.access.callers import Caller
from portal.access.threads import in_thread
from portal.tenants.access import Action
from portal.tenants.errors import PortalError
from portal.tenants.models import User
from portal.tenants.scoping import instance_for
from provisioning import pods
from provisioning.errors import NotRunning, ProvisioningError
from provisioning.models import Instance
from provisioning.pods import LivePod

Refusal = PortalError | ProvisioningError


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """Who came in, where, and into which pod."""

    user: User
    instance: Instance
    pod: LivePod


def enter(*, caller: Caller, instance_id: UUID, action: Action, at: datetime) -> Entrance:
    """Let a caller into a running instance.

    Raises `SignedOut`, `NotFound`, `Forbidden` or `NotRunning`.
    """
    user = callers.person_of(caller, at=at)
    instance = instance_for(user, instance_id, action)
    return Entrance(user=user, instance=instance, pod=pods.running_pod_of(instance))


def remain(
    *, caller: Caller, instance_id: UUID, action: Action, attempt_no: int, at: datetime
) -> None:
    """Raise what `enter` would, also when the instance runs in another pod by now."""
    user = callers.person_of(caller, at=at)
    instance = instance_for(user, instance_id, action)
    if not pods.is_running(instance) or instance.attempt_no != attempt_no:
        raise NotRunning


async def until_refused(check: Callable[..., None], *, seconds: float) -> Refusal:
    """Ask again and again; returns the first refusal."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await in_thread(partial(check, at=timezone.now()))
        except (PortalError, ProvisioningError) as refusal:
            return refusal
