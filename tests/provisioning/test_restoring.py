"""A database from an hour ago meets a cluster that has gone on.

Backup, history, restore: the same programs and statements as `manage.py backup` and `restore`
run, on the test's own database, against a sandbox that forgets nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from billing.models import Account, QuarantinedFact, UsageInterval
from portal.engines import backups
from portal.quotas import queries, releasing
from portal.requests import operating, restoring, submitting
from portal.requests.models import LaunchedInstance
from portal.requests.wishes import InstanceWish
from portal.tenants import onboarding
from portal.tenants.access import StaffRole
from portal.tenants.models import Project, User
from provisioning import claiming, comparing, installation, marking, sweeping, tallying, volumes
from provisioning.cluster import storing
from provisioning.comparing import Kind, Remedy
from provisioning.models import (
    Family,
    Hold,
    HoldCause,
    Instance,
    InstanceType,
    RuntimeImage,
    Volume,
)
from provisioning.states import State, VolumeState
from tests.emptying import empty_tables
from tests.factories import portal as portal_factory
from tests.factories import provisioning as factory
from tests.provisioning.conftest import make_small, reached
from tests.provisioning.farms import Farm, wait_until
from tests.sandbox.processes import Process

pytestmark = pytest.mark.django_db(transaction=True)

TYPE = "rngd-1"


@dataclass
class House:
    """A tenant with room, on a cluster that answers."""

    farm: Farm
    alice: User
    project: Project
    folder: Path

    def launch(self, name: str) -> Instance:
        wish = InstanceWish(
            instance_type_slug=TYPE,
            image_slug=RuntimeImage.objects.filter(is_retired=False).first().slug,  # type: ignore[union-attr]
            count=1,
            name=name,
            ends_at=timezone.now() + timedelta(days=1),
        )
        asked = submitting.submit_instance_request(
            project=self.project, wish=wish, by=self.alice, at=timezone.now()
        )
        instance = LaunchedInstance.objects.get(instance_request=asked).instance
        return self.farm.until(instance, State.RUNNING)

    def create(self, name: str) -> Volume:
        """A volume whose claim is on the cluster."""
        volume = volumes.create_volume(
            tenant_id=self.project.tenant_id,
            project_id=self.project.pk,
            account_id=Account.objects.get(tenant_id=self.project.tenant_id).pk,
            name=name,
            size_gib=1,
            cluster=self.farm.cluster,
            at=timezone.now(),
        )

        def has_claim() -> bool:
            volume.refresh_from_db()
            return volume.claim_uid is not None

        wait_until(has_claim, lambda: claiming.drain_due(clock=timezone.now))
        return volume

    def stop(self, instance: Instance) -> None:
        operating.stop_instance(instance=instance, at=timezone.now())
        self.farm.until(instance, State.STOPPED)

    def back_up(self) -> None:
        backups.write(
            folder=self.folder,
            url=owner_url(),
            installation="test",
            key="key",
            made_at=timezone.now(),
        )

    def restore(self) -> None:
        connections.close_all()
        backups.read_about(self.folder)
        backups.read_back(folder=self.folder, url=owner_url())
        self.farm.cluster.refresh_from_db()

    def live(self) -> dict[str, str]:
        """Every pod the cluster has and nobody is ending, by instance name's own words."""
        pods = [pod for name in Instance.objects.all() for pod in self.farm.pods_of(name)]
        return {
            pod["metadata"]["name"]: pod["metadata"]["uid"]
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
        }

    def go_on(self, *, seconds: float = 0.0) -> None:
        """Worker, watcher and beat, for a while."""
        for _ in range(3):
            sweeping.sweep(clock=lambda: timezone.now() + timedelta(seconds=seconds))
            self.farm.watch()
        releasing.sweep_reservations(at=timezone.now())


def owner_url() -> str:
    given = connections["owner"].settings_dict
    return (
        f"postgres://{given['USER']}:{given['PASSWORD']}@"
        f"{given['HOST']}:{given['PORT']}/{given['NAME']}"
    )


