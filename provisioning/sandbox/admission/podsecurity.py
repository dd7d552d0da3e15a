"""Pod Security: what a namespace's label lets its pods do, and what it says to those it refuses.

The levels `baseline` and `restricted` as the real admission words them; `warn` labels
become warnings, `audit` labels are accepted and do nothing.
"""

from collections.abc import Callable

from provisioning.sandbox import errors
from provisioning.sandbox.admission import podsecurity_checks as checks
from provisioning.sandbox.cluster import Cluster
from provisioning.sandbox.kinds import NAMESPACES, PODS
from provisioning.sandbox.objects import Json, labels_of, name_of, namespace_of, spec

PREFIX = "pod-security.kubernetes.io/"

Check = Callable[[Json], str]
_BASELINE: tuple[Check, ...] = (
    checks.capabilities_added, checks.host_namespaces, checks.host_paths, checks.host_ports,
    checks.privileged, checks.proc_mount, checks.seccomp_unconfined, checks.sysctls,
)  # fmt: skip
_REPLACED = (checks.capabilities_added, checks.host_paths, checks.seccomp_unconfined)
_RESTRICTED: tuple[Check, ...] = (
    checks.privilege_escalation, checks.capabilities_kept, checks.volume_types,
    checks.run_as_non_root, checks.run_as_user, checks.seccomp,
)  # fmt: skip


def refuse_violations(cluster: Cluster, pod: Json) -> None:
    """Refuse a pod its namespace's `enforce` label forbids."""
    found = violations(cluster, pod, "enforce")
    if found:
        raise errors.forbidden(PODS, name_of(pod), f"violates PodSecurity {found}")


def warning(cluster: Cluster, pod: Json) -> str:
    """What the namespace's `warn` label says to a pod; empty when it says nothing."""
    found = violations(cluster, pod, "warn")
    return f"would violate PodSecurity {found}" if found else ""


def violations(cluster: Cluster, pod: Json, mode: str) -> str:
    """The level and everything the pod does against it; empty when it does nothing."""
    namespace = cluster.store.get(NAMESPACES, "", namespace_of(pod))
    labels = labels_of(namespace.object) if namespace else {}
    level = labels.get(PREFIX + mode, "privileged")
    version = labels.get(f"{PREFIX}{mode}-version", "latest")
    found = [complaint for check in _checks(level) if (complaint := check(spec(pod)))]
    return f'"{level}:{version}": {", ".join(found)}' if found else ""


def _checks(level: str) -> tuple[Check, ...]:
    if level == "baseline":
        return _BASELINE
    if level == "restricted":
        return tuple(check for check in _BASELINE if check not in _REPLACED) + _RESTRICTED
    return ()
