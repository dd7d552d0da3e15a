"""What somebody who waits is told, from the rows."""

from datetime import timedelta

import pytest

from provisioning import waiting
from provisioning.models import Cluster, Instance, InstanceType, ObservedPod
from provisioning.states import State
from tests.factories import provisioning as factory
from tests.factories.provisioning import NOON

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def cluster() -> Cluster:
    """Two devices, both held: one for an hour, one for two."""
    factory.load_catalog()
    cluster = factory.add_cluster()
    factory.add_nodes(cluster, factory.raw_node(devices=2))
    for hours in (1, 2):
        hold(factory.launch(ends_at=NOON + hours * HOUR), cluster)
    return cluster


def hold(instance: Instance, cluster: Cluster) -> None:
    attempt = factory.put_on(instance, cluster)
    ObservedPod.objects.create(
        cluster=cluster,
        uid=attempt.uid,
        namespace=attempt.namespace,
        name=attempt.pod_name,
        resource_version="1",
        instance_id=instance.pk,
        attempt_no=1,
        phase="Running",
        node_name="node-1",
        first_seen_at=NOON,
        seen_at=NOON,
    )


def test_the_queue_is_told_by_whom_it_waits_for(cluster: Cluster) -> None:
    first, second, third = (factory.launch(at=NOON + timedelta(seconds=n)) for n in range(3))
    told = [waiting.prospect_of(one, at=NOON) for one in (first, second, third)]
    assert [(one.position, one.starts_at) for one in told if one] == [
        (1, NOON + HOUR),
        (2, NOON + 2 * HOUR),
        (3, None),
    ]


def test_who_does_not_wait_is_told_nothing(cluster: Cluster) -> None:
    running = Instance.objects.exclude(state=State.QUEUED).first()
    assert running is not None
    assert waiting.prospect_of(running, at=NOON) is None
    assert waiting.substitutes_of(running, at=NOON) == []


def test_another_vendors_free_devices_are_offered(cluster: Cluster) -> None:
    queued = factory.launch()
    assert waiting.substitutes_of(queued, at=NOON) == []
    other = factory.raw_node(name="node-2", devices=3, resource="rebellions.ai/ATOM")
    factory.add_nodes(cluster, factory.raw_node(devices=2), other)
    found = waiting.substitutes_of(queued, at=NOON)
    assert {each.instance_type.family.slug for each in found} == {"rebellions-atom"}
    assert {each.could_start for each in found} == {3}
    assert {each.instance_type.device_count for each in found} == {queued.device_count}


def test_what_others_wait_for_is_no_substitute(cluster: Cluster) -> None:
    kind = InstanceType.objects.get(slug="rngd-1")
    assert waiting.could_start(kind, at=NOON) == 0
    ObservedPod.objects.update(phase="Succeeded")
    assert waiting.could_start(kind, at=NOON) == 2
    factory.launch()
    assert waiting.could_start(kind, at=NOON) == 0
