"""Learn from claims which devices a pod was given, where a driver hands them out.

Asks the cluster, so it is called before anything is written.  The scheduler writes the
devices into the claim before it binds the pod: whoever sees a pod on a node can ask.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from provisioning import deviceclaims
from provisioning.cluster import drivers
from provisioning.errors import ClusterRefused, ClusterUnreachable
from provisioning.models import AllocationMode, Cluster, ObservedPod, Pool
from provisioning.specs import Observation

Raw = Mapping[str, Any]
Claims = Mapping[tuple[str, str], Raw]


def list_claims(cluster: Cluster, *, selector: str) -> Claims:
    """Return the claims of our pods by namespace and name; asks nothing without a DRA pool."""
    if not Pool.objects.filter(cluster=cluster, allocation=AllocationMode.DRA).exists():
        return {}
    listed = drivers.list_claims(cluster, selector=selector)
    return {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in listed}


def claims_of(cluster: Cluster, pod: Raw) -> Claims:
    """Return the claims of one pod that is on a node and whose devices are not known yet."""
    names = deviceclaims.claim_names(pod)
    metadata = pod.get("metadata") or {}
    if not names or not (pod.get("spec") or {}).get("nodeName"):
        return {}
    if ObservedPod.objects.filter(uid=str(metadata.get("uid"))).exclude(devices=[]).exists():
        return {}
    found: dict[tuple[str, str], Raw] = {}
    for name in names:
        key = (str(metadata.get("namespace")), name)
        try:
            found[key] = drivers.get_claim(cluster, namespace=key[0], name=name)
        except (ClusterRefused, ClusterUnreachable):
            # Gone already, not ours to read, or not now: what the pod says does not wait for
            # it, and the next list may know.
            continue
    return found


def with_devices(observation: Observation, *, pod: Raw, claims: Claims) -> Observation:
    """Return the observation with the devices its claims tell of."""
    mine = [claims.get((observation.namespace, name)) for name in deviceclaims.claim_names(pod)]
    devices = [
        device
        for claim in _present(mine)
        for device in deviceclaims.devices_in(claim, node_name=observation.node_name)
    ]
    return replace(observation, devices=tuple(devices)) if devices else observation


def _present(claims: Iterable[Raw | None]) -> list[Raw]:
    return [claim for claim in claims if claim is not None]
