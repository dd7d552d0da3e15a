"""Write out the objects of a tenant's namespace: limits, walls, an account without a token.

Where our identities may not act everywhere, the namespace also binds them to their roles.

Pure, like `manifests`; `carrying` applies them server-side before the first pod.
The quota is a second lock, not the first: quotas are decided in the portal, and this
one says only that no tenant can hold more than the cluster has.
"""

from typing import Final

from provisioning import deviceclaims, names, permissions
from provisioning.manifests import Manifest
from provisioning.specs import NamespaceSpec

POD_SECURITY_VERSION: Final = "v1.34"
MOST_PODS: Final = 500
# What else a namespace may hold; more than anybody needs, less than hurts the API server.
MOST_OBJECTS: Final = 2000
RBAC: Final = "rbac.authorization.k8s.io"
MOST_CLAIMS: Final = 200
# Neighbours, nodes and the metadata address stay out of reach.
PRIVATE_RANGES: Final = (
    "10.0.0.0/8",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
)


def objects_for(spec: NamespaceSpec) -> list[Manifest]:
    """Return the objects in the order they have to be applied."""
    return [
        _namespace(spec),
        # Early, for the right to write the others comes with it.
        *_role_bindings(spec),
        _service_account(spec),
        _quota(spec),
        _limit_range(spec),
        _deny_all(spec),
        _allow_out(spec),
        _allow_proxy(spec),
        *_claim_templates(spec),
    ]


def pod_security() -> dict[str, str]:
    """Return the labels that hold a namespace's pods to what is restricted in one version."""
    labels = {}
    for mode in ("enforce", "audit", "warn"):
        labels[f"pod-security.kubernetes.io/{mode}"] = "restricted"
        # An older version forbids less, and the latest may forbid more tomorrow.
        labels[f"pod-security.kubernetes.io/{mode}-version"] = POD_SECURITY_VERSION
    return labels


def _namespace(spec: NamespaceSpec) -> Manifest:
    labels = spec.marks.labels(tenant=str(spec.tenant_id))
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": spec.name, "labels": {**labels, **pod_security()}},
    }


def _role_bindings(spec: NamespaceSpec) -> list[Manifest]:
    return [
        {
            **_object(spec, f"{RBAC}/v1", "RoleBinding", permissions.TENANT_ROLES[identity]),
            "roleRef": {
                "apiGroup": RBAC,
                "kind": "ClusterRole",
                "name": permissions.TENANT_ROLES[identity],
            },
            # A service account is a user of that name, and so is whoever signs in otherwise.
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
        }
        for identity, user in spec.bindings
    ]


def _service_account(spec: NamespaceSpec) -> Manifest:
    return {
        **_object(spec, "v1", "ServiceAccount", names.SERVICE_ACCOUNT),
        "automountServiceAccountToken": False,
    }


def _quota(spec: NamespaceSpec) -> Manifest:
    hard = {f"requests.{resource_name}": str(count) for resource_name, count in spec.devices}
    hard |= {"pods": str(MOST_PODS), "persistentvolumeclaims": str(MOST_CLAIMS)}
    hard |= {"services.nodeports": "0", "services.loadbalancers": "0"}
    hard |= {f"count/{kind}": str(MOST_OBJECTS) for kind in ("secrets", "services", "configmaps")}
    hard |= deviceclaims.quotas(spec.device_classes, most_claims=MOST_PODS)
    return {**_object(spec, "v1", "ResourceQuota", "npu-tenant"), "spec": {"hard": hard}}


def _claim_templates(spec: NamespaceSpec) -> list[Manifest]:
    return [
        deviceclaims.template_for(
            request, marks=spec.marks, namespace=spec.name, tenant_id=spec.tenant_id
        )
        for request in spec.requests
    ]


def _limit_range(spec: NamespaceSpec) -> Manifest:
    limit = {
        "type": "Container",
        "default": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"},
        "defaultRequest": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"},
    }
    return {**_object(spec, "v1", "LimitRange", "npu-tenant"), "spec": {"limits": [limit]}}


def _deny_all(spec: NamespaceSpec) -> Manifest:
    body = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return {**_object(spec, "networking.k8s.io/v1", "NetworkPolicy", "deny-all"), "spec": body}


def _allow_out(spec: NamespaceSpec) -> Manifest:
    dns = {
        "to": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
        ],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }
    internet = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": list(PRIVATE_RANGES)}}]}
    body = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [dns, internet]}
    policy = _object(spec, "networking.k8s.io/v1", "NetworkPolicy", "allow-internet")
    return {**policy, "spec": body}


def _allow_proxy(spec: NamespaceSpec) -> Manifest:
    """Let the API server's pod proxy in: visitors of ports come by it, past no neighbour."""
    system = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    sources = [system, *({"ipBlock": {"cidr": cidr}} for cidr in spec.proxy_sources)]
    body = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": sources}]}
    policy = _object(spec, "networking.k8s.io/v1", "NetworkPolicy", "allow-proxy")
    return {**policy, "spec": body}


def _object(spec: NamespaceSpec, api_version: str, kind: str, name: str) -> Manifest:
    labels = spec.marks.labels(tenant=str(spec.tenant_id))
    metadata = {"name": name, "namespace": spec.name, "labels": labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
