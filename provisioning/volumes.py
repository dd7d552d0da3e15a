"""Wish for volumes: create one, let it grow, let it go.

Only the wish is written here; `claiming` carries it out.  How much a project may have is the
caller's affair.  A volume outlives every instance: nothing but a wish of its own ends it.
"""

import uuid
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from billing.models import Account
from provisioning import attaching, claims, deferring, installation, spans
from provisioning.cluster import storing
from provisioning.errors import (
    IllegalVolume,
    NoStorage,
    UnknownAccount,
    UnknownVolume,
    VolumeCannotGrow,
    VolumeInUse,
    VolumeNameTaken,
)
from provisioning.models import Cluster, ClusterState, Volume
from provisioning.states import VolumeState

LONGEST_NAME: Final = 63


@transaction.atomic
def create_volume(
    *,
    tenant_id: int,
    project_id: int,
    account_id: int,
    name: str,
    size_gib: int,
    cluster: Cluster,
    at: datetime,
    expires_at: datetime | None = None,
) -> Volume:
    """Wish for a volume on one cluster; it is there once its claim is bound."""
    _check(name, size_gib, expires_at, at)
    if cluster.state != ClusterState.ACTIVE:
        raise NoStorage(cluster.name)
    if not Account.objects.filter(pk=account_id).exists():
        raise UnknownAccount
    volume_id = uuid.uuid4()
    try:
        with transaction.atomic():
            volume = Volume.objects.create(
                id=volume_id,
                tenant_id=tenant_id,
                project_id=project_id,
                account_id=account_id,
                name=name,
                size_gib=size_gib,
                expires_at=expires_at,
                cluster=cluster,
                namespace=installation.current().namespace(tenant_id),
                claim_name=claims.claim_name(volume_id),
                storage_class=class_for(cluster),
                reason="volume_wished",
                state_since=at,
                next_reconcile_at=at,
                created_at=at,
            )
    except IntegrityError as error:
        raise VolumeNameTaken(name) from error
    deferring.defer_drain()
    return volume


def check_growth(*, volume: Volume) -> None:
    """Ask the cluster whether the volume can grow; not inside a transaction."""
    found = storing.find_class(volume.cluster, name=volume.storage_class)
    if found is None or not found.get("allowVolumeExpansion"):
        raise VolumeCannotGrow


@transaction.atomic
def grow_volume(*, volume: Volume, size_gib: int, at: datetime) -> Volume:
    """Wish for more room; a cluster that will not give it takes the wish back."""
    fresh = _locked(volume)
    if fresh.state == VolumeState.LOST:
        raise UnknownVolume
    if not fresh.size_gib < size_gib <= claims.MOST_GIB:
        raise IllegalVolume(f"It has {fresh.size_gib} GiB and can only grow.")
    return _wish(fresh, at, size_gib=size_gib)


@transaction.atomic
def delete_volume(*, volume: Volume, at: datetime) -> Volume:
    """Wish that the volume and what is on it go for good; refused while instances have it."""
    fresh = _locked(volume)
    if user := attaching.users_of(fresh).first():
        raise VolumeInUse(user.instance.name)
    # What a tenant has given up is not charged, however long its storage takes to go.
    spans.end_span(volume=fresh, reason="deleted", at=at)
    gone = {"state": VolumeState.DELETING, "state_since": at, "reason": "delete_wished"}
    return _wish(fresh, at, is_wanted=False, message="", **gone)


@transaction.atomic
def move_expiry(*, volume: Volume, expires_at: datetime | None, at: datetime) -> Volume:
    """Let the volume go by itself at an instant, or (None) only when somebody says so."""
    if expires_at is not None and expires_at <= at:
        raise IllegalVolume("Its end lies in the past.")
    return _wish(_locked(volume), at, expires_at=expires_at, warned_at=None)


def class_for(cluster: Cluster) -> str:
    """Return the storage class this farm uses on a cluster; empty is the cluster's own choice."""
    classes: dict[str, str] = settings.FARM_STORAGE_CLASSES
    return classes.get(cluster.name, "")


def _check(name: str, size_gib: int, expires_at: datetime | None, at: datetime) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise IllegalVolume("Its name is empty, too long or cannot be printed.")
    if not 0 < size_gib <= claims.MOST_GIB:
        raise IllegalVolume(f"Its size is between 1 and {claims.MOST_GIB} GiB.")
    if expires_at is not None and expires_at <= at:
        raise IllegalVolume("Its end lies in the past.")


def _locked(volume: Volume) -> Volume:
    fresh = Volume.objects.select_for_update().filter(pk=volume.pk, is_wanted=True).first()
    if fresh is None:
        raise UnknownVolume
    return fresh


def _wish(fresh: Volume, at: datetime, **changes: object) -> Volume:
    Volume.objects.filter(pk=fresh.pk).update(
        generation=F("generation") + 1, next_reconcile_at=at, **changes
    )
    deferring.defer_drain()
    fresh.refresh_from_db()
    return fresh
