"""Name every difference between the volumes we know and the claims a cluster really has.

The part of `comparing` that is about storage.  Nothing is ever done about these: a claim may
be all that is left of somebody's data, so it stays, and a person decides.  A volume whose claim
is gone is told lost by `claiming`, once its cluster is held no more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from provisioning import claims, installation
from provisioning.claims import Claim
from provisioning.cluster import storing
from provisioning.models import Cluster, Volume
from provisioning.states import VolumeState

LEAVE: Final = "leave"


class Kind(StrEnum):
    """What differs."""

    UNKNOWN_CLAIM = "unknown_claim"
    CLAIM_GONE = "claim_gone"


@dataclass(frozen=True, kw_only=True)
class ClaimDifference:
    """One volume of which database and cluster say different things."""

    kind: Kind
    cluster: str
    namespace: str
    claim_name: str
    claim_uid: UUID
    name: str = ""
    remedy: str = LEAVE

    def line(self) -> str:
        """Say it in one line."""
        where = f"{self.cluster}/{self.namespace}/{self.claim_name}"
        return f"{self.kind:16} {where} {self.name or '?'} -> {self.remedy}"

    def said(self) -> list[str]:
        """Say it for a digest: another claim of the same name is another difference."""
        return [self.kind, self.remedy, self.line(), str(self.claim_uid)]


def compare_claims(clusters: Iterable[Cluster]) -> tuple[ClaimDifference, ...]:
    """Compare the claims of some clusters with their volumes; asks each cluster."""
    found = (each for cluster in clusters for each in _differences_on(cluster))
    return tuple(sorted(found, key=lambda one: (one.kind, one.line())))


def _differences_on(cluster: Cluster) -> Iterator[ClaimDifference]:
    there = _claims_on(cluster)
    volumes = Volume.objects.filter(cluster=cluster).exclude(state=VolumeState.DELETED)
    known = {(volume.namespace, volume.claim_name): volume for volume in volumes}
    for (namespace, name), claim in there.items():
        if (namespace, name) not in known and not claim.is_deleting:
            yield _difference(Kind.UNKNOWN_CLAIM, cluster, namespace, name, claim.uid)
    for (namespace, name), volume in known.items():
        claim_uid, claim_there = volume.claim_uid, there.get((namespace, name))
        # One that was never claimed is claimed when its turn comes; one on its way out may go.
        if claim_uid is None or not volume.is_wanted or volume.state == VolumeState.LOST:
            continue
        if claim_there is None or claim_there.uid != claim_uid:
            yield _difference(
                Kind.CLAIM_GONE, cluster, namespace, name, claim_uid, told=volume.name
            )


def _difference(
    kind: Kind, cluster: Cluster, namespace: str, name: str, claim_uid: UUID, told: str = ""
) -> ClaimDifference:
    return ClaimDifference(
        kind=kind,
        cluster=cluster.name,
        namespace=namespace,
        claim_name=name,
        claim_uid=claim_uid,
        name=told,
    )


def _claims_on(cluster: Cluster) -> dict[tuple[str, str], Claim]:
    marks = installation.current()
    # A claim made by hand in a tenant's namespace carries no volume, and is none of ours.
    selector = f"{marks.selector},{marks.label('volume')}"
    return {
        (raw["metadata"]["namespace"], raw["metadata"]["name"]): claims.read_claim(raw, marks=marks)
        for raw in storing.list_claims(cluster, selector=selector)
    }
