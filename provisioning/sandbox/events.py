"""Events: what the scheduler, kubelets and keepers say about an object, kept for an hour."""

from typing import Literal

from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.kinds import EVENTS
from provisioning.sandbox.objects import Json, metadata, name_of, namespace_of, uid_of
from provisioning.sandbox.store import Stored, new_uid
from provisioning.sandbox.times import in_seconds, parse

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
    at = in_seconds(cluster.now())
    obj = about.object
    name = f"{name_of(obj)}.{cluster.store.rv + 1:016x}"
    event: Json = {
        "metadata": {
            "name": name,
            # What happens to objects without a namespace is told in `default`.
            "namespace": namespace_of(obj) or "default",
            "uid": new_uid(),
            "creationTimestamp": at,
        },
        "involvedObject": _reference(about, field_path),
        "reason": reason,
        "message": message,
        "source": {"component": source, **({"host": host} if host else {})},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "type": type_,
        "eventTime": None,
        "reportingComponent": source,
        "reportingInstance": host,
    }
    cluster.store.put(EVENTS, event)


def _reference(about: Stored, field_path: str) -> Json:
    obj = about.object
    reference: Json = {"kind": about.kind.name, "namespace": namespace_of(obj)}
    reference |= {"name": name_of(obj), "uid": uid_of(obj), "apiVersion": about.kind.api_version}
    reference["resourceVersion"] = metadata(obj).get("resourceVersion", "")
    if field_path:
        reference["fieldPath"] = field_path
    return {key: value for key, value in reference.items() if value}


def forget_old(cluster: Cluster) -> None:
    """Drop events past their time to live; the store's order is by name, so all are looked at."""
    horizon = cluster.now().timestamp() - cluster.farm.server.event_ttl_seconds
    for stored in cluster.store.all(EVENTS):
        told_at = stored.object.get("lastTimestamp") or metadata(stored.object)["creationTimestamp"]
        if parse(told_at).timestamp() < horizon:
            cluster.store.remove(EVENTS, stored.key)
