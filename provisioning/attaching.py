"""Give volumes to one attempt at a pod at a time.

`check_paths` refuses at launch what could never run; `refuse_busy` and `attach` are part of
opening attempts, and say why an instance has to wait; `detach` is part of burying one.  An
attempt whose node is silent is not buried before its pod's absence is certain, so nobody else
writes meanwhile.
"""

import posixpath
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from provisioning import waking
from provisioning.errors import IllegalMount, NoCapacity, UnknownVolume, VolumesApart
from provisioning.models import Attempt, Instance, InstanceVolume, Volume, VolumeAttachment
from provisioning.specs import ClaimMount, VolumeMount
from provisioning.states import AttemptState, State, VolumeState

MOST_VOLUMES: Final = 8
LONGEST_PATH: Final = 200
PATIENCE: Final = 60.0
_PATH: Final = re.compile(r"(/[A-Za-z0-9._-]+)+")
# What an image needs to start at all, and where the node and we put things.
SYSTEM_PATHS: Final = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin",
    "/sys", "/usr", "/var/lib", "/var/run",
)  # fmt: skip


def check_paths(mounts: Sequence[VolumeMount]) -> None:
    """Refuse paths a volume cannot or must not be mounted at."""
    if len(mounts) > MOST_VOLUMES:
        raise IllegalMount(f"At most {MOST_VOLUMES} volumes can be attached.")
    for mount in mounts:
        _check_path(mount.path)
    if len({mount.volume_id for mount in mounts}) != len(mounts):
        raise IllegalMount("A volume is named twice.")
    for one in mounts:
        if any(other is not one and is_inside(other.path, one.path) for other in mounts):
            raise IllegalMount(f"Another volume is mounted inside {one.path}.")


def lock_mounted(mounts: Sequence[VolumeMount], *, project_id: int) -> list[Volume]:
    """Lock the volumes a new instance is to have: its project's, alive, and on one cluster."""
    ids = [mount.volume_id for mount in mounts]
    rows = Volume.objects.select_for_update().filter(
        pk__in=ids, project_id=project_id, is_wanted=True
    )
    found = list(rows.order_by("pk"))
    if len(found) != len(ids) or any(v.state == VolumeState.LOST for v in found):
        raise UnknownVolume
    if len({volume.cluster_id for volume in found}) > 1:
        raise VolumesApart
    return found


def clusters_of(instance: Instance) -> set[int]:
    """Return the one cluster an instance with volumes can run on; empty when it has none."""
    return {mount.volume.cluster_id for mount in instance.volumes.all()}


def claims_of(instance: Instance) -> list[ClaimMount]:
    """Return what a pod of the instance mounts."""
    mounts = sorted(instance.volumes.all(), key=lambda mount: mount.path)
    return [ClaimMount(mount.volume.claim_name, mount.path) for mount in mounts]


def mount(*, instance: Instance, mounts: Sequence[VolumeMount]) -> None:
    """Write down what a new instance is to find where; refuses what it cannot have.

    Called inside the transaction of its launch: whoever deletes a volume at the same time
    either came first, or is told that it is in use.
    """
    if not mounts:
        return
    check_paths(mounts)
    lock_mounted(mounts, project_id=instance.project_id)
    InstanceVolume.objects.bulk_create(
        InstanceVolume(instance=instance, volume_id=each.volume_id, path=each.path)
        for each in mounts
    )


def refuse_busy(instances: Iterable[Instance]) -> dict[UUID, NoCapacity]:
    """Lock the instances' volumes, and answer those that cannot have theirs now.

    Called inside the transaction that opens their attempts.
    """
    wanted = {instance.pk: _volumes_of(instance) for instance in instances}
    ids = {volume_id for volumes in wanted.values() for volume_id in volumes}
    if not ids:
        return {}
    # In one order, so that two who want the same volumes do not wait for each other.
    locked = Volume.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    volumes = {volume.pk: volume for volume in locked}
    holders = {held.volume_id: held.instance for held in _attachments(ids)}
    refused: dict[UUID, NoCapacity] = {}
    for instance in instances:
        mine = [volumes[volume_id] for volume_id in wanted[instance.pk]]
        answers = (_refusal(volume, holders.get(volume.pk), instance) for volume in mine)
        if refusal := next(filter(None, answers), None):
            refused[instance.pk] = refusal
        else:
            holders |= {volume.pk: instance for volume in mine}
    return refused


