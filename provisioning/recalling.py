"""Know an instance again from its pod's own words, when the database has forgotten it.

The pod carries the wish behind it as an annotation; what it runs stands in its spec.  Secrets
do not: an instance made again keeps the ones its pod has, and is given them anew to start once
more.
"""

import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing.models import Account
from provisioning import events, manifests, names
from provisioning.comparing import Pod
from provisioning.errors import ProvisioningError
from provisioning.models import Instance, InstanceType, InstanceVolume, Pool, Transition, Volume
from provisioning.states import Desired, State

logger = logging.getLogger(__name__)


class CannotRecreate(ProvisioningError):
    """The pod does not say enough to know its instance again."""

    code = "cannot_recreate"


def recreate(pod: Pod, *, reason: str, at: datetime) -> Instance:
    """Make the row of an instance again, as it was wished for; raises `CannotRecreate`."""
    wish, labels = wish_of(pod), pod.raw["metadata"]["labels"]
    container = next(c for c in pod.raw["spec"]["containers"] if c["name"] == names.CONTAINER)
    instance_type = InstanceType.objects.filter(slug=wish.get("instance_type", "")).first()
    account = Account.objects.filter(pk=int(wish.get("account", "0"))).first()
    if instance_type is None or account is None:
        raise CannotRecreate(f"It is pod {pod.seen.name} on {pod.cluster}.")
    instance = Instance.objects.create(
        pk=pod.seen.instance_id,
        tenant_id=account.tenant_id,
        project_id=int(_ours(labels, "project")),
        account=account,
        name=wish["name"],
        instance_type=instance_type,
        device_count=instance_type.device_count,
        cpu_millicores=instance_type.cpu_millicores,
        memory_mib=instance_type.memory_mib,
        storage_gib=instance_type.storage_gib,
        sku_code=instance_type.sku_code,
        image=container["image"],
        command=[manifests.plain(word) for word in container.get("command") or ()],
        environment={
            v["name"]: manifests.plain(v["value"])
            for v in container.get("env") or ()
            if "value" in v and not v["name"].startswith("NPU_FARM_")
        },
        desired=Desired.RUNNING,
        launch_no=int(wish["launch"]),
        launched_at=created_at(pod, at),
        ends_at=datetime.fromisoformat(wish["ends_at"]) if wish.get("ends_at") else None,
        settled_launch_no=int(wish["launch"]) - 1,
        state=State.QUEUED,
        reason=reason,
        state_since=at,
        created_at=created_at(pod, at),
    )
    Transition.objects.create(
        instance=instance, to_state=State.QUEUED, reason=reason, attempt_no=0, at=at
    )
    _mount_again(instance, pod, container, at)
    return instance


def _mount_again(instance: Instance, pod: Pod, container: Mapping[str, Any], at: datetime) -> None:
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod.raw["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in volume
    }
    known = Volume.objects.filter(cluster=pod.cluster, claim_name__in=claims.values())
    volumes = {volume.claim_name: volume for volume in known}
    mounts = container.get("volumeMounts") or ()
    paths = {claims[one["name"]]: one["mountPath"] for one in mounts if one["name"] in claims}
    InstanceVolume.objects.bulk_create(
        InstanceVolume(instance=instance, volume=volumes[claim], path=path)
        for claim, path in paths.items()
        if claim in volumes
    )
    for claim in sorted(paths.keys() - volumes.keys()):
        _say_forgotten(instance, pod, claim=claim, path=paths[claim], at=at)


def _say_forgotten(instance: Instance, pod: Pod, *, claim: str, path: str, at: datetime) -> None:
    """Tell of a volume its pod has and nobody knows: once it stops, it starts without."""
    logger.warning("%s: claim %s of %s is of no volume we know", pod.cluster, claim, instance.pk)
    events.tell_tenant(
        kind="volume_forgotten",
        tenant_id=instance.tenant_id,
        instance_id=instance.pk,
        at=at,
        once=claim,
        instance=instance.name,
        claim=claim,
        path=path,
        cluster=pod.cluster.name,
    )


def pool_of(instance_type: InstanceType, pod: Pod) -> Pool:
    """Return the pool whose devices the pod asked for; raises `CannotRecreate`."""
    container = pod.raw["spec"]["containers"][0]
    asked = (container.get("resources") or {}).get("limits") or {}
    pools = Pool.objects.filter(cluster=pod.cluster, family=instance_type.family).order_by("pk")
    # What is claimed from a driver stands in no amount.
    pool = next((pool for pool in pools if pool.resource_name in asked), None) or pools.last()
    if pool is None:
        raise CannotRecreate(f"{pod.cluster} offers none of {instance_type.family}.")
    return pool


def wish_of(pod: Pod) -> Mapping[str, str]:
    """Read the wish a pod carries; empty where it carries none."""
    annotations = pod.raw["metadata"].get("annotations") or {}
    try:
        return dict(json.loads(_ours(annotations, "wish") or "{}"))
    except ValueError:
        return {}


def _ours(words: Mapping[str, str], word: str) -> str:
    return next((value for key, value in words.items() if key.endswith(f"/{word}")), "")


def created_at(pod: Pod, at: datetime) -> datetime:
    """Return when the cluster made the pod."""
    said = pod.raw["metadata"].get("creationTimestamp")
    return datetime.fromisoformat(said) if said else at
