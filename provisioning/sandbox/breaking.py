"""Break a simulated cluster on purpose, and mend it: what the operator's door can do."""

from provisioning.sandbox import deleting, errors, events
from provisioning.sandbox.conditions import with_condition
from provisioning.sandbox.deleting import DeleteOptions
from provisioning.sandbox.kinds import DEVICE_STATES, NODES, PODS
from provisioning.sandbox.kubelets import nodes
from provisioning.sandbox.kubelets.kubelet import Kubelet
from provisioning.sandbox.objects import Json, spec
from provisioning.sandbox.raising import Raised, pods_of
from provisioning.sandbox.store import Stored, new_uid

_PREEMPTED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "PreemptionByScheduler",
    "message": "default-scheduler: preempting to accommodate a higher priority pod",
}


def kubelet_of(raised: Raised, node: str) -> Kubelet:
    """The kubelet of a node."""
    if node not in raised.kubelets:
        raise errors.not_found(NODES, node)
    return raised.kubelets[node]


def state_of(raised: Raised) -> Json:
    """What a test may want to know of a cluster without asking its API."""
    cluster = raised.cluster
    return {
        "resource_version": cluster.store.rv,
        "oldest_version": cluster.history.oldest(PODS),
        "pods": len(cluster.store.all(PODS)),
        "watches": [watch.kind.plural for watch in cluster.watches.each()],
        "nodes": {name: _node_state(kubelet) for name, kubelet in raised.kubelets.items()},
    }


def _node_state(kubelet: Kubelet) -> Json:
    pools = kubelet.ground.devices.pools.values()
    return {
        "online": kubelet.is_online,
        "images": kubelet.ground.images.present,
        "devices": {
            pool.resource: {
                "ids": pool.ids,
                "unhealthy": sorted(pool.unhealthy),
                "held": sorted(pool.held),
            }
            for pool in pools
        },
    }


# Watches


def cut_watches(raised: Raised, resource: str = "") -> int:
    """End open watches at once, as a proxy that restarts does."""
    watches = raised.cluster.watches.each(resource)
    for watch in watches:
        watch.cut()
    return len(watches)


def silence_watches(raised: Raised, resource: str = "") -> int:
    """Let open watches stay open and say nothing more, as a dead connection does."""
    watches = raised.cluster.watches.each(resource)
    for watch in watches:
        watch.silence()
    return len(watches)


def expire_history(raised: Raised, resource: str = "") -> int:
    """Forget what happened: whoever resumes from before gets 410."""
    raised.cluster.history.forget()
    return cut_watches(raised, resource)


# Nodes


def lose_node(kubelet: Kubelet) -> None:
    """The node is cut off: it hears and tells nothing, and its lease runs out."""
    kubelet.is_online = False


def unready_node(raised: Raised, kubelet: Kubelet, *, message: str) -> None:
    """The kubelet says it cannot run pods; it goes on with those it has and renews its lease."""
    if not kubelet.is_online:
        raise errors.bad_request(f"{kubelet.name} is cut off and can say nothing")
    store, at = raised.cluster.store, raised.cluster.now()
    stored = store.get(NODES, "", kubelet.name)
    if stored:
        store.put(NODES, nodes.with_kubelet_unready(stored.object, at, message))


def return_node(raised: Raised, kubelet: Kubelet, *, rebooted: bool) -> None:
    """The node is back: with its containers, or after a reboot that ended them all."""
    cluster = raised.cluster
    if rebooted:
        kubelet.lose_containers()
    nodes.renew_lease(cluster, kubelet.name)
    stored = cluster.store.get(NODES, "", kubelet.name)
    if stored:
        cluster.store.put(NODES, nodes.with_kubelet_back(stored.object, cluster.now(), rebooted))
    for uid in kubelet.uids() - {
        one.object["metadata"]["uid"] for one in pods_of(cluster, kubelet.name)
    }:
        kubelet.forget(uid)
    kubelet.resume(pods_of(cluster, kubelet.name))


# Devices and images


def set_health(
    raised: Raised, kubelet: Kubelet, *, resource: str, device_id: str, is_healthy: bool
) -> str:
    """Turn a device ill or well; answers how many of its resource can be allocated now."""
    pool = kubelet.ground.devices.pools.get(resource)
    if pool is None or device_id not in pool.products:
        raise errors.bad_request(f"{kubelet.name} has no device {device_id} of {resource}")
    (pool.unhealthy.discard if is_healthy else pool.unhealthy.add)(device_id)
    remember_health(raised, kubelet)
    if kubelet.is_online:
        _tell_health(raised, kubelet)
    return kubelet.ground.devices.allocatable()[resource]


def remember_health(raised: Raised, kubelet: Kubelet) -> None:
    """Write which devices are ill where a restart finds it."""
    unhealthy = {
        name: sorted(pool.unhealthy) for name, pool in kubelet.ground.devices.pools.items()
    }
    raised.cluster.store.put(
        DEVICE_STATES, {"metadata": {"name": kubelet.name}, "unhealthy": unhealthy}
    )


def _tell_health(raised: Raised, kubelet: Kubelet) -> None:
    store = raised.cluster.store
    node = store.get(NODES, "", kubelet.name)
    if node:
        store.put(NODES, nodes.with_device_counts(node.object, kubelet.ground.devices))
    for stored in pods_of(raised.cluster, kubelet.name):
        kubelet.worker_of(stored).write(stored)


def set_image(raised: Raised, *, image: str, is_broken: bool) -> None:
    """Make pulls of an image fail on every node, or succeed again."""
    for kubelet in raised.kubelets.values():
        images = kubelet.ground.images
        (images.broken.add if is_broken else images.broken.discard)(image)
        if is_broken:
            images.drop(image)


# Pods


def _running_pod(raised: Raised, namespace: str, name: str) -> tuple[Stored, Kubelet]:
    stored = raised.cluster.store.get(PODS, namespace, name)
    if stored is None:
        raise errors.not_found(PODS, name)
    kubelet = raised.kubelets.get(spec(stored.object).get("nodeName") or "")
    if kubelet is None:
        raise errors.bad_request(f"pod {namespace}/{name} is on no node")
    return stored, kubelet


def evict(raised: Raised, *, namespace: str, name: str, message: str) -> None:
    """The kubelet ends a pod to get its memory back."""
    stored, kubelet = _running_pod(raised, namespace, name)
    kubelet.worker_of(stored).evict(stored, message)


def preempt(raised: Raised, *, namespace: str, name: str) -> None:
    """The scheduler deletes a pod to make room for one that matters more."""
    stored, kubelet = _running_pod(raised, namespace, name)
    cluster = raised.cluster
    marked = cluster.store.put(PODS, with_condition(stored.object, _PREEMPTED, at=cluster.now()))
    why = f"Preempted by pod {new_uid()} on node {kubelet.name}"
    events.record_action(
        cluster, about=marked, action="Preempting", reason="Preempted", message=why,
        source="default-scheduler",
    )  # fmt: skip
    options = DeleteOptions()
    deleting.delete(cluster, kind=PODS, namespace=namespace, name=name, options=options)


def end_containers(
    raised: Raised, *, namespace: str, name: str, code: int, reason: str = ""
) -> None:
    """A pod's program ends by itself."""
    stored, kubelet = _running_pod(raised, namespace, name)
    for container in kubelet.worker_of(stored).run.each():
        kubelet.ground.runtime.end(container.container_id, code=code, reason=reason)
