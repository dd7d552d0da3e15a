"""Bring volumes one step nearer to what is wished of them.

Level-triggered, as `reconciling` is for instances: claim the volume that has been due for
longest, ask its cluster about its claim, write down what that means.  A claim that waits for
its first pod is no trouble; one that is gone is told, and nothing is made in its place, for
what was on it is gone too.
"""

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Case, F, PositiveIntegerField, Value, When

from provisioning import breaking, claims, faults, installation, marking, namespacing, spans
from provisioning.claims import Claim, ClaimSpec
from provisioning.cluster import asking, errors, storing
from provisioning.errors import ClusterUnreachable, ProvisioningError
from provisioning.models import ClusterState, Volume
from provisioning.names import Marks
from provisioning.states import VolumeState

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
Changes = Mapping[str, Any]

LONGEST_DRAIN: Final = timedelta(seconds=5)
SOON: Final = timedelta(seconds=5)
UNREACHABLE: Final = timedelta(seconds=10)
PAUSE_AFTER_ERROR: Final = timedelta(seconds=30)
# A bound claim is looked at now and then, in case somebody took it away.
SELDOM: Final = timedelta(minutes=10)
LONGEST_WAIT: Final = 300.0

_DUE: Final = """
UPDATE provisioning_volume
   SET lease_token = %s, lease_until = statement_timestamp() + %s
 WHERE id = (
    SELECT id FROM provisioning_volume
     WHERE next_reconcile_at <= %s
       AND (lease_until IS NULL OR lease_until < statement_timestamp())
     ORDER BY next_reconcile_at
     LIMIT 1
       FOR UPDATE SKIP LOCKED)
RETURNING *
"""


def drain_due(*, clock: Clock) -> int:
    """Take a step with every due volume, and say how many that were."""
    began, passes = time.monotonic(), 0
    while time.monotonic() - began < LONGEST_DRAIN.total_seconds():
        at = clock()
        lease = timedelta(seconds=settings.RECONCILE_LEASE_SECONDS)
        found = list(Volume.objects.raw(_DUE, [uuid.uuid4(), lease, at]))
        if not found:
            break
        reconcile(found[0], at=at)
        passes += 1
    return passes


def reconcile(volume: Volume, *, at: datetime) -> None:
    """Take one step with a volume whose lease we hold."""
    if volume.cluster.state == ClusterState.REMOVED:
        _leave_behind(volume, at)
        return
    if (wait := _wait_for(volume, at)) is not None:
        _hand_back(volume, at=at, again=wait)
        return
    try:
        if volume.is_wanted:
            _provide(volume, at)
        else:
            _remove(volume, at)
        breaking.note_answer(volume.cluster)
    except ClusterUnreachable:
        breaking.note_silence(volume.cluster, at=at)
        _hand_back(volume, at=at, again=UNREACHABLE)
    except ProvisioningError as error:
        logger.info("volume %s: %s", volume.pk, error)
        breaking.note_answer(volume.cluster)
        _refused(volume, error, at)
    except DatabaseError:
        raise
    except Exception:
        # What is wrong with one volume must not hold up the others.
        logger.exception("pass over volume %s failed", volume.pk)
        _hand_back(volume, at=at, again=PAUSE_AFTER_ERROR)


def _wait_for(volume: Volume, at: datetime) -> timedelta | None:
    cluster = volume.cluster
    if marking.is_held(cluster):
        return marking.HELD_FOR
    if (wait := breaking.wait_for(cluster, at=at)) is not None:
        return wait
    if marking.needs_check(cluster, at=at):
        with suppress(ProvisioningError):
            return None if marking.check(cluster, at=at) else marking.HELD_FOR
        return marking.ASK_AGAIN
    return None


# --- a volume that is wanted ---------------------------------------------------------------


