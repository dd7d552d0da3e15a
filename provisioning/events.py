"""What provisioning tells to those above it.

`instance_state_changed` is sent after commit with `instance_id`, `from_state`, `to_state`
and `at`; `tenant_notice` after a row for a tenant is committed, with that row's fields.  A
receiver only defers a task: the notice may be lost with the process that sends it, so
whoever listens also sweeps.  What is to be told stands in `TenantNotice`, written in the
transaction of the change itself, until `take_notices` has handed it on.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction
from django.dispatch import Signal

from provisioning.models import TenantNotice

instance_state_changed = Signal()
tenant_notice = Signal()

TAKEN_AT_ONCE: Final = 200


@transaction.atomic
def tell_tenant(
    *,
    kind: str,
    tenant_id: int,
    instance_id: UUID | None = None,
    at: datetime,
    once: str = "",
    **detail: str,
) -> TenantNotice | None:
    """Write down something a tenant should know; None if it has been told already.

    `once` names the thing where the same one may be met again at another time, as a
    window or a lease end is; otherwise each instant is a thing of its own.
    """
    about = instance_id or tenant_id
    notice, is_new = TenantNotice.objects.get_or_create(
        key=_key(kind, about, once or at.isoformat()),
        defaults={
            "kind": kind,
            "tenant_id": tenant_id,
            "instance_id": instance_id,
            "detail": detail,
            "at": at,
        },
    )
    if not is_new:
        return None
    tell = partial(
        tenant_notice.send_robust,
        sender=TenantNotice,
        kind=kind,
        tenant_id=tenant_id,
        instance_id=instance_id,
        at=at,
        detail=detail,
    )
    transaction.on_commit(tell, robust=True)
    return notice


def told_already(*, kind: str, once: str, instance_ids: Collection[UUID]) -> set[UUID]:
    """Return which of these instances' tenants need not be told this once more."""
    keys = {_key(kind, one, once): one for one in instance_ids}
    known = TenantNotice.objects.filter(key__in=keys).values_list("key", flat=True)
    return {keys[key] for key in known}


def take_notices(*, hand_on: Callable[[TenantNotice], object], at: datetime) -> int:
    """Hand every notice nobody has taken on, each in a transaction of its own; says how many."""
    taken = 0
    for pk in _untaken():
        with transaction.atomic():
            rows = TenantNotice.objects.select_for_update(skip_locked=True)
            notice = rows.filter(pk=pk, taken_at__isnull=True).first()
            if notice is None:
                continue
            hand_on(notice)
            notice.taken_at = at
            notice.save(update_fields=["taken_at"])
            taken += 1
    return taken


def _key(kind: str, about: UUID | int, once: str) -> str:
    return f"{kind}/{about}/{once}"[:200]


def _untaken() -> Iterable[int]:
    rows = TenantNotice.objects.filter(taken_at__isnull=True).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:TAKEN_AT_ONCE])
