"""A pod's status as its kubelet writes it: pure, from what the kubelet knows."""

from datetime import datetime

from provisioning.sandbox.conditions import merged_conditions
from provisioning.sandbox.kubelets.runs import ContainerRun, PodRun
from provisioning.sandbox.objects import Json, metadata, spec, status, without_empty
from provisioning.sandbox.scheduling import amounts
from provisioning.sandbox.scheduling.amounts import Amounts
from provisioning.sandbox.times import in_seconds

_ORDER = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
_LOST = {
    "exitCode": 137,
    "reason": "ContainerStatusUnknown",
    "message": "The container could not be located when the pod was terminated",
    "startedAt": None,
    "finishedAt": None,
}


def pod_status(pod: Json, run: PodRun, *, host_ip: str, at: datetime) -> Json:
    """The status of a pod as its kubelet sees it now."""
    phase = phase_of(run, str(spec(pod).get("restartPolicy")))
    built: Json = {
        **status(pod),
        "observedGeneration": metadata(pod).get("generation", 1),
        "phase": phase,
        "conditions": _conditions(pod, run, phase, at),
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "startTime": in_seconds(run.admitted_at),
        "containerStatuses": [_container(one, run) for one in _sorted(run)],
        **_resources(pod, run),
    }
    if run.inits:
        built["initContainerStatuses"] = [_container(one, run) for one in run.inits.values()]
    if run.ip:
        built |= {"podIP": run.ip, "podIPs": [{"ip": run.ip}]}
    if run.reason and (run.is_over or not run.containers):
        built |= {"reason": run.reason, "message": run.message}
    return built


def _sorted(run: PodRun) -> list[ContainerRun]:
    return sorted(run.containers.values(), key=lambda one: one.name)


def phase_of(run: PodRun, restart_policy: str) -> str:
    """Where a pod stands, from where its containers stand."""
    containers = list(run.containers.values())
    if run.is_over and (run.reason or not _will_restart(run, restart_policy)):
        codes = [one.exit.code if one.exit else _LOST["exitCode"] for one in containers]
        return "Failed" if any(codes) or run.reason or not run.is_initialized else "Succeeded"
    if any(one.started_at or one.last for one in containers):
        return "Running"
    return "Pending"


def _will_restart(run: PodRun, restart_policy: str) -> bool:
    if run.stopping_grace is not None:
        return False
    failed = any(one.exit.code for one in run.each() if one.exit)
    return restart_policy == "Always" or (restart_policy == "OnFailure" and failed)


def _conditions(pod: Json, run: PodRun, phase: str, at: datetime) -> list[Json]:
    readiness = _readiness(run, phase)
    has_sandbox = bool(run.ip) and phase not in ("Succeeded", "Failed")
    completed = {"reason": "PodCompleted"} if phase == "Succeeded" else {}
    changed: list[Json] = [
        {"type": "PodReadyToStartContainers", "status": _word(has_sandbox)},
        {"type": "Initialized", **_initialization(run), **completed},
        {"type": "Ready", **readiness},
        {"type": "ContainersReady", **readiness},
        {"type": "PodScheduled", "status": "True"},
    ]
    generation = metadata(pod).get("generation", 1)
    stamped = [{**one, "observedGeneration": generation, "lastProbeTime": None} for one in changed]
    merged = merged_conditions(status(pod).get("conditions") or [], stamped, at=at)
    # Conditions the kubelet does not write, such as a disruption, come first.
    return sorted(
        merged, key=lambda one: _ORDER.index(one["type"]) if one["type"] in _ORDER else -1
    )


def _initialization(run: PodRun) -> Json:
    names = [one.name for one in run.inits.values() if not one.is_done]
    if not names:
        return {"status": "True"}
    message = f"containers with incomplete status: [{' '.join(names)}]"
    return {"status": "False", "reason": "ContainersNotInitialized", "message": message}


def _readiness(run: PodRun, phase: str) -> Json:
    unready = [one.name for one in _sorted(run) if not one.is_running]
    if phase in ("Succeeded", "Failed") and not any(one.is_lost for one in run.each()):
        reason = "PodCompleted" if phase == "Succeeded" else "PodFailed"
        return {"status": "False", "reason": reason}
    if unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        return {"status": "False", "reason": "ContainersNotReady", "message": message}
    return {"status": "True"}


def _word(value: bool) -> str:
    return "True" if value else "False"


def _resources(pod: Json, run: PodRun) -> Json:
    """The pod's amounts in all: what it may use, and what it was given."""
    if not run.containers:
        return {"resources": {}}
    requests = _printed(amounts.requested(pod))
    total = {"limits": _printed(amounts.limited(pod)), "requests": requests}
    found: Json = {"resources": without_empty(total)}
    return {**found, "allocatedResources": requests} if requests else found


def _printed(sums: Amounts) -> dict[str, str]:
    return {name: amounts.printed(name, value) for name, value in sums.items() if name != "pods"}


def _container(one: ContainerRun, run: PodRun) -> Json:
    image = str(one.container.get("image"))
    devices = run.allocated.get(one.name) or []
    built: Json = {
        "name": one.name,
        "state": state_of(one),
        "lastState": one.last or {},
        "ready": one.is_done if one.is_init else one.is_running,
        "restartCount": one.restarts,
        "image": image,
        "imageID": f"sandbox://image/{image}" if one.container_id else "",
    }
    if one.container_id:
        built["containerID"] = one.container_id
    built["started"] = one.is_running
    if one.container_id:
        resources = one.container.get("resources") or {}
        requests = resources.get("requests")
        built |= {"allocatedResources": requests} if requests else {}
        built["resources"] = resources
    return {**built, "allocatedResourcesStatus": devices} if devices else built


def state_of(one: ContainerRun) -> Json:
    """A container's state in the three words Kubernetes has for it."""
    if one.exit is not None:
        ended: Json = {"exitCode": one.exit.code, "reason": one.exit.reason}
        ended |= {"message": one.exit.message} if one.exit.message else {}
        started_at = in_seconds(one.started_at) if one.started_at else None
        ended |= {"startedAt": started_at, "finishedAt": in_seconds(one.exit.at)}
        return {"terminated": {**ended, "containerID": one.container_id}}
    if one.is_lost:
        return {"terminated": dict(_LOST)}
    if one.started_at is not None:
        return {"running": {"startedAt": in_seconds(one.started_at)}}
    waiting = {"reason": one.waiting}
    return {"waiting": {**waiting, "message": one.message} if one.message else waiting}
