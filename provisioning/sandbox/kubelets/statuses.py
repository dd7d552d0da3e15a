"""A pod's status as its kubelet writes it: pure, from what the kubelet knows."""

from datetime import datetime

from provisioning.sandbox.conditions import merged_conditions
from provisioning.sandbox.kubelets.runs import ContainerRun, PodRun
from provisioning.sandbox.objects import Json, metadata, spec, status
from provisioning.sandbox.times import in_seconds

_EMPTY_STATE: Json = {}


def pod_status(pod: Json, run: PodRun, *, host_ip: str, at: datetime) -> Json:
    phase = phase_of(run, str(spec(pod).get("restartPolicy")))
    built: Json = {
        **status(pod),
        "observedGeneration": metadata(pod).get("generation", 1),
        "phase": phase,
        "conditions": _conditions(pod, run, phase, at),
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "startTime": in_seconds(run.admitted_at),
        "containerStatuses": [
            _container_status(container, run.allocated.get(container.name) or [])
            for container in sorted(run.each(), key=lambda one: one.name)
        ],
    }
    if run.ip:
        built |= {"podIP": run.ip, "podIPs": [{"ip": run.ip}]}
    if run.reason:
        built |= {"reason": run.reason, "message": run.message}
    return built


def phase_of(run: PodRun, restart_policy: str) -> str:
    containers = run.each()
    if run.reason:
        return "Failed"
    if containers and all(one.exit for one in containers):
        codes = [one.exit.code for one in containers if one.exit]
        will_restart = run.stopping_grace is None and (
            restart_policy == "Always" or (restart_policy == "OnFailure" and any(codes))
        )
        if not will_restart:
            return "Failed" if any(codes) else "Succeeded"
    if any(one.started_at or one.last for one in containers):
        return "Running"
    return "Pending"


def _conditions(pod: Json, run: PodRun, phase: str, at: datetime) -> list[Json]:
    unready = [one.name for one in run.each() if not one.is_running]
    readiness = _readiness(phase, unready)
    has_sandbox = bool(run.ip) and phase not in ("Succeeded", "Failed")
    changed: list[Json] = [
        {"type": "PodReadyToStartContainers", "status": _word(has_sandbox)},
        {"type": "Initialized", "status": "True", **_completed(phase)},
        {"type": "Ready", **readiness},
        {"type": "ContainersReady", **readiness},
    ]
    generation = metadata(pod).get("generation", 1)
    changed = [{**condition, "observedGeneration": generation} for condition in changed]
    merged = merged_conditions(status(pod).get("conditions") or [], changed, at=at)
    order = [condition["type"] for condition in changed] + ["PodScheduled"]
    return sorted(merged, key=lambda one: order.index(one["type"]) if one["type"] in order else 9)


def _readiness(phase: str, unready: list[str]) -> Json:
    if phase in ("Succeeded", "Failed"):
        reason = "PodCompleted" if phase == "Succeeded" else "PodFailed"
        return {"status": "False", "reason": reason}
    if unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        return {"status": "False", "reason": "ContainersNotReady", "message": message}
    return {"status": "True"}


def _completed(phase: str) -> Json:
    return {"reason": "PodCompleted"} if phase == "Succeeded" else {}


def _word(value: bool) -> str:
    return "True" if value else "False"


def _container_status(run: ContainerRun, devices: list[Json]) -> Json:
    image = str(run.container.get("image"))
    built: Json = {
        "name": run.name,
        "state": state_of(run),
        "lastState": run.last or _EMPTY_STATE,
        "ready": run.is_running,
        "restartCount": run.restarts,
        "image": image,
        "imageID": f"sandbox://image/{image}" if run.container_id else "",
        "started": run.is_running,
    }
    if run.container_id:
        built["containerID"] = run.container_id
    if devices:
        built["allocatedResourcesStatus"] = devices
    if run.container_id:
        built["resources"] = run.container.get("resources") or {}
    return built


def state_of(run: ContainerRun) -> Json:
    if run.exit is not None:
        ended: Json = {"exitCode": run.exit.code, "reason": run.exit.reason}
        started_at = run.started_at or run.exit.at
        ended |= {"startedAt": in_seconds(started_at), "finishedAt": in_seconds(run.exit.at)}
        return {"terminated": {**ended, "containerID": run.container_id}}
    if run.started_at is not None:
        return {"running": {"startedAt": in_seconds(run.started_at)}}
    waiting = {"reason": run.waiting}
    return {"waiting": {**waiting, "message": run.message} if run.message else waiting}
