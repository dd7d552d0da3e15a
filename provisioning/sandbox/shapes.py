"""The shape of our kinds: which fields there are and what type each holds.

A real server drops fields it does not know and refuses values of another type before
anything else; a manifest with a slip in it must not work here either.
"""

from collections.abc import Iterator
from typing import Any

from provisioning.sandbox import kinds
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json

ANY = "any"
TEXT = "string"
NUMBER = "number"
TRUTH = "bool"
AMOUNT = "quantity"
TEXTS = {"*": TEXT}
AMOUNTS = {"*": AMOUNT}

_METADATA: Json = {
    "name": TEXT, "generateName": TEXT, "namespace": TEXT, "selfLink": TEXT, "uid": TEXT,
    "resourceVersion": TEXT, "generation": NUMBER, "creationTimestamp": TEXT,
    "deletionTimestamp": TEXT, "deletionGracePeriodSeconds": NUMBER, "labels": TEXTS,
    "annotations": TEXTS, "ownerReferences": [ANY], "finalizers": [TEXT], "managedFields": [ANY],
}  # fmt: skip
_RESOURCES: Json = {"limits": AMOUNTS, "requests": AMOUNTS, "claims": [ANY]}
_CONTAINER: Json = {
    "name": TEXT, "image": TEXT, "command": [TEXT], "args": [TEXT], "workingDir": TEXT,
    "ports": [{
        "name": TEXT, "hostPort": NUMBER, "containerPort": NUMBER, "protocol": TEXT, "hostIP": TEXT,
    }],
    "envFrom": [ANY], "env": [{"name": TEXT, "value": TEXT, "valueFrom": ANY}],
    "resources": _RESOURCES, "resizePolicy": [ANY], "restartPolicy": TEXT,
    "restartPolicyRules": [ANY],
    "volumeMounts": [{
        "name": TEXT, "readOnly": TRUTH, "recursiveReadOnly": TEXT, "mountPath": TEXT,
        "subPath": TEXT, "mountPropagation": TEXT, "subPathExpr": TEXT,
    }],
    "volumeDevices": [ANY], "livenessProbe": ANY, "readinessProbe": ANY, "startupProbe": ANY,
    "lifecycle": ANY, "terminationMessagePath": TEXT, "terminationMessagePolicy": TEXT,
    "imagePullPolicy": TEXT,
    "securityContext": {
        "capabilities": {"add": [TEXT], "drop": [TEXT]}, "privileged": TRUTH,
        "seLinuxOptions": ANY, "windowsOptions": ANY, "runAsUser": NUMBER, "runAsGroup": NUMBER,
        "runAsNonRoot": TRUTH, "readOnlyRootFilesystem": TRUTH, "allowPrivilegeEscalation": TRUTH,
        "procMount": TEXT, "seccompProfile": ANY, "appArmorProfile": ANY,
    },
    "stdin": TRUTH, "stdinOnce": TRUTH, "tty": TRUTH, "targetContainerName": TEXT,
}  # fmt: skip
_POD_SPEC: Json = {
    "volumes": [ANY], "initContainers": [_CONTAINER], "containers": [_CONTAINER],
    "ephemeralContainers": [_CONTAINER], "restartPolicy": TEXT,
    "terminationGracePeriodSeconds": NUMBER, "activeDeadlineSeconds": NUMBER, "dnsPolicy": TEXT,
    "nodeSelector": TEXTS, "serviceAccountName": TEXT, "serviceAccount": TEXT,
    "automountServiceAccountToken": TRUTH, "nodeName": TEXT, "hostNetwork": TRUTH, "hostPID": TRUTH,
    "hostIPC": TRUTH, "shareProcessNamespace": TRUTH,
    "securityContext": {
        "seLinuxOptions": ANY, "windowsOptions": ANY, "runAsUser": NUMBER, "runAsGroup": NUMBER,
        "runAsNonRoot": TRUTH, "supplementalGroups": [NUMBER], "supplementalGroupsPolicy": TEXT,
        "fsGroup": NUMBER, "sysctls": [ANY], "fsGroupChangePolicy": TEXT, "seccompProfile": ANY,
        "appArmorProfile": ANY, "seLinuxChangePolicy": TEXT,
    },
    "imagePullSecrets": [ANY], "hostname": TEXT, "subdomain": TEXT, "affinity": ANY,
    "schedulerName": TEXT,
    "tolerations": [{
        "key": TEXT, "operator": TEXT, "value": TEXT, "effect": TEXT, "tolerationSeconds": NUMBER,
    }],
    "hostAliases": [ANY], "priorityClassName": TEXT, "priority": NUMBER, "dnsConfig": ANY,
    "readinessGates": [ANY], "runtimeClassName": TEXT, "enableServiceLinks": TRUTH,
    "preemptionPolicy": TEXT, "overhead": AMOUNTS, "topologySpreadConstraints": [ANY],
    "setHostnameAsFQDN": TRUTH, "os": ANY, "hostUsers": TRUTH, "schedulingGates": [ANY],
    "resourceClaims": [ANY], "resources": _RESOURCES, "hostnameOverride": TEXT,
    "workloadRef": ANY, "schedulingGroup": ANY,
}  # fmt: skip
_LIMIT_ITEM: Json = {
    "type": TEXT, "max": AMOUNTS, "min": AMOUNTS, "default": AMOUNTS, "defaultRequest": AMOUNTS,
    "maxLimitRequestRatio": AMOUNTS,
}  # fmt: skip
_BODIES: dict[Kind, Json] = {
    kinds.PODS: {"spec": _POD_SPEC, "status": ANY},
    kinds.NAMESPACES: {"spec": {"finalizers": [TEXT]}, "status": ANY},
    kinds.NODES: {"spec": ANY, "status": ANY},
    kinds.RESOURCE_QUOTAS: {
        "spec": {"hard": AMOUNTS, "scopes": [TEXT], "scopeSelector": ANY}, "status": ANY,
    },
    kinds.LIMIT_RANGES: {"spec": {"limits": [_LIMIT_ITEM]}},
    kinds.SERVICE_ACCOUNTS: {
        "secrets": [ANY], "imagePullSecrets": [ANY], "automountServiceAccountToken": TRUTH,
    },
    kinds.SECRETS: {"data": TEXTS, "stringData": TEXTS, "type": TEXT, "immutable": TRUTH},
    kinds.CONFIG_MAPS: {"data": TEXTS, "binaryData": TEXTS, "immutable": TRUTH},
    kinds.SERVICES: {"spec": ANY, "status": ANY},
    kinds.PERSISTENT_VOLUME_CLAIMS: {
        "spec": {
            "accessModes": [TEXT], "selector": ANY, "resources": _RESOURCES, "volumeName": TEXT,
            "storageClassName": TEXT, "volumeMode": TEXT, "dataSource": ANY, "dataSourceRef": ANY,
            "volumeAttributesClassName": TEXT,
        },
        "status": ANY,
    },
    kinds.PERSISTENT_VOLUMES: {"spec": ANY, "status": ANY},
    kinds.STORAGE_CLASSES: {
        "provisioner": TEXT, "parameters": TEXTS, "reclaimPolicy": TEXT, "mountOptions": [TEXT],
        "allowVolumeExpansion": TRUTH, "volumeBindingMode": TEXT, "allowedTopologies": [ANY],
    },
    kinds.NETWORK_POLICIES: {
        "spec": {"podSelector": ANY, "ingress": [ANY], "egress": [ANY], "policyTypes": [TEXT]},
    },
    kinds.LEASES: {
        "spec": {
            "holderIdentity": TEXT, "leaseDurationSeconds": NUMBER, "acquireTime": TEXT,
            "renewTime": TEXT, "leaseTransitions": NUMBER, "strategy": TEXT,
            "preferredHolder": TEXT,
        },
    },
}  # fmt: skip


