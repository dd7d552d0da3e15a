"""Legal provisioning objects for tests, and what a cluster would say about them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db.models import Model

from billing import accounts
from billing.models import Account, Sku
from provisioning import attempts, catalog, installation, inventorying, launching
from provisioning.cluster import kubeconfigs
from provisioning.cluster.sealing import seal
from provisioning.looking import Finding, Look
from provisioning.manifests import pod_for
from provisioning.models import (
    Attempt,
    Cluster,
    ClusterAlarm,
    DeadLetter,
    Family,
    Instance,
    InstanceType,
    Node,
    ObservedPod,
    Pool,
    Question,
    RuntimeImage,
    Vendor,
    Verdict,
)
from provisioning.names import Marks
from provisioning.specs import InstanceSpec, PodSpec

NOON = datetime(2026, 3, 15, 3, 0, tzinfo=UTC)
MARKS = Marks(key="test0001", domain="npu-farm.test")
RNGD = "furiosa.ai/rngd"

# In the order in which they name each other.
_ON_OFFER: tuple[type[Model], ...] = (Vendor, Family, InstanceType, RuntimeImage, Sku)
# By the names the operator vouches for: what was written when it was loaded.
_offered: dict[str, list[list[Model]]] = {}
_numbers = count(1)
_versions = count(100)


def load_catalog() -> None:
    """Offer what the product offers: loaded once, and from then on written as it was loaded."""
    names = repr(settings.FARM_RESOURCE_NAMES)
    if any(model._default_manager.exists() for model in _ON_OFFER):
        catalog.load_catalog()
    elif names not in _offered:
        catalog.load_catalog()
        _offered[names] = [list(model._default_manager.all()) for model in _ON_OFFER]
    else:
        for model, rows in zip(_ON_OFFER, _offered[names], strict=True):
            model._default_manager.bulk_create(rows)


def add_cluster(*, name: str = "east", server: str = "http://127.0.0.1:1") -> Cluster:
    """A cluster nobody answers for, unless a server is named."""
    context = {"name": "it", "context": {"cluster": "it", "user": "it"}}
    kubeconfig = {
        "current-context": "it",
        "contexts": [context],
        "clusters": [{"name": "it", "cluster": {"server": server}}],
        "users": [{"name": "it", "user": {"token": "t"}}],
    }
    return Cluster.objects.create(name=name, kubeconfig_encrypted=seal(kubeconfig), added_at=NOON)


def reach_cluster(kubeconfig: str, *, name: str = "east") -> Cluster:
    """A cluster that answers, and of which nothing has been asked yet."""
    sealed = seal(kubeconfigs.parse_kubeconfig(kubeconfig))
    return Cluster.objects.create(name=name, kubeconfig_encrypted=sealed, added_at=NOON)


def look(**words: Any) -> Look:
    """What looking at an ordinary cluster finds."""
    version = Finding(question=Question.VERSION, verdict=Verdict.OK, detail="v1.36.2 will do.")
    usual: dict[str, Any] = {
        "uid": uuid4(),
        "version": "v1.36.2",
        "node_count": 1,
        "resources": (RNGD,),
        "bindings": {},
        "findings": (version,),
    }
    return Look(**{**usual, **words})


def raw_node(
    *,
    name: str = "node-1",
    uid: UUID | None = None,
    boot_id: str = "boot-1",
    ready: bool = True,
    devices: int = 8,
    healthy: int | None = None,
    resource: str = RNGD,
    labels: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A node as the API tells of it."""
    usable = devices if healthy is None else healthy
    return {
        "metadata": {"name": name, "uid": str(uid or uuid4()), "labels": labels or {}},
        "spec": {},
        "status": {
            "nodeInfo": {"bootID": boot_id},
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
            "capacity": {"cpu": "128", resource: str(devices)},
            "allocatable": {"cpu": "128", resource: str(usable)},
        },
    }


def raw_lease(*, name: str = "node-1", renewed_at: datetime = NOON) -> dict[str, Any]:
    """The lease of a node that was alive then."""
    return {"metadata": {"name": name}, "spec": {"renewTime": instant(renewed_at)}}


def add_nodes(
    cluster: Cluster, *raw: dict[str, Any], leases: Iterable[dict[str, Any]] = ()
) -> dict[str, Node]:
    """Take nodes into the inventory as the watcher does."""
    found = inventorying.read_nodes(raw or [raw_node()], leases)
    return inventorying.record_nodes(cluster=cluster, found=found, at=NOON)


def dead_letter(instance: Instance, *, code: str = "pod_will_not_go") -> DeadLetter:
    """Somebody has to look at the instance."""
    return DeadLetter.objects.create(
        instance=instance, code=code, message="It does not go.", first_at=NOON, last_at=NOON
    )


def alarm(cluster: Cluster, *, code: str = "orphans_blocked") -> ClusterAlarm:
    """Somebody has to look at the cluster."""
    return ClusterAlarm.objects.create(cluster=cluster, code=code, first_at=NOON, last_at=NOON)


