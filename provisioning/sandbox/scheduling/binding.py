"""Write a pod's node into it, with the condition that goes with it."""

from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.conditions import with_condition
from provisioning.sandbox.kinds import PODS
from provisioning.sandbox.objects import Json, metadata, with_spec
from provisioning.sandbox.store import Stored


def bind(cluster: Cluster, stored: Stored, *, node: str) -> Stored:
    """The pod on its node."""
    bound = with_spec(stored.object, nodeName=node)
    bound = with_condition(bound, scheduled(bound, status="True"), at=cluster.now())
    return cluster.store.put(PODS, bound)


def scheduled(pod: Json, **said: str) -> Json:
    """The PodScheduled condition with what the scheduler has to say."""
    generation = metadata(pod).get("generation", 1)
    return {
        "type": "PodScheduled",
        "observedGeneration": generation,
        "lastProbeTime": None,
        **said,
    }
