"""LimitRange: defaults for containers that say nothing, bounds for those that say too much."""

from collections.abc import Iterator

from provisioning.sandbox import errors
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.defaulting.pods import qos_class
from provisioning.sandbox.kinds import LIMIT_RANGES, PODS
from provisioning.sandbox.objects import (
    Json,
    metadata,
    name_of,
    namespace_of,
    spec,
    with_metadata,
    with_spec,
    with_status,
)
from provisioning.sandbox.quantities import parse
from provisioning.sandbox.scheduling import amounts

_ANNOTATION = "kubernetes.io/limit-ranger"


def _items(cluster: Cluster, pod: Json, type_: str) -> list[Json]:
    return [
        item
        for stored in cluster.store.all(LIMIT_RANGES, namespace_of(pod))
        for item in spec(stored.object).get("limits") or []
        if item.get("type") == type_
    ]


def with_defaults(cluster: Cluster, pod: Json) -> Json:
    """The pod with the defaults of its namespace's limit ranges."""
    for item in _items(cluster, pod, "Container"):
        pod = _with_item(pod, item)
    return pod


def _with_item(pod: Json, item: Json) -> Json:
    told: list[str] = []
    filled = {
        group: [_with_amounts(container, item, told) for container in spec(pod)[group]]
        for group in ("containers", "initContainers")
        if spec(pod).get(group)
    }
    if not told:
        return pod
    pod = with_spec(pod, **filled)
    pod = with_status(pod, qosClass=qos_class(spec(pod)))
    note = f"LimitRanger plugin set: {'; '.join(told)}"
    return with_metadata(
        pod, annotations={**(metadata(pod).get("annotations") or {}), _ANNOTATION: note}
    )


def _with_amounts(container: Json, item: Json, told: list[str]) -> Json:
    resources = container.get("resources") or {}
    filled = dict(resources)
    for part, source, word in (
        ("requests", "defaultRequest", "request"),
        ("limits", "default", "limit"),
    ):
        given = resources.get(part) or {}
        added = {
            name: value for name, value in (item.get(source) or {}).items() if name not in given
        }
        if added:
            filled[part] = {**given, **added}
            told.append(f"{', '.join(sorted(added))} {word} for container {container.get('name')}")
    return {**container, "resources": filled}


def refuse_beyond(cluster: Cluster, pod: Json) -> None:
    """Refuse a pod with a container, or as a whole, outside the bounds."""
    found = [
        complaint
        for item in _items(cluster, pod, "Container")
        for group in ("containers", "initContainers")
        for container in spec(pod).get(group) or []
        for complaint in _beyond(item, container.get("resources") or {}, "Container")
    ]
    whole = {
        "requests": _total(pod, "requests"),
        "limits": _total(pod, "limits"),
    }
    for item in _items(cluster, pod, "Pod"):
        found += _beyond(item, whole, "Pod")
    if found:
        why = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
        raise errors.forbidden(PODS, name_of(pod), why)


def _total(pod: Json, part: str) -> dict[str, str]:
    total = amounts.requested(pod) if part == "requests" else amounts.limited(pod)
    return {name: amounts.printed(name, value) for name, value in total.items() if name != "pods"}


def _beyond(item: Json, resources: Json, type_: str) -> Iterator[str]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, least in sorted((item.get("min") or {}).items()):
        if name not in requests:
            yield f"minimum {name} usage per {type_} is {least}.  No request is specified"
        elif parse(str(requests[name])) < parse(str(least)):
            yield f"minimum {name} usage per {type_} is {least}, but request is {requests[name]}"
    for name, most in sorted((item.get("max") or {}).items()):
        if name not in limits:
            yield f"maximum {name} usage per {type_} is {most}.  No limit is specified"
        elif parse(str(limits[name])) > parse(str(most)):
            yield f"maximum {name} usage per {type_} is {most}, but limit is {limits[name]}"
