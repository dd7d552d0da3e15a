"""Can this pod go to that node, and if to none, what does the scheduler say?

Pure: pod and node loads in, a node or the scheduler's sentence out.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from provisioning.sandbox.objects import Json, labels_of, spec
from provisioning.sandbox.scheduling.amounts import Amounts
from provisioning.sandbox.scheduling.occupancy import NodeLoad

UNSCHEDULABLE = "node(s) were unschedulable"
TAINTED = "node(s) had untolerated taint(s)"
NO_CLAIMS = "no new claims to deallocate"
WAITING_CLAIMS = "still not schedulable"
UNMATCHED = "node(s) didn't match Pod's node affinity/selector"


@dataclass(frozen=True)
class Misfit:
    """Why a node cannot take a pod, and whether evicting others could change that."""

    reasons: tuple[str, ...]
    is_hopeless: bool


def misfit(pod: Json, wanted: Amounts, load: NodeLoad) -> Misfit | None:
    """Why a pod cannot go to a node; None when it can."""
    if not load.is_open:
        closed = _closed(pod, load.node or {})
        if closed:
            return closed
    if _is_choosy(pod) and not _matches(pod, load.node or {}):
        return Misfit((UNMATCHED,), is_hopeless=True)
    return _shortage(wanted, load)


def _closed(pod: Json, node: Json) -> Misfit | None:
    tolerations = spec(pod).get("tolerations") or []
    if spec(node).get("unschedulable") and not _tolerates_cordon(tolerations):
        return Misfit((UNSCHEDULABLE,), is_hopeless=True)
    if not all(_tolerated(taint, tolerations) for taint in spec(node).get("taints") or []):
        return Misfit((TAINTED,), is_hopeless=True)
    return None


def _is_choosy(pod: Json) -> bool:
    return "nodeSelector" in spec(pod) or "affinity" in spec(pod)


def _shortage(wanted: Amounts, load: NodeLoad) -> Misfit | None:
    left = load.left
    short = [name for name, value in wanted.items() if value and value > left.get(name, 0)]
    if not short:
        return None
    reasons = tuple("Too many pods" if name == "pods" else f"Insufficient {name}" for name in short)
    hopeless = any(wanted[name] > load.offered.get(name, 0) for name in short)
    return Misfit(reasons, is_hopeless=hopeless)


def _tolerates_cordon(tolerations: list[Json]) -> bool:
    return _tolerated(
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, tolerations
    )


def _tolerated(taint: Json, tolerations: list[Json]) -> bool:
    if taint.get("effect") not in ("NoSchedule", "NoExecute"):
        return True
    return any(covers(toleration, taint) for toleration in tolerations)


def covers(toleration: Json, taint: Json) -> bool:
    """Whether a toleration is for a taint."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (
        taint.get("value") or ""
    )


def _matches(pod: Json, node: Json) -> bool:
    labels = labels_of(node)
    selector = spec(pod).get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    affinity = (spec(pod).get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms")
    return terms is None or any(_term_matches(term, node) for term in terms)


def _term_matches(term: Json, node: Json) -> bool:
    name = {"metadata.name": node["metadata"]["name"]}
    return all(
        _expression_matches(expression, values)
        for part, values in (("matchExpressions", labels_of(node)), ("matchFields", name))
        for expression in term.get(part) or []
    )


def _expression_matches(expression: Json, labels: dict[str, str]) -> bool:
    found = labels.get(expression["key"])
    values = expression.get("values") or []
    match expression.get("operator"):
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case "Gt" | "Lt" as operator:
            return _ordered(found, values, operator)
    return False


def _ordered(found: str | None, values: list[str], operator: str) -> bool:
    try:
        number, bound = int(found or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return number > bound if operator == "Gt" else number < bound


def sentence(misfits: Iterable[Misfit], *, claims: str = NO_CLAIMS) -> str:
    """The message of an Unschedulable pod, word for word as the default scheduler has it."""
    found = list(misfits)
    total = len(found)
    if not total:
        return "no nodes available to schedule pods"
    reasons = Counter(reason for one in found for reason in one.reasons)
    preemption = Counter(
        "Preemption is not helpful for scheduling"
        if one.is_hopeless
        else "No preemption victims found for incoming pod"
        for one in found
    )
    head = f"0/{total} nodes are available:"
    tail = f"{claims}, preemption: {head} {_listed(preemption)}."
    return f"{head} {_listed(reasons)}. {tail}"


def _listed(reasons: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))


def refused_outright(why: str, *, nodes: int) -> str:
    """The message of a pod that no node had to be asked for."""
    head = f"0/{nodes} nodes are available:"
    hopeless = f"{head} {nodes} Preemption is not helpful for scheduling."
    return f"{head} {why}. {NO_CLAIMS}, preemption: {hopeless}"