def open_house(farm: Farm, folder: Path) -> House:
    alice = portal_factory.make_user("Alice")
    bob = portal_factory.make_user("Bob", staff=StaffRole.APPROVER)
    tenant = onboarding.open_tenant(name="Pear Vision", owner=alice, at=timezone.now())
    project = tenant.projects.get()
    family = InstanceType.objects.get(slug=TYPE).family
    portal_factory.grant(project, family, 6, by=bob, asked_by=alice)
    return House(farm, alice, project, folder)


@pytest.fixture
def house(farm: Farm, tmp_path: Path) -> House:
    return open_house(farm, tmp_path / "backup")


@dataclass
class Past:
    """What has become of everyone since the backup."""

    steady: Instance
    ended: Instance
    started: Instance
    recovered: Instance
    newcomer: Instance
    extended: Instance
    pods: dict[str, str]


def live_through(house: House) -> Past:
    steady, ended, started, recovered, extended = map(
        house.launch, ("steady", "ended", "started", "recovered", "extended")
    )
    house.stop(started)
    soon = timezone.now() + timedelta(seconds=1)
    Instance.objects.filter(pk=extended.pk).update(ends_at=soon)
    house.back_up()
    operating.extend_lease(
        instance=extended, ends_at=soon + timedelta(hours=8), at=soon - timedelta(seconds=1)
    )
    operating.terminate_instance(instance=ended, at=timezone.now())
    house.farm.until(ended, State.TERMINATED)
    operating.start_instance(instance=started, by=house.alice, at=timezone.now())
    house.farm.until(started, State.RUNNING)
    house.farm.delete_by_hand(recovered)
    house.farm.until(recovered, State.RECOVERING)
    house.farm.until(recovered, State.RUNNING)
    newcomer = house.launch("newcomer")
    # In an hour the numbers have been raised many times.
    marking.check(house.farm.cluster, at=timezone.now())
    return Past(steady, ended, started, recovered, newcomer, extended, house.live())


@pytest.fixture
def past(house: House) -> Past:
    return live_through(house)


@dataclass
class Held:
    """A house whose cluster nothing may touch, so that several tests can restore it in turn."""

    house: House
    past: Past


@pytest.fixture(scope="module")
def held(
    sandbox: Process,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Held]:
    """Lived through once: each test begins with the restored database and leaves the pods alone."""
    with django_db_blocker.unblock():
        factory.load_catalog()
        make_small()
        farm = Farm.on(reached(sandbox))
        house = open_house(farm, tmp_path_factory.mktemp("held") / "backup")
        yield Held(house, live_through(house))
        house.restore()
        farm.clear()
        empty_tables()


def test_a_restored_database_touches_nothing_by_itself(held: Held) -> None:
    house, past = held.house, held.past
    assert len(past.pods) == 5
    house.restore()
    house.go_on()
    house.go_on(seconds=3600)
    assert everything_on(house) == past.pods
    assert Hold.objects.get(released_at=None).cause == HoldCause.RESTORED


def test_any_way_of_restoring_is_noticed(held: Held) -> None:
    """Somebody used other tools than ours, which say nothing of a hold."""
    house, past = held.house, held.past
    house.restore()
    Hold.objects.all().delete()
    house.go_on(seconds=60)
    assert Hold.objects.get(released_at=None).cause == HoldCause.MARK_AHEAD
    house.go_on(seconds=3600)
    assert everything_on(house) == past.pods


def test_every_difference_has_a_name(held: Held) -> None:
    house, past = held.house, held.past
    house.restore()
    found = {
        d.instance_id: (d.kind, d.remedy) for d in restoring.compare(at=timezone.now()).differences
    }
    assert found == {
        past.ended.pk: (Kind.NOTHING_RUNS, Remedy.STOP),
        past.started.pk: (Kind.NEWER_ATTEMPT, Remedy.ADOPT),
        past.recovered.pk: (Kind.NEWER_ATTEMPT, Remedy.ADOPT),
        past.newcomer.pk: (Kind.UNKNOWN_INSTANCE, Remedy.ADOPT),
        past.extended.pk: (Kind.LEASE_OVER, Remedy.EXTEND),
    }


