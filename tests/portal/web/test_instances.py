"""One instance's page: state, reason, meter and history, and what may be done with it."""

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from portal.tenants import joining
from portal.tenants.access import Role
from provisioning.models import Instance
from provisioning.states import Desired, State
from tests.factories import portal as factory
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def alices(world: World, visit: Visits) -> Client:
    return visit(world.people["alice"])


def _address(world: World) -> str:
    return f"/t/{world.tenant.slug}/instances/{world.instance.pk}/"


def test_the_page_says_where_it_stands_and_why(alices: Client, world: World) -> None:
    page = alices.get(_address(world)).content.decode()

    assert "Queued" in page
    assert "a place is being looked for" in page
    assert "In the queue" in page
    assert "1 of 1" in page
    assert "Nothing is metered before the container runs." in page


def test_the_meter_shows_seconds_devices_rate_and_won(alices: Client, world: World) -> None:
    factory.use(world.instance, seconds=4321)
    page = alices.get(_address(world)).content.decode()

    # 4,321 s × 1 × ₩3,600 / 3,600
    assert "4,321" in page
    assert "₩3,600" in page
    assert "₩4,321" in page


def test_seconds_without_a_price_are_told(alices: Client, world: World) -> None:
    Instance.objects.filter(pk=world.instance.pk).update(sku_code="not-priced")
    world.instance.refresh_from_db()
    factory.use(world.instance, seconds=60)

    assert "60 device-seconds have no price yet" in alices.get(_address(world)).content.decode()


def test_a_poll_gets_the_part_that_lives_and_nothing_around_it(
    alices: Client, world: World
) -> None:
    part = alices.get(_address(world), headers={"HX-Request": "true"}).content.decode()

    assert 'id="live"' in part
    assert "<html" not in part


@pytest.mark.parametrize(
    ("state", "said"),
    [(State.QUEUED, "There are no logs yet."), (State.STOPPED, "The logs went with the pod.")],
)
def test_missing_logs_are_explained(alices: Client, world: World, state: State, said: str) -> None:
    Instance.objects.filter(pk=world.instance.pk).update(state=state)

    assert said in alices.get(f"{_address(world)}logs/").content.decode()


@pytest.mark.parametrize(
    ("state", "poll"), [(State.STARTING, 2), (State.RUNNING, 5), (State.STOPPED, 20)]
)
def test_what_moves_is_asked_for_soon(
    alices: Client, world: World, state: State, poll: int
) -> None:
    Instance.objects.filter(pk=world.instance.pk).update(state=state)

    assert f'hx-trigger="every {poll}s"' in alices.get(_address(world)).content.decode()


def test_stop_start_and_terminate_are_wishes(alices: Client, world: World) -> None:
    alices.post(f"{_address(world)}stop/")
    assert _desired(world) == Desired.STOPPED

    factory.end_launch(world.instance)
    alices.post(f"{_address(world)}start/")
    assert _desired(world) == Desired.RUNNING

    alices.post(f"{_address(world)}terminate/")
    assert _desired(world) == Desired.TERMINATED


def test_what_is_impossible_now_is_told_above_the_page(alices: Client, world: World) -> None:
    answer = alices.post(f"{_address(world)}start/")

    told = [(m.level_tag, str(m)) for m in get_messages(answer.wsgi_request)]
    assert told[0][0] == "error"
    assert _desired(world) == Desired.RUNNING


def test_the_end_moves_to_a_time_in_the_future_only(alices: Client, world: World) -> None:
    alices.post(f"{_address(world)}lease/", {"lease": "24"})
    world.instance.refresh_from_db()
    assert world.instance.ends_at == factory.AFTERNOON + timedelta(hours=24)

    answer = alices.post(
        f"{_address(world)}lease/", {"lease": "custom", "ends_at": "2020-01-01T00:00"}
    )
    assert "future" in str(list(get_messages(answer.wsgi_request))[-1])
    world.instance.refresh_from_db()
    assert world.instance.ends_at == factory.AFTERNOON + timedelta(hours=24)


@pytest.mark.parametrize("tail", ["", "new/"])
def test_a_project_of_thousands_of_digits_is_no_crash(
    alices: Client, world: World, tail: str
) -> None:
    address = f"/t/{world.tenant.slug}/instances/{tail}"

    assert alices.get(address, {"project": "9" * 5000}).status_code == 200


def test_a_viewer_looks_and_touches_nothing(world: World, visit: Visits) -> None:
    joining.add_member(
        tenant=world.tenant,
        email=world.people["charlie"].email,
        role=Role.VIEWER,
        by=world.people["alice"],
        at=factory.NOON,
    )
    browser = visit(world.people["charlie"])
    page = browser.get(_address(world)).content.decode()

    assert "Terminate" not in page
    for action in ("stop", "start", "terminate", "lease"):
        assert browser.post(f"{_address(world)}{action}/").status_code == 403
    assert browser.get(f"{_address(world)}logs/").status_code == 403
    assert browser.get(f"/t/{world.tenant.slug}/instances/new/").status_code == 403
    assert _desired(world) == Desired.RUNNING


def test_the_list_narrows_to_state_and_project(alices: Client, world: World) -> None:
    address = f"/t/{world.tenant.slug}/instances/"
    row = f'href="{_address(world)}"'

    assert row in alices.get(address).content.decode()
    assert row not in alices.get(address, {"show": "ended"}).content.decode()
    assert row not in alices.get(address, {"project": world.project.pk + 1}).content.decode()
    assert alices.get(address, {"page": "x", "show": "x", "project": "x"}).status_code == 200


def _desired(world: World) -> str:
    return str(Instance.objects.get(pk=world.instance.pk).desired)