def _provide(volume: Volume, at: datetime) -> None:
    marks = installation.current()
    if volume.state == VolumeState.LOST:
        _hand_back(volume, at=at, again=None)
        return
    tenant_id, cluster = volume.tenant_id, volume.cluster
    if volume.claim_uid is None and not namespacing.is_ready(
        cluster=cluster, tenant_id=tenant_id, marks=marks
    ):
        _prepare_namespace(volume, marks, at)
        return
    try:
        claim = _claim_of(volume, marks)
    except errors.NotFound:
        if volume.claim_uid is None:
            # The namespace was deleted by hand; the next pass prepares it again.
            namespacing.forget(cluster=cluster, tenant_id=tenant_id)
            raise
        claim = None
    if claim is None or volume.claim_uid not in (None, claim.uid):
        _lose(volume, "claim_vanished", at)
    elif claim.phase == "Lost":
        _lose(volume, "storage_vanished", at)
    elif claim.asked_gib < volume.size_gib and not claim.is_deleting:
        _take_in(volume, _applied(volume, marks), at)
    else:
        _take_in(volume, claim, at)


def _prepare_namespace(volume: Volume, marks: Marks, at: datetime) -> None:
    """Spend this pass on the namespace; a slow cluster takes several."""
    deadline = time.monotonic() + settings.RECONCILE_LEASE_SECONDS / 2
    cluster, tenant_id = volume.cluster, volume.tenant_id
    applied = namespacing.prepare(
        cluster=cluster,
        tenant_id=tenant_id,
        marks=marks,
        has_time=lambda: time.monotonic() < deadline,
    )
    namespacing.remember(
        cluster=cluster, tenant_id=tenant_id, marks=marks, applied_hash=applied, at=at
    )
    _hand_back(volume, at=at, again=timedelta(0))


def _claim_of(volume: Volume, marks: Marks) -> Claim:
    if volume.claim_uid is not None:
        raw = storing.get_claim(volume.cluster, namespace=volume.namespace, name=volume.claim_name)
        return claims.read_claim(raw, marks=marks)
    return _applied(volume, marks)


def _applied(volume: Volume, marks: Marks) -> Claim:
    spec = ClaimSpec(
        marks=marks,
        namespace=volume.namespace,
        name=volume.claim_name,
        volume_id=volume.pk,
        tenant_id=volume.tenant_id,
        project_id=volume.project_id,
        size_gib=volume.size_gib,
        storage_class=volume.storage_class,
    )
    raw = storing.apply_claim(volume.cluster, claims.claim_for(spec))
    return claims.read_claim(raw, marks=marks)


def _take_in(volume: Volume, claim: Claim, at: datetime) -> None:
    seen: dict[str, Any] = {
        "claim_uid": claim.uid,
        "storage_class": claim.storage_class or volume.storage_class,
        "capacity_gib": claim.capacity_gib,
        "seen_at": at,
        "failures": 0,
    }
    if claim.is_deleting:
        # It stays while a pod uses it; nobody can take a deletion back.
        said = {"reason": "claim_deleted_outside", "message": ""}
        _hand_back(volume, at=at, again=SOON, state=volume.state, **seen, **said)
    elif claim.phase == "Bound":
        _take_bound(volume, claim, seen, at)
    else:
        said = _why_pending(volume, claim)
        again = _growing_pause(volume, at)
        _hand_back(volume, at=at, again=again, state=VolumeState.PENDING, **seen, **said)


def _take_bound(volume: Volume, claim: Claim, seen: dict[str, Any], at: datetime) -> None:
    capacity = claim.capacity_gib or 0
    is_growing = capacity < volume.size_gib
    reason = "grows_when_started" if claim.waits_for_pod else "growing"
    with transaction.atomic():
        wanted = Volume.objects.select_for_update().filter(pk=volume.pk, is_wanted=True)
        if wanted.exists():
            # More than was asked for is the cluster's present.
            spans.keep_size(volume=volume, size_gib=min(capacity, volume.size_gib) or 1, at=at)
        _hand_back(
            volume,
            at=at,
            again=_growing_pause(volume, at) if is_growing else SELDOM,
            state=VolumeState.READY,
            bound_at=volume.bound_at or at,
            reason=reason if is_growing else "",
            message="",
            **seen,
        )


def _why_pending(volume: Volume, claim: Claim) -> dict[str, str]:
    """Say in the cluster's own words what the claim waits for."""
    told = asking.events_of(volume.cluster, namespace=volume.namespace, uid=str(claim.uid))
    last = max(told, key=_told_at, default=None)
    if last is None:
        return {"reason": "claim_pending", "message": ""}
    if last.get("reason") == "WaitForFirstConsumer":
        return {"reason": "waits_for_first_instance", "message": ""}
    return {"reason": "claim_pending", "message": str(last.get("message") or "")[:1000]}


