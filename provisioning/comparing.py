"""Name every difference between the instances we know and the pods a cluster really has.

For a database that came out of a backup: what was begun since, it does not know, and what was
ended since, it would begin again.  Reads the clusters, changes nothing; `settling` takes the
differences one instance at a time.  The rule is one: what runs goes on, what does not stays off.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from provisioning import installation, podstatus, tallying
from provisioning.cluster import asking
from provisioning.models import Attempt, Cluster, Hold, Instance
from provisioning.specs import Observation
from provisioning.states import Desired
from provisioning.tallying import ClaimDifference

Raw = Mapping[str, Any]


class Kind(StrEnum):
    """What differs."""

    NEWER_ATTEMPT = "newer_attempt"
    UNKNOWN_INSTANCE = "unknown_instance"
    NOTHING_RUNS = "nothing_runs"
    LEASE_OVER = "lease_over"


class Remedy(StrEnum):
    """What brings it right."""

    ADOPT = "adopt"
    END = "end"
    STOP = "stop"
    EXTEND = "extend"


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One pod as a cluster has it now."""

    cluster: Cluster
    raw: Raw
    seen: Observation

    @property
    def attempt_no(self) -> int:
        """The attempt it says it is of; 0 where it does not say."""
        return self.seen.attempt_no or 0

    @property
    def runs(self) -> bool:
        """Whether it is wanted: neither over nor on its way out."""
        return not (self.seen.is_over or self.seen.is_deleting)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One instance of which database and clusters say different things, and its pods."""

    kind: Kind
    remedy: Remedy
    instance_id: UUID
    name: str
    clusters: tuple[str, ...]
    pods: tuple[Pod, ...] = ()

    def line(self) -> str:
        """Say it in one line."""
        pods = ", ".join(f"{pod.cluster}/{pod.seen.name} {pod.seen.phase}" for pod in self.pods)
        where = pods or ", ".join(self.clusters) or "no cluster"
        return f"{self.kind:16} {self.instance_id} {self.name or '?'} ({where}) -> {self.remedy}"


@dataclass(frozen=True)
class Comparison:
    """Everything that differs on the held clusters; what stands in `claims` is only told."""

    holds: tuple[Hold, ...]
    differences: tuple[Difference, ...]
    claims: tuple[ClaimDifference, ...] = ()

    @property
    def digest(self) -> str:
        """Name exactly these differences: whoever accepts them has seen them."""
        said = [
            [d.kind, d.remedy, str(d.instance_id), sorted(str(p.seen.uid) for p in d.pods)]
            for d in self.differences
        ]
        held = sorted(hold.cluster.name for hold in self.holds)
        stored = [claim.said() for claim in self.claims]
        return hashlib.sha256(json.dumps([held, said, stored]).encode()).hexdigest()[:12]


def compare_held(*, at: datetime) -> Comparison:
    """Compare every held cluster; raises what a cluster that is asked refuses with."""
    holds = tuple(Hold.objects.filter(released_at=None).select_related("cluster").order_by("pk"))
    clusters = [hold.cluster for hold in holds]
    pods: defaultdict[UUID, list[Pod]] = defaultdict(list)
    for cluster in clusters:
        for pod in pods_of(cluster):
            if pod.seen.instance_id:
                pods[pod.seen.instance_id].append(pod)
    differences = [*_with_pods(pods, at), *_without(pods, clusters)]
    in_order = tuple(sorted(differences, key=lambda d: (d.kind, d.instance_id)))
    return Comparison(holds, in_order, tallying.compare_claims(clusters))


def pods_of(cluster: Cluster) -> Iterator[Pod]:
    """Ask the cluster for every pod of this installation."""
    marks = installation.current()
    for raw in asking.list_pods(cluster, selector=marks.selector):
        yield Pod(cluster=cluster, raw=raw, seen=podstatus.read_pod(raw, marks=marks))


def _with_pods(pods: Mapping[UUID, list[Pod]], at: datetime) -> Iterator[Difference]:
    known = Instance.objects.in_bulk(list(pods))
    numbers = set(Attempt.objects.filter(instance__in=pods).values_list("instance", "no"))
    for instance_id, found in pods.items():
        instance = known.get(instance_id)
        is_strange = any((instance_id, pod.attempt_no) not in numbers for pod in found)
        if is_strange:
            kind = Kind.NEWER_ATTEMPT if instance else Kind.UNKNOWN_INSTANCE
            yield _difference(kind, _remedy(instance, found), instance_id, instance, found)
        elif instance and instance.desired == Desired.RUNNING:
            yield from _as_known(instance, found, at)


def _as_known(instance: Instance, found: list[Pod], at: datetime) -> Iterator[Difference]:
    """An instance whose pods we know: it may have ended since, or have been given more time."""
    if not any(pod.runs for pod in found):
        yield _difference(Kind.NOTHING_RUNS, Remedy.STOP, instance.pk, instance, found)
    elif instance.ends_at is not None and instance.ends_at <= at:
        yield _difference(Kind.LEASE_OVER, Remedy.EXTEND, instance.pk, instance, found)


def _difference(
    kind: Kind, remedy: Remedy, instance_id: UUID, instance: Instance | None, found: list[Pod]
) -> Difference:
    return Difference(
        kind=kind,
        remedy=remedy,
        instance_id=instance_id,
        name=instance.name if instance else "",
        clusters=tuple(sorted({pod.cluster.name for pod in found})),
        pods=tuple(found),
    )


def _remedy(instance: Instance | None, found: Iterable[Pod]) -> Remedy:
    # Termination is for good: whatever is newer than that wish is not its continuation.
    is_ended = instance is not None and instance.desired == Desired.TERMINATED
    return Remedy.ADOPT if any(pod.runs for pod in found) and not is_ended else Remedy.END


def _without(pods: Mapping[UUID, list[Pod]], clusters: list[Cluster]) -> Iterator[Difference]:
    wished = Instance.objects.filter(desired=Desired.RUNNING).exclude(pk__in=pods)
    for instance in wished.select_related("pool__cluster").order_by("pk"):
        cluster = instance.pool.cluster if instance.pool else None
        # Where nothing was forgotten, reconciling knows what to do.
        if cluster is None or cluster in clusters:
            yield Difference(
                kind=Kind.NOTHING_RUNS,
                remedy=Remedy.STOP,
                instance_id=instance.pk,
                name=instance.name,
                clusters=(cluster.name,) if cluster else (),
            )
