"""Fill in what a client leaves out, as the API server does before it looks closer.

`admit` decorates what only the server may write (uid, creation time, empty status);
the functions below it know the defaults of each kind.
"""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from provisioning.sandbox import kinds, quantities
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json, metadata, spec
from provisioning.sandbox.store import new_uid
from provisioning.sandbox.times import in_micros, in_seconds

# The letters Kubernetes uses for generated names: no vowels, no look-alikes.
_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_TOLERATION_KEYS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_SERVER_WRITTEN = ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields")


def generated_name(prefix: str) -> str:
    return prefix[:58] + "".join(random.choices(_NAME_LETTERS, k=5))


def stamp(obj: Json, *, namespace: str, at: datetime) -> Json:
    """The metadata only the server writes; what a client sends for it is ignored."""
    meta = {key: value for key, value in metadata(obj).items() if key not in _SERVER_WRITTEN}
    meta.pop("resourceVersion", None)
    if namespace:
        meta["namespace"] = namespace
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = generated_name(meta["generateName"])
    meta["uid"] = new_uid()
    meta["creationTimestamp"] = in_seconds(at)
    return {**obj, "metadata": meta}


def fill(kind: Kind, obj: Json, *, at: datetime) -> Json:
    filler = _FILLERS.get(kind)
    return filler(obj, at) if filler else obj


def refill(kind: Kind, obj: Json) -> Json:
    """The defaults of a changed object: those of its spec, never of what the server writes."""
    if kind is kinds.PODS:
        return {**obj, "spec": fill_pod_spec(spec(obj))}
    if kind in (kinds.LIMIT_RANGES, kinds.RESOURCE_QUOTAS, kinds.SECRETS):
        status = {"status": obj["status"]} if "status" in obj else {}
        return {**_FILLERS[kind](obj, datetime.now(UTC)), **status}
    return obj


def _fill_pod(pod: Json, at: datetime) -> Json:
    meta = {**metadata(pod), "generation": 1}
    filled = fill_pod_spec(spec(pod))
    status = {"phase": "Pending", "qosClass": qos_class(filled)}
    return {"metadata": meta, "spec": filled, "status": status}


def fill_pod_spec(given: Json) -> Json:
    filled: Json = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
        "serviceAccountName": "default",
        **{key: value for key, value in given.items() if value is not None},
    }
    filled.setdefault("serviceAccount", filled["serviceAccountName"])
    filled["tolerations"] = _tolerations(filled.get("tolerations") or [])
    for group in ("containers", "initContainers"):
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
    return toleration.get("key") in (None, "", key) and toleration.get("effect") in (
        None,
        "",
        "NoExecute",
    )


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
        part: {name: _stored_quantity(value) for name, value in amounts.items()}
        for part, amounts in resources.items()
        if isinstance(amounts, dict)
    }
    limits = filled.get("limits") or {}
    requests = {**{k: v for k, v in limits.items()}, **(filled.get("requests") or {})}
    if requests:
        filled["requests"] = requests
    return filled


def _stored_quantity(value: object) -> object:
    try:
        return quantities.canonical(value)
    except quantities.BadQuantity:
        return value  # validation names the field


def _pull_policy(image: str) -> str:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") and "@" not in image else "IfNotPresent"


def qos_class(pod_spec: Json) -> str:
    """Guaranteed when every container's cpu and memory requests equal its limits."""
    parts = [
        (container.get("resources") or {})
        for container in pod_spec.get("containers") or []
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


def _fill_namespace(namespace: Json, at: datetime) -> Json:
    meta = metadata(namespace)
    labels = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta.get("name")}
    return {
        "metadata": {**meta, "labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _fill_quota(quota: Json, at: datetime) -> Json:
    hard = {name: _stored_quantity(value) for name, value in (spec(quota).get("hard") or {}).items()}
    return {
        "metadata": metadata(quota),
        "spec": {**spec(quota), **({"hard": hard} if hard else {})},
        "status": {},
    }


def _fill_limit_range(limits: Json, at: datetime) -> Json:
    items = [_fill_limit_item(item) for item in spec(limits).get("limits") or []]
    return {"metadata": metadata(limits), "spec": {**spec(limits), "limits": items}}


def _fill_limit_item(item: Json) -> Json:
    """A container's missing default is its maximum, a missing default request its default."""
    filled = {
        part: {name: _stored_quantity(value) for name, value in amounts.items()}
        if isinstance(amounts, dict)
        else amounts
        for part, amounts in item.items()
    }
    if filled.get("type") == "Container":
        defaults = {**(filled.get("max") or {}), **(filled.get("default") or {})}
        requests = {**defaults, **(filled.get("min") or {}), **(filled.get("defaultRequest") or {})}
        filled |= {"default": defaults} if defaults else {}
        filled |= {"defaultRequest": requests} if requests else {}
    return filled


def _fill_secret(secret: Json, at: datetime) -> Json:
    filled = {"type": "Opaque", **secret}
    plain = filled.pop("stringData", None) or {}
    if plain:
        import base64

        encoded = {k: base64.b64encode(str(v).encode()).decode() for k, v in plain.items()}
        filled["data"] = {**(filled.get("data") or {}), **encoded}
    return filled


def _fill_service(service: Json, at: datetime) -> Json:
    given = spec(service)
    cluster_ip = given.get("clusterIP") or f"10.96.{random.randint(0, 255)}.{random.randint(1, 254)}"
    filled = {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ipFamilyPolicy": "SingleStack",
        "ipFamilies": ["IPv4"],
        **given,
        "clusterIP": cluster_ip,
        "clusterIPs": [cluster_ip],
        "ports": [_fill_service_port(port) for port in given.get("ports") or []],
    }
    return {"metadata": metadata(service), "spec": filled, "status": {"loadBalancer": {}}}


def _fill_service_port(port: Json) -> Json:
    return {"protocol": "TCP", "targetPort": port.get("port"), **port}


def _fill_policy(policy: Json, at: datetime) -> Json:
    given = spec(policy)
    types = given.get("policyTypes") or ["Ingress"] + (["Egress"] if given.get("egress") else [])
    meta = {**metadata(policy), "generation": 1}
    filled = {"podSelector": {}, **given, "policyTypes": types}
    return {"metadata": meta, "spec": filled}


def _fill_event(event: Json, at: datetime) -> Json:
    filled = {"source": {}, "firstTimestamp": None, "lastTimestamp": None, "type": "", **event}
    return {"eventTime": None, "reportingComponent": "", "reportingInstance": "", **filled}


def _fill_node(node: Json, at: datetime) -> Json:
    return {"metadata": metadata(node), "spec": spec(node), "status": node.get("status") or {}}


def _fill_lease(lease: Json, at: datetime) -> Json:
    given = spec(lease)
    if given.get("renewTime") and "." not in str(given["renewTime"]):
        given = {**given, "renewTime": in_micros(at)}
    return {"metadata": metadata(lease), "spec": given}


_FILLERS: dict[Kind, Callable[[Json, datetime], Json]] = {
    kinds.PODS: _fill_pod,
    kinds.NAMESPACES: _fill_namespace,
    kinds.RESOURCE_QUOTAS: _fill_quota,
    kinds.LIMIT_RANGES: _fill_limit_range,
    kinds.SECRETS: _fill_secret,
    kinds.SERVICES: _fill_service,
    kinds.NETWORK_POLICIES: _fill_policy,
    kinds.EVENTS: _fill_event,
    kinds.NODES: _fill_node,
    kinds.LEASES: _fill_lease,
}
