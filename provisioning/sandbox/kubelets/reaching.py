"""Find the running container a request means, and refuse as the API server and kubelet do."""

from collections.abc import Mapping

from provisioning.sandbox import errors
from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.kubelets.kubelet import Kubelet
from provisioning.sandbox.objects import Json, name_of, namespace_of, spec, status


def container_of(pod: Json, asked: str) -> str:
    """The container a request means; refuses one that is not there, or none where it matters."""
    names = [one["name"] for one in spec(pod).get("containers") or []]
    first = [one["name"] for one in spec(pod).get("initContainers") or []]
    if asked:
        if asked not in names + first:
            raise errors.bad_request(f"container {asked} is not valid for pod {name_of(pod)}")
        return asked
    if len(names) > 1:
        or_init = f" or one of the init containers: [{' '.join(first)}]" if first else ""
        raise errors.bad_request(
            f"a container name must be specified for pod {name_of(pod)}, choose one of:"
            f" [{' '.join(names)}]{or_init}"
        )
    return str(names[0])


def told_of(pod: Json, container: str) -> Json:
    """What the pod's status tells of a container."""
    told = status(pod)
    listed = (told.get("initContainerStatuses") or []) + (told.get("containerStatuses") or [])
    found: Json = next((one for one in listed if one["name"] == container), {})
    return found


def kubelet_of(kubelets: Mapping[str, Kubelet], pod: Json) -> Kubelet:
    """The kubelet that runs a pod; refuses a pod without a node."""
    kubelet = kubelets.get(spec(pod).get("nodeName") or "")
    if kubelet is None:
        raise errors.bad_request(f"pod {name_of(pod)} does not have a host assigned")
    return kubelet


def running(kubelet: Kubelet, pod: Json, container: str) -> str:
    """The id of a container that runs now."""
    if not kubelet.is_online:
        raise _no_backend(kubelet)
    told = told_of(pod, container)
    if "running" not in (told.get("state") or {}):
        raise plain(500, f'container not found ("{container}")')
    return str(told["containerID"])


def first_running(kubelet: Kubelet, pod: Json) -> list[str]:
    """The ids of the containers of a pod that run now: they share its ports."""
    if not kubelet.is_online:
        raise _no_backend(kubelet)
    found = [
        str(told["containerID"])
        for told in status(pod).get("containerStatuses") or []
        if "running" in (told.get("state") or {})
    ]
    if not found:
        raise plain(500, f'pod not found ("{name_of(pod)}_{namespace_of(pod)}")')
    return found


def unreachable(kubelet: Kubelet, what: str) -> StatusError:
    """The node does not answer, in the words of a failed request to its kubelet."""
    address = f"{kubelet.ground.host_ip}:10250"
    return StatusError(
        code=500,
        reason="InternalError",
        message=f'Get "https://{address}/{what}": dial tcp {address}: connect: no route to host',
    )


def _no_backend(kubelet: Kubelet) -> StatusError:
    address = f"{kubelet.ground.host_ip}:10250"
    why = f"error dialing backend: dial tcp {address}: connect: no route to host"
    return StatusError(code=500, reason="", message=why)


def plain(code: int, text: str) -> StatusError:
    """A refusal of the kubelet itself: a line of text and no Status."""
    error = StatusError(code=code, reason="", message=text)
    error.text = text
    return error
