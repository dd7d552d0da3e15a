"""Asking for quota and instances: what is told before, what is refused, what happens."""

from datetime import timedelta

import pytest
from django.test import Client

from portal.requests.models import InstanceRequest, QuotaRequest
from provisioning.models import Instance
from tests.factories import portal as factory
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alices(world: World, visit: Visits) -> Client:
    return visit(world.people["alice"])


def _words(world: World, **changed: object) -> dict[str, object]:
    return {
        "project": world.project.pk,
        "instance_type": world.catalog.single.slug,
        "image": world.catalog.image.slug,
        "count": 1,
        "name": "detector",
        "lease": "8",
        **changed,
    }


def _new(world: World) -> str:
    return f"/t/{world.tenant.slug}/instances/new/"


def test_one_instance_inside_quota_leads_to_its_page(alices: Client, world: World) -> None:
    answer = alices.post(_new(world), _words(world))

    instance = Instance.objects.get()
    assert answer["Location"] == f"/t/{world.tenant.slug}/instances/{instance.pk}/"
    assert instance.ends_at == factory.AFTERNOON + timedelta(hours=8)


def test_several_lead_to_the_page_of_the_request(alices: Client, world: World) -> None:
    answer = alices.post(_new(world), _words(world, count=3), follow=True)

    assert Instance.objects.count() == 3
    assert "detector-3" in answer.content.decode()


def test_a_request_that_a_policy_holds_waits_and_can_be_withdrawn(
    alices: Client, world: World, settings: pytest.FixtureRequest
) -> None:
    settings.REQUEST_HOLD_WITHOUT_END = True  # type: ignore[attr-defined]
    answer = alices.post(_new(world), _words(world, lease=""), follow=True)
    wish = InstanceRequest.objects.get()

    assert "An approver has to look at this request" in answer.content.decode()
    assert "It has no end time." in answer.content.decode()
    alices.post(f"/t/{world.tenant.slug}/instances/requests/{wish.pk}/withdraw/")
    wish.refresh_from_db()
    assert wish.state == "withdrawn"
    assert not Instance.objects.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"count": 11}, "room for 10 more devices"),
        ({"count": 0}, "greater than or equal to 1"),
        ({"count": -5}, "greater than or equal to 1"),
        ({"count": 10**9}, "less than or equal to 100"),
        ({"count": "many"}, "whole number"),
        ({"instance_type": "rngd-0"}, "not one of the available choices"),
        ({"instance_type": "no-such"}, "not one of the available choices"),
        ({"image": "rngd-old"}, "not one of the available choices"),
        ({"lease": "custom", "ends_at": "2020-01-01T00:00"}, "must lie in the future"),
        ({"lease": "custom"}, "Say when it ends"),
        ({"lease": "-1"}, "not one of the available choices"),
        ({"name": "x" * 64}, "at most 63 characters"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_had_is_refused_in_words_and_changes_nothing(
    alices: Client, world: World, changed: dict[str, object], said: str
) -> None:
    answer = alices.post(_new(world), _words(world, **changed))

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Instance.objects.exists()
    assert not InstanceRequest.objects.exists()


def test_another_tenants_project_is_no_choice(alices: Client, world: World) -> None:
    theirs = factory.make_tenant("Meadow Robotics", owner=world.people["charlie"]).projects.get()
    answer = alices.post(_new(world), _words(world, project=theirs.pk))

    assert answer.status_code == 422
    assert not Instance.objects.exists()


def test_the_outlook_tells_cost_quota_and_queue(alices: Client, world: World) -> None:
    said = alices.get(f"{_new(world)}estimate/", _words(world, count=2)).content.decode()

    # ₩3,600 an hour and device: two for an hour, a day, 30 days; eight hours with VAT.
    for figure in ("₩7,200", "₩172,800", "₩5,184,000", "₩57,600", "₩5,760", "₩63,360"):
        assert figure in said
    assert "Takes 2 of 10 free devices" in said
    assert "wait in the queue" in said


def test_the_outlook_of_nonsense_asks_for_a_choice(alices: Client, world: World) -> None:
    answer = alices.get(f"{_new(world)}estimate/", {"instance_type": "no-such", "count": "x"})

    assert answer.status_code == 200
    assert "Choose an instance type" in answer.content.decode()


def test_the_form_begins_with_the_type_one_came_for(alices: Client, world: World) -> None:
    page = alices.get(_new(world), {"instance_type": world.catalog.quad.slug}).content.decode()

    assert f'value="{world.catalog.quad.slug}" checked' in page
    assert "₩14,400" in page


def test_quota_is_asked_for_and_withdrawn(alices: Client, world: World) -> None:
    words = {
        "project": world.project.pk,
        "family": world.catalog.family.pk,
        "devices": 4,
        "justification": "A second site.",
    }
    alices.post(f"/t/{world.tenant.slug}/quota/new/", words)
    wish = QuotaRequest.objects.get(state="submitted")
    assert wish.devices == 4

    alices.post(f"/t/{world.tenant.slug}/quota/{wish.pk}/withdraw/")
    wish.refresh_from_db()
    assert wish.state == "withdrawn"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"devices": 0}, "greater than or equal to 1"),
        ({"devices": 10**7}, "The number of devices is out of range."),
        ({"justification": "   "}, "This field is required."),
        ({"family": 999}, "Select a valid choice"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_quota_requests_without_sense_are_refused(
    alices: Client, world: World, changed: dict[str, object], said: str
) -> None:
    words = {
        "project": world.project.pk,
        "family": world.catalog.family.pk,
        "devices": 4,
        "justification": "A second site.",
        **changed,
    }
    answer = alices.post(f"/t/{world.tenant.slug}/quota/new/", words)

    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not QuotaRequest.objects.filter(state="submitted").exists()
