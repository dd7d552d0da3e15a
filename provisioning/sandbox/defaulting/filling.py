"""The defaults of every kind, at creation and after a change.

Pods have a module of their own; the other kinds need a few lines each.
"""

import base64
import ipaddress
import random
from collections.abc import Callable

from provisioning.sandbox import kinds
from provisioning.sandbox.defaulting import pods
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json, metadata, spec, without_empty
from provisioning.sandbox.storage import defaults as storage

_SERVICE_RANGE = ipaddress.ip_network("10.96.0.0/16")


def fill(kind: Kind, obj: Json) -> Json:
    """A new object with its defaults."""
    if kind is kinds.PODS:
        return pods.fill(obj)
    if kind in _NEW:
        obj = _NEW[kind](obj)
    return refill(kind, obj)


def refill(kind: Kind, obj: Json) -> Json:
    """The defaults of a changed object: those of what its author writes."""
    if kind is kinds.PODS:
        return {**obj, "spec": pods.fill_spec(spec(obj))}
    return _CHANGED[kind](obj) if kind in _CHANGED else obj


def _new_namespace(namespace: Json) -> Json:
    meta = metadata(namespace)
    labels = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta.get("name")}
    return {
        "metadata": {**meta, "labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _new_quota(quota: Json) -> Json:
    return {**quota, "status": {}}


def _new_policy(policy: Json) -> Json:
    return {**policy, "metadata": {**metadata(policy), "generation": 1}}


def _new_service(service: Json) -> Json:
    # The first and the last address of the range belong to the cluster.
    offset = random.randrange(256, _SERVICE_RANGE.num_addresses - 1)  # noqa: S311
    address = spec(service).get("clusterIP") or str(_SERVICE_RANGE[offset])
    given = {**spec(service), "clusterIP": address, "clusterIPs": [address]}
    return {**service, "spec": given, "status": {"loadBalancer": {}}}


def _quota(quota: Json) -> Json:
    hard = pods.stored_amounts(spec(quota).get("hard") or {}, "ResourceQuota")
    return {**quota, "spec": without_empty({**spec(quota), "hard": hard})}


def _limit_range(limits: Json) -> Json:
    items = [_limit_item(item) for item in spec(limits).get("limits") or []]
    return {**limits, "spec": {**spec(limits), "limits": items}}


def _limit_item(item: Json) -> Json:
    """A container's missing default is its maximum, a missing default request its default."""
    filled = {
        part: pods.stored_amounts(amounts, "LimitRange") if isinstance(amounts, dict) else amounts
        for part, amounts in item.items()
    }
    if filled.get("type") != "Container":
        return filled
    defaults = {**(filled.get("max") or {}), **(filled.get("default") or {})}
    requests = {**defaults, **(filled.get("min") or {}), **(filled.get("defaultRequest") or {})}
    return without_empty({**filled, "default": defaults, "defaultRequest": requests})


def _secret(secret: Json) -> Json:
    filled = {"type": "Opaque", **secret}
    plain = filled.pop("stringData", None) or {}
    encoded = {k: base64.b64encode(str(v).encode()).decode() for k, v in plain.items()}
    return without_empty({**filled, "data": {**(filled.get("data") or {}), **encoded}})


def _service(service: Json) -> Json:
    filled = {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
        **spec(service),
    }
    ports = [
        {"protocol": "TCP", "targetPort": port.get("port"), **port}
        for port in filled.get("ports") or []
    ]
    return {**service, "spec": without_empty({**filled, "ports": ports})}


def _policy(policy: Json) -> Json:
    given = spec(policy)
    types = ["Ingress", "Egress"] if given.get("egress") else ["Ingress"]
    filled = {"podSelector": {}, "policyTypes": types, **given}
    return {**policy, "spec": filled}


def _event(event: Json) -> Json:
    empty: Json = {"firstTimestamp": None, "lastTimestamp": None, "eventTime": None}
    texts = {"reportingComponent": "", "reportingInstance": ""}
    return {"source": {}, **empty, **texts, **event}


_NEW: dict[Kind, Callable[[Json], Json]] = {
    kinds.NAMESPACES: _new_namespace,
    kinds.RESOURCE_QUOTAS: _new_quota,
    kinds.NETWORK_POLICIES: _new_policy,
    kinds.SERVICES: _new_service,
    kinds.PERSISTENT_VOLUME_CLAIMS: storage.new_claim,
    kinds.PERSISTENT_VOLUMES: storage.new_volume,
}
_CHANGED: dict[Kind, Callable[[Json], Json]] = {
    kinds.RESOURCE_QUOTAS: _quota,
    kinds.LIMIT_RANGES: _limit_range,
    kinds.CONFIG_MAPS: without_empty,
    kinds.SECRETS: _secret,
    kinds.SERVICES: _service,
    kinds.NETWORK_POLICIES: _policy,
    kinds.EVENTS: _event,
    kinds.STORAGE_CLASSES: storage.storage_class,
}