def attach(opened: Iterable[Attempt], *, at: datetime) -> None:
    """Hold the volumes of those whose attempts were opened; they are locked and free."""
    VolumeAttachment.objects.bulk_create(
        VolumeAttachment(
            attempt=attempt,
            instance=attempt.instance,
            volume_id=mount.volume_id,
            path=mount.path,
            attached_at=at,
        )
        for attempt in opened
        for mount in attempt.instance.volumes.all()
    )


def detach(*, attempt: Attempt, at: datetime) -> None:
    """Let go of the attempt's volumes, and wake whoever waits for one."""
    held = VolumeAttachment.objects.filter(attempt=attempt, detached_at=None)
    ids = list(held.values_list("volume_id", flat=True))
    if not ids:
        return
    held.update(detached_at=at)
    waiting = Instance.objects.filter(volumes__volume__in=ids, state=State.QUEUED)
    waking.wake(waiting.exclude(pk=attempt.instance_id), at=at)


def detach_gone(*, at: datetime) -> None:
    """Let go of what attempts hold that are gone, whoever wrote that they are."""
    held = VolumeAttachment.objects.filter(detached_at=None, attempt__state=AttemptState.GONE)
    for attachment in held.select_related("attempt"):
        detach(attempt=attachment.attempt, at=at)


def users_of(*volumes: Volume) -> QuerySet[InstanceVolume]:
    """Return who mounts these volumes now or could start again and mount them."""
    mounts = InstanceVolume.objects.filter(volume__in=volumes)
    mounts = mounts.exclude(instance__state=State.TERMINATED)
    return mounts.select_related("instance").order_by("instance__created_at")


def is_inside(path: str, folder: str) -> bool:
    """Say whether a path is the folder or lies in it."""
    return path == folder or path.startswith(f"{folder}/")


def _volumes_of(instance: Instance) -> list[UUID]:
    return sorted(mount.volume_id for mount in instance.volumes.all())


def _attachments(volumes: Iterable[UUID]) -> QuerySet[VolumeAttachment]:
    held = VolumeAttachment.objects.filter(volume__in=volumes, detached_at=None)
    return held.select_related("instance")


def _refusal(volume: Volume, holder: Instance | None, instance: Instance) -> NoCapacity | None:
    if volume.state == VolumeState.LOST or not volume.is_wanted:
        return NoCapacity(f"{volume.name} is lost.", reason="volume_lost", retry_after=PATIENCE)
    if holder is None:
        return None
    if holder == instance:
        # A pod on a silent node may still write; nobody begins another beside it.
        detail = f"{volume.name} is attached on a node that does not answer."
        return NoCapacity(detail, reason="volume_on_silent_node", retry_after=PATIENCE)
    detail = f"{volume.name} is attached to {holder.name}."
    return NoCapacity(detail, reason="volume_in_use", retry_after=PATIENCE)


def _check_path(path: str) -> None:
    is_plain = _PATH.fullmatch(path) and posixpath.normpath(path) == path
    if not is_plain or len(path) > LONGEST_PATH:
        raise IllegalMount(f"{path!r} is no absolute path of letters, digits, dots and hyphens.")
    if _hides_system(path, SYSTEM_PATHS):
        raise IllegalMount(f"{path} belongs to the system of the container.")


def _hides_system(path: str, system: Iterable[str]) -> bool:
    return any(is_inside(path, folder) or is_inside(folder, path) for folder in system)
