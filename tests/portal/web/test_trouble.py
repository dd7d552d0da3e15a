"""What waits for an operator: shown, answered with a reason, and kept with a name."""

import pytest
from django.test import Client

from provisioning.models import (
    ClusterAlarm,
    DeadLetter,
    Instance,
    OrphanRelease,
)
from tests.factories import provisioning as factory
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World

pytestmark = pytest.mark.django_db
WHY = {"reason": "The node was taken out by hand."}


@pytest.fixture
def erins(world: World, visit: Visits) -> Client:
    return visit(world.people["erin"])


@pytest.fixture
def letter(world: World) -> DeadLetter:
    return factory.dead_letter(world.instance)


def test_a_letter_is_tried_again_with_a_reason_and_a_name(
    erins: Client, letter: DeadLetter
) -> None:
    assert "Its pod does not go." in erins.get("/staff/trouble/").content.decode()
    Instance.objects.update(failures=7, next_reconcile_at=None)
    erins.post(f"/staff/trouble/letters/{letter.pk}/retry/", WHY)
    letter.refresh_from_db()
    assert (letter.outcome, letter.close_reason) == ("retried", WHY["reason"])
    assert letter.closed_by.startswith("erin")
    instance = Instance.objects.get(pk=letter.instance_id)
    assert instance.failures == 0
    assert instance.next_reconcile_at is not None
    assert WHY["reason"] in erins.get("/staff/trouble/").content.decode()


def test_nothing_is_done_without_a_reason(erins: Client, letter: DeadLetter) -> None:
    erins.post(f"/staff/trouble/letters/{letter.pk}/close/", {"reason": " "})
    letter.refresh_from_db()
    assert letter.closed_at is None


def test_a_letter_is_closed_once(erins: Client, letter: DeadLetter) -> None:
    erins.post(f"/staff/trouble/letters/{letter.pk}/close/", WHY)
    answer = erins.post(
        f"/staff/trouble/letters/{letter.pk}/retry/", {"reason": "again"}, follow=True
    )
    assert "Somebody has closed this already." in answer.content.decode()
    letter.refresh_from_db()
    assert letter.outcome == "closed"


def test_a_launch_that_has_ended_is_its_tenants_to_start(erins: Client, letter: DeadLetter) -> None:
    Instance.objects.update(state="failed")
    answer = erins.post(f"/staff/trouble/letters/{letter.pk}/retry/", WHY, follow=True)
    assert "its tenant may start" in answer.content.decode()
    letter.refresh_from_db()
    assert letter.closed_at is None


def test_exactly_the_pods_that_were_shown_are_released(erins: Client) -> None:
    cluster = factory.add_cluster()
    alarm = factory.alarm(cluster)
    shown, later = factory.orphan(cluster), factory.orphan(cluster)
    assert shown.name in erins.get("/staff/trouble/").content.decode()
    erins.post(f"/staff/trouble/alarms/{alarm.pk}/release/", {**WHY, "uids": [str(shown.uid)]})
    release = OrphanRelease.objects.get()
    assert release.uids == [str(shown.uid)]
    assert str(later.uid) not in release.uids
    assert release.released_by.startswith("erin")


def test_an_alarm_closed_by_hand_says_by_whom(erins: Client) -> None:
    alarm = factory.alarm(factory.add_cluster(), code="watch_denied")
    erins.post(f"/staff/trouble/alarms/{alarm.pk}/close/", WHY)
    row = ClusterAlarm.objects.get()
    assert row.closed_by.startswith("erin")
    assert row.close_reason == WHY["reason"]


def test_who_may_not_manage_clusters_sees_no_buttons(
    world: World, visit: Visits, letter: DeadLetter
) -> None:
    bobs = visit(world.people["bob"])
    assert bobs.get("/staff/trouble/").status_code in (403, 404)
    assert bobs.post(f"/staff/trouble/letters/{letter.pk}/close/", WHY).status_code in (403, 404)
    letter.refresh_from_db()
    assert letter.closed_at is None
