"""Examine a cluster with pods of our own: what asking cannot show.

Whether an ordinary user may open a device, which device a pod says it holds, whether
network policies hold, and what a binding in a tenant's namespace gives.  In a namespace
made like any tenant's; bounded in time; the pods are gone afterwards, and would end by
themselves.  The namespace stays: nobody here may delete one.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Q

from provisioning import deferring, installation, looking, namespacing, probes, probing, stock
from provisioning.cluster import asking
from provisioning.cluster.errors import NotFound, PreconditionFailed
from provisioning.errors import ClusterRefused, IllegalClusterState, ProvisioningError
from provisioning.looking import Finding
from provisioning.models import (
    AllocationMode,
    Cluster,
    ClusterState,
    Pool,
    Question,
    Verdict,
)
from provisioning.probes import Ground, Tried
from provisioning.specs import NamespaceSpec
from provisioning.states import Identity

Clock = Callable[[], datetime]
Raw = dict[str, Any]

# A worker that does nothing else for two minutes would be taken for deaf.
PATIENCE: Final = 70.0
CLEARING: Final = 15.0
LOOK_EVERY: Final = 0.3
CLAIM_LASTS: Final = timedelta(minutes=5)


def claim_examination(*, cluster: Cluster, at: datetime) -> None:
    """Begin an examination; raises `IllegalClusterState` while another one is under way."""
    stale = Q(examination_started_at=None) | Q(examination_started_at__lt=at - CLAIM_LASTS)
    rows = Cluster.objects.filter(pk=cluster.pk).exclude(state=ClusterState.REMOVED)
    if not rows.filter(stale).update(examination_started_at=at):
        raise IllegalClusterState("It is being examined, or has been removed.")


def ask_for_examination(*, cluster: Cluster, at: datetime) -> None:
    """Have a worker examine the cluster soon."""
    claim_examination(cluster=cluster, at=at)
    deferring.defer_examination(cluster_id=cluster.pk)


def examine_cluster(*, cluster: Cluster, clock: Clock) -> None:
    """Examine a cluster from beginning to end; raises what the cluster refuses with."""
    claim_examination(cluster=cluster, at=clock())
    carry_out(cluster=cluster, clock=clock)


def carry_out(*, cluster: Cluster, clock: Clock) -> None:
    """Examine a cluster that has been claimed."""
    try:
        probing.probe_cluster(cluster=cluster, at=clock())
        for finding in _examine(cluster):
            probing.record_finding(cluster=cluster, finding=finding, at=clock())
    except ProvisioningError as error:
        for question in probing.BY_PODS:
            found = Finding(question=question, verdict=Verdict.NOT_TRIED, detail=error.message)
            probing.record_finding(cluster=cluster, finding=found, at=clock())
        raise
    finally:
        Cluster.objects.filter(pk=cluster.pk).update(examination_started_at=None)


def _examine(cluster: Cluster) -> list[Finding]:
    marks = installation.current()
    ground = Ground(
        marks=marks, namespace=f"{marks.own_namespace}-probe", image=settings.FARM_PROBE_IMAGE
    )
    pools = _pools_with_room(cluster)
    spec = NamespaceSpec(
        marks=marks,
        name=ground.namespace,
        tenant_id=0,
        devices=tuple((pool.resource_name, 1) for pool in pools),
        bindings=namespacing.bindings_of(cluster),
    )
    namespacing.apply_all(cluster=cluster, spec=spec)
    asking.apply(cluster, probes.opening(ground))
    findings = [
        looking.look_at_identity(cluster, identity, namespace=ground.namespace)[0]
        for identity in Identity
    ]
    bench = _Bench(cluster, ground, secrets.token_hex(3), time.monotonic() + PATIENCE)
    bench.clear()
    try:
        return findings + _try_devices(bench, pools) + [_try_wall(bench)]
    finally:
        bench.clear()


def _pools_with_room(cluster: Cluster) -> list[Pool]:
    # What is handed out by claims opens the same files; one way of asking is enough.
    pools = list(
        Pool.objects.filter(cluster=cluster, allocation=AllocationMode.DEVICE_PLUGIN).order_by("pk")
    )
    shelves, _ = stock.shelves_of(pools)
    with_room = {shelf.pool_id for shelf in shelves.values() if shelf.free}
    return [pool for pool in pools if pool.pk in with_room]


def _try_devices(bench: "_Bench", pools: Iterable[Pool]) -> list[Finding]:
    resources = sorted({pool.resource_name for pool in pools})
    pods = {
        resource: probes.device_pod(bench.ground, name=bench.name(number), resource_name=resource)
        for number, resource in enumerate(resources)
    }
    outcomes = bench.outcomes_of(pods)
    told = probes.of_device_ids(outcomes)
    return [probes.of_device_access(outcomes), *([told] if told else [])]


def _try_wall(bench: "_Bench") -> Finding:
    server = probes.server_pod(bench.ground, name=bench.name("server"))
    target = bench.address_of(server)
    if not target:
        why = "The pod to be reached did not start in time."
        return Finding(question=Question.NETWORK_POLICY, verdict=Verdict.NOT_TRIED, detail=why)
    clients = {
        name: probes.client_pod(
            bench.ground, name=bench.name(name), target=target, is_let_through=name == "in"
        )
        for name in ("in", "out")
    }
    outcomes = bench.outcomes_of(clients)
    return probes.of_wall(let_through=outcomes["in"], kept_out=outcomes["out"])


@dataclass(frozen=True)
class _Bench:
    """The pods of one examination on one cluster, and until when they are waited for."""

    cluster: Cluster
    ground: Ground
    token: str
    deadline: float

    def name(self, word: object) -> str:
        """Name a pod of this examination."""
        return f"probe-{self.token}-{word}"

    def outcomes_of(self, pods: Mapping[str, Raw]) -> dict[str, Tried]:
        """Start pods and wait for all of them together; what is refused is an outcome too."""
        outcomes = {key: refused for key, pod in pods.items() if (refused := self._start(pod))}
        while left := pods.keys() - outcomes.keys():
            is_late = time.monotonic() > self.deadline
            for key in left:
                pod = self._read(pods[key])
                if (came_to := probes.tried(pod)) is not None:
                    outcomes[key] = came_to
                elif is_late:
                    outcomes[key] = Tried(exit_code=None, message=probes.waits_for(pod))
            time.sleep(LOOK_EVERY)
        return outcomes

    def address_of(self, pod: Raw) -> str:
        """Start a pod and return its address once it runs; empty when it does not."""
        if self._start(pod):
            return ""
        while time.monotonic() < self.deadline:
            status = self._read(pod).get("status") or {}
            if status.get("phase") == "Running" and status.get("podIP"):
                return str(status["podIP"])
            time.sleep(LOOK_EVERY)
        return ""

    def clear(self) -> None:
        """Take away every pod of an examination, this one's and a forgotten one's."""
        deadline = time.monotonic() + CLEARING
        while left := list(asking.list_pods(self.cluster, selector=self.ground.selector)):
            for metadata in (pod["metadata"] for pod in left):
                if not metadata.get("deletionTimestamp"):
                    self._delete(metadata)
            if time.monotonic() > deadline:
                return
            time.sleep(LOOK_EVERY)

    def _start(self, pod: Raw) -> Tried | None:
        try:
            asking.create_pod(self.cluster, pod)
        except ClusterRefused as error:
            return Tried(exit_code=None, message=error.message)
        return None

    def _read(self, pod: Raw) -> Raw:
        try:
            return asking.get_pod(
                self.cluster, namespace=self.ground.namespace, name=pod["metadata"]["name"]
            )
        except NotFound:
            return {"status": {"phase": "Failed", "reason": "Somebody deleted it."}}

    def _delete(self, metadata: Raw) -> None:
        with suppress(NotFound, PreconditionFailed):
            asking.delete_pod(
                self.cluster,
                namespace=self.ground.namespace,
                name=metadata["name"],
                uid=metadata["uid"],
            )
