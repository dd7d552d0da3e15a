"""Take in what is said of single devices: pods, slices and node counts in, outages out.

A pod's status names each device the pod holds, and its health; a resource slice names
them all.  A node's counts only say how many are well, which settles one thing: where all
are, none is ill.  `Unknown` takes a device out of sale and counts nobody's time: a plugin
that restarts says it of devices that work.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, OuterRef

from provisioning import outages
from provisioning.models import (
    AllocationMode,
    Attempt,
    Device,
    Health,
    Node,
    ObservedPod,
    Outage,
    OutageCause,
    Pool,
)
from provisioning.podstatus import instant_of
from provisioning.specs import OVER
from provisioning.surroundings import Surroundings

# The node's count and the pod's word are not written at the same moment.
COUNT_LAG: Final = timedelta(seconds=60)
_TOLD: Final = {"Healthy": Health.HEALTHY, "Unhealthy": Health.UNHEALTHY}


@dataclass(frozen=True, kw_only=True)
class Word:
    """What somebody says of one device."""

    node: Node
    pool: Pool
    device_id: str
    health: Health
    told_at: datetime | None
    source: str


def news_of(*, pods: Iterable[ObservedPod], surroundings: Surroundings) -> list[Word]:
    """Return what pods say of their devices and we do not know; who is over says nothing."""
    words = [
        word
        for pod in pods
        if pod.devices and pod.phase not in OVER and pod.gone_at is None
        for word in _words_of(pod, surroundings)
    ]
    if not words:
        return []
    known = _known_of(words)
    return [
        word
        for word in words
        if known.get((word.node.pk, word.pool.pk, word.device_id)) != _settled(word)
    ]


def record_devices(
    *, node: Node, pool: Pool, devices: Iterable[tuple[str, Health]], at: datetime
) -> None:
    """Take in a complete list of a node's devices with their health, as a driver publishes it."""
    for device_id, told in devices:
        word = Word(
            node=node,
            pool=pool,
            device_id=device_id,
            health=told,
            told_at=None,
            source="resource slice",
        )
        hear(word, at=at)


def hear(word: Word, *, at: datetime) -> Device:
    """Take in one word about one device."""
    device = _seen(word, at)
    if device.health != word.health or device.health_since is None:
        device.health, device.health_since = word.health, word.told_at or at
        device.save(update_fields=["health", "health_since"])
    ill = device.outages.filter(cause=OutageCause.DEVICE_UNHEALTHY, ended_at=None).first()
    if word.health == Health.UNHEALTHY and ill is None:
        outages.begin_outage(
            node=word.node,
            device=device,
            cause=OutageCause.DEVICE_UNHEALTHY,
            told_at=word.told_at,
            evidence={"told by": word.source},
            at=at,
        )
    elif word.health == Health.HEALTHY and ill is not None:
        outages.end_outage(outage=ill, told_at=word.told_at, at=at)
    return device


def hear_counts(well: Collection[tuple[int, int]], *, at: datetime) -> None:
    """End the outages of devices nobody holds, where a node counts all of a pool as well."""
    ill = Outage.objects.filter(
        cause=OutageCause.DEVICE_UNHEALTHY, ended_at__isnull=True, noticed_at__lt=at - COUNT_LAG
    )
    for outage in ill.select_related("device", "node"):
        device = outage.device
        if device is None or (outage.node_id, device.pool_id) not in well:
            continue
        if device.device_id not in _held_on(outage.node):
            device.health, device.health_since = Health.HEALTHY, at
            device.save(update_fields=["health", "health_since"])
            outages.end_outage(outage=outage, told_at=None, at=at)


def _seen(word: Word, at: datetime) -> Device:
    device, _ = Device.objects.get_or_create(
        node=word.node,
        pool=word.pool,
        device_id=word.device_id,
        defaults={
            "health": word.health,
            "health_since": word.told_at or at,
            "first_seen_at": at,
            "seen_at": at,
        },
    )
    return device


def _words_of(pod: ObservedPod, surroundings: Surroundings) -> Iterable[Word]:
    node = surroundings.node_of(pod)
    if node is None:
        return
    for told in pod.devices:
        pool = _pool_of(pod, surroundings.pools_named(told["resource_name"]))
        # Of claimed devices the slice says how they are, and the pod only which it holds.
        if pool is not None and pool.allocation != AllocationMode.DRA:
            yield Word(
                node=node,
                pool=pool,
                device_id=told["device_id"],
                health=_TOLD.get(told["health"], Health.UNKNOWN),
                told_at=instant_of(told.get("told_at")),
                source=f"pod {pod.namespace}/{pod.name}",
            )


def _pool_of(pod: ObservedPod, pools: Sequence[Pool]) -> Pool | None:
    """Return the one of a cluster's pools that share a name which the pod's attempt is of."""
    if len(pools) < 2:
        return pools[0] if pools else None
    attempt = Attempt.objects.filter(uid=pod.uid).first()
    return next((pool for pool in pools if attempt and attempt.pool_id == pool.pk), pools[0])


# What is known of a device: its health, and whether it is ill for that.
_Known = tuple[str, bool]


def _known_of(words: Sequence[Word]) -> dict[tuple[int, int, str], _Known]:
    ill = Outage.objects.filter(cause=OutageCause.DEVICE_UNHEALTHY, ended_at__isnull=True)
    rows = Device.objects.filter(
        node__in={word.node.pk for word in words},
        device_id__in={word.device_id for word in words},
        health_since__isnull=False,
    ).annotate(is_ill=Exists(ill.filter(device=OuterRef("pk"))))
    found = rows.values_list("node_id", "pool_id", "device_id", "health", "is_ill")
    # Who is not heard of any more stays ill: `Unknown` neither begins an outage nor ends one.
    return {
        (node_id, pool_id, device_id): (health, is_ill and health != Health.UNKNOWN)
        for node_id, pool_id, device_id, health, is_ill in found
    }


def _settled(word: Word) -> _Known:
    return word.health, word.health == Health.UNHEALTHY


def _held_on(node: Node) -> set[str]:
    pods = ObservedPod.objects.filter(
        cluster=node.cluster_id, node_name=node.name, gone_at__isnull=True
    ).exclude(phase__in=OVER)
    told = pods.values_list("devices", flat=True)
    return {device["device_id"] for devices in told for device in devices}
