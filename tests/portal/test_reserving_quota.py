"""Quota: what was granted, what is reserved, what comes back and when."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction

from portal.quotas import granting, queries, releasing, reserving, tasks
from portal.quotas.errors import QuotaExceeded, QuotaInUse
from portal.quotas.models import Quota, QuotaEntry
from portal.quotas.queries import Headroom
from portal.requests import operating
from portal.tenants.models import Project, User
from provisioning.events import instance_state_changed
from provisioning.models import Instance
from provisioning.states import State
from tests.factories import portal as factory
from tests.factories.portal import NOON, Catalog

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=2)


def _headroom(project: Project, catalog: Catalog) -> Headroom:
    return queries.headroom(project=project, family=catalog.family)


def test_without_a_grant_there_is_no_room(project: Project, catalog: Catalog) -> None:
    assert _headroom(project, catalog) == Headroom(granted=0, reserved=0)
    with pytest.raises(QuotaExceeded) as refusal:
        reserving.reserve_quota(
            project=project, family=catalog.family, devices=1, instance_id=uuid4(), at=NOON
        )
    assert (refusal.value.wanted, refusal.value.free) == (1, 0)


def test_the_last_device_can_be_reserved_and_none_more(granted: Project, catalog: Catalog) -> None:
    for _ in range(10):
        reserving.reserve_quota(
            project=granted, family=catalog.family, devices=1, instance_id=uuid4(), at=NOON
        )
    with pytest.raises(QuotaExceeded):
        reserving.reserve_quota(
            project=granted, family=catalog.family, devices=1, instance_id=uuid4(), at=NOON
        )
    assert _headroom(granted, catalog) == Headroom(granted=10, reserved=10)


def test_another_project_and_another_family_have_their_own(
    granted: Project, catalog: Catalog, other_project: Project
) -> None:
    other_family = factory.make_catalog("warboy")
    with pytest.raises(QuotaExceeded):
        reserving.reserve_quota(
            project=other_project, family=catalog.family, devices=1, instance_id=uuid4(), at=NOON
        )
    with pytest.raises(QuotaExceeded):
        reserving.reserve_quota(
            project=granted, family=other_family.family, devices=1, instance_id=uuid4(), at=NOON
        )


def test_an_instance_holds_once_however_often_it_asks(granted: Project, catalog: Catalog) -> None:
    instance_id = uuid4()
    for _ in range(3):
        reserving.reserve_quota(
            project=granted, family=catalog.family, devices=4, instance_id=instance_id, at=NOON
        )
    assert _headroom(granted, catalog).reserved == 4


def test_a_running_instance_keeps_its_reservation(
    instance: Instance, granted: Project, catalog: Catalog
) -> None:
    Instance.objects.update(state=State.RUNNING)

    assert releasing.release_if_ended(instance_id=instance.pk, at=NOON) == 0
    assert releasing.sweep_reservations(at=NOON) == 0
    assert _headroom(granted, catalog).reserved == 1


@pytest.mark.parametrize("state", [State.STOPPED, State.FAILED, State.TERMINATED])
def test_an_ended_instance_gives_back_once(
    instance: Instance, granted: Project, catalog: Catalog, state: State
) -> None:
    factory.end_launch(instance, state=state)

    released = [
        tasks.release_reservations(instance_id=str(instance.pk)),
        tasks.release_reservations(instance_id=str(instance.pk)),
        tasks.sweep_reservations(),
    ]

    assert released == [1, 0, 0]
    assert _headroom(granted, catalog) == Headroom(granted=10, reserved=0)


def test_the_sweep_finds_what_a_lost_notice_left(
    instance: Instance, granted: Project, catalog: Catalog
) -> None:
    factory.end_launch(instance)

    assert tasks.sweep_reservations() == 1
    assert _headroom(granted, catalog).reserved == 0


def test_starting_again_reserves_again(
    instance: Instance, granted: Project, catalog: Catalog, alice: User
) -> None:
    factory.end_launch(instance)
    releasing.release_if_ended(instance_id=instance.pk, at=NOON)

    operating.start_instance(instance=instance, by=alice, at=LATER)
    assert _headroom(granted, catalog).reserved == 1
    assert instance.launch_no == 2

    # The end of the first launch still shows, and must not take what the second holds.
    assert instance.state == State.STOPPED
    assert releasing.release_if_ended(instance_id=instance.pk, at=LATER) == 0
    assert releasing.sweep_reservations(at=LATER) == 0

    factory.end_launch(instance)
    assert releasing.sweep_reservations(at=LATER) == 1
    kinds = list(QuotaEntry.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["grant", "reserve", "release", "reserve", "release"]


def test_a_release_that_comes_late_leaves_the_new_launch_alone(
    instance: Instance, granted: Project, catalog: Catalog, alice: User
) -> None:
    factory.end_launch(instance)
    operating.start_instance(instance=instance, by=alice, at=LATER)

    assert releasing.release_if_ended(instance_id=instance.pk, at=LATER) == 0
    assert _headroom(granted, catalog).reserved == 1


def test_no_start_without_room(
    instance: Instance, granted: Project, catalog: Catalog, alice: User
) -> None:
    factory.end_launch(instance)
    releasing.release_if_ended(instance_id=instance.pk, at=NOON)
    factory.submit_instances(granted, catalog, by=alice, count=10)

    with pytest.raises(QuotaExceeded):
        operating.start_instance(instance=instance, by=alice, at=NOON)

    instance.refresh_from_db()
    assert instance.launch_no == 1


def test_the_notice_of_an_end_only_asks_for_a_task(
    instance: Instance,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: object,
) -> None:
    sent = []
    monkeypatch.setattr(
        "celery.app.base.Celery.send_task", lambda self, name, **kw: sent.append((name, kw))
    )

    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        for state in (State.RUNNING, State.STOPPING, State.STOPPED):
            instance_state_changed.send(
                Instance, instance_id=instance.pk, from_state="", to_state=state, at=NOON
            )

    assert [name for name, _ in sent] == ["portal.release_reservations"]
    assert sent[0][1]["kwargs"] == {"instance_id": str(instance.pk)}
    assert not QuotaEntry.objects.filter(kind="release").exists()


def test_a_broker_that_is_down_stops_nobody(
    instance: Instance,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: object,
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise ConnectionError

    monkeypatch.setattr("celery.app.base.Celery.send_task", refuse)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        instance_state_changed.send(
            Instance, instance_id=instance.pk, from_state="", to_state=State.STOPPED, at=NOON
        )


def test_granted_quota_falls_only_to_what_is_reserved(
    instance: Instance, granted: Project, catalog: Catalog, bob: User
) -> None:
    quota = Quota.objects.get(project=granted)

    granting.adjust_quota(quota=quota, delta=-9, by=bob, at=NOON, note="programme cut")
    with pytest.raises(QuotaInUse):
        granting.adjust_quota(quota=quota, delta=-1, by=bob, at=NOON, note="once more")

    assert _headroom(granted, catalog) == Headroom(granted=1, reserved=1)


def test_lists_show_the_same_figures(instance: Instance, granted: Project) -> None:
    quota = queries.with_headroom(Quota.objects.all()).get()

    assert (quota.granted, quota.reserved, quota.free) == (10, 1, 9)


@pytest.mark.parametrize("change", [{"delta": 100}, {"note": "never happened"}])
def test_entries_are_never_rewritten(granted: Project, change: dict[str, object]) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        QuotaEntry.objects.update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        QuotaEntry.objects.all().delete()
    assert QuotaEntry.objects.get().delta == 10


def test_the_database_refuses_a_second_release_of_one_reservation(instance: Instance) -> None:
    factory.end_launch(instance)
    releasing.release_if_ended(instance_id=instance.pk, at=NOON)
    release = QuotaEntry.objects.get(kind="release")

    release.pk = None
    with pytest.raises(DatabaseError), transaction.atomic():
        release.save(force_insert=True)
