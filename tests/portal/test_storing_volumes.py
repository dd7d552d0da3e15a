"""A project's volumes have a limit together, whoever asks first, next, or at the same moment."""

from functools import partial
from typing import Any

import pytest
from django.conf import LazySettings

from portal.requests import storing
from portal.requests.errors import VolumeLimitExceeded
from portal.tenants.models import Project
from provisioning import draining, volumes
from provisioning.errors import ClusterInUse
from provisioning.models import Cluster, Volume
from tests.factories import portal as factory
from tests.factories import provisioning as provisioning_factory
from tests.factories.portal import NOON
from tests.portal.racing import race
from tests.provisioning import quiet


@pytest.fixture
def harbor(db: None, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster that takes volumes, of which a project may have 100 GiB."""
    monkeypatch.setattr("celery.app.base.Celery.send_task", lambda *a, **kw: None)
    settings.VOLUME_GIB_PER_PROJECT = 100
    return provisioning_factory.add_cluster(name="harbor")


def create(project: Project, name: str, size_gib: int) -> Volume:
    return storing.create_volume(
        project=project, cluster_name="harbor", name=name, size_gib=size_gib, at=NOON
    )


def test_the_last_gibibyte_is_given_and_no_more(harbor: Cluster, granted: Project) -> None:
    create(granted, "first", 60)
    with pytest.raises(VolumeLimitExceeded):
        create(granted, "second", 41)
    create(granted, "second", 40)
    assert storing.room_of(granted.pk) == (100, 100)
    with pytest.raises(VolumeLimitExceeded):
        create(granted, "third", 1)
    assert Volume.objects.count() == 2


def test_the_rooms_of_all_projects_are_read_at_once(
    harbor: Cluster, granted: Project, django_assert_num_queries: Any
) -> None:
    create(granted, "first", 60)
    other = granted.tenant.projects.create(name="Other", slug="other", created_at=NOON)
    with django_assert_num_queries(1):
        rooms = storing.rooms_of([granted.pk, other.pk])
    assert rooms == {granted.pk: (60, 100), other.pk: (0, 100)}


def test_what_is_deleted_makes_room_at_once(harbor: Cluster, granted: Project) -> None:
    storing.delete_volume(volume=create(granted, "first", 100), at=NOON)
    create(granted, "second", 100)


def test_another_project_has_room_of_its_own(harbor: Cluster, granted: Project) -> None:
    create(granted, "first", 100)
    other = factory.make_tenant("Pear Vision", owner=factory.make_user("Grace")).projects.get()
    create(other, "first", 100)


def test_growth_counts_what_is_added_alone(
    harbor: Cluster, granted: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "check_growth", lambda *, volume: None)
    volume = create(granted, "first", 60)
    with pytest.raises(VolumeLimitExceeded):
        storing.grow_volume(volume=volume, size_gib=101, at=NOON)
    assert storing.grow_volume(volume=volume, size_gib=100, at=NOON).size_gib == 100


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_gets_the_last_room(harbor: Cluster, project: Project) -> None:
    told = race([partial(create, project, f"volume-{no}", 60) for no in range(2)])
    assert sum(isinstance(answer, VolumeLimitExceeded) for answer in told) == 1
    assert sum(isinstance(answer, Volume) for answer in told) == 1
    assert storing.room_of(project.pk)[0] == 60


@pytest.mark.django_db(transaction=True)
def test_of_two_who_grow_at_once_one_gets_the_last_room(
    harbor: Cluster, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "check_growth", lambda *, volume: None)
    both = [create(project, f"volume-{no}", 40) for no in range(2)]
    told = race([partial(storing.grow_volume, volume=one, size_gib=60, at=NOON) for one in both])
    assert sum(isinstance(answer, VolumeLimitExceeded) for answer in told) == 1
    assert storing.room_of(project.pk)[0] == 100


@pytest.mark.parametrize("state", ["pending", "ready", "deleting"])
def test_a_cluster_with_a_volume_is_not_removed_and_says_so(
    db: None, granted: Project, state: str
) -> None:
    cluster = provisioning_factory.add_cluster(name="harbor", server=quiet.url())
    volume = create(granted, "datasets", 10)
    Volume.objects.filter(pk=volume.pk).update(state=state)
    draining.drain_cluster(cluster=cluster, at=NOON)
    with pytest.raises(ClusterInUse, match="1 volumes"):
        draining.remove_cluster(cluster=cluster, at=NOON)
    cluster.refresh_from_db()
    assert cluster.kubeconfig_encrypted

    Volume.objects.filter(pk=volume.pk).update(state="deleted")
    draining.remove_cluster(cluster=cluster, at=NOON)
    cluster.refresh_from_db()
    assert cluster.state == "removed"