def shape_of(kind: Kind) -> Json:
    """The fields of a kind; kinds not described here take any."""
    body = _BODIES.get(kind, {"*": ANY})
    return {"kind": TEXT, "apiVersion": TEXT, "metadata": _METADATA, **body}


def wrong_types(kind: Kind, obj: Json) -> list[str]:
    """What cannot be read because it is of another type."""
    return list(_wrong(kind.name, shape_of(kind), obj))


def _wrong(field: str, shape: Any, value: Any) -> Iterator[str]:
    if value is None or shape == ANY:
        return
    if isinstance(shape, list):
        yield from _wrong_items(field, shape[0], value)
    elif isinstance(shape, dict):
        yield from _wrong_fields(field, shape, value)
    elif not _fits(shape, value):
        yield _unreadable(field, shape, value)


def _wrong_items(field: str, shape: Any, value: Any) -> Iterator[str]:
    if not isinstance(value, list):
        yield _unreadable(field, "array", value)
        return
    for item in value:
        yield from _wrong(field, shape, item)


def _wrong_fields(field: str, shape: Json, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _unreadable(field, "object", value)
        return
    for key, inner in value.items():
        known = shape.get(key, shape.get("*"))
        if known is not None:
            yield from _wrong(f"{field}.{key}", known, inner)


def _fits(shape: str, value: Any) -> bool:
    if shape == TRUTH:
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    allowed: dict[str, type | tuple[type, ...]] = {
        TEXT: str, NUMBER: int, AMOUNT: (str, int, float),
    }  # fmt: skip
    return isinstance(value, allowed[shape])


def _unreadable(field: str, wanted: str, value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "bool"}
    found = names.get(type(value), "number")
    return f"json: cannot unmarshal {found} into Go struct field {field} of type {wanted}"


def known_part(kind: Kind, obj: Json) -> tuple[Json, list[str]]:
    """The object without unknown fields, and which those were."""
    unknown: list[str] = []
    pruned: Json = _pruned("", shape_of(kind), obj, unknown)
    return pruned, unknown


def _pruned(field: str, shape: Any, value: Any, unknown: list[str]) -> Any:
    if isinstance(shape, list) and isinstance(value, list):
        return [
            _pruned(f"{field}[{position}]", shape[0], item, unknown)
            for position, item in enumerate(value)
        ]
    if not isinstance(shape, dict) or not isinstance(value, dict):
        return value
    kept: Json = {}
    for key, inner in value.items():
        known, at = shape.get(key, shape.get("*")), f"{field}.{key}".lstrip(".")
        if known is None:
            unknown.append(at)
        else:
            kept[key] = _pruned(at, known, inner, unknown)
    return kept
