"""ResourceQuota: what a namespace may hold in all, counted when an object is created.

A quota counts from the moment its status says what it limits, which is shortly after
its creation; `keeping/quotas.py` corrects the count when something ends.
"""

from provisioning.sandbox import errors
from provisioning.sandbox.admission import usage
from provisioning.sandbox.admission.usage import Usage
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.kinds import PODS, RESOURCE_QUOTAS, Kind
from provisioning.sandbox.objects import Json, name_of, namespace_of, spec, status, with_status
from provisioning.sandbox.store import Stored

_MUST_BE_SAID = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


def charge(cluster: Cluster, *, kind: Kind, obj: Json, dry_run: bool) -> None:
    """Count a new object against every quota of its namespace, or refuse it."""
    quotas = cluster.store.all(RESOURCE_QUOTAS, namespace_of(obj)) if kind.namespaced else []
    if not quotas:
        return
    wanted = usage.of(kind, obj, at=cluster.now())
    charged = [(stored, _charged(kind, obj, stored, wanted)) for stored in quotas]
    if dry_run:
        return
    for stored, used in charged:
        if used:
            printed = {**(status(stored.object).get("used") or {}), **usage.printed(used)}
            cluster.store.put(RESOURCE_QUOTAS, with_status(stored.object, used=printed))


def _charged(kind: Kind, obj: Json, quota: Stored, wanted: Usage) -> Usage:
    """What the quota has used with the object; only what the object adds to."""
    hard = usage.read(status(quota.object).get("hard") or {})
    used = usage.read(status(quota.object).get("used") or {})
    if kind is PODS:
        _refuse_unsaid(obj, quota, hard)
    added = {name: wanted[name] for name in hard if wanted.get(name)}
    over = [name for name in added if used.get(name, 0) + added[name] > hard[name]]
    if over:
        raise _exceeded(kind, obj, quota, over, (added, used, hard))
    return {name: used.get(name, 0) + amount for name, amount in added.items()}


def _refuse_unsaid(pod: Json, quota: Stored, hard: Usage) -> None:
    """A quota on cpu or memory has to know how much every container wants."""
    missing = [
        f"{name} for: {','.join(silent)}"
        for name in sorted(hard)
        if name in _MUST_BE_SAID and (silent := _silent(pod, name))
    ]
    if missing:
        why = f"failed quota: {quota.key[1]}: must specify {'; '.join(missing)}"
        raise errors.forbidden(PODS, name_of(pod), why)


def _silent(pod: Json, name: str) -> list[str]:
    part, _, resource = name.rpartition(".")
    return [
        container["name"]
        for group in ("containers", "initContainers")
        for container in spec(pod).get(group) or []
        if resource not in ((container.get("resources") or {}).get(part or "requests") or {})
    ]


def _exceeded(
    kind: Kind, obj: Json, quota: Stored, over: list[str], counts: tuple[Usage, Usage, Usage]
) -> errors.StatusError:
    told = [
        ",".join(
            f"{name}={value}"
            for name, value in sorted(usage.printed({n: count.get(n, 0) for n in over}).items())
        )
        for count in counts
    ]
    why = (
        f"exceeded quota: {quota.key[1]}, requested: {told[0]}, used: {told[1]}, limited: {told[2]}"
    )
    return errors.forbidden(kind, name_of(obj), why)