def put_on(instance: Instance, cluster: Cluster) -> Attempt:
    """The instance has a pod on the cluster, as far as we know."""
    pool, _ = Pool.objects.get_or_create(
        cluster=cluster, family=instance.instance_type.family, resource_name=RNGD
    )
    Instance.objects.filter(pk=instance.pk).update(attempt_no=1, state="running", pool=pool)
    instance.refresh_from_db()
    return Attempt.objects.create(
        instance=instance,
        no=1,
        launch_no=instance.launch_no,
        cluster=cluster,
        pool=pool,
        namespace="npu-test0001-t1",
        pod_name=f"{instance.pk}-a1",
        spec_hash="x",
        device_count=instance.device_count,
        intended_at=NOON,
        created_at=NOON,
        state="created",
        uid=uuid4(),
    )


def orphan(cluster: Cluster) -> ObservedPod:
    """A pod nobody knows, seen by two lists."""
    Cluster.objects.filter(pk=cluster.pk).update(last_list_at=NOON + timedelta(hours=1))
    return ObservedPod.objects.create(
        cluster=cluster,
        uid=uuid4(),
        namespace="npu-x-t1",
        name=f"stray-{next(_numbers)}",
        resource_version="1",
        phase="Running",
        first_seen_at=NOON,
        seen_at=NOON,
    )


def open_account() -> Account:
    """An account of a tenant of its own."""
    number = next(_numbers)
    return accounts.open_account(
        tenant_id=20_000 + number,
        name=f"Tenant {number}",
        email=f"bills{number}@bada-vision.example",
        at=NOON - timedelta(days=30),
    )


def launch(
    *,
    account: Account | None = None,
    at: datetime = NOON,
    instance_type: str = "rngd-1",
    project_id: int = 1,
    **words: Any,
) -> Instance:
    """An instance somebody has just wished for."""
    account = account or open_account()
    spec = InstanceSpec(
        tenant_id=account.tenant_id,
        project_id=project_id,
        account_id=account.pk,
        instance_type_slug=instance_type,
        image_slug="workspace",
        **{"name": "vision", **words},
    )
    return launching.launch_instance(spec=spec, at=at)


def pod_spec(**words: Any) -> PodSpec:
    """A pod like any other."""
    instance_id = words.pop("instance_id", uuid4())
    usual: dict[str, Any] = {
        "marks": MARKS,
        "namespace": "npu-test0001-t1",
        "name": f"{instance_id}-a1",
        "instance_id": instance_id,
        "tenant_id": 1,
        "project_id": 2,
        "attempt_no": 1,
        "image": "registry.local/npu-workspace:1",
        "command": (),
        "environment": (),
        "cpu_millicores": 1000,
        "memory_mib": 2048,
        "storage_gib": 4,
        "resource_name": RNGD,
        "device_count": 1,
    }
    return PodSpec(**{**usual, **words})


def raw_pod(
    attempt: Attempt | None = None,
    *,
    uid: UUID | None = None,
    node: str = "node-1",
    phase: str = "Running",
    state: dict[str, Any] | None = None,
    container_id: str = "containerd://c1",
    devices: Iterable[str] = (),
    deleting: bool = False,
    finalizer: bool = True,
    conditions: Iterable[dict[str, str]] = (),
    **status: Any,
) -> dict[str, Any]:
    """The attempt's pod as the API tells of it; without an attempt, somebody's."""
    marks = installation.current() if attempt else MARKS
    spec = pod_spec(marks=marks) if attempt is None else _spec_of(attempt)
    raw = pod_for(spec)
    metadata = raw["metadata"] | {
        "uid": str(uid or (attempt and attempt.uid) or uuid4()),
        "resourceVersion": str(next(_versions)),
    }
    if deleting:
        metadata["deletionTimestamp"] = instant(NOON)
    if not finalizer:
        metadata["finalizers"] = []
    container: dict[str, Any] = {"name": "npu", "containerID": container_id, "state": state or {}}
    container["allocatedResourcesStatus"] = [
        {
            "name": spec.resource_name,
            "resources": [{"resourceID": device, "health": "Healthy"} for device in devices],
        }
    ]
    said = {"phase": phase, "conditions": list(conditions), **status}
    if state is not None:
        said["containerStatuses"] = [container]
    return {**raw, "metadata": metadata, "spec": {**raw["spec"], "nodeName": node}, "status": said}


def running(since: datetime = NOON) -> dict[str, Any]:
    """The state of a container that runs."""
    return {"running": {"startedAt": instant(since)}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """The state of a container that does not run yet."""
    return {"waiting": {"reason": reason, "message": message}}


def terminated(
    since: datetime | None, until: datetime | None, *, code: int = 0, reason: str = "Completed"
) -> dict[str, Any]:
    """The state of a container that has ended; a lost one says year 1."""
    said = {"exitCode": code, "reason": reason}
    times = {
        "startedAt": instant(since) if since else "0001-01-01T00:00:00Z",
        "finishedAt": instant(until) if until else "0001-01-01T00:00:00Z",
    }
    return {"terminated": {**said, **times}}


def instant(at: datetime) -> str:
    """An instant as the API writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _spec_of(attempt: Attempt) -> PodSpec:

    return attempts.spec_of(
        instance=attempt.instance,
        attempt_no=attempt.no,
        pool=attempt.pool,
        marks=installation.current(),
    )
