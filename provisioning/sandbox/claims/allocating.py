"""Give devices to claims: what a pod's claims want, and what a node has left for them.

The scheduler asks for each node, and writes the result into the claims before it binds
the pod; whoever holds a claim, holds its devices until the claim is given back.
"""

from dataclasses import dataclass, field

from provisioning.sandbox.claims import selecting
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.kinds import DEVICE_CLASSES, RESOURCE_CLAIMS, RESOURCE_SLICES
from provisioning.sandbox.objects import (
    Json,
    metadata,
    name_of,
    namespace_of,
    spec,
    status,
    uid_of,
    with_metadata,
)
from provisioning.sandbox.store import Stored
from provisioning.sandbox.times import in_seconds

PROTECTION = "resource.kubernetes.io/delete-protection"
CANNOT = "cannot allocate all claims"


class NotYet(Exception):
    """The claims of a pod are not all made yet."""


class NoSuchClass(Exception):
    """A request names a device class the cluster does not have; the text is the scheduler's."""


@dataclass
class Wish:
    """The claims of one pod that still wait for devices."""

    pod: Json
    waiting: list[Stored] = field(default_factory=list)
    # Where claims that have their devices already tie the pod to.
    node: str = ""


def claim_names(pod: Json) -> list[str]:
    """The names of the claims a pod waits for; raises `NotYet` while one is not made."""
    made = {
        one["name"]: one.get("resourceClaimName", "")
        for one in status(pod).get("resourceClaimStatuses") or ()
    }
    names = []
    for wanted in spec(pod).get("resourceClaims") or ():
        name = wanted.get("resourceClaimName") or made.get(wanted["name"])
        if name is None:
            raise NotYet
        names.append(name)
    return [name for name in names if name]


def wish_of(cluster: Cluster, pod: Json) -> Wish:
    """What a pod still needs; raises `NotYet` or `NoSuchClass`."""
    wish = Wish(pod)
    for name in claim_names(pod):
        stored = cluster.store.get(RESOURCE_CLAIMS, namespace_of(pod), name)
        if stored is None:
            raise NotYet
        if allocation := status(stored.object).get("allocation"):
            terms = (allocation.get("nodeSelector") or {}).get("nodeSelectorTerms") or ()
            wish.node = terms[0]["matchFields"][0]["values"][0] if terms else ""
        else:
            _refuse_unknown_class(cluster, stored.object)
            wish.waiting.append(stored)
    return wish


def results_on(cluster: Cluster, wish: Wish, *, node: str) -> list[list[Json]] | None:
    """What every waiting claim would get on a node; None when it has not enough."""
    if wish.node and wish.node != node:
        return None
    free = _free_on(cluster, node)
    found = []
    for stored in wish.waiting:
        try:
            taken = _serve(cluster, stored.object, free)
        except selecting.NotUnderstood:
            # A real scheduler would refuse or understand it; here nobody is given anything.
            return None
        if taken is None:
            return None
        found.append(taken)
    return found


def allocate(cluster: Cluster, wish: Wish, *, node: str) -> None:
    """Write the devices into the claims, and reserve them for the pod."""
    results = results_on(cluster, wish, node=node) or []
    for stored, devices in zip(wish.waiting, results, strict=True):
        _write(cluster, stored, devices, node=node)
    names = claim_names(wish.pod)
    for name in names:
        stored_now = cluster.store.get(RESOURCE_CLAIMS, namespace_of(wish.pod), name)
        if stored_now is not None:
            _reserve(cluster, stored_now, wish.pod)


def _requests(claim: Json) -> list[Json]:
    found: list[Json] = (spec(claim).get("devices") or {}).get("requests") or []
    return found


def _refuse_unknown_class(cluster: Cluster, claim: Json) -> None:
    for request in _requests(claim):
        name = request["exactly"]["deviceClassName"]
        if cluster.store.get(DEVICE_CLASSES, "", name) is None:
            raise NoSuchClass(f"request {request['name']}: device class {name} does not exist")


def _free_on(cluster: Cluster, node: str) -> list[tuple[Json, Json]]:
    held = {
        (one["driver"], one["pool"], one["device"])
        for stored in cluster.store.all(RESOURCE_CLAIMS)
        for one in _held(stored.object)
    }
    slices = [stored.object for stored in cluster.store.all(RESOURCE_SLICES)]
    return [
        (body, device)
        for body, device in selecting.slice_devices(slices)
        if body.get("nodeName") == node
        and selecting.is_open(device)
        and (body["driver"], body["pool"]["name"], device["name"]) not in held
    ]


def _held(claim: Json) -> list[Json]:
    allocation = status(claim).get("allocation") or {}
    return list((allocation.get("devices") or {}).get("results") or ())


def _serve(cluster: Cluster, claim: Json, free: list[tuple[Json, Json]]) -> list[Json] | None:
    """Take what a claim wants out of what is free; None when there is not enough."""
    results = []
    for request in _requests(claim):
        wanted = request["exactly"]
        stored = cluster.store.get(DEVICE_CLASSES, "", wanted["deviceClassName"])
        said = selecting.expressions(wanted)
        said += selecting.expressions(spec(stored.object)) if stored else []
        fitting = [
            (body, device)
            for body, device in free
            if selecting.wants(said, driver=body["driver"], device=device)
        ]
        chosen = fitting[: wanted.get("count") or 1]
        if len(chosen) < (wanted.get("count") or 1):
            return None
        for body, device in chosen:
            free.remove((body, device))
            results.append(_result(request, body, device))
    return results


def _result(request: Json, body: Json, device: Json) -> Json:
    pool, name = body["pool"]["name"], device["name"]
    return {"request": request["name"], "driver": body["driver"], "pool": pool, "device": name}


def _write(cluster: Cluster, stored: Stored, devices: list[Json], *, node: str) -> None:
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    allocation = {
        "devices": {"results": devices},
        "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [field]}]},
        "allocationTimestamp": in_seconds(cluster.now()),
    }
    finalizers = [*(metadata(stored.object).get("finalizers") or ()), PROTECTION]
    claim = with_metadata(stored.object, finalizers=finalizers)
    cluster.store.put(
        RESOURCE_CLAIMS, {**claim, "status": {**status(claim), "allocation": allocation}}
    )


def _reserve(cluster: Cluster, stored: Stored, pod: Json) -> None:
    mine = {"resource": "pods", "name": name_of(pod), "uid": uid_of(pod)}
    reserved = status(stored.object).get("reservedFor") or []
    if mine not in reserved:
        told = {**status(stored.object), "reservedFor": [*reserved, mine]}
        cluster.store.put(RESOURCE_CLAIMS, {**stored.object, "status": told})
