"""Keep what a cluster said about a run, word for word, and when: rows are only added.

`auditing` recomputes the ledger's intervals from these rows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from provisioning.models import ObservedPod, UsageEvidence
from provisioning.specs import OVER

STARTED: Final = "started"
ENDED: Final = "ended"
END_UNKNOWN: Final = "end_unknown"
VANISHED: Final = "vanished"
SUPERSEDED: Final = "superseded"
# Not the cluster's word but a person's: whatever is told after it changes nothing.
DECLARED_LOST: Final = "declared_lost"
GIVEN_UP: Final = frozenset({END_UNKNOWN, VANISHED, SUPERSEDED, DECLARED_LOST})


def kind_of(pod: ObservedPod, before: Mapping[str, Any]) -> str:
    """Say what is new about the pod's run; empty when nothing is."""
    if not pod.container_id or pod.started_at is None:
        return ""
    if pod.finished_at is not None:
        return "" if before.get("finished_at") == pod.finished_at else ENDED
    if pod.phase in OVER or pod.container_state == "terminated":
        was_over = before.get("phase") in OVER or before.get("container_state") == "terminated"
        return "" if was_over else END_UNKNOWN
    return "" if before.get("container_id") == pod.container_id else STARTED


def add_evidence(*, pod: ObservedPod, kind: str, at: datetime) -> None:
    """Append one row."""
    write([evidence_of(pod=pod, kind=kind, at=at)])


def write(rows: Sequence[UsageEvidence]) -> None:
    """Append rows in their order."""
    UsageEvidence.objects.bulk_create(rows)


def evidence_of(*, pod: ObservedPod, kind: str, at: datetime) -> UsageEvidence:
    """Return a row of what the pod says now."""
    return UsageEvidence(
        cluster_id=pod.cluster_id,
        pod_uid=pod.uid,
        container_id=pod.container_id,
        instance_id=pod.instance_id,
        kind=kind,
        said={
            "resource_version": pod.resource_version,
            "phase": pod.phase,
            "node": pod.node_name,
            "started_at": pod.started_at.isoformat() if pod.started_at else None,
            "finished_at": pod.finished_at.isoformat() if pod.finished_at else None,
            "exit_code": pod.exit_code,
            "exit_reason": pod.exit_reason,
            "devices": pod.devices,
        },
        observed_at=at,
    )
