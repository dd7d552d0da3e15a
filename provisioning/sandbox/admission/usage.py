"""What an object uses of a namespace's quota, under every name a quota can limit it by."""

from datetime import datetime

from provisioning.sandbox import kinds
from provisioning.sandbox.kinds import Kind
from provisioning.sandbox.objects import Json, is_deleting, metadata, spec
from provisioning.sandbox.scheduling import amounts
from provisioning.sandbox.times import later, parse

Usage = dict[str, int]

_COUNTED_BY_NAME = (
    kinds.SERVICES, kinds.SECRETS, kinds.CONFIG_MAPS, kinds.RESOURCE_QUOTAS,
    kinds.PERSISTENT_VOLUME_CLAIMS,
)  # fmt: skip


def of(kind: Kind, obj: Json, *, at: datetime) -> Usage:
    """The use one object makes of quota while it exists as it is."""
    used = {f"count/{kind.qualified}": 1}
    if kind in _COUNTED_BY_NAME:
        used[kind.plural] = 1
    if kind is kinds.PODS and not is_over(obj, at=at):
        used |= _of_pod(obj)
    if kind is kinds.SERVICES:
        used |= _of_service(obj)
    if kind is kinds.RESOURCE_CLAIMS:
        used |= _of_device_claim(obj)
    if kind is kinds.PERSISTENT_VOLUME_CLAIMS:
        used |= _of_claim(obj)
    return used


def is_over(pod: Json, *, at: datetime) -> bool:
    """A pod that ended, or ought to have, frees what it asked for."""
    if not is_deleting(pod):
        return amounts.is_finished(pod)
    grace = metadata(pod).get("deletionGracePeriodSeconds") or 0
    deadline = later(parse(metadata(pod)["deletionTimestamp"]), seconds=grace)
    return amounts.is_finished(pod) or at > deadline


def _of_pod(pod: Json) -> Usage:
    requested, limited = amounts.requested(pod), amounts.limited(pod)
    used = {f"requests.{name}": value for name, value in requested.items() if name != "pods"}
    used |= {f"limits.{name}": value for name, value in limited.items()}
    for name in ("cpu", "memory", "ephemeral-storage"):
        if name in requested:
            used[name] = requested[name]
    return {**used, "pods": 1}


def _of_claim(claim: Json) -> Usage:
    requests = (spec(claim).get("resources") or {}).get("requests") or {}
    return {"requests.storage": amounts.whole("storage", requests.get("storage", "0"))}


def _of_device_claim(claim: Json) -> Usage:
    used: Usage = {}
    for request in (spec(claim).get("devices") or {}).get("requests") or ():
        wanted = request.get("exactly") or {}
        name = f"{wanted.get('deviceClassName')}.deviceclass.resource.k8s.io/devices"
        used[name] = used.get(name, 0) + int(wanted.get("count") or 1)
    return used


def _of_service(service: Json) -> Usage:
    type_ = spec(service).get("type")
    ports = len(spec(service).get("ports") or [])
    node_ports = ports if type_ in ("NodePort", "LoadBalancer") else 0
    return {
        "services.nodeports": node_ports,
        "services.loadbalancers": int(type_ == "LoadBalancer"),
    }


def _resource(name: str) -> str:
    """The resource a quota's name is about; its unit decides how amounts are read."""
    for prefix in ("requests.", "limits."):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def read(stored: Json) -> Usage:
    """Amounts out of a quota's status."""
    return {name: amounts.whole(_resource(name), value) for name, value in stored.items()}


def printed(used: Usage) -> dict[str, str]:
    """Amounts as a quota's status and messages show them."""
    return {name: amounts.printed(_resource(name), value) for name, value in used.items()}
