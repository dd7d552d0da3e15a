"""Compare what a cluster has with what we wrote, and let its nodes vouch for what runs.

A full list writes only differences.  A light one, metadata only, writes no pod at all: a
pod at the version we know still says what it said, so its container still runs.  Both begin
with the nodes and their leases, for a lease proves nothing about what was listed before it.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, connection, transaction

from provisioning import (
    attempts,
    counting,
    installation,
    inventorying,
    learning,
    observing,
    podstatus,
    slices,
    unusable,
    usage,
)
from provisioning.cluster import asking, drivers
from provisioning.models import Cluster, Node, ObservedPod
from provisioning.names import Marks
from provisioning.observing import Sight
from provisioning.reconciling import Clock
from provisioning.states import Settlement
from provisioning.surroundings import Surroundings

logger = logging.getLogger(__name__)

Raw = Mapping[str, Any]

# As many pods that differ are written together.
TOGETHER: Final = 100


@dataclass
class Pass:
    """One list of a cluster: what was known before, what it has shown."""

    cluster: Cluster
    marks: Marks
    began_at: datetime
    nodes: dict[str, Node]
    known: dict[str, str]
    seen: set[str] = field(default_factory=set)
    differences: int = 0
    # Nodes of which something was seen that we could not make out: they prove nothing now.
    doubtful: set[str] = field(default_factory=set)
    # Of pods that claim their devices: the claims, and the pods whose devices are not known.
    claims: learning.Claims = field(default_factory=dict)
    unnamed: set[str] = field(default_factory=set)

    @cached_property
    def surroundings(self) -> Surroundings:
        """What its pods are seen against."""
        return Surroundings(self.cluster, nodes=self.nodes)


def relist(cluster: Cluster, *, clock: Clock) -> str:
    """Bring everything we know of a cluster up to date; returns the version to watch from."""
    of = _begin(cluster, clock)
    _read_claims(of)
    listing = asking.list_pods(cluster, selector=of.marks.selector)
    for page in listing.pages():
        _take_page(of, page, at=clock())
    for pod in _missing(of):
        of.differences += 1
        observing.miss_pod(pod=pod, at=of.began_at, surroundings=of.surroundings)
    Cluster.objects.filter(pk=cluster.pk).update(last_list_at=of.began_at, last_event_at=clock())
    _vouch(of, at=clock())
    counting.count("relist", f"{cluster} lists")
    counting.count("relist", f"{cluster} differences", of.differences)
    if of.differences:
        logger.info("%s: %d pods, %d differences", cluster, len(of.seen), of.differences)
    return listing.resource_version


def bear_witness(cluster: Cluster, *, clock: Clock) -> None:
    """Prove that what ran still runs, without reading more than versions."""
    of = _begin(cluster, clock)
    listing = asking.list_pods(cluster, selector=of.marks.selector, accept=asking.METADATA_ONLY)
    for raw in listing:
        metadata = raw["metadata"]
        if of.known.get(metadata["uid"]) == metadata["resourceVersion"]:
            of.seen.add(metadata["uid"])
    # The watch has yet to tell of these; their nodes wait for the next time.
    of.doubtful |= {pod.node_name for pod in _missing(of)}
    Cluster.objects.filter(pk=cluster.pk).update(last_event_at=clock())
    _vouch(of, at=clock())


def _begin(cluster: Cluster, clock: Clock) -> Pass:
    # Leases first, so that what they prove is older than what the list shows.
    leases = asking.list_node_leases(cluster)
    found = inventorying.read_nodes(asking.list_nodes(cluster), leases)
    published = slices.read_published(
        drivers.list_device_classes(cluster), drivers.list_slices(cluster)
    )
    began_at = clock()
    nodes = inventorying.record_nodes(
        cluster=cluster, found=found, at=began_at, published=published
    )
    present = ObservedPod.objects.filter(cluster=cluster, gone_at__isnull=True)
    return Pass(
        cluster=cluster,
        marks=installation.current(),
        began_at=began_at,
        nodes=nodes,
        known={str(uid): rv for uid, rv in present.values_list("uid", "resource_version")},
    )


def _read_claims(of: Pass) -> None:
    of.claims = learning.list_claims(of.cluster, selector=of.marks.selector)
    if of.claims:
        pods = ObservedPod.objects.filter(
            cluster=of.cluster, gone_at__isnull=True, devices=[], attempt_no__isnull=False
        )
        of.unnamed = {str(uid) for uid in pods.exclude(node_name="").values_list("uid", flat=True)}


def _take_page(of: Pass, page: Iterable[Raw], *, at: datetime) -> None:
    with transaction.atomic():
        differing = []
        for raw in page:
            metadata = raw.get("metadata") or {}
            uid = str(metadata.get("uid"))
            of.seen.add(uid)
            if of.known.get(uid) != metadata.get("resourceVersion") or uid in of.unnamed:
                differing.append(raw)
        of.differences += len(differing)
        for start in range(0, len(differing), TOGETHER):
            _take_together(of, differing[start : start + TOGETHER], at)


def _take_together(of: Pass, raws: Sequence[Raw], at: datetime) -> None:
    try:
        sights = [_sight_of(of, raw) for raw in raws]
        observing.observe_together(sights, at=at, surroundings=of.surroundings)
    except Exception:
        if not connection.is_usable():
            # The lock on the cluster went with the session: this is no pod's fault.
            raise
        for raw in raws:
            _take(of, raw, at)


def _take(of: Pass, raw: Raw, at: datetime) -> None:
    try:
        # In a savepoint of its own: one pod that cannot be written does not spoil the page.
        observing.observe_sight(_sight_of(of, raw), at=at, surroundings=of.surroundings)
    except Exception:
        if not connection.is_usable():
            raise
        logger.exception("%s: a pod could not be taken in", of.cluster)
        of.doubtful.add(str((raw.get("spec") or {}).get("nodeName") or ""))


def _sight_of(of: Pass, raw: Raw) -> Sight:
    observation = podstatus.read_pod(raw, marks=of.marks)
    return Sight(observation=learning.with_devices(observation, pod=raw, claims=of.claims))


def _missing(of: Pass) -> list[ObservedPod]:
    uids = [UUID(uid) for uid in of.known.keys() - of.seen]
    return list(ObservedPod.objects.filter(cluster=of.cluster, uid__in=uids).order_by("pk"))


def _vouch(of: Pass, *, at: datetime) -> None:
    open_runs = ObservedPod.objects.filter(
        cluster=of.cluster,
        gone_at__isnull=True,
        settlement=Settlement.OPEN,
        started_at__isnull=False,
    )
    unnamed = open_runs.filter(witness_ref="").exclude(node_name__in=of.doubtful)
    for name, pods in groupby(unnamed.order_by("node_name", "pk"), lambda pod: pod.node_name):
        if (node := of.nodes.get(name)) is not None:
            _name_witnesses(node, list(pods), at)
    names = open_runs.exclude(witness_ref="").values_list("node_name", flat=True).distinct()
    for name in sorted(set(names) - of.doubtful):
        node = of.nodes.get(name)
        if node is not None and node.lease_renewed_at is not None:
            # A node whose clock runs ahead proves no more than what we have seen ourselves.
            proved_until = min(node.lease_renewed_at, of.began_at)
            usage.vouch_for_node(node=node, proved_until=proved_until)
    unusable.refresh_open(cluster_id=of.cluster.pk, at=at)


def _name_witnesses(node: Node, pods: list[ObservedPod], at: datetime) -> None:
    try:
        settled = _name_together(node, pods)
    except DatabaseError:
        if not connection.is_usable():
            raise
        settled = set()
    for pod in pods:
        if pod.pk not in settled:
            _name_witness(node, pod, at)


@transaction.atomic
def _name_together(node: Node, pods: list[ObservedPod]) -> set[int]:
    settled = {pod.pk for pod in usage.name_witness_of_all(pods=pods, node=node)}
    ObservedPod.objects.filter(pk__in=settled).update(witness_ref=usage.witness_ref(node))
    return settled


@transaction.atomic
def _name_witness(node: Node, pod: ObservedPod, at: datetime) -> None:
    instance = attempts.owner_of(pod)
    if instance is None:
        return
    pod.witness_ref = usage.name_witness(pod=pod, instance=instance, node=node, at=at)
    pod.save(update_fields=["witness_ref"])
