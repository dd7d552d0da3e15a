"""The defaults of a pod, as the API server fills them in before anybody looks closer."""

from typing import Any

from provisioning.sandbox import errors, quantities
from provisioning.sandbox.objects import Json, metadata, spec

_TOLERATION_KEYS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_CONTAINER_LISTS = ("initContainers", "containers")


def fill(pod: Json) -> Json:
    """A new pod with its defaults and an empty status."""
    filled = fill_spec(spec(pod))
    return {
        "metadata": {**metadata(pod), "generation": 1},
        "spec": filled,
        "status": {"phase": "Pending", "qosClass": qos_class(filled)},
    }


def fill_spec(given: Json) -> Json:
    """A pod spec with what its author left out."""
    account = given.get("serviceAccountName") or given.get("serviceAccount") or "default"
    filled: Json = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": account,
        "serviceAccount": account,
        "securityContext": {},
        "schedulerName": "default-scheduler",
        **{key: value for key, value in given.items() if value is not None},
        "tolerations": _tolerations(given.get("tolerations") or []),
        "priority": 0,
    }
    filled.setdefault("enableServiceLinks", True)
    filled.setdefault("preemptionPolicy", "PreemptLowerPriority")
    for group in _CONTAINER_LISTS:
        if isinstance(filled.get(group), list):
            filled[group] = [_fill_container(container) for container in filled[group]]
    return filled


def _tolerations(given: list[Json]) -> list[Json]:
    """Five minutes on a node that is not ready or not reachable, unless said otherwise."""
    missing = [key for key in _TOLERATION_KEYS if not any(_covers(item, key) for item in given)]
    return given + [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in missing
    ]


def _covers(toleration: Json, key: str) -> bool:
    effects = (None, "", "NoExecute")
    return toleration.get("key") in (None, "", key) and toleration.get("effect") in effects


def _fill_container(container: Any) -> Any:
    if not isinstance(container, dict):
        return container
    filled = {
        **container,
        "resources": fill_resources(container.get("resources") or {}),
        "terminationMessagePath": container.get("terminationMessagePath", "/dev/termination-log"),
        "terminationMessagePolicy": container.get("terminationMessagePolicy", "File"),
    }
    filled.setdefault("imagePullPolicy", _pull_policy(str(container.get("image") or "")))
    if isinstance(filled.get("ports"), list):
        filled["ports"] = [{"protocol": "TCP", **port} for port in filled["ports"]]
    return filled


def fill_resources(resources: Json) -> Json:
    """Quantities in their stored form; a limit without a request is the request."""
    filled = {
        part: stored_amounts(amounts, "Pod")
        for part, amounts in resources.items()
        if isinstance(amounts, dict) and amounts
    }
    requests = {**(filled.get("limits") or {}), **(filled.get("requests") or {})}
    return {**filled, "requests": requests} if requests else filled


def stored_amounts(amounts: Json, kind: str) -> Json:
    """Quantities as the server stores them; what is none cannot even be decoded."""
    try:
        return {name: quantities.canonical(value) for name, value in amounts.items()}
    except quantities.BadQuantity as error:
        raise errors.bad_request(
            f'{kind} in version "v1" cannot be handled as a {kind}: {error}'
        ) from error


def _pull_policy(image: str) -> str:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") and "@" not in image else "IfNotPresent"


def qos_class(pod_spec: Json) -> str:
    """Guaranteed when every container's cpu and memory requests equal its limits."""
    parts = [
        (container.get("resources") or {})
        for group in _CONTAINER_LISTS
        for container in pod_spec.get(group) or []
        if isinstance(container, dict)
    ]
    wanted = [
        (part.get("requests", {}).get(name), part.get("limits", {}).get(name))
        for part in parts
        for name in ("cpu", "memory")
    ]
    if all(request is None and limit is None for request, limit in wanted):
        return "BestEffort"
    if all(request is not None and request == limit for request, limit in wanted):
        return "Guaranteed"
    return "Burstable"