def _told_at(event: Mapping[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def _growing_pause(volume: Volume, at: datetime) -> timedelta:
    """Look often at first and then ever more seldom."""
    waited = (at - volume.state_since).total_seconds()
    return timedelta(seconds=min(60.0, max(SOON.total_seconds(), waited / 5)))


def _lose(volume: Volume, reason: str, at: datetime) -> None:
    with transaction.atomic():
        Volume.objects.select_for_update().get(pk=volume.pk)
        spans.end_span(volume=volume, reason=reason, at=volume.seen_at or at)
        _hand_back(volume, at=at, again=None, state=VolumeState.LOST, reason=reason, message="")
    logger.error("volume %s is lost: %s", volume.pk, reason)


# --- a volume that is not wanted any more --------------------------------------------------


def _remove(volume: Volume, at: datetime) -> None:
    place = {"namespace": volume.namespace, "name": volume.claim_name}
    try:
        claim = claims.read_claim(
            storing.get_claim(volume.cluster, **place), marks=installation.current()
        )
        # Somebody else's claim of this name is none of ours to delete.
        is_ours = claim.volume_id == str(volume.pk) and volume.claim_uid in (None, claim.uid)
        if is_ours and not claim.is_deleting:
            storing.delete_claim(volume.cluster, **place, uid=str(claim.uid))
    except (errors.NotFound, errors.PreconditionFailed):
        is_ours = False
    if is_ours:
        _hand_back(volume, at=at, again=_growing_pause(volume, at), state=VolumeState.DELETING)
    else:
        _write_deleted(volume, at)


def _leave_behind(volume: Volume, at: datetime) -> None:
    """Its cluster was let go, and with it whatever the volume was: only lost ones are left."""
    if volume.is_wanted:
        _hand_back(volume, at=at, again=None)
    else:
        _write_deleted(volume, at)


def _write_deleted(volume: Volume, at: datetime) -> None:
    _hand_back(
        volume, at=at, again=None, state=VolumeState.DELETED, reason="deleted", deleted_at=at
    )


# --- what is written --------------------------------------------------------------------------


def _refused(volume: Volume, error: ProvisioningError, at: datetime) -> None:
    failures = volume.failures + 1
    pause = min(LONGEST_WAIT, 2.0**failures) * faults.jitter(volume.pk.int, failures)
    changes: dict[str, Any] = {
        "failures": failures,
        "reason": error.code,
        "message": error.detail[:1000],
    }
    has_less = volume.capacity_gib is not None and volume.capacity_gib < volume.size_gib
    if has_less and isinstance(error, errors.AdmissionRefused | errors.Invalid):
        # The storage will not grow: the volume is what it was, and the tenant may see why.
        same = When(generation=volume.generation, then=Value(volume.capacity_gib))
        # A wish that came meanwhile is not taken back.
        before = Case(same, default=F("size_gib"), output_field=PositiveIntegerField())
        changes |= {"size_gib": before, "reason": "growth_refused"}
    again = max(SOON, timedelta(seconds=pause))
    _hand_back(volume, at=at, again=again, state=volume.state, **changes)


def _hand_back(
    volume: Volume, *, at: datetime, again: timedelta | None, state: str = "", **changes: Any
) -> None:
    """Write what the pass found, unless its lease is lost; a newer wish stays due."""
    due = None if again is None else at + again
    is_unchanged = When(generation=volume.generation, then=Value(due))
    if state and state != volume.state:
        changes |= {"state": state, "state_since": at}
    mine = Volume.objects.filter(pk=volume.pk, lease_token=volume.lease_token)
    if volume.is_wanted:
        # Deleted meanwhile: what the claim was like is of no interest any more.
        mine = mine.filter(is_wanted=True)
    given_back: dict[str, Any] = {"lease_token": None, "lease_until": None}
    is_written = mine.update(
        **changes,
        **given_back,
        next_reconcile_at=Case(is_unchanged, default=F("next_reconcile_at")),
    )
    if not is_written:
        Volume.objects.filter(pk=volume.pk, lease_token=volume.lease_token).update(**given_back)
