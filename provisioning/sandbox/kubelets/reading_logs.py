"""A container's log as `kubectl logs` gets it: which container, how much, whether it goes on."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from provisioning.sandbox import errors
from provisioning.sandbox.containers.runtime import Launch, LogLine
from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.kubelets import reaching
from provisioning.sandbox.kubelets.kubelet import Kubelet
from provisioning.sandbox.objects import Json, name_of

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


def launch_of(kubelet: Kubelet, pod: Json, options: LogOptions) -> Launch:
    """The run whose log is meant; refuses while there is none."""
    container = reaching.container_of(pod, options.container)
    if not kubelet.is_online:
        raise reaching.unreachable(kubelet, "containerLogs")
    told = reaching.told_of(pod, container)
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


def _run(kubelet: Kubelet, told: Json) -> Launch | None:
    container_id = told.get("containerID")
    return kubelet.ground.runtime.launch_of(container_id) if container_id else None


def _not_started(pod: Json, container: str, told: Json) -> StatusError:
    who = f'container "{container}" in pod "{name_of(pod)}"'
    if "terminated" in (told.get("state") or {}):
        return errors.bad_request(f"{who} is terminated")
    waiting = ((told.get("state") or {}).get("waiting") or {}).get("reason") or "ContainerCreating"
    return errors.bad_request(f"{who} is waiting to start: {_WAITING.get(waiting, waiting)}")


def text(kubelet: Kubelet, launch: Launch, options: LogOptions) -> bytes:
    """The part of a log that is asked for, as far as it is written."""
    written = kubelet.ground.runtime.log(launch.container_id)
    return _cut(_chosen(written, options, now=kubelet.ground.cluster.now()), options)


async def follow(kubelet: Kubelet, launch: Launch, options: LogOptions) -> AsyncIterator[bytes]:
    """The log, and then every line as it comes, until the container ends."""
    left = options.limit_bytes
    is_first = True
    async for lines in kubelet.ground.runtime.follow(launch.container_id):
        # A kubelet that is cut off sends nothing, and no end either.
        if not kubelet.is_online:
            await asyncio.Event().wait()
        chosen = _chosen(lines, options, now=kubelet.ground.cluster.now()) if is_first else lines
        is_first = False
        piece = _cut(chosen, dataclasses.replace(options, limit_bytes=left))
        yield piece
        if left is not None:
            left -= len(piece)
            if left <= 0:
                return


def _chosen(lines: list[LogLine], options: LogOptions, *, now: datetime) -> list[LogLine]:
    since = options.since
    if options.since_seconds is not None:
        since = now - timedelta(seconds=options.since_seconds)
    if since is not None:
        lines = [line for line in lines if line.at >= since]
    if options.tail is not None:
        lines = lines[-options.tail :] if options.tail else []
    return lines


def _cut(lines: list[LogLine], options: LogOptions) -> bytes:
    whole = b"".join(_printed(line, options) for line in lines)
    return whole[: options.limit_bytes] if options.limit_bytes is not None else whole


def _printed(line: LogLine, options: LogOptions) -> bytes:
    stamp = line.at.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ") if options.timestamps else ""
    return f"{stamp}{line.text}\n".encode()
