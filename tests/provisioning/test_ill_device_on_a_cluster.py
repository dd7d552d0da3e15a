"""The whole chain on a cluster that answers: ill, warned, not owed, well again.

On a real cluster (`CLUSTER_KUBECONFIG`) the device plugin reads from a file which devices
are ill; `PLUGIN_UNHEALTHY_FILE` names it.  The sandbox is told by its operator's door.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from billing.models import UnusableTime, UsageInterval
from provisioning import inventory, moving, queries, stopping
from provisioning.models import NodeCapacity, Outage, TenantNotice
from provisioning.states import State
from tests.factories.provisioning import RNGD
from tests.provisioning.farms import Farm, kept, wait_until
from tests.sandbox.processes import Process

Ailing = Callable[[str, str, bool], None]


@pytest.fixture
def ailing(request: pytest.FixtureRequest, farm: Farm) -> Iterator[Ailing]:
    """Make one device of a node ill, or well."""
    ills: set[tuple[str, str]] = set()
    file = os.environ.get("PLUGIN_UNHEALTHY_FILE")
    if os.environ.get("CLUSTER_KUBECONFIG") and not file:
        pytest.skip("nobody says where the device plugin reads which devices are ill")

    def make(node: str, device: str, ill: bool) -> None:
        if file:
            Path(file).write_text(f"{device}\n" if ill else "")
        else:
            sandbox: Process = request.getfixturevalue("sandbox")
            body = {"id": device, "resource": RNGD, "healthy": not ill}
            sandbox.operate("POST", f"/clusters/east/nodes/{node}/devices", body)
        ills.add((node, device))

    yield make
    for node, device in tuple(ills):
        make(node, device, False)


def test_an_ill_device_is_warned_of_and_not_owed_for_until_it_is_well(
    farm: Farm, ailing: Ailing
) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    (allocation,) = queries.devices_of(instance)
    before = _capacity()

    ailing(allocation.node_name, allocation.device_id, True)
    wait_until(lambda: Outage.objects.filter(ended_at=None).exists(), farm.watch)
    instance.refresh_from_db()
    (warned,) = inventory.warnings_of(instance, at=timezone.now())
    assert (warned.code, warned.device_id) == ("device_unhealthy", allocation.device_id)
    wait_until(_one_is_out, farm.watch)
    during = _capacity()
    assert (during.healthy, during.free) == (before.healthy - 1, before.free)
    farm.until(instance, State.RUNNING)
    time.sleep(2.1)

    ailing(allocation.node_name, allocation.device_id, False)
    wait_until(lambda: not Outage.objects.filter(ended_at=None).exists(), farm.watch)
    wait_until(lambda: not _one_is_out(), farm.watch)
    spell = UnusableTime.objects.get()
    assert spell.ended_at is not None
    assert (spell.ended_at - spell.started_at).total_seconds() >= 2
    # The sandbox's kubelets do not sign what they write with an instant; real ones do.
    clock = "cluster" if os.environ.get("CLUSTER_KUBECONFIG") else "observed"
    assert f"start: {clock}" in spell.evidence
    assert Outage.objects.get().evidence["end"] == clock
    assert spell.interval == UsageInterval.objects.get()
    assert inventory.warnings_of(instance, at=timezone.now()) == []
    kinds = TenantNotice.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["device_unhealthy", "device_recovered"]
    assert _capacity().free == before.free
    stopping.stop_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.STOPPED)


def test_a_move_ends_the_run_and_begins_another_with_the_same_launch(farm: Farm) -> None:
    instance = farm.until(farm.launch(), State.RUNNING)
    time.sleep(1.1)
    moving.move_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.RECOVERING)
    assert instance.reason == "moved"
    farm.until(instance, State.RUNNING)
    assert (instance.attempt_no, instance.launch_no) == (2, 1)
    first, second = kept(instance)
    assert first[2] == "exact"
    assert second[1] is None
    stopping.stop_instance(instance=instance, at=timezone.now())
    farm.until(instance, State.STOPPED)


def _capacity() -> queries.FamilyCapacity:
    found = queries.capacity(at=timezone.now())
    return next(one for one in found if one.resource_name == RNGD)


def _one_is_out() -> bool:
    rows = NodeCapacity.objects.filter(pool__resource_name=RNGD)
    return any(row.allocatable < row.capacity for row in rows)
