"""A container's log as `kubectl logs` gets it: which container, how much, whether it goes on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from provisioning.sandbox import errors
from provisioning.sandbox.containers import logs
from provisioning.sandbox.containers.logs import LogLine
from provisioning.sandbox.containers.runtime import Launch
from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.kubelets.kubelet import Kubelet
from provisioning.sandbox.objects import Json, name_of, spec, status

FOLLOW_SECONDS = 1.0
_WAITING = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


@dataclass(frozen=True)
class LogOptions:
    """What a client asks of a log."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: datetime | None = None
    since_seconds: int | None = None
    limit_bytes: int | None = None


def container_of(pod: Json, options: LogOptions) -> str:
    """The container a request means; refuses one that is not there, or none where it matters."""
    names = [one["name"] for one in spec(pod).get("containers") or []]
    if options.container:
        if options.container not in names:
            raise errors.bad_request(
                f"container {options.container} is not valid for pod {name_of(pod)}"
            )
        return options.container
    if len(names) > 1:
        raise errors.bad_request(
            f"a container name must be specified for pod {name_of(pod)}, choose one of:"
            f" [{' '.join(names)}]"
        )
    return str(names[0])


def launch_of(kubelet: Kubelet, pod: Json, options: LogOptions) -> Launch:
    """The run whose log is meant; refuses while there is none."""
    container = container_of(pod, options)
    if not kubelet.is_online:
        raise _unreachable(kubelet)
    told = _told(pod, container)
    if options.previous:
        launch = _run(kubelet, ((told.get("lastState") or {}).get("terminated") or {}))
        if launch is None:
            raise errors.bad_request(
                f'previous terminated container "{container}" in pod "{name_of(pod)}" not found'
            )
        return launch
    launch = _run(kubelet, told)
    if launch is None:
        raise _not_started(pod, container, told)
    return launch


def _told(pod: Json, container: str) -> Json:
    for told in status(pod).get("containerStatuses") or []:
        if told["name"] == container:
            found: Json = told
            return found
    return {}


def _run(kubelet: Kubelet, told: Json) -> Launch | None:
    container_id = told.get("containerID")
    return kubelet.ground.runtime.launch_of(container_id) if container_id else None


def _not_started(pod: Json, container: str, told: Json) -> StatusError:
    who = f'container "{container}" in pod "{name_of(pod)}"'
    if "terminated" in (told.get("state") or {}):
        return errors.bad_request(f"{who} is terminated")
    waiting = ((told.get("state") or {}).get("waiting") or {}).get("reason") or "ContainerCreating"
    return errors.bad_request(f"{who} is waiting to start: {_WAITING.get(waiting, waiting)}")


def _unreachable(kubelet: Kubelet) -> StatusError:
    address = f"{kubelet.ground.host_ip}:10250"
    return StatusError(
        code=500,
        reason="InternalError",
        message=f'Get "https://{address}/containerLogs": dial tcp {address}: connect:'
        " no route to host",
    )


def text(kubelet: Kubelet, launch: Launch, options: LogOptions) -> bytes:
    """The part of a log that is asked for, as far as it is written."""
    chosen = _chosen(_written(kubelet, launch), options, now=kubelet.ground.cluster.now())
    whole = b"".join(_printed(line, options) for line in chosen)
    return whole[: options.limit_bytes] if options.limit_bytes else whole


async def follow(kubelet: Kubelet, launch: Launch, options: LogOptions) -> AsyncIterator[bytes]:
    """The log, and then every line as it comes, until the container ends."""
    seen = len(_written(kubelet, launch))
    yield text(kubelet, launch, options)
    while kubelet.is_online and not _is_over(kubelet, launch):
        await asyncio.sleep(FOLLOW_SECONDS)
        lines = _written(kubelet, launch)
        fresh, seen = lines[seen:], len(lines)
        if fresh:
            yield b"".join(_printed(line, options) for line in fresh)


def _is_over(kubelet: Kubelet, launch: Launch) -> bool:
    runtime = kubelet.ground.runtime
    gone = runtime.launch_of(launch.container_id) is None
    return gone or runtime.exit_of(launch.container_id) is not None


def _written(kubelet: Kubelet, launch: Launch) -> list[LogLine]:
    ended = kubelet.ground.runtime.exit_of(launch.container_id)
    return logs.lines(launch, until=ended.at if ended else kubelet.ground.cluster.now())


def _chosen(lines: list[LogLine], options: LogOptions, *, now: datetime) -> list[LogLine]:
    since = options.since
    if options.since_seconds is not None:
        since = now - timedelta(seconds=options.since_seconds)
    if since is not None:
        lines = [line for line in lines if line.at >= since]
    if options.tail is not None:
        lines = lines[-options.tail :] if options.tail else []
    return lines


def _printed(line: LogLine, options: LogOptions) -> bytes:
    stamp = line.at.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ") if options.timestamps else ""
    return f"{stamp}{line.text}\n".encode()