def test_one_reviewed_command_brings_it_right(house: House, past: Past) -> None:
    house.restore()
    with pytest.raises(restoring.NotReviewed):
        restoring.settle(accepted="unseen", by="Dana", at=timezone.now())
    reviewed = restoring.compare(at=timezone.now()).digest
    settled = restoring.settle(accepted=reviewed, by="Dana", at=timezone.now())
    assert len(settled.instances) == 5
    assert not settled.left
    for name in ("steady", "started", "recovered", "newcomer", "extended"):
        house.farm.until(Instance.objects.get(name=name), State.RUNNING)
    house.farm.until(Instance.objects.get(name="ended"), State.STOPPED)
    house.go_on()
    assert everything_on(house) == past.pods
    assert reserved(house) == 5
    assert not restoring.compare(at=timezone.now()).differences


def test_claims_and_volumes_that_do_not_fit_are_named_and_left(house: House) -> None:
    gone, known = house.create("gone"), house.create("known")
    house.back_up()
    newer = house.create("newer")
    storing.delete_claim(
        gone.cluster, namespace=gone.namespace, name=gone.claim_name, uid=str(gone.claim_uid)
    )
    house.restore()
    house.go_on()
    compared = restoring.compare(at=timezone.now())
    assert [(one.kind, one.claim_name, one.remedy) for one in compared.claims] == [
        (tallying.Kind.CLAIM_GONE, gone.claim_name, "leave"),
        (tallying.Kind.UNKNOWN_CLAIM, newer.claim_name, "leave"),
    ]
    said = StringIO()
    call_command("settle_restore", stdout=said)
    assert "unknown_claim" in said.getvalue()
    assert newer.claim_name in said.getvalue()

    restoring.settle(accepted=compared.digest, by="Dana", at=timezone.now())
    claiming.drain_due(clock=lambda: timezone.now() + timedelta(hours=1))
    selector = installation.current().selector
    listed = storing.list_claims(newer.cluster, selector=selector)
    there = {one["metadata"]["name"] for one in listed}
    assert there == {known.claim_name, newer.claim_name}
    assert Volume.objects.get(pk=gone.pk).state == VolumeState.LOST


def test_the_newcomer_is_billed_from_its_start(house: House, past: Past) -> None:
    house.restore()
    house.go_on()
    restoring.settle(
        accepted=restoring.compare(at=timezone.now()).digest, by="Dana", at=timezone.now()
    )
    newcomer = Instance.objects.get(name="newcomer")
    house.farm.until(newcomer, State.RUNNING)
    house.stop(newcomer)
    (pod_start,) = [row.started_at for row in newcomer.allocations.all()]
    assert pod_start < Hold.objects.get().found_at
    assert newcomer.account.tenant_id == house.project.tenant_id
    (interval,) = UsageInterval.objects.filter(resource_ref=str(newcomer.pk))
    assert (interval.started_at, interval.end_quality) == (pod_start, "exact")
    assert not QuarantinedFact.objects.filter(resolved_at=None).exists()


def test_what_changed_after_the_review_is_reviewed_again(house: House, past: Past) -> None:
    house.restore()
    reviewed = restoring.compare(at=timezone.now()).digest
    house.farm.delete_by_hand(past.newcomer)
    house.farm.until_pod(past.newcomer, lambda pod: "deletionTimestamp" in pod["metadata"])
    with pytest.raises(restoring.NotReviewed):
        restoring.settle(accepted=reviewed, by="Dana", at=timezone.now())
    assert marking.is_held(house.farm.cluster)


def test_a_farm_that_was_only_away_is_not_held(house: House) -> None:
    house.launch("steady")
    house.go_on()
    house.go_on(seconds=86_400)
    assert not Hold.objects.exists()


def test_a_damaged_backup_is_refused(house: House) -> None:
    house.back_up()
    dump = house.folder / backups.DUMP
    dump.write_bytes(dump.read_bytes()[:-1])
    with pytest.raises(backups.BackupRefused):
        backups.read_about(house.folder)


def everything_on(house: House) -> dict[str, str]:
    """Past the database: what the cluster itself has under our marks."""
    return {
        pod.seen.name: str(pod.seen.uid)
        for pod in comparing.pods_of(house.farm.cluster)
        if not pod.seen.is_deleting
    }


def reserved(house: House) -> int:
    family = Family.objects.get(instance_types__slug=TYPE)
    return queries.headroom(project=house.project, family=family).reserved
