"""What is written to a volume is read back later, and a secret shows in its container alone.

The container is a real one on a real cluster and a local process on the sandbox: both look
for themselves and say in their log what they found.
"""

import base64
import hashlib
import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from portal.api.v1.instances import InstanceDetailSerializer
from provisioning import confiding, images, reading, stopping, volumes
from provisioning.cluster import connections, requests
from provisioning.cluster.errors import NotFound
from provisioning.cluster.requests import MERGE_PATCH, Request
from provisioning.models import Cluster, Instance, Volume
from provisioning.specs import SecretText, VolumeMount
from provisioning.states import SecretKind, State, VolumeState
from tests.provisioning.farms import Farm, wait_until
from tests.provisioning.test_confiding import everything_written
from tests.provisioning.test_keeping_volumes import claim_of, create, look, until

OWN_IMAGE = "registry.local/npu-web:1"
PASSWORD, KEY = "hunter2 hunter2 hunter2", "-----BEGIN KEY-----\nZm9v$(HOME)\n"
GIVEN = (
    SecretText(SecretKind.ENV, "DB_PASSWORD", PASSWORD),
    SecretText(SecretKind.FILE, "id.key", KEY),
)
GREETING = "kept by the first"
CLASSES, VOLUMES = "/apis/storage.k8s.io/v1/storageclasses", "/api/v1/persistentvolumes"

# A local process finds its paths below its folder, a container below its root.
LOOKS = """
import hashlib, os
def told(text): return hashlib.sha256(text.encode()).hexdigest()
print("variable", told(os.environ["DB_PASSWORD"]))
print("file", told(open("run/npu-secrets/id.key", newline="").read()))
"""
WRITES = f"{LOOKS}open('data/greeting', 'w').write({GREETING!r})\nprint('written', flush=True)\n"
READS = "print('read', open('data/greeting').read(), flush=True)\n"
# The first process of a container hears SIGTERM only if it says so.
STAYS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
time.sleep(600)
"""


@pytest.fixture
def storage(farm: Farm, settings: Any) -> Iterator[str]:
    """A class and one volume of it, which no cluster has to provide: the test's own."""
    name = f"npu-farm-{uuid4().hex[:8]}"
    asking = connections.connection_to(farm.cluster)
    kind = {"metadata": {"name": name}, "provisioner": "kubernetes.io/no-provisioner"}
    kind |= {"volumeBindingMode": "WaitForFirstConsumer"}
    with tempfile.TemporaryDirectory(prefix="npu-farm-") as folder:
        Path(folder).chmod(0o777)
        body = {"capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"]}
        body |= {"storageClassName": name, "hostPath": {"path": folder}}
        held = {"metadata": {"name": name}, "spec": body}
        for path, wish in ((CLASSES, kind), (VOLUMES, held)):
            requests.ask(asking, Request(method="POST", path=path, body=wish))
        settings.FARM_STORAGE_CLASSES = {farm.cluster.name: name}
        yield name
        for path in (VOLUMES, CLASSES):
            _take_away(farm.cluster, f"{path}/{name}")


def _take_away(cluster: Cluster, path: str) -> None:
    asking = connections.connection_to(cluster)
    bare = {"metadata": {"finalizers": None}}
    requests.ask(asking, Request(method="DELETE", path=path))
    try:
        patch = Request(method="PATCH", path=path, body=bare, content_type=MERGE_PATCH)
        requests.ask(asking, patch)
    except NotFound:
        return


def run(farm: Farm, volume: Volume, script: str, **words: Any) -> Instance:
    command = ("python3", "-I", "-c", script + STAYS)
    mounts = (VolumeMount(volume.pk, "/data"),)
    wish = {"command": command, "own_image": OWN_IMAGE, "volumes": mounts}
    return farm.until(farm.launch(**wish, **words), State.RUNNING)


def log_of(instance: Instance, word: str) -> str:
    wait_until(lambda: word in reading.read_logs(instance=instance))
    return reading.read_logs(instance=instance)


def end(farm: Farm, instance: Instance) -> None:
    stopping.terminate_instance(instance=instance, at=timezone.now())

    def is_ended() -> bool:
        instance.refresh_from_db()
        return instance.state == State.TERMINATED

    # A container that does not hear SIGTERM is given its whole grace.
    wait_until(is_ended, lambda: (farm.work(), farm.watch()), seconds=90)


def answer_about(instance: Instance) -> str:
    """What the API says of it to those who may ask."""
    instance.tenant_slug = "bada-vision"  # type: ignore[attr-defined]
    return json.dumps(InstanceDetailSerializer(instance).data, default=str)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_volume_keeps_what_was_written_and_a_secret_stays_in_its_container(
    farm: Farm, storage: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    images.allow_image(
        tenant_id=farm.account.tenant_id, pattern=OWN_IMAGE, by="Erin", at=timezone.now()
    )
    volume = create(farm, size_gib=2)

    first = run(farm, volume, WRITES, secrets=GIVEN)
    log = log_of(first, "written")
    assert f"variable {digest(PASSWORD)}" in log
    assert f"file {digest(KEY)}" in log
    until(volume, lambda v: v.state == VolumeState.READY)
    assert volume.storage_class == storage

    places = {
        "pod": json.dumps(farm.pods_of(first)),
        "rows": everything_written(),
        "answer": answer_about(first),
        "container's log": log,
        "our log": caplog.text,
    }
    for value in (PASSWORD, KEY):
        for said in (value, base64.b64encode(value.encode()).decode(), json.dumps(value)[1:-1]):
            assert [place for place, text in places.items() if said in text] == []

    end(farm, first)
    confiding.clear_away(at=timezone.now())
    second = run(farm, volume, READS)
    assert f"read {GREETING}" in log_of(second, "read")
    end(farm, second)

    volumes.delete_volume(volume=volume, at=timezone.now())
    wait_until(lambda: look(volume).state == VolumeState.DELETED)
    with pytest.raises(NotFound):
        claim_of(volume)
