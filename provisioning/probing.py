"""Look at a cluster and write down what was found.

Runs when a cluster is added, when its credentials change, and when somebody asks.
"""

from datetime import datetime

from django.db import transaction

from provisioning.looking import Finding, Look, look_at
from provisioning.models import (
    AllocationMode,
    Cluster,
    ClusterFinding,
    DeviceIdSource,
    Pool,
    Question,
    Verdict,
)

# Only pods can show these; they stand as not tried until somebody examines the cluster.
BY_PODS = (Question.DEVICE_ACCESS, Question.NETWORK_POLICY)


def probe_cluster(*, cluster: Cluster, at: datetime) -> Cluster:
    """Ask the cluster what it is; raises `ClusterUnreachable` or what it refuses with."""
    found = look_at(cluster)
    with transaction.atomic():
        describe(cluster, found, at=at)
        cluster.save(update_fields=["uid", "server_version", "probe"])
        record_look(cluster=cluster, found=found, at=at)
    return cluster


def describe(cluster: Cluster, found: Look, *, at: datetime) -> None:
    """Set what the row itself says of the cluster; a UID once known does not change."""
    cluster.uid = cluster.uid or found.uid
    cluster.server_version = found.version[:40]
    cluster.probe = {
        "at": at.isoformat(),
        "nodes": found.node_count,
        "resources": list(found.resources),
        "bindings": {identity.value: user for identity, user in found.bindings.items()},
    }


def record_look(*, cluster: Cluster, found: Look, at: datetime) -> None:
    """Write every finding; what only pods show is kept as it was last seen."""
    for finding in found.findings:
        is_tried = finding.verdict != Verdict.NOT_TRIED
        if is_tried or not _was_seen(cluster, finding.question):
            record_finding(cluster=cluster, finding=finding, at=at)
    for question in BY_PODS:
        ClusterFinding.objects.get_or_create(
            cluster=cluster,
            question=question,
            defaults={
                "verdict": Verdict.NOT_TRIED,
                "detail": "Nobody has examined the cluster yet.",
                "found_at": at,
            },
        )


def record_finding(*, cluster: Cluster, finding: Finding, at: datetime) -> None:
    """Write one finding over the last one."""
    ClusterFinding.objects.update_or_create(
        cluster=cluster,
        question=finding.question,
        defaults={
            "verdict": finding.verdict,
            "detail": finding.detail,
            "facts": dict(finding.facts),
            "found_at": at,
        },
    )
    if finding.question == Question.DEVICE_IDS and finding.facts.get("source"):
        _use_source(cluster, DeviceIdSource(finding.facts["source"]))


def _was_seen(cluster: Cluster, question: Question) -> bool:
    tried = ClusterFinding.objects.exclude(verdict=Verdict.NOT_TRIED)
    return tried.filter(cluster=cluster, question=question).exists()


def _use_source(cluster: Cluster, source: DeviceIdSource) -> None:
    # A claim's status tells always; this is about device plugins.
    pools = Pool.objects.filter(cluster=cluster, allocation=AllocationMode.DEVICE_PLUGIN)
    pools.update(device_ids=source)
