"""Thousands of instances that run, on a sandbox of their own.

Everything but the haste is the product's: the manifests, the lists, the rows.  Only that an
attempt came to its pod is written here, in bulk, instead of being reconciled one by one.
"""

import itertools
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.utils import timezone

from benchmarks.chaos.sandboxes import Sandbox
from billing.accounts import open_account
from billing.models import Account
from provisioning import (
    attempts,
    catalog,
    clusters,
    installation,
    launching,
    manifests,
    reconciling,
    relisting,
)
from provisioning.cluster import asking
from provisioning.cluster.errors import Expired
from provisioning.models import Attempt, Cluster, Instance, InstanceType, Pool
from provisioning.specs import InstanceSpec
from provisioning.states import AttemptState, Desired, State

CARDS_PER_NODE = 256
THREADS = 8
PATIENCE_S = 600
SPARE = 600
IMAGE = "registry.local/npu-workspace:1"
# A tenant's namespace holds no more than five hundred.
PODS_PER_TENANT = 400


@dataclass(frozen=True)
class Herd:
    """A cluster the product knows, and the attempts of its instances."""

    cluster: Cluster
    accounts: list[Account]
    attempts: list[Attempt]
    sandbox: Sandbox


@contextmanager
def running_herd(count: int) -> Iterator[Herd]:
    """So many instances running, all of them seen, and room for some more."""
    with _sandbox(count + SPARE) as sandbox:
        cluster = _add_cluster(sandbox)
        tenants = [_launch_first(number) for number in range(1, 2 + count // PODS_PER_TENANT)]
        made = launch(cluster, count - len(tenants), accounts=tenants)
        _wait_until_running(sandbox, count)
        _see(cluster)
        yield Herd(cluster, tenants, made, sandbox)


def launch(cluster: Cluster, count: int, *, accounts: list[Account]) -> list[Attempt]:
    """Write instances, attempts and pods as they are once somebody has launched them."""
    pool = Pool.objects.select_related("cluster", "family__vendor").get(cluster=cluster)
    instances = Instance.objects.bulk_create(_instances(count, pool, accounts), batch_size=1000)
    marks = installation.current()

    def create(instance: Instance) -> Attempt:
        spec = attempts.spec_of(instance=instance, attempt_no=1, pool=pool, marks=marks)
        manifest = manifests.pod_for(spec)
        pod = asking.create_pod(cluster, manifest)
        at = timezone.now()
        return Attempt(
            instance=instance, no=1, launch_no=1, cluster=cluster, pool=pool, device_count=1,
            namespace=spec.namespace, pod_name=spec.name, state=AttemptState.CREATED,
            spec_hash=manifests.hash_of(manifest, spec), uid=pod["metadata"]["uid"],
            intended_at=at, created_at=at,
        )  # fmt: skip

    with ThreadPoolExecutor(THREADS) as threads:
        made = list(threads.map(create, instances))
    return Attempt.objects.bulk_create(made, batch_size=1000)


def _instances(count: int, pool: Pool, accounts: list[Account]) -> list[Instance]:
    instance_type = InstanceType.objects.get(slug="rngd-1-dev")
    at = timezone.now()
    return [
        Instance(
            id=uuid.uuid4(), tenant_id=account.tenant_id, project_id=1, name=f"n{number}",
            account=account,
            instance_type=instance_type, device_count=1, cpu_millicores=1000, memory_mib=2048,
            storage_gib=4, sku_code=instance_type.sku_code, image=IMAGE, pool=pool, attempt_no=1,
            desired=Desired.RUNNING, launched_at=at, state=State.RUNNING, state_since=at,
            created_at=at,
        )
        for number, account in zip(range(count), itertools.cycle(accounts), strict=False)
    ]  # fmt: skip


@contextmanager
def _sandbox(devices: int) -> Iterator[Sandbox]:
    folder = Path(tempfile.mkdtemp(prefix="npu-farm-herd-"))
    farm = folder / "farm.yaml"
    farm.write_text(yaml.safe_dump(_farm(-(-devices // CARDS_PER_NODE) + 1)))
    command = [sys.executable, "-m", "provisioning.sandbox", "--port", "0", "--farm", str(farm)]
    process = subprocess.Popen([*command, "--state", str(folder / "state")])
    try:
        while not (folder / "state" / "ready").exists():
            if process.poll() is not None:
                raise RuntimeError("the sandbox ended")
            time.sleep(0.05)
        yield Sandbox(folder / "state")
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _farm(nodes: int) -> dict[str, Any]:
    node = {"name": "n", "count": nodes, "cpu": "512", "memory": "2048Gi", "storage": "9000Gi"}
    cards = [{"product": "rngd", "cards": CARDS_PER_NODE}]
    product = {"name": "rngd", "family": "furiosa-rngd", "resource": "furiosa.ai/rngd"}
    return {
        "delays": {"kubelet_sync": 0, "container_start": 0, "schedule": 0},
        "products": [{**product, "id_pattern": "{uuid}"}],
        "images": [{"name": IMAGE, "pull_seconds": 0}],
        "clusters": [
            {
                "name": "herd",
                "nodes": [{**node, "pods": CARDS_PER_NODE, "images": [IMAGE], "devices": cards}],
            }
        ],
    }


def _add_cluster(sandbox: Sandbox) -> Cluster:
    catalog.load_catalog()
    kubeconfig = (sandbox.folder / "herd.kubeconfig").read_text()
    cluster = clusters.admit_cluster(name="herd", kubeconfig=kubeconfig, at=timezone.now())
    relisting.relist(cluster, clock=timezone.now)
    return cluster


def _launch_first(tenant: int) -> Account:
    """Launch a tenant's first instance the whole way: the namespace comes with it."""
    at = timezone.now()
    account = open_account(
        tenant_id=tenant, name=f"Herd {tenant}", email="herd@bada-vision.example", at=at
    )
    wish = InstanceSpec(
        tenant_id=tenant, project_id=1, account_id=account.pk, name="first",
        instance_type_slug="rngd-1-dev", image_slug="workspace",
    )  # fmt: skip
    instance = launching.launch_instance(spec=wish, at=at)
    deadline = time.monotonic() + PATIENCE_S
    while not instance.attempts.filter(state=AttemptState.CREATED).exists():
        reconciling.drain_due(clock=timezone.now)
        if time.monotonic() > deadline:
            raise TimeoutError("the first pod was not created")
    return account


def _wait_until_running(sandbox: Sandbox, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(sandbox.running_pods("herd")) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{count} pods did not come to run")
        time.sleep(1)


def _see(cluster: Cluster) -> None:
    """Let the watcher see everything, and a worker look at every instance once."""
    for _ in range(2):
        _list_to_the_end(cluster)
    while Instance.objects.filter(next_reconcile_at__lte=timezone.now()).exists():
        reconciling.drain_due(clock=timezone.now)


def _list_to_the_end(cluster: Cluster) -> None:
    # So many new pods take longer than a page can be asked for; what was written stays.
    while True:
        try:
            relisting.relist(cluster, clock=timezone.now)
        except Expired:
            continue
        return
