"""Find out what a cluster is, by asking and touching nothing: questions in, findings out.

The version, what its nodes offer, and for each identity who it is and what it may do.
`probing` writes the answers down; what only pods can show is `examining`'s.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from provisioning import permissions
from provisioning.cluster import asking, reviewing, routing
from provisioning.errors import AnotherCluster, ClusterRefused
from provisioning.models import Cluster, Family, Question, TenantNamespace, Verdict
from provisioning.permissions import Scope, Wanted
from provisioning.states import Identity

OLDEST: Final = (1, 34)
TELLS_DEVICES: Final = (1, 36)

Facts = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One answer: how it is to be taken, why, and what it rests on."""

    question: Question
    verdict: Verdict
    detail: str = ""
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at a cluster; `bindings` names the identities that need a role per namespace."""

    uid: UUID
    version: str
    node_count: int
    resources: tuple[str, ...]
    bindings: Mapping[Identity, str]
    findings: tuple[Finding, ...]


def look_at(cluster: Cluster) -> Look:
    """Ask; raises `ClusterUnreachable`, or what the cluster refuses us with."""
    uid = _one_uid(cluster)
    version = str(asking.version(cluster).get("gitVersion") or "")
    nodes = asking.list_nodes(cluster)
    resources = tuple(sorted(_resources_of(nodes)))
    findings = [_of_version(version), _of_devices(resources), _of_device_ids(version)]
    findings.append(_of_gateway_api(cluster))
    bindings: dict[Identity, str] = {}
    for identity in Identity:
        finding, user = look_at_identity(cluster, identity)
        findings.append(finding)
        if finding.facts["is_bound"]:
            bindings[identity] = user
    return Look(
        uid=uid,
        version=version,
        node_count=len(nodes),
        resources=resources,
        bindings=bindings,
        findings=tuple(findings),
    )


def look_at_identity(
    cluster: Cluster, identity: Identity, *, namespace: str = ""
) -> tuple[Finding, str]:
    """Ask for everything an identity needs, and who it is.

    What holds in tenants' namespaces is asked in one of ours, which shows what a binding
    gives; until there is one, the binding is taken on trust.
    """
    user = reviewing.user_of(cluster, identity)
    everywhere = permissions.wanted(identity=identity, scope=Scope.CLUSTER)
    within = permissions.wanted(identity=identity, scope=Scope.TENANT)
    missing = _missing(cluster, everywhere)
    is_bound = bool(_missing(cluster, within))
    inside = namespace or (_namespace_of_ours(cluster) if is_bound else "")
    if is_bound and inside:
        missing += _missing(cluster, within, namespace=inside)
    lacking = [str(one) for one in missing]
    facts = {
        "user": user,
        "missing": lacking,
        "is_bound": is_bound,
        "seen_in": inside,
    }
    if missing:
        detail = f"It may not: {', '.join(lacking)}."
        verdict = Verdict.FAILED
    else:
        verdict, detail = Verdict.OK, _how(is_bound=is_bound, is_seen=bool(inside))
    question = Question(identity.value)
    return Finding(question=question, verdict=verdict, detail=detail, facts=facts), user


def version_of(text: str) -> tuple[int, int] | None:
    """Read major and minor from what a server calls itself."""
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def _one_uid(cluster: Cluster) -> UUID:
    uids = {reviewing.uid_of(cluster, identity) for identity in Identity}
    if len(uids) > 1:
        raise AnotherCluster("Its identities do not lead to one and the same.")
    return uids.pop()


def _of_version(text: str) -> Finding:
    version, oldest = version_of(text), ".".join(map(str, OLDEST))
    if version is None:
        verdict, detail = Verdict.FAILED, "The server does not say which version it is."
    elif version < OLDEST:
        verdict, detail = Verdict.FAILED, f"{text} is older than {oldest}, the oldest we know."
    else:
        verdict, detail = Verdict.OK, f"{text} is {oldest} or later."
    return Finding(
        question=Question.VERSION, verdict=verdict, detail=detail, facts={"version": text}
    )


def _of_devices(resources: Iterable[str]) -> Finding:
    families = {
        name: family.slug for family in Family.objects.all() for name in family.resource_names
    }
    known = {name: families[name] for name in resources if name in families}
    unknown = [name for name in resources if name not in families]
    if known:
        verdict, detail = Verdict.OK, f"Its nodes offer {', '.join(known)}."
    else:
        verdict, detail = Verdict.FAILED, "No node offers a device of a family we know."
    if unknown:
        detail += f" Not sold, for nobody here knows it: {', '.join(unknown)}."
    facts = {"known": known, "unknown": unknown}
    return Finding(question=Question.DEVICES, verdict=verdict, detail=detail, facts=facts)


def _of_device_ids(text: str) -> Finding:
    version = version_of(text)
    if version is not None and version >= TELLS_DEVICES:
        verdict, source = Verdict.OK, "status"
        detail = "A pod's status tells which devices it holds: so it is since 1.36."
    else:
        verdict, source = Verdict.NOT_TRIED, ""
        detail = "Before 1.36 it depends on how the server was started; a pod will show it."
    facts = {"source": source, "by": "version"}
    return Finding(question=Question.DEVICE_IDS, verdict=verdict, detail=detail, facts=facts)


def _of_gateway_api(cluster: Cluster) -> Finding:
    is_there = routing.knows_routes(cluster)
    if is_there:
        detail = "It has the Gateway API: ports may be routed by a gateway of its own."
    else:
        detail = "It has no Gateway API: ports are reached through the portal's own address."
    question, facts = Question.GATEWAY_API, {"is_there": is_there}
    return Finding(question=question, verdict=Verdict.OK, detail=detail, facts=facts)


def _missing(cluster: Cluster, wanted: Iterable[Wanted], *, namespace: str = "") -> list[Wanted]:
    return [one for one in wanted if not _may(cluster, one, namespace)]


def _may(cluster: Cluster, wanted: Wanted, namespace: str) -> bool:
    try:
        return reviewing.may(cluster, wanted, namespace=namespace)
    except ClusterRefused:
        # Who may not even ask, may not.
        return False


def _namespace_of_ours(cluster: Cluster) -> str:
    known = TenantNamespace.objects.filter(cluster_id=cluster.pk, terminating_since=None)
    return known.values_list("name", flat=True).order_by("-applied_at").first() or ""


def _how(*, is_bound: bool, is_seen: bool) -> str:
    if not is_bound:
        return "It may do all it needs, in every namespace."
    if is_seen:
        return "It may do all it needs, in tenants' namespaces by a binding in each."
    return "It will be bound in each tenant's namespace; there is none yet to see that in."


def _resources_of(nodes: Iterable[Facts]) -> set[str]:
    return {
        name
        for node in nodes
        for name in (node.get("status") or {}).get("capacity") or {}
        if "/" in name
    }
