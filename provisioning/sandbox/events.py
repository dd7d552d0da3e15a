"""Events: what the scheduler, kubelets and keepers say about an object, kept for an hour."""

from typing import Literal

from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.kinds import EVENTS
from provisioning.sandbox.objects import (
    Json,
    metadata,
    name_of,
    namespace_of,
    uid_of,
    without_empty,
)
from provisioning.sandbox.store import Stored, new_uid
from provisioning.sandbox.times import in_micros, in_seconds, later

Type = Literal["Normal", "Warning"]


def record(
    cluster: Cluster,
    *,
    about: Stored,
    reason: str,
    message: str,
    source: str,
    host: str = "",
    type_: Type = "Normal",
    field_path: str = "",
) -> None:
    """Say something about an object in the older form of events, which kubelets use."""
    at = in_seconds(cluster.now())
    told: Json = {
        "source": {"component": source, **({"host": host} if host else {})},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "eventTime": None,
        "reportingComponent": source,
        "reportingInstance": host,
    }
    _put(cluster, about, reason, message, type_, field_path, told)


def record_action(
    cluster: Cluster,
    *,
    about: Stored,
    action: str,
    reason: str,
    message: str,
    source: str,
    type_: Type = "Normal",
) -> None:
    """Say something in the newer form, which the scheduler uses: no count, no source."""
    told: Json = {
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "eventTime": in_micros(cluster.now()),
        "action": action,
        "reportingComponent": source,
        "reportingInstance": f"{source}-sandbox",
    }
    _put(cluster, about, reason, message, type_, "", told)


def _put(
    cluster: Cluster,
    about: Stored,
    reason: str,
    message: str,
    type_: Type,
    field_path: str,
    told: Json,
) -> None:
    at = cluster.now()
    obj = about.object
    meta = {
        # The real name ends in nanoseconds; the version keeps two of one moment apart.
        "name": f"{name_of(obj)}.{int(at.timestamp() * 1e6) * 1000 + cluster.store.rv % 1000:016x}",
        # What happens to objects without a namespace is told in `default`.
        "namespace": namespace_of(obj) or "default",
        "uid": new_uid(),
        "creationTimestamp": in_seconds(at),
    }
    event: Json = {"metadata": meta, "involvedObject": _reference(about, field_path)}
    cluster.store.put(
        EVENTS, {**event, "reason": reason, "message": message, "type": type_, **told}
    )


def _reference(about: Stored, field_path: str) -> Json:
    obj = about.object
    reference: Json = {"kind": about.kind.name, "namespace": namespace_of(obj)}
    reference |= {"name": name_of(obj), "uid": uid_of(obj), "apiVersion": about.kind.api_version}
    reference |= {"resourceVersion": metadata(obj).get("resourceVersion"), "fieldPath": field_path}
    return without_empty({key: value or None for key, value in reference.items()})


def forget_old(cluster: Cluster) -> None:
    """Drop the events past their time to live."""
    # Stamps of one form sort as their times do.
    horizon = in_seconds(later(cluster.now(), seconds=-cluster.farm.server.event_ttl_seconds))
    for stored in list(cluster.store.all(EVENTS)):
        if metadata(stored.object)["creationTimestamp"] < horizon:
            cluster.store.remove(EVENTS, stored.key)
