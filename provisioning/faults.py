"""What a pod's own words mean for its instance: one pod in, one conclusion out.

Pure.  The pod is the live attempt's and the instance is meant to run; what the API
refuses is judged in `refusals`.
"""

import zlib
from datetime import timedelta
from typing import Final

from provisioning.states import State
from provisioning.steps import Move
from provisioning.views import PodView, Situation

# Waiting will not help: the pod itself is wrong.
PERMANENT: Final = frozenset(
    {"InvalidImageName", "CreateContainerConfigError", "ErrImageNeverPull"}
)
PULLING: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})
DISRUPTIONS: Final = {
    "PreemptionByScheduler": "preempted",
    "EvictionByEvictionAPI": "drained",
    "TerminationByKubelet": "node_shut_down",
    "DeletionByTaintManager": "node_lost",
    "DeletionByPodGC": "node_lost",
}
# What the cluster did on purpose has a budget of its own; a lost node is nobody's failure.
DISRUPTED: Final = frozenset({"preempted", "drained", "node_shut_down"})
UNCOUNTED: Final = frozenset({"node_lost", "cluster_lost", "moved"})
# A device plugin that starts after the kubelet needs this long before another try makes sense.
PLUGIN_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = 300.0


def conclude(pod: PodView) -> Move:
    """Say which state the pod puts its instance in, and why."""
    if pod.is_over and not pod.is_deleting:
        return _over(pod)
    if not pod.is_over and pod.is_scheduled and (not pod.is_node_ready or pod.phase == "Unknown"):
        return Move(to=State.UNREACHABLE, reason="node_unreachable")
    if pod.is_deleting:
        return Move(to=State.RECOVERING, reason=_disruption(pod) or "deleted_outside")
    if not pod.is_scheduled:
        reason = "unschedulable" if pod.unschedulable_message else "waiting_for_node"
        return Move(to=State.SCHEDULING, reason=reason, message=pod.unschedulable_message)
    if pod.container_state in ("running", "terminated"):
        return _running(pod)
    return _starting(pod)


def pause_before_attempt(of: Situation) -> timedelta:
    """Say how long to wait before another attempt: full jitter, doubling with each one."""
    turn = of.attempts_lately + of.disruptions_lately
    ceiling = min(LONGEST_PAUSE, 2.0**turn)
    pause = timedelta(seconds=ceiling * jitter(of.seed, turn))
    return max(pause, PLUGIN_PAUSE) if of.reason == "device_not_admitted" else pause


def jitter(seed: int, turn: int) -> float:
    """Return a fraction that differs between instances and turns, and is always the same."""
    return zlib.crc32(f"{seed}/{turn}".encode()) / 2**32


def _over(pod: PodView) -> Move:
    if pod.phase == "Succeeded":
        return Move(to=State.STOPPING, reason="finished")
    return Move(to=State.RECOVERING, reason=_cause(pod), message=_words(pod))


def _cause(pod: PodView) -> str:
    if disruption := _disruption(pod):
        return disruption
    if pod.reason == "UnexpectedAdmissionError":
        return "device_not_admitted"
    if pod.reason.startswith("OutOf"):
        return "no_room_on_node"
    return "out_of_memory" if pod.exit_reason == "OOMKilled" else "container_failed"


def _disruption(pod: PodView) -> str:
    if pod.reason == "Evicted":
        return "evicted"
    return DISRUPTIONS.get(pod.disruption_reason, "disrupted" if pod.disruption_reason else "")


def _words(pod: PodView) -> str:
    if pod.message:
        return pod.message
    return (
        f"{pod.exit_reason or 'Error'}, exit code {pod.exit_code}" if pod.exit_code else pod.reason
    )


def _running(pod: PodView) -> Move:
    if not pod.unhealthy_devices:
        return Move(to=State.RUNNING, reason="container_started")
    # The tenant's work may not touch the device at this moment: theirs to say when it moves.
    words = ", ".join(pod.unhealthy_devices)
    return Move(to=State.RUNNING, reason="device_unhealthy", message=words)


def _starting(pod: PodView) -> Move:
    words = ": ".join(part for part in (pod.waiting_reason, pod.waiting_message) if part)
    if pod.waiting_reason in PERMANENT:
        return Move(
            to=State.FAILED, reason="image_invalid", message=words, dead_letter="image_invalid"
        )
    if pod.waiting_reason in PULLING and "pull QPS exceeded" not in pod.waiting_message:
        return Move(to=State.STARTING, reason="image_not_pulled", message=words)
    return Move(to=State.STARTING, reason="container_starting")
