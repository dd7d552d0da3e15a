"""What tenants do with volumes: create one, let it grow, move its end, delete it.

Who may is settled by the caller, with `portal.tenants.scoping`.  A project has a plain limit
on all its volumes together (`VOLUME_GIB_PER_PROJECT`): the quota ledger counts devices of a
family, and storage is no family.  What becomes of a volume is provisioning's affair.
"""

from collections.abc import Collection
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from billing.models import Account
from portal.requests.errors import VolumeLimitExceeded
from portal.tenants.models import Project
from provisioning import volumes
from provisioning.errors import NoStorage
from provisioning.models import Cluster, ClusterState, Volume


@transaction.atomic
def create_volume(
    *,
    project: Project,
    cluster_name: str,
    name: str,
    size_gib: int,
    at: datetime,
    expires_at: datetime | None = None,
) -> Volume:
    """Wish for a volume within the project's limit."""
    _require_room(project.pk, size_gib)
    cluster = Cluster.objects.filter(name=cluster_name, state=ClusterState.ACTIVE).first()
    if cluster is None:
        raise NoStorage
    account = Account.objects.get(tenant_id=project.tenant_id)
    return volumes.create_volume(
        tenant_id=project.tenant_id,
        project_id=project.pk,
        account_id=account.pk,
        name=" ".join(name.split()),
        size_gib=size_gib,
        cluster=cluster,
        expires_at=expires_at,
        at=at,
    )


def grow_volume(*, volume: Volume, size_gib: int, at: datetime) -> Volume:
    """Wish for more room, where the storage can grow; asks the cluster."""
    volumes.check_growth(volume=volume)
    with transaction.atomic():
        _require_room(volume.project_id, size_gib, besides=volume)
        return volumes.grow_volume(volume=volume, size_gib=size_gib, at=at)


def move_expiry(*, volume: Volume, expires_at: datetime | None, at: datetime) -> Volume:
    """Let it go by itself at an instant, or only when somebody says so."""
    return volumes.move_expiry(volume=volume, expires_at=expires_at, at=at)


def delete_volume(*, volume: Volume, at: datetime) -> Volume:
    """Wish that it goes for good, with what is on it."""
    return volumes.delete_volume(volume=volume, at=at)


def room_of(project_id: int) -> tuple[int, int]:
    """How many GiB a project's volumes have, and may have, together."""
    return rooms_of([project_id])[project_id]


def rooms_of(project_ids: Collection[int]) -> dict[int, tuple[int, int]]:
    """The same for several projects, read at once."""
    wanted = Volume.objects.filter(project_id__in=project_ids, is_wanted=True).order_by()
    used = dict(wanted.values_list("project_id").annotate(total=Sum("size_gib")))
    return {one: (used.get(one, 0), settings.VOLUME_GIB_PER_PROJECT) for one in project_ids}


def _require_room(project_id: int, size_gib: int, *, besides: Volume | None = None) -> None:
    # Two who create at once would both find the last room free.
    Project.objects.select_for_update().get(pk=project_id)
    used, most = room_of(project_id)
    if besides is not None:
        besides.refresh_from_db()
        used -= besides.size_gib
    if used + size_gib > most:
        raise VolumeLimitExceeded(wanted=size_gib, free=max(0, most - used))
